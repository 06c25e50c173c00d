"""Every pooling by its name, in NumPy: from token vectors ``(n, L, d)`` to one vector a text.

The twins in torch, over packed tokens and under the same names, are in ``isogloss.nn.pooling``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import Dense
from isogloss.encoders.pooling import layer_mean, pool
from isogloss.encoders.word_head import gelu
from isogloss.errors import UsageError


def weighted_mean(states: Dense, lengths: NDArray[np.int64], *, weights: Dense) -> Dense:
    """Return ``sum w_i h_i / sum w_i`` over each text's tokens, ``(n, d)``; zeros where all weights are zero.

    With inverse document frequencies or SIF's weights of the tokens' words, or with the diagonal of an attention map
    ("Ditto", https://arxiv.org/abs/2305.10786), this is each one's pooling.

    Parameters
    ----------
    states
        ``(n, L, d)``; row i has ``lengths[i]`` tokens.
    lengths
        ``(n,)`` numbers of tokens.
    weights
        ``(n, L)``, at least 0; what stands at padding does not count.

    Examples
    --------
    >>> states = np.array([[[1.0], [4.0], [9.0]]], np.float32)
    >>> weighted_mean(states, np.array([2]), weights=np.array([[1.0, 2.0, 5.0]], np.float32)).tolist()
    [[3.0]]
    """
    inside = np.arange(states.shape[1]) < lengths[:, None]  # (n, L)
    own = np.where(inside, weights, 0).astype(np.float32)
    total = own.sum(1, keepdims=True)
    return np.asarray((own[:, None, :] @ states)[:, 0, :] / np.where(total > 0, total, 1), np.float32)


def sif_weights(probabilities: Dense, *, a: float = 1e-3) -> Dense:
    """Return ``a / (a + p)`` for the probability ``p`` of each word: smooth inverse frequency.

    Arora, Liang and Ma 2017, "A Simple but Tough-to-Beat Baseline for Sentence Embeddings"
    (https://openreview.net/forum?id=SyK00v5xx), whose ``a`` this is. Their second step, removing the first direction,
    is a transform.

    Examples
    --------
    >>> [round(float(x), 4) for x in sif_weights(np.array([0.0, 0.001, 0.009], np.float32))]
    [1.0, 0.5, 0.1]
    """
    return np.asarray(a / (a + np.asarray(probabilities, np.float64)), np.float32)


def idf_weights(documents_with: NDArray[np.int64], documents: int) -> Dense:
    """Return ``log(N / n)`` for words that stand in ``n`` of ``N`` documents; a word that stands in none has ``log N``.

    Sparck Jones 1972 (https://doi.org/10.1108/eb026526).

    Examples
    --------
    >>> [round(float(x), 4) for x in idf_weights(np.array([8, 2, 0]), 8)]
    [0.0, 1.3863, 2.0794]
    """
    return np.log(documents / np.maximum(documents_with, 1)).astype(np.float32)


def span_mean(states: Dense, lengths: NDArray[np.int64], *, spans: NDArray[np.int64]) -> Dense:
    """Return the mean of one stretch of each text, ``(n, d)``: a word, a sentence, a chunk in its context.

    Parameters
    ----------
    states
        ``(n, L, d)``.
    lengths
        ``(n,)`` numbers of tokens.
    spans
        ``(n, 2)``: first token and the one behind the last.

    Raises
    ------
    UsageError
        Where a span is empty or leaves its text.

    Examples
    --------
    >>> states = np.array([[[1.0], [4.0], [8.0]]], np.float32)
    >>> span_mean(states, np.array([3]), spans=np.array([[1, 3]])).tolist()
    [[6.0]]
    """
    wrong = (spans[:, 0] < 0) | (spans[:, 0] >= spans[:, 1]) | (spans[:, 1] > lengths)
    if wrong.any():
        i = int(wrong.argmax())
        raise UsageError(
            f"span {i} is not in its text", f"it is {spans[i].tolist()}, the text has {int(lengths[i])} tokens",
            "give first and last token, the last one not counted",
        )  # fmt: skip
    columns = np.arange(states.shape[1])
    inside = (columns >= spans[:, :1]) & (columns < spans[:, 1:])  # (n, L)
    return weighted_mean(states, lengths, weights=inside.astype(np.float32))


def layers_mean(states: Sequence[Dense], lengths: NDArray[np.int64], *, weights: Dense | None = None) -> Dense:
    """Return the mean over the tokens of a mean over layers, ``(n, d)``.

    Parameters
    ----------
    states
        The chosen layers, each ``(n, L, d)``.
    lengths
        ``(n,)`` numbers of tokens.
    weights
        ``(len(states),)``, one a layer; None for equal ones.

    Examples
    --------
    >>> layers = [np.full((1, 2, 1), 1.0, np.float32), np.full((1, 2, 1), 3.0, np.float32)]
    >>> layers_mean(layers, np.array([2])).tolist()
    [[2.0]]
    """
    own = np.ones(len(states), np.float32) if weights is None else weights
    return pool(layer_mean(states, own), lengths, ["mean"])


@dataclass(frozen=True, slots=True)
class LatentAttention:
    """Token vectors look into a dictionary of learned ones; what they see, behind two layers, is averaged.

    ``mean(W2 gelu(W1 o + b1) + b2)`` with ``o = softmax(h K^T) K`` for each token ``h`` and the dictionary ``K``, all
    of it split into heads. Lee et al. 2024, "NV-Embed" (https://arxiv.org/abs/2405.17428), section 3.1.

    Attributes
    ----------
    latents
        ``(r, d)``, keys and values at once.
    up, up_bias
        ``(h, d)`` and ``(h,)``.
    down, down_bias
        ``(d, h)`` and ``(d,)``.
    heads
        Parts of the width, each with a soft-max of its own.
    """

    latents: Dense
    up: Dense
    up_bias: Dense
    down: Dense
    down_bias: Dense
    heads: int = 1

    def __call__(self, states: Dense, lengths: NDArray[np.int64]) -> Dense:
        """Return ``(n, d)`` for states ``(n, L, d)``.

        Examples
        --------
        >>> one, none = np.eye(1, dtype=np.float32), np.zeros(1, np.float32)
        >>> latent = LatentAttention(np.array([[0.0], [2.0]], np.float32), one, none, one, none)
        >>> bool(abs(latent(np.zeros((1, 3, 1), np.float32), np.array([3])) - 0.8413) < 1e-4)  # sees 1; gelu(1)
        True
        """
        n, length, width = states.shape
        size = width // self.heads
        tokens = states.reshape(n * length, self.heads, size)  # (T, heads, size)
        keys = self.latents.reshape(-1, self.heads, size)  # (r, heads, size)
        scores = np.einsum("ths,rhs->thr", tokens, keys)
        scores = np.exp(scores - scores.max(2, keepdims=True))
        seen = np.einsum("thr,rhs->ths", scores / scores.sum(2, keepdims=True), keys).reshape(-1, width)
        out = gelu(seen @ self.up.T + self.up_bias) @ self.down.T + self.down_bias
        return pool(np.asarray(out, np.float32).reshape(n, length, width), lengths, ["mean"])


def _latent(states: Dense, lengths: NDArray[np.int64], *, latent: LatentAttention) -> Dense:
    return latent(states, lengths)


POOLINGS: Mapping[str, Callable[..., Any]] = {
    "first": partial(pool, modes=["cls"]),
    "mean": partial(pool, modes=["mean"]),
    "max": partial(pool, modes=["max"]),
    "last": partial(pool, modes=["lasttoken"]),
    "root-mean": partial(pool, modes=["mean_sqrt_len_tokens"]),
    "position": partial(pool, modes=["weightedmean"]),
    "layers": layers_mean,
    "diagonal": weighted_mean,
    "idf": weighted_mean,
    "sif": weighted_mean,
    "span": span_mean,
    "latent": _latent,
}
"""Name to ``pooling(states, lengths, ...)``; ``layers`` takes several layers' states, ``diagonal``, ``idf`` and ``sif``
take ``weights``, ``span`` takes ``spans``, ``latent`` takes ``latent``."""


def pooling(name: str) -> Callable[..., Any]:
    """Return a pooling by name.

    Raises
    ------
    UsageError
        Where there is none of this name; the message lists them.

    Examples
    --------
    >>> pooling("max")(np.array([[[1.0], [3.0]]], np.float32), np.array([2])).tolist()
    [[3.0]]
    """
    if name not in POOLINGS:
        raise UsageError(f"there is no pooling {name}", "", f"use one of {', '.join(POOLINGS)}")
    return POOLINGS[name]
