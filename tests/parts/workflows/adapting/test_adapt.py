"""Whole adaptations of small collections."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from isogloss.collection.collection import Collection
from isogloss.encoders.names import load_encoder
from isogloss.errors import UsageError
from isogloss.protocols import Record, Silent
from isogloss.workflows.adapting.order import Order
from isogloss.workflows.adapting.plan import planned
from isogloss.workflows.adapting.run import Adapted, adapt
from isogloss.workflows.adapting.switching import switch
from isogloss.workflows.adapting.writing import FILE, read_plan
from isogloss.workflows.judged_evaluation import hybrid_of


def _adapted(collection: list[Record], out: Path, *families: str, budget: float = 60.0) -> Adapted:
    order = Order(base="static", budget=budget, out=str(out), families=families)
    return adapt(order, threads=1, progress=Silent(), records=collection, name="small")


@pytest.mark.parametrize("words", [0.0, 0.5])
def test_index_searches_with_the_result(collection: list[Record], tmp_path: Path, words: float) -> None:
    made = _adapted(collection, tmp_path / "out", "maps")
    assert made.kept == "adapted"
    assert made.written is not None
    record = json.loads((tmp_path / "out/run.json").read_text())
    assert record["kind"] == "adapt"
    assert "held-out questions" in (tmp_path / "out/README.md").read_text()
    plan = json.loads((tmp_path / "out" / FILE).read_text())
    assert plan["words"] == made.choice.best.words == 0
    (tmp_path / "out" / FILE).write_text(json.dumps(plan | {"words": words}))
    with Collection.create(tmp_path / "index", encoders=["words", "static"]) as opened:
        opened.add(collection)
    told = switch(str(tmp_path / "index"), tmp_path / "out", threads=1, progress=Silent())
    model = str(tmp_path / "out")
    assert told["model"] == model
    with Collection.open(tmp_path / "index") as opened:
        hit = opened.search("sail and keel", k=3)
        assert hit.encoders == (["words", model] if words else [model])
        hybrid = hybrid_of(opened._store.snapshot)
        assert (hybrid is not None) == bool(words)
        if hybrid is not None:
            assert hybrid.weights == (words, 1.0)
            one = opened.search("sail and keel", k=3, encoders=["words", model], weights={"words": words, model: 1.0})
            assert [found.document for found in one.hits] == [found.document for found in hit.hits]


def test_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is no adaptation"):
        read_plan(tmp_path)


def test_base_is_kept_where_nothing_can_help(collection: list[Record], tmp_path: Path) -> None:
    made = _adapted(collection, tmp_path / "out", "learned")
    assert made.kept == "base"
    assert made.written is None
    assert not (tmp_path / "out").exists()
    assert made.to_dict()["folder"] is None
    assert made.choice.tried


def test_dry_run_tries_nothing(collection: list[Record], tmp_path: Path) -> None:
    order = Order(base="static", out=str(tmp_path / "out"), families=("maps",))
    plan = planned(order, threads=1, progress=Silent(), records=collection, name="small")
    assert [row["name"] for row in plan["rows"]] == ["linear maps"]
    assert plan["left_out"]["denoising"] == "not asked for"
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_trained_candidates_are_taken_up_again(collection: list[Record], tmp_path: Path) -> None:
    pytest.importorskip("torch")
    first = _adapted(collection, tmp_path / "out", "pairs", "spans", budget=60.0)
    assert any(row["family"] == "pairs" for row in first.choice.tried)
    if first.written is not None:
        made = load_encoder(str(first.written.folder))
        assert np.isfinite(np.asarray(made.encode(["a sail"]))).all()
        assert (first.written.folder / FILE).is_file()
    second = _adapted(collection, tmp_path / "again", "pairs", "spans", budget=60.0)
    assert any("finished by an earlier call" in note for note in second.notes)
    assert _spans(second) == pytest.approx(_spans(first))


def _spans(made: Adapted) -> float:
    """Return what the stretches reached in the first round."""
    return float(next(row["score"] for row in made.choice.tried if row["family"] == "spans"))
