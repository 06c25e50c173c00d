"""An encoder on another engine: vectors equal within its precision, agreement said, identity kept."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from isogloss.encoders.engine_encoder import EngineEncoder, compare_engines
from isogloss.encoders.engines.seam import ENGINES
from isogloss.encoders.names import load_encoder
from isogloss.encoders.transformer import TransformerEncoder
from isogloss.errors import EngineNote, IsoglossWarning, UnsupportedModelError, UsageError

TEXTS = [f"the heat of {'gauge library ships ' * (i % 5)} {i}" for i in range(20)]
OTHERS = [
    (kind.name, one) for kind in ENGINES.values() if not kind.missing() for one in kind.precisions
    if (kind.name, one) != ("onnx", "fp32")
]  # fmt: skip


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name in ("ISOGLOSS_ENGINE", "ISOGLOSS_PRECISION"):
        monkeypatch.delenv(name, raising=False)


def encoded(encoder, texts=TEXTS, **options):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = encoder.encode(texts, **options)
    return found, [one for one in caught if issubclass(one.category, IsoglossWarning)]


@pytest.mark.parametrize(("engine", "precision"), OTHERS)
@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_a_named_engine_gives_the_vectors_of_the_plain_one_and_says_how_nearly(
    tiny_model, engine, precision, pooling
) -> None:
    folder = tiny_model(pooling=pooling, dense=True, prompts={"query": "query: "})
    plain = load_encoder(str(folder), threads=2)
    other = load_encoder(str(folder), threads=2, engine=engine, precision=precision)
    assert isinstance(other, EngineEncoder)
    assert other.identity == plain.identity
    expected = plain.encode(TEXTS, role="query")
    found, said = encoded(other, role="query")
    cosines = (found * expected).sum(1)
    assert cosines.mean() > {"fp32": 0.999999, "bf16": 0.999, "int8": 0.98}[precision]
    np.testing.assert_allclose(found, expected, atol={"fp32": 1e-5, "bf16": 0.1, "int8": 0.2}[precision])
    assert len(said) == 1
    assert f"{engine} in {precision}" in str(said[0].message)
    assert "20 texts" in str(said[0].message)
    assert other.verdict.chosen.agreement == pytest.approx(cosines.mean(), abs=2e-3)
    assert (said[0].category is EngineNote) == other.verdict.chosen.agrees
    alone, nothing = encoded(other, [TEXTS[7]], role="query")
    np.testing.assert_allclose(alone[0], found[7], atol={"fp32": 1e-5, "bf16": 0.02, "int8": 0.2}[precision])
    assert nothing == []


def test_the_default_is_the_plain_encoder_to_the_bit(tiny_model) -> None:
    folder = str(tiny_model())
    plain = load_encoder(folder)
    assert type(plain) is TransformerEncoder
    assert type(load_encoder(folder, engine="onnx", precision="fp32")) is TransformerEncoder
    np.testing.assert_array_equal(
        load_encoder(folder, engine="onnx").encode(TEXTS), TransformerEncoder(folder).encode(TEXTS)
    )


def test_auto_waits_for_texts_enough_and_takes_what_agrees(tiny_model, monkeypatch) -> None:
    folder = str(tiny_model())
    encoder = load_encoder(folder, engine="auto")
    few, said = encoded(encoder, TEXTS[:3])
    assert encoder.verdict is None
    assert said == []
    np.testing.assert_array_equal(few, load_encoder(folder).encode(TEXTS[:3]))
    found, _ = encoded(encoder)
    assert encoder.verdict.chosen.agrees
    assert {trial.precision for trial in encoder.verdict.trials} <= {"fp32", "bf16"}
    assert (found * load_encoder(folder).encode(TEXTS)).sum(1).mean() >= 0.9999
    assert load_encoder(folder, engine="auto").verdict is None
    again = load_encoder(folder, engine="auto")
    encoded(again)
    assert again.verdict.remembered
    assert again.verdict.chosen == encoder.verdict.chosen


def test_auto_never_takes_an_engine_that_agrees_worse(tiny_model, monkeypatch) -> None:
    pytest.importorskip("openvino")
    from isogloss.encoders.engines.openvino import OpenVinoEngine

    honest = OpenVinoEngine.last
    monkeypatch.setattr(OpenVinoEngine, "last", lambda self, ids, lengths: honest(self, ids, lengths) ** 2)
    encoder = load_encoder(str(tiny_model()), engine="auto")
    encoded(encoder)
    worse = [trial for trial in encoder.verdict.trials if trial.engine == "openvino"]
    assert worse
    assert not any(trial.agrees for trial in worse)
    assert encoder.verdict.chosen.engine != "openvino"


def test_the_environment_chooses_where_no_argument_does(tiny_model, monkeypatch) -> None:
    monkeypatch.setenv("ISOGLOSS_ENGINE", "onnx")
    monkeypatch.setenv("ISOGLOSS_PRECISION", "int8")
    assert load_encoder(str(tiny_model())).asked == ("onnx", "int8")
    assert type(load_encoder(str(tiny_model()), precision="fp32")) is TransformerEncoder
    assert load_encoder("words").kind == "words"


def test_a_single_text_in_a_named_precision_is_measured_on_fixed_texts(tiny_model) -> None:
    encoder = load_encoder(str(tiny_model()), engine="onnx", precision="int8")
    _, said = encoded(encoder, ["the heat"])
    assert "8 texts" in str(said[0].message)


def test_states_come_from_the_first_engine(tiny_model) -> None:
    folder = str(tiny_model())
    encoder = load_encoder(folder, engine="onnx", precision="int8")
    encoded(encoder)
    np.testing.assert_array_equal(
        encoder.states(TEXTS[:2], [1])[0].values, load_encoder(folder).states(TEXTS[:2], [1])[0].values
    )


def test_what_cannot_be_is_said(tiny_model) -> None:
    folder = str(tiny_model())
    with pytest.raises(UsageError, match="abacus"):
        load_encoder(folder, engine="abacus")
    with pytest.raises(UsageError, match="int8"):
        load_encoder(folder, engine="openvino", precision="int8")


def test_a_precision_that_no_engine_here_has_is_an_error(tiny_model, monkeypatch) -> None:
    monkeypatch.setattr("isogloss.encoders.engines.probe.ENGINES", {"onnx": ENGINES["onnx"]})
    with pytest.raises(UnsupportedModelError, match="bf16"):
        load_encoder(str(tiny_model()), precision="bf16").encode(TEXTS)


def test_all_engines_are_compared(tiny_model) -> None:
    trials = compare_engines(TransformerEncoder(tiny_model()), TEXTS)
    assert [(one.engine, one.precision) for one in trials] == [("onnx", "fp32"), *OTHERS]
    assert all(one.agreement > 0.98 or one.failure for one in trials)


@pytest.mark.parametrize("asked", [{"engine": "torch"}, {"precision": "bf16"}])
@pytest.mark.parametrize("kind", ["sparse", "tokens", "router"])
def test_kinds_with_one_engine_refuse_another_and_do_not_pass_it_over(tiny_model, monkeypatch, kind, asked) -> None:
    folder = str(tiny_model())
    monkeypatch.setattr("isogloss.encoders.names.kind_of", lambda _: kind)
    monkeypatch.setattr("isogloss.encoders.names.open_kind", lambda *_, **__: "opened")
    with pytest.raises(UnsupportedModelError, match="onnx in fp32 alone"):
        load_encoder(folder, **asked)
    assert load_encoder(folder, engine="auto") == "opened"
    assert load_encoder(folder, precision="fp32") == "opened"
