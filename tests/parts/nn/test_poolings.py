"""Every pooling by its name: hand arithmetic, torch beside NumPy, and what no pooling may look at."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from isogloss.encoders import token_pooling as ours  # noqa: E402
from isogloss.errors import UsageError  # noqa: E402
from isogloss.nn import pooling as theirs  # noqa: E402
from isogloss.nn.packing import pack  # noqa: E402

LENGTHS = np.array([3, 1, 4])
STATES = np.random.default_rng(0).standard_normal((3, 4, 6)).astype(np.float32)
LAYERS = [STATES, np.random.default_rng(1).standard_normal((3, 4, 6)).astype(np.float32)]
WEIGHTS = np.abs(np.random.default_rng(2).standard_normal((3, 4))).astype(np.float32)
SPANS = np.array([[0, 2], [0, 1], [2, 4]])


def _packed(array, lengths=LENGTHS):
    """Lay the rows that count end to end."""
    rows = np.concatenate([row[:length] for row, length in zip(array, lengths, strict=True)])
    return torch.from_numpy(rows)


def _latent():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = theirs.LatentAttention(6, latents=5, heads=2, inner=7)
    parts = [module.latents, module.up.weight, module.up.bias, module.down.weight, module.down.bias]
    return module, ours.LatentAttention(*(part.detach().numpy() for part in parts), heads=2)


def _arguments(name):
    """Return ``(theirs, ours)``: what a pooling takes besides states and lengths."""
    if name in ("diagonal", "idf", "sif"):
        return {"weights": _packed(WEIGHTS)}, {"weights": WEIGHTS}
    if name == "span":
        return {"spans": torch.from_numpy(SPANS)}, {"spans": SPANS}
    if name == "layers":
        return {"weights": torch.tensor([0.25, 2.0])}, {"weights": np.array([0.25, 2.0], np.float32)}
    if name == "latent":
        return tuple({"latent": one} for one in _latent())
    return {}, {}


@pytest.mark.parametrize("name", ours.POOLINGS)
def test_torch_and_numpy_are_twins(name):
    packed = pack([np.zeros(length, np.int64) for length in LENGTHS])
    left, right = _arguments(name)
    states = [_packed(layer) for layer in LAYERS] if name == "layers" else _packed(STATES)
    found = theirs.POOLINGS[name](states, packed, **left).detach().numpy()
    expected = ours.pooling(name)(LAYERS if name == "layers" else STATES, LENGTHS, **right)
    assert found.shape == expected.shape == (3, 6)
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("name", ours.POOLINGS)
def test_padding_and_neighbours_do_not_count(name):
    _, arguments = _arguments(name)
    pooled = ours.pooling(name)(LAYERS if name == "layers" else STATES, LENGTHS, **arguments)
    inside = np.arange(4) < LENGTHS[:, None]
    spoilt = [np.where(inside[:, :, None], layer, np.float32(99)) for layer in LAYERS]
    again = ours.pooling(name)(spoilt if name == "layers" else spoilt[0], LENGTHS, **arguments)
    np.testing.assert_allclose(again, pooled, atol=1e-6)
    alone = {key: value[1:2] if key in ("weights", "spans") and name != "layers" else value
             for key, value in arguments.items()}  # fmt: skip
    one = [layer[1:2] for layer in LAYERS]
    np.testing.assert_allclose(
        ours.pooling(name)(one if name == "layers" else one[0], LENGTHS[1:2], **alone), pooled[1:2], atol=1e-6
    )


def test_hand_arithmetic():
    states = np.array([[[1.0], [4.0], [9.0]]], np.float32)
    lengths = np.array([2])
    expected = {"first": 1, "mean": 2.5, "max": 4, "last": 4, "root-mean": 5 / 2**0.5, "position": 3}
    for name, value in expected.items():
        assert ours.pooling(name)(states, lengths)[0, 0] == pytest.approx(value)
    assert ours.pooling("idf")(states, lengths, weights=np.array([[3.0, 1, 7]]))[0, 0] == pytest.approx(7 / 4)
    assert ours.pooling("sif")(states, lengths, weights=np.zeros((1, 3)))[0, 0] == 0
    assert ours.pooling("span")(states, lengths, spans=np.array([[1, 2]]))[0, 0] == 4
    layers = [states, states * 4]
    assert ours.pooling("layers")(layers, lengths, weights=np.array([2.0, 1]))[0, 0] == pytest.approx(2.5 * 2)
    np.testing.assert_allclose(ours.sif_weights(np.array([0.001, 0.0]), a=0.001), [0.5, 1.0])
    np.testing.assert_allclose(ours.idf_weights(np.array([4, 1]), 4), [0, np.log(4)], atol=1e-7)


def test_latent_attention_by_hand():
    one, none = np.eye(1, dtype=np.float32), np.zeros(1, np.float32)
    latent = ours.LatentAttention(np.array([[0.0], [1.0]], np.float32), one, none, 2 * one, 3 * np.ones(1, np.float32))
    # a token of log 3 sees 1 with a weight of 3/4; gelu(0.75) = 0.75 * Phi(0.75) = 0.5800
    found = latent(np.full((1, 2, 1), np.log(3), np.float32), np.array([1]))
    assert found[0, 0] == pytest.approx(2 * 0.58003 + 3, abs=1e-4)


@given(st.lists(st.integers(1, 5), min_size=1, max_size=4), st.integers(0, 99))
@settings(max_examples=25, deadline=None)
def test_equal_weights_are_the_mean_and_scale_does_not_matter(lengths, seed):
    rng = np.random.default_rng(seed)
    counts, states = np.array(lengths), rng.standard_normal((len(lengths), 5, 3)).astype(np.float32)
    mean = ours.pooling("mean")(states, counts)
    same = np.full((len(lengths), 5), 0.37, np.float32)
    np.testing.assert_allclose(ours.weighted_mean(states, counts, weights=same), mean, atol=1e-5)
    whole = np.stack([np.zeros_like(counts), counts], axis=1)
    np.testing.assert_allclose(ours.span_mean(states, counts, spans=whole), mean, atol=1e-5)
    weights = rng.random((len(lengths), 5)).astype(np.float32)
    np.testing.assert_allclose(
        ours.weighted_mean(states, counts, weights=weights), ours.weighted_mean(states, counts, weights=3 * weights),
        atol=1e-5,
    )  # fmt: skip


def test_gradients_reach_what_is_learned():
    module, _ = _latent()
    packed = pack([np.zeros(length, np.int64) for length in LENGTHS])
    module(_packed(STATES), packed).sum().backward()
    assert all(value.grad is not None and value.grad.abs().sum() > 0 for value in module.parameters())
    weights = torch.tensor([1.0, 2.0], requires_grad=True)
    theirs.layers_mean([_packed(layer) for layer in LAYERS], packed, weights=weights).square().sum().backward()
    assert weights.grad is not None
    assert weights.grad.abs().min() > 0


def test_what_makes_no_sense_is_said():
    with pytest.raises(UsageError, match="no pooling median"):
        ours.pooling("median")
    with pytest.raises(UsageError, match="span 1"):
        ours.span_mean(STATES, LENGTHS, spans=np.array([[0, 1], [0, 2], [0, 1]]))
    assert set(ours.POOLINGS) == set(theirs.POOLINGS)
