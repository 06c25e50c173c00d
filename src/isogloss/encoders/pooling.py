"""From token vectors to one vector a text, in NumPy: pooling, dense layers, normalisation."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import Dense, normalise
from isogloss.encoders.engines.weights import read_headers
from isogloss.encoders.model_plan import DenseStep, PoolingMode, Step

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


def load_step(step: Step) -> Callable[[Dense], Dense]:
    """Return the function of one step after pooling; a Dense module's weights are read here."""
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
