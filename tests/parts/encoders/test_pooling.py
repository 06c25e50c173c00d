"""Pooling by hand, against sentence-transformers, and blind to padding."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isogloss.encoders.model_plan import DenseStep, NormaliseStep
from isogloss.encoders.pooling import ACTIVATIONS, load_step, pool

MODES = ("cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken")
STATES = np.array([[[1.0, -1.0], [2.0, -4.0], [6.0, -1.0], [9.0, 9.0]]], np.float32)


@pytest.mark.parametrize(
    ("mode", "skip", "expected"),
    [
        ("cls", 0, [1, -1]),
        ("max", 0, [6, -1]),
        ("mean", 0, [3, -2]),
        ("mean_sqrt_len_tokens", 0, [9 / 3**0.5, -6 / 3**0.5]),
        ("weightedmean", 0, [(1 + 4 + 18) / 6, (-1 - 8 - 3) / 6]),
        ("lasttoken", 0, [6, -1]),
        ("cls", 1, [2, -4]),
        ("mean", 1, [4, -2.5]),
        ("max", 2, [6, -1]),
        ("weightedmean", 1, [(4 + 18) / 5, (-8 - 3) / 5]),
        ("mean", 3, [0, 0]),
        ("max", 3, [0, 0]),
        ("lasttoken", 3, [6, -1]),
    ],
)
def test_by_hand(mode, skip, expected) -> None:
    np.testing.assert_allclose(pool(STATES, np.array([3]), [mode], skip=skip), [expected], rtol=1e-6)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("modes", [*((mode,) for mode in MODES), MODES])
@pytest.mark.parametrize("skip", [0, 2])
def test_equals_sentence_transformers(modes, skip) -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("sentence_transformers")
    from sentence_transformers.models import Pooling

    states = np.random.default_rng(0).normal(size=(4, 9, 5)).astype(np.float32)
    lengths = np.array([9, 3, 5, 7])
    mask = (np.arange(9) < lengths[:, None]).astype(np.int64)
    features = {
        "token_embeddings": torch.from_numpy(states),
        "attention_mask": torch.from_numpy(mask),
        "prompt_length": skip,
    }
    ordered = [mode for mode in MODES if mode in modes]
    right = Pooling(5, pooling_mode=ordered, include_prompt=False)(features)["sentence_embedding"]
    np.testing.assert_allclose(pool(states, lengths, ordered, skip=skip), right.numpy(), atol=1e-6)


@given(
    st.lists(st.integers(1, 6), min_size=1, max_size=5), st.sampled_from(MODES), st.integers(0, 3), st.integers(0, 3)
)
def test_padding_does_not_matter(lengths, mode, extra, skip) -> None:
    rng = np.random.default_rng(len(lengths) + extra)
    counts = np.array(lengths)
    states = rng.normal(size=(len(counts), counts.max() + extra, 3)).astype(np.float32)
    together = pool(states, counts, [mode], skip=skip)
    for row, n, found in zip(states, counts, together, strict=True):
        np.testing.assert_allclose(found, pool(row[None, :n], np.array([n]), [mode], skip=skip)[0], atol=1e-6)


def test_activations_equal_torch() -> None:
    torch = pytest.importorskip("torch")
    x = np.linspace(-4, 4, 24, dtype=np.float32).reshape(4, 6)
    for name, function in ACTIVATIONS.items():
        module = torch.nn.Softmax(dim=1) if name == "Softmax" else getattr(torch.nn, name)()
        np.testing.assert_allclose(function(x), module(torch.from_numpy(x)).numpy(), atol=1e-6, err_msg=name)


@pytest.mark.parametrize(("outputs", "residual", "bias"), [(2, False, True), (2, True, False), (3, True, True)])
def test_dense_by_hand(tmp_path, outputs, residual, bias) -> None:
    from safetensors.numpy import save_file

    rng = np.random.default_rng(1)
    tensors = {"linear.weight": rng.normal(size=(outputs, 3)).astype(np.float32)}
    if bias:
        tensors["linear.bias"] = rng.normal(size=outputs).astype(np.float32)
    if residual and outputs != 3:
        tensors["residual.weight"] = rng.normal(size=(outputs, 3)).astype(np.float32)
    save_file(tensors, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps({}))
    x = rng.normal(size=(4, 3)).astype(np.float32)
    expected = np.tanh(x @ tensors["linear.weight"].T + tensors.get("linear.bias", 0))
    if residual:
        expected = expected + x @ tensors.get("residual.weight", np.eye(3)).T
    step = load_step(DenseStep(tmp_path, 3, outputs, bias, "Tanh", residual))
    np.testing.assert_allclose(step(x), expected, atol=1e-6)
    np.testing.assert_allclose(load_step(NormaliseStep())(np.array([[3.0, 4.0]], np.float32)), [[0.6, 0.8]], atol=1e-6)
