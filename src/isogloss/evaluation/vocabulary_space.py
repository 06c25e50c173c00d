"""Parameters of a transformer read in the space of its tokens: which tokens a key, a value or a state points at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isogloss.encoders.engines.architectures import MODEL_TYPES, Weights
from isogloss.encoders.engines.weights import read_headers
from isogloss.errors import UnsupportedModelError, UsageError
from isogloss.transforms.hubness import strongest

Floats = NDArray[Any]


@dataclass(frozen=True)
class FeedForward:
    """The feed-forward parameters of a transformer, as many vectors of its width.

    A neuron reads the states along its key, and writes its value to them.

    Attributes
    ----------
    words
        ``(V, d)``: the table of the tokens' vectors.
    keys, values
        ``(layers, neurons, d)``.
    """

    words: Floats
    keys: Floats
    values: Floats


def feed_forward(encoder: Any) -> FeedForward:
    """Return the feed-forward parameters of an encoder of BERT's kind, as they lie in its folder.

    Raises
    ------
    UnsupportedModelError
        Where the encoder is no transformer, its feed-forward layers are gated, or it is only a graph.

    Examples
    --------
    >>> from isogloss.encoders.lexical import WordEncoder
    >>> feed_forward(WordEncoder())
    Traceback (most recent call last):
        ...
    isogloss.errors.UnsupportedModelError: the parameters of WordEncoder cannot be read in the space of its tokens
    ...
    """
    plan = getattr(encoder, "plan", None)
    shape, kind = getattr(plan, "architecture", None), getattr(plan, "model_type", "") or "none"
    if plan is None or shape is None or kind not in MODEL_TYPES:
        raise UnsupportedModelError(
            f"the parameters of {type(encoder).__name__} cannot be read in the space of its tokens",
            f"its model type is {kind}: only {', '.join(sorted(MODEL_TYPES))} are read",
            "take one of these with safetensors weights",
        )
    weights = Weights(read_headers(plan.transformer), shape).used()

    def stacked(name: str) -> list[Floats]:
        return [weights[name.format(i=layer) + ".weight"].read() for layer in range(shape.layers)]

    return FeedForward(
        words=weights[shape.names.word + ".weight"].read(),
        keys=np.stack(stacked(shape.names.up)),  # (layers, neurons, d)
        values=np.stack([down.T for down in stacked(shape.names.down)]),  # (d, neurons) -> (neurons, d), stacked
    )


def top_tokens(rows: Floats, words: Floats, k: int) -> NDArray[np.int64]:
    """Return the ``k`` tokens whose vectors have the largest inner products with each row, ``(n, k)``, in no order.

    Source: Dar et al. 2022, "Analyzing Transformers in Embedding Space" (https://arxiv.org/abs/2209.02535), section
    3: the transpose of the token table serves as its inverse.

    Examples
    --------
    >>> top_tokens(np.array([[1.0, 0.0]]), np.array([[0.0, 1.0], [3.0, 0.0], [2.0, 5.0]]), 1).tolist()
    [[1]]
    """
    if not 1 <= k <= len(words):
        raise UsageError(
            f"{k} tokens cannot be named", f"there are {len(words)}", "ask for one or more, and not for all"
        )
    return strongest(rows, words, k)[1]


def shared_tokens(first: NDArray[np.int64], second: NDArray[np.int64], tokens: int) -> NDArray[np.float64]:
    """Return which share of its tokens each row of ``first (n, k)`` has in common with each of ``second (m, k)``.

    The result is ``(n, m)``; ``tokens`` is how many there are in all.

    Examples
    --------
    >>> shared_tokens(np.array([[0, 1]]), np.array([[1, 2], [0, 1]]), 3).tolist()
    [[0.5, 1.0]]
    """
    import scipy.sparse

    sides = []
    for rows in (first, second):
        offsets = np.arange(len(rows) + 1) * rows.shape[1]
        sides.append(scipy.sparse.csr_matrix((np.ones(rows.size), rows.ravel(), offsets), (len(rows), tokens)))
    return np.asarray((sides[0] @ sides[1].T).toarray() / first.shape[1], np.float64)
