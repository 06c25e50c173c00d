"""What is checked first, how time is shared, and the rule that keeps or does not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from isogloss.errors import CorpusError, IndexNotFoundError, UsageError
from isogloss.evaluation.sample import Sample
from isogloss.evaluation.statistics.comparison import compare
from isogloss.protocols import Record
from isogloss.workflows.adapting.halving import rounds_of, slice_of
from isogloss.workflows.adapting.keeping import Kept
from isogloss.workflows.adapting.material import FEWEST, read_documents, split_material
from isogloss.workflows.adapting.order import Clock, Order
from isogloss.workflows.adapting.portfolio import FAMILIES, ROWS, usable
from isogloss.workflows.adapting.proving import verdict
from isogloss.workflows.adapting.run import room_sizes, settled
from isogloss.workflows.training.writing import Measured


def _measured(base: float, adapted: float, noise: float = 0.01) -> Measured:
    draw = np.random.default_rng(0)
    samples = {"base": Sample.of(base + noise * draw.normal(size=80))}
    samples["adapted"] = Sample.of(samples["base"].items + adapted - base + noise * draw.normal(size=80))
    return Measured("own", "retrieval", compare(samples, draws=500), "adapted", samples["adapted"], "base")


@pytest.mark.parametrize(
    ("own", "topic", "words", "kept"),
    [
        (0.1, 0.0, False, True),
        (0.0, 0.1, False, False),
        (-0.1, 0.1, False, False),
        (0.1, -0.1, False, False),
        (0.1, 0.0, True, False),
        (0.1, 0.1, True, True),
    ],
)
def test_base_is_kept_unless_the_gain_is_real(own: float, topic: float, words: bool, kept: bool) -> None:
    found, reason = verdict(_measured(0.5, 0.5 + own), _measured(0.3, 0.3 + topic), words=words)
    assert found is kept
    assert ("real gain" in reason) is kept


def test_verdict_without_topic() -> None:
    assert verdict(_measured(0.5, 0.6), None, words=True)[0]


def test_documents_are_in_one_part_only(collection: list[Record]) -> None:
    material = split_material("t", collection, 0)
    teach = {record.id for record in material.train}
    choose, prove = ({q.document for q in part.questions} for part in (material.choose, material.prove))
    assert not teach & choose
    assert not teach & prove
    assert not choose & prove
    assert len(prove) >= FEWEST
    again = split_material("t", collection, 0)
    assert again.prove.questions == material.prove.questions


def test_too_few_documents_say_how_many_are_needed(collection: list[Record]) -> None:
    with pytest.raises(CorpusError, match="40 documents are too few") as caught:
        split_material("t", collection[:40], 0)
    assert "120" in caught.value.why


def test_nothing_to_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(IndexNotFoundError, match="which documents"):
        read_documents(Order(index=str(tmp_path / "none")))


def test_order_is_checked_first(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a").write_text("b")
    for order, said in (
        (Order(budget=3.0), "too short"),
        (Order(families=("magic",)), "no family"),
        (Order(out=str(tmp_path / "out")), "is there already"),
    ):
        with pytest.raises(UsageError, match=said):
            settled(order)
    assert settled(Order(index=str(tmp_path / "none"))).base == "static"


def test_budget_too_small_for_the_model_says_which_would_do() -> None:
    with pytest.raises(UsageError, match="too short for this model") as caught:
        room_sizes(10.0, 60.0, 5000)
    needed = float(caught.value.fix.split()[1].removesuffix("s"))
    assert room_sizes(10.0, needed + 1, 5000)[1] >= 130


def test_clock_and_slices() -> None:
    assert Clock(50.0, reserved=60.0).left() < 0
    assert [rounds_of(count) for count in (1, 2, 4, 5)] == [1, 2, 3, 4]
    assert slice_of(90.0, 3, 3, 1.0) == pytest.approx(9.0)


def test_portfolio_names_a_reason_for_each_row_that_is_left_out() -> None:
    for is_static in (True, False):
        rows, out = usable(ROWS, (), is_static)
        assert {row.name for row in rows} | set(out) == {row.name for row in ROWS}
    assert "words" in FAMILIES
    quick, out = usable(ROWS, (), False, 600.0)
    assert "denoising" in out
    assert "budget of 30 min" in out["denoising"] or "not installed" in out["denoising"]
    assert {row.name for row in quick} <= {row.name for row in ROWS}
    assert [row.name for row in usable(ROWS, ("maps",), True)[0]] == ["linear maps"]


def test_torn_candidate_is_not_kept(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    kept.save("made questions 0", {"steps": 1}, {"x": np.arange(3.0)})
    found = kept.load("made questions 0")
    assert found is not None
    assert found[0] == {"steps": 1}
    assert found[1]["x"].tolist() == [0.0, 1.0, 2.0]
    (tmp_path / "made-questions-0" / "arrays.safetensors").write_bytes(b"torn")
    assert kept.load("made questions 0") is None
    assert kept.load("never") is None
