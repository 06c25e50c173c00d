"""From token vectors to one vector a text, in NumPy: pooling, dense layers, normalisation."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import Dense, normalise
from isogloss.encoders.engines.weights import read_headers
from isogloss.encoders.model_plan import DenseStep, LayerMean, LayerNormStep, PoolingMode, Step

_erf = np.vectorize(math.erf, otypes=[np.float32])


def _softmax(x: Dense) -> Dense:
    exponent = np.exp(x - x.max(1, keepdims=True))
    return np.asarray(exponent / exponent.sum(1, keepdims=True), np.float32)


ACTIVATIONS: Mapping[str, Callable[[Dense], Dense]] = {
    "Identity": lambda x: x,
    "Tanh": np.tanh,
    "ReLU": lambda x: np.maximum(x, 0),
    "GELU": lambda x: x * 0.5 * (1 + _erf(x / math.sqrt(2))),
    "SiLU": lambda x: x / (1 + np.exp(-x)),
    "Sigmoid": lambda x: np.asarray(1 / (1 + np.exp(-x)), np.float32),
    "Softmax": _softmax,
    "LeakyReLU": lambda x: np.where(x > 0, x, np.float32(0.01) * x),
    "ReLU6": lambda x: np.clip(x, 0, 6),
    "ELU": lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
    "Softplus": lambda x: np.logaddexp(x, np.float32(0)),
    "Softsign": lambda x: x / (1 + np.abs(x)),
    "Mish": lambda x: x * np.tanh(np.logaddexp(x, np.float32(0))),
}
"""Activation functions of Dense modules, by their class name in ``torch.nn``."""


def pool(states: Dense, lengths: NDArray[np.int64], modes: Sequence[PoolingMode], *, skip: int = 0) -> Dense:
    """Pool token vectors into one vector a text; several modes are joined side by side.

    Parameters
    ----------
    states
        ``(n, L, d)`` float32; row i has ``lengths[i]`` tokens, the rest is padding on the right.
    lengths
        ``(n,)`` numbers of tokens, at least one.
    modes
        ``cls`` (first token), ``max``, ``mean``, ``mean_sqrt_len_tokens`` (sum divided by the root of the count),
        ``weightedmean`` (weights 1, 2, 3 ... by position: SGPT, https://arxiv.org/abs/2202.08904), ``lasttoken``.
    skip
        Tokens at the start that take no part (those of a prompt); weights of ``weightedmean`` still count them.

    Returns
    -------
    Dense
        ``(n, len(modes) * d)`` float32. A text without any token left pools to zeros (``cls``: its first token,
        ``lasttoken``: its last one).

    Examples
    --------
    >>> states = np.array([[[1.0], [3.0], [9.0]]], np.float32)
    >>> pool(states, np.array([2]), ["mean", "max", "lasttoken"]).tolist()
    [[2.0, 3.0, 3.0]]
    """
    columns = np.arange(states.shape[1])
    inside = (columns < lengths[:, None]) & (columns >= skip)
    return np.concatenate([_pool_one(states, lengths, inside, mode) for mode in modes], axis=1)


def _pool_one(states: Dense, lengths: NDArray[np.int64], inside: NDArray[np.bool_], mode: PoolingMode) -> Dense:
    rows = np.arange(len(states))
    if mode == "cls":
        return np.asarray(states[rows, inside.argmax(1)])
    if mode == "lasttoken":
        return np.asarray(states[rows, lengths - 1])
    if mode == "max":
        largest = np.where(inside[:, :, None], states, -np.inf).max(1)
        return np.asarray(np.where(np.any(inside, axis=1, keepdims=True), largest, 0), np.float32)
    weights = inside.astype(np.float32)
    if mode == "weightedmean":
        weights *= np.arange(1, states.shape[1] + 1, dtype=np.float32)
    total = weights.sum(1, keepdims=True)
    divisor = np.maximum(np.sqrt(total) if mode == "mean_sqrt_len_tokens" else total, 1e-9)
    # one (1, L) x (L, d) product a text: no copy of the states
    return np.asarray((weights[:, None, :] @ states)[:, 0, :] / divisor, np.float32)


@dataclass(frozen=True, slots=True)
class DenseLayer:
    """A loaded Dense module: ``activation(x W^T + b)``, plus ``x`` (or its projection) where it is residual."""

    weight: Dense
    bias: Dense | None
    activation: Callable[[Dense], Dense]
    residual: bool
    projection: Dense | None

    def __call__(self, x: Dense) -> Dense:
        """Apply the layer to ``(n, inputs)``."""
        out = x @ self.weight.T
        if self.bias is not None:
            out = out + self.bias
        out = self.activation(out)
        if self.residual:
            out = out + (x if self.projection is None else x @ self.projection.T)
        return np.asarray(out, np.float32)


@dataclass(frozen=True, slots=True)
class LayerNorm:
    """A loaded LayerNorm module (https://arxiv.org/abs/1607.06450): rows of mean 0 and variance 1, gain, shift."""

    gain: Dense
    shift: Dense
    epsilon: float = 1e-5

    def __call__(self, x: Dense) -> Dense:
        """Apply the layer to ``(n, d)``."""
        centred = x - x.mean(1, keepdims=True)
        variance = np.square(centred).mean(1, keepdims=True)
        return np.asarray(centred / np.sqrt(variance + np.float32(self.epsilon)) * self.gain + self.shift, np.float32)


def layer_mean(states: Sequence[Dense], weights: Dense) -> Dense:
    """Return the weighted mean of layers, each ``(n, L, d)``: ``sum w_i h_i / sum w_i``, float32.

    Examples
    --------
    >>> layer_mean([np.full((1, 1, 2), 1.0), np.full((1, 1, 2), 4.0)], np.array([1.0, 2.0], np.float32)).tolist()
    [[[3.0, 3.0]]]
    """
    total = np.zeros(states[0].shape, np.float32)
    for weight, layer in zip(weights, states, strict=True):
        total += weight * layer
    return np.asarray(total / weights.sum(), np.float32)


def load_layer_weights(layers: LayerMean) -> Dense:
    """Return the weights ``(layers + 1 - start,)`` of a mean of layers."""
    return np.asarray(read_headers(layers.folder)["layer_weights"].read())


def load_step(step: Step) -> Callable[[Dense], Dense]:
    """Return the function of one step on vectors; the weights of a Dense or LayerNorm module are read here."""
    if isinstance(step, LayerNormStep):
        norm = read_headers(step.folder)
        return LayerNorm(norm["norm.weight"].read(), norm["norm.bias"].read())
    if not isinstance(step, DenseStep):
        return normalise
    tensors = read_headers(step.folder)
    projected = step.residual and step.inputs != step.outputs
    return DenseLayer(
        weight=tensors["linear.weight"].read(),
        bias=tensors["linear.bias"].read() if step.bias else None,
        activation=ACTIVATIONS[step.activation],
        residual=step.residual,
        projection=tensors["residual.weight"].read() if projected else None,
    )
