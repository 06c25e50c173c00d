"""The trial of the engines: agreement first, then speed, and a memory that forgets when anything changes."""

from __future__ import annotations

import time

import numpy as np
import pytest

from isogloss.encoders.engines import probe
from isogloss.encoders.engines.probe import Trial, Verdict, candidates, choose, mean_cosine, remembered, sample
from isogloss.errors import UnsupportedModelError

VECTORS = np.random.default_rng(0).standard_normal((12, 8))
FIRST = ("onnx", "fp32")


def turned(cosine):
    """Vectors at this cosine to each of VECTORS."""
    across = np.random.default_rng(1).standard_normal(VECTORS.shape)
    across -= (across * VECTORS).sum(1, keepdims=True) / (VECTORS**2).sum(1, keepdims=True) * VECTORS
    across *= np.linalg.norm(VECTORS, axis=1, keepdims=True) / np.linalg.norm(across, axis=1, keepdims=True)
    return cosine * VECTORS + np.sqrt(1 - cosine**2) * across


def tried(speeds, agreements, *, named=False, failing=()):
    """Choose among engines that take as long, and agree as well, as is said."""

    def load(name, precision):
        if (name, precision) in failing:
            raise UnsupportedModelError(f"{name} cannot", "", "")
        return name, precision

    def run(engine):
        time.sleep(speeds[engine])
        return turned(agreements.get(engine, 1.0))

    return choose(list(speeds), load, run, named=named)


def test_the_fastest_that_agrees_is_chosen() -> None:
    speeds = {FIRST: 0.03, ("openvino", "bf16"): 0.01, ("torch", "bf16"): 0.004}
    found = tried(speeds, {("openvino", "bf16"): 0.99995, ("torch", "bf16"): 0.9998})
    assert (found.chosen.engine, found.chosen.precision) == ("openvino", "bf16")
    assert [trial.agrees for trial in found.trials] == [True, True, False]
    assert found.chosen.agreement == pytest.approx(0.99995, abs=1e-9)
    assert "3." in found.sentence("m") or "2." in found.sentence("m")
    assert tried(speeds, {("torch", "bf16"): 0.99999}).chosen.engine == "torch"


def test_the_first_engine_stays_where_none_is_clearly_faster() -> None:
    speeds = {FIRST: 0.02, ("openvino", "bf16"): 0.0195, ("openvino", "fp32"): 0.03}
    found = tried(speeds, {})
    assert found.chosen == found.trials[0]
    assert len(found.trials) == 3
    assert found.sentence("m") == "m runs on onnx in fp32"


def test_single_precision_is_not_tried_where_bfloat16_does() -> None:
    speeds = {FIRST: 0.02, ("openvino", "bf16"): 0.005, ("openvino", "fp32"): 0.001}
    assert [(one.engine, one.precision) for one in tried(speeds, {}).trials] == list(speeds)[:2]
    assert len(tried(speeds, {("openvino", "bf16"): 0.99}).trials) == 3


def test_what_is_named_is_taken_however_it_agrees_and_said() -> None:
    found = tried({FIRST: 0.01, ("onnx", "int8"): 0.002}, {("onnx", "int8"): 0.99}, named=True)
    assert found.chosen.precision == "int8"
    assert "0.9900" in found.sentence("m")
    assert "below 0.9999" in found.sentence("m")


def test_an_engine_that_cannot_run_the_model_is_left_out_unless_it_is_the_only_one_named() -> None:
    speeds = {FIRST: 0.01, ("openvino", "bf16"): 0.002, ("torch", "bf16"): 0.001}
    found = tried(speeds, {}, failing=[("torch", "bf16")])
    assert found.chosen.engine == "openvino"
    assert found.trials[2].failure == "torch cannot"
    assert not found.trials[2].agrees
    assert tried(speeds, {}, failing=[("torch", "bf16")], named=True).chosen.engine == "openvino"
    with pytest.raises(UnsupportedModelError):
        tried({FIRST: 0, ("torch", "bf16"): 0}, {}, failing=[("torch", "bf16")], named=True)


def test_candidates_never_round_by_themselves_and_torch_only_where_it_is_loaded(monkeypatch) -> None:
    import sys

    monkeypatch.setattr(probe.ENGINES["openvino"].__class__, "missing", lambda self: "")
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "torch")
    assert candidates("auto", None) == [FIRST, ("openvino", "bf16"), ("openvino", "fp32")]
    assert candidates("auto", "fp32") == [FIRST, ("openvino", "fp32")]
    assert candidates("auto", "int8") == [FIRST, ("onnx", "int8")]
    monkeypatch.setitem(sys.modules, "torch", object())
    assert ("torch", "bf16") in candidates("auto", "bf16")
    assert candidates("torch", "bf16") == [FIRST, ("torch", "bf16")]


def test_mean_cosine_by_hand() -> None:
    assert mean_cosine(np.array([[3.0, 4.0]]), np.array([[6.0, 8.0]])) == pytest.approx(1)
    assert mean_cosine(np.array([[1.0, 0], [np.nan, 1]]), np.array([[1.0, 0], [0, 1]])) == 0.5
    assert mean_cosine(np.zeros((1, 2)), np.ones((1, 2))) == 0


def test_a_sample_is_spread_and_bounded_by_tokens() -> None:
    assert sample([5] * 3) == [0, 1, 2]
    rows = sample([100] * 1000)
    assert len(rows) == probe.TOKENS // 100
    assert rows[0] == 0
    assert max(rows) > 900
    assert len(sample([4000] * 50)) == probe.FEWEST


def test_a_choice_is_remembered_for_its_key(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    trials = (Trial(*FIRST, 1.0, 2.0, 9), Trial("openvino", "bf16", 0.99998, 0.5, 9))
    asked = []

    def measure():
        asked.append(1)
        return Verdict(trials, trials[1])

    first, again, other = remembered(["a"], measure), remembered(["a"], measure), remembered(["b"], measure)
    assert len(asked) == 2
    assert (first.remembered, again.remembered, other.remembered) == (False, True, False)
    assert (again.trials, again.chosen) == (trials, trials[1])
    assert "measured before" in again.sentence("m")
    next((tmp_path / "isogloss" / "engines").glob("*.json")).write_text("{")
    remembered(["a"], measure), remembered(["b"], measure)
    assert len(asked) == 3


def test_the_key_names_processor_threads_limits_and_versions(monkeypatch) -> None:
    before = probe.machine(["onnx"], 2)
    assert any(line.startswith("onnxruntime ") for line in before)
    assert probe.machine(["onnx"], 1) != before
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    assert probe.machine(["onnx"], 2) != before
