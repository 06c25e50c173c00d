"""Packed torch for graphics cards, run on the processor: the vectors of the other engines; a card that is not there."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isogloss.encoders.batching import padded
from isogloss.encoders.engines.architectures import Weights, read_architecture
from isogloss.encoders.engines.onnx import GraphEngine
from isogloss.encoders.engines.weights import read_headers
from isogloss.encoders.pooling import pool
from isogloss.errors import UnsupportedModelError, UsageError

torch = pytest.importorskip("torch")

from isogloss.encoders.engines.device_torch import DeviceTorch, device_of, load_on, pool_group  # noqa: E402
from isogloss.encoders.engines.packed_torch import POOLINGS, PackedTorch  # noqa: E402

IDS = [
    np.array(one) for one in ([2, 5, 3], [2, *range(4, 30), 3], [2], [2, 7, 8, 9, 3], [2, *range(6, 40), 3], [2, 9, 3])
]
LENGTHS = np.array([len(one) for one in IDS])
NO_CARD = not torch.cuda.is_available()


def engines(folder, precision="fp32"):
    """The engine, and ONNX Runtime's."""
    architecture = read_architecture(json.loads((folder / "config.json").read_text()))
    weights = Weights(read_headers(folder), architecture).used()
    return DeviceTorch(architecture, weights, precision, torch.device("cpu")), GraphEngine(architecture, weights)


@pytest.mark.parametrize("kind", ["bert", "roberta", "mpnet", "distilbert"])
def test_states_and_poolings_are_those_of_onnx_runtime(tiny, kind) -> None:
    engine, reference = engines(tiny(kind)[0])
    ids = padded(IDS)
    expected = reference.last(ids, LENGTHS)
    found = engine.last(ids, LENGTHS)
    inside = np.arange(ids.shape[1]) < LENGTHS[:, None]
    np.testing.assert_allclose(found[inside], expected[inside], atol=1e-5)
    assert not found[~inside].any()
    for skip in (0, 2):
        for mode in sorted(POOLINGS):
            np.testing.assert_allclose(
                engine.pooled(IDS, [mode], skip), pool(expected, LENGTHS, [mode], skip=skip), atol=1e-5
            )


def test_bfloat16_agrees_on_a_real_model(minilm) -> None:
    engine, reference = engines(minilm, "bf16")
    rng = np.random.default_rng(0)
    ids = [np.array([101, *rng.integers(1996, 20_000, length), 102]) for length in (3, 9, 40, 41, 100)]
    lengths = np.array([len(one) for one in ids])
    found, expected = engine.pooled(ids, ["mean"], 0), pool(reference.last(padded(ids), lengths), lengths, ["mean"])
    cosines = (found * expected).sum(1) / np.linalg.norm(found, axis=1) / np.linalg.norm(expected, axis=1)
    assert cosines.mean() >= 0.9999


def test_neighbours_and_order_do_not_matter(tiny) -> None:
    engine, _ = engines(tiny("mpnet")[0])
    together = engine.pooled(IDS, ["mean", "max"], 0)
    np.testing.assert_allclose(engine.pooled(IDS[::-1], ["mean", "max"], 0)[::-1], together, atol=1e-5)
    for one, expected in zip(IDS, together, strict=True):
        np.testing.assert_allclose(engine.pooled([one], ["mean", "max"], 0)[0], expected, atol=1e-5)
    assert engine.pooled([], ["mean", "cls"], 0).shape == (0, 48)
    assert engine.pooled(IDS, ["mean", "max"], 0).tobytes() == together.tobytes()


@settings(max_examples=40, deadline=None)
@given(lengths=st.lists(st.integers(1, 9), min_size=1, max_size=5), skip=st.integers(0, 5))
def test_pooling_on_a_device_is_that_of_numpy(lengths, skip) -> None:
    rng = np.random.default_rng(len(lengths) + 7 * skip)
    states = rng.standard_normal((len(lengths), max(lengths), 3)).astype(np.float32)
    for mode in sorted(POOLINGS):
        found = pool_group(torch.from_numpy(states), torch.tensor(lengths), mode, skip)
        np.testing.assert_allclose(found.numpy(), pool(states, np.array(lengths), [mode], skip=skip), atol=1e-6)


def test_a_device_that_is_not_there_is_said() -> None:
    assert device_of("cpu").type == "cpu"
    for name in ("tpu", "cuda:x", "cpu:", "cpu:1", ""):
        with pytest.raises(UsageError, match="there is no device"):
            device_of(name)
    with pytest.raises(UsageError, match="sees no graphics card cuda:99"):
        device_of("cuda:99")


@pytest.mark.skipif(not NO_CARD, reason="this machine has a card")
def test_without_a_card_auto_is_the_processor_and_cuda_an_error(minilm, monkeypatch) -> None:
    from isogloss.encoders.engines.seam import load_engine
    from isogloss.encoders.model_folder import resolve

    assert device_of("auto").type == "cpu"
    plan = resolve(minilm)
    monkeypatch.setenv("ISOGLOSS_DEVICE", "cuda")
    with pytest.raises(UsageError, match=r"torch sees no graphics card cuda\nwhy: torch .* sees 0 here"):
        load_engine(plan, "torch", "fp32", 1)
    monkeypatch.setenv("ISOGLOSS_DEVICE", "auto")
    assert type(load_engine(plan, "torch", "fp32", 1)) is PackedTorch


def test_a_model_runs_on_a_device_or_says_why_not(minilm) -> None:
    from dataclasses import replace

    from isogloss.encoders.model_folder import resolve

    plan = resolve(minilm)
    assert load_on(plan, "fp32", torch.device("cpu")).pooled(IDS, ["mean"], 0).shape == (len(IDS), 384)
    with pytest.raises(UnsupportedModelError, match=r"on a graphics card\nwhy: .*ONNX file"):
        load_on(replace(plan, architecture=None), "fp32", torch.device("cpu"))
