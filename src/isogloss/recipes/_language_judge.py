"""Judges of language models: bits per byte of held-out text, whatever tokens a model is made of."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isogloss.errors import NonFiniteError, UsageError
from isogloss.evaluation.sample import Sample
from isogloss.recipes._data import texts_of


def minus_bits_per_byte(items: NDArray[Any], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return minus the bits per byte under each row of weights: an aggregate, higher is better.

    Parameters
    ----------
    items
        ``(n, 2)`` nats and bytes of each text.
    weights
        ``(b, n)``.

    Examples
    --------
    >>> minus_bits_per_byte(np.array([[math.log(2), 1.0], [3 * math.log(2), 1.0]]), np.ones((1, 2))).tolist()
    [-2.0]
    """
    nats, sizes = weights @ items[:, 0], weights @ items[:, 1]  # (b,) each
    return np.asarray(-nats / sizes / math.log(2), np.float64)


def bits_of_language_model(model: Any, data: Any, *, most: int | None = None) -> Sample:
    """Return how many bits a byte of held-out text costs a language model, with a minus sign: higher is better.

    Bytes are those of the texts as they are given, so models with other tokenizers are compared on equal terms. A model
    that predicts a part of each text only (masked tokens) has a true attribute ``partial`` and counts the bytes of that
    part; all models of one check must be of one kind.

    Parameters
    ----------
    model
        ``nll(texts) -> (nats, bytes)``, an array each.
    data
        Texts, or examples that have texts.
    most
        Only the first so many texts.

    Raises
    ------
    UsageError
        Where there is no text, or the model does not count the bytes that the texts have.
    NonFiniteError
        Where a text costs NaN, infinitely many or fewer than no nats.
    """
    texts = [text for text in texts_of(data) if text.strip()][:most]
    if not texts:
        raise UsageError("a language model is judged on held-out text", "there is none", "give some")
    nats, sizes = (np.asarray(one, np.float64) for one in model.nll(texts))
    true = np.array([len(text.encode("utf-8", "surrogatepass")) for text in texts], np.float64)
    if nats.shape != true.shape or sizes.shape != true.shape:
        raise UsageError("nll gives one number a text", f"{len(texts)} texts, shapes {nats.shape} and {sizes.shape}")
    wrong = sizes > true if getattr(model, "partial", False) else sizes != true
    if wrong.any():
        at = int(np.flatnonzero(wrong)[0])
        why = f"{int(wrong.sum())} of {len(texts)}: text {at} has {true[at]:.0f} bytes, counted {sizes[at]:.0f}"
        raise UsageError("the model counts other bytes than the texts have", why, "count the bytes of the given text")
    bad = ~np.isfinite(nats) | (nats < 0)
    if bad.any():
        at = int(np.flatnonzero(bad)[0])
        raise NonFiniteError(f"text {at} costs {nats[at]} nats", f"so do {int(bad.sum())} of {len(texts)} texts")
    return Sample.of(np.stack([nats, sizes], 1), aggregate=minus_bits_per_byte, name="-bits/byte")
