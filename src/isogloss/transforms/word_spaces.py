"""Words of one language in the space of another: pairs of words spelt alike, and the map that they lead to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isogloss.errors import UsageError
from isogloss.transforms.alignment import Procrustes
from isogloss.transforms.vecmap import VecMap

Floats = NDArray[Any]


def spelt_alike(first: Sequence[str], second: Sequence[str]) -> NDArray[np.int64]:
    """Return the row numbers of words that both vocabularies have, ``(p, 2)``: names, numbers, loans.

    The weakest of all dictionaries: it costs nothing, and false friends stand in it. Artetxe, Labaka, Agirre 2017,
    "Learning bilingual word embeddings with (almost) no bilingual data" (https://doi.org/10.18653/v1/P17-1042), take
    numbers alone.

    Parameters
    ----------
    first, second
        Words of each side, each once.

    Examples
    --------
    >>> spelt_alike(["hand", "dog", "1990"], ["1990", "hund", "hand"]).tolist()
    [[0, 2], [2, 0]]
    """
    other = {word: row for row, word in enumerate(second)}
    found = [(row, other[word]) for row, word in enumerate(first) if word in other]
    return np.array(found, np.int64).reshape(-1, 2)


def into_space(first: Floats, second: Floats, *, pairs: NDArray[np.int64], mapping: VecMap | None = None) -> Floats:
    """Return the second side's vectors turned into the first side's space, ``(m, d)``; the first stays as it is.

    :class:`~isogloss.transforms.vecmap.VecMap` makes a dictionary out of a few pairs; the rotation that fits it best is
    applied, and the result gets the first side's mean and its typical distance from it. A target that a model is to be
    drawn to must lie where that model's own vectors lie, which a space shared by both sides does not.

    Parameters
    ----------
    first, second
        ``(n, d)`` and ``(m, d)``, the most frequent words first.
    pairs
        ``(p, 2)`` row numbers to begin from.
    mapping
        How the dictionary is learned; by default in turns, beginning from the pairs and dropping nothing. With
        ``VecMap(self_learning=False)`` the pairs are all there is.

    Raises
    ------
    UsageError
        Where the sides differ in width or there is no pair.

    Examples
    --------
    >>> first = np.random.default_rng(0).standard_gamma(1.0, (60, 4))
    >>> second = first @ np.linalg.qr(np.random.default_rng(1).standard_normal((4, 4)))[0]
    >>> seeds = np.column_stack([np.arange(8)] * 2)
    >>> away = into_space(first, second, pairs=seeds) - first.mean(0)
    >>> bool(np.allclose(np.linalg.norm(away, axis=1), np.linalg.norm(first - first.mean(0), axis=1).mean()))
    True
    """
    if first.shape[1] != second.shape[1]:
        raise UsageError("the two sides differ in width", f"{first.shape[1]} and {second.shape[1]} components")
    if not len(pairs):
        raise UsageError("there is no pair to begin from", f"{len(first)} and {len(second)} words, none of them paired")
    learned = VecMap(keep=1.0, interval=3) if mapping is None else mapping
    found = learned.fit(first, second, pairs=pairs).pairs_
    turn = Procrustes(normalise=True, centre=True).fit(second[found[:, 1]], first[found[:, 0]])
    centre = first.mean(0)
    away = np.linalg.norm(first - centre, axis=1).mean()
    return np.asarray(turn.transform(second) * away + centre, first.dtype)
