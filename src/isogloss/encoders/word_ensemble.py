"""Several sets of word vectors as one of the size of the first: mapped onto it, completed, averaged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import Dense, normalise
from isogloss.errors import UsageError

WordSet = tuple[Sequence[str], NDArray[Any]]
Missing = Literal["neighbours", "zeros"]
Align = Literal["orthogonal", "none", "shuffled"]
_SLICE = 1024


def meta_embedding(
    sources: Sequence[WordSet],
    *,
    align: Align = "orthogonal",
    missing: Missing = "neighbours",
    neighbours: int = 10,
    combine: Literal["average", "concat"] = "average",
    seed: int = 0,
) -> tuple[list[str], Dense]:
    """Return the words of all sources, and a vector of length one for each.

    Each source is brought to length one, centred, and to length one again. Every source but the first is turned by the
    orthogonal map that brings the words it shares with the first nearest to it. A word that a source lacks gets there
    the mean of the vectors of its nearest neighbours, which are looked for in the first source that has the word, among
    the words that both have. Then the sources are averaged.

    Source: Garcia-Ferrero, Agerri, Rigau 2020, "A Common Semantic Space for Monolingual and Cross-Lingual
    Meta-Embeddings" (https://arxiv.org/abs/2001.06381); the map is VecMap's, without its re-weighting.

    Parameters
    ----------
    sources
        Words (distinct) and their vectors ``(V_i, d_i)``; the first is the space that the others are mapped to, and
        none may be narrower than it.
    align
        ``"orthogonal"``; ``"none"`` leaves every source where it is; ``"shuffled"`` maps by wrong pairs of words, which
        shows what mapping by itself does.
    missing
        ``"neighbours"``, or ``"zeros"``: a source that lacks the word says nothing.
    neighbours
        Of a missing word.
    combine
        ``"average"``, or ``"concat"``: one behind the other.
    seed
        Of the wrong pairs.

    Raises
    ------
    UsageError
        Where a source shares no word with the first, or a later one is narrower.

    Examples
    --------
    >>> one = (["red", "blue", "sky"], np.array([[1.0, 0], [0, 1], [0.2, 1]]))
    >>> other = (["red", "blue", "sea"], np.array([[0.0, 1], [-1, 0], [-1, 0.1]]))
    >>> words, vectors = meta_embedding([one, other])
    >>> words, vectors.shape
    (['red', 'blue', 'sky', 'sea'], (4, 2))
    """
    prepared = [(list(words), _prepared(vectors)) for words, vectors in sources]
    _check(prepared)
    places = [{word: i for i, word in enumerate(words)} for words, _ in prepared]
    if align != "none":
        pivot = prepared[0][1]
        for number in range(1, len(prepared)):
            shared = [word for word in prepared[number][0] if word in places[0]]
            left = prepared[number][1][[places[number][word] for word in shared]]
            right = pivot[[places[0][word] for word in shared]]
            if align == "shuffled":
                right = right[np.random.default_rng(seed).permutation(len(right))]
            u, _, v = np.linalg.svd(left.T @ right, full_matrices=False)  # (d_i, d), (d, d)
            prepared[number] = (prepared[number][0], prepared[number][1] @ (u @ v))
    union = list(dict.fromkeys(word for words, _ in prepared for word in words))
    tables = [_spread(union, place, vectors) for place, (_, vectors) in zip(places, prepared, strict=True)]
    if missing == "neighbours":
        tables = _completed(tables, neighbours)
    if combine == "concat":
        return union, normalise(np.concatenate(tables, axis=1).astype(np.float32))
    return union, normalise(np.asarray(sum(tables), np.float32))


def _check(prepared: Sequence[tuple[list[str], NDArray[np.float64]]]) -> None:
    first = set(prepared[0][0])
    for number, (words, vectors) in enumerate(prepared):
        shared = len(first.intersection(words))
        if len(words) != len(vectors) or len(set(words)) != len(words) or not shared:
            why = f"{len(words):,} words, {len(vectors):,} vectors, {shared:,} words shared with the first"
            raise UsageError(f"source {number} cannot be joined", why, "give distinct words, some of them shared")
        if vectors.shape[1] < prepared[0][1].shape[1]:
            why = f"{vectors.shape[1]} components, the first has {prepared[0][1].shape[1]}"
            raise UsageError(f"source {number} is narrower than the first", why, "put the narrowest source first")


def _prepared(vectors: NDArray[Any]) -> NDArray[np.float64]:
    unit = _units(np.asarray(vectors, np.float64))
    return _units(unit - unit.mean(0))


def _units(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(lengths > 0, lengths, 1))


def _spread(union: list[str], place: dict[str, int], vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a row of each word of the union, zeros where the source lacks it."""
    rows = np.array([place.get(word, -1) for word in union])
    out = np.zeros((len(union), vectors.shape[1]))
    out[rows >= 0] = vectors[rows[rows >= 0]]
    return out


def _completed(tables: list[NDArray[np.float64]], neighbours: int) -> list[NDArray[np.float64]]:
    """Fill a source's missing rows from the neighbours that the word has in another source."""
    known = [table.any(1) for table in tables]
    out = [table.copy() for table in tables]
    for mine, table in enumerate(tables):
        left: NDArray[np.bool_] = np.logical_not(known[mine])
        for other, source in enumerate(tables):
            both = np.flatnonzero(known[mine] & known[other])
            asked = np.flatnonzero(left & known[other])
            k = min(neighbours, len(both))
            for start in range(0, len(asked) if k else 0, _SLICE):
                some = asked[start : start + _SLICE]
                near = np.argpartition(-(source[some] @ source[both].T), k - 1, axis=1)[:, :k]  # (n, both) -> (n, k)
                out[mine][some] = _units(table[both[near]].mean(1))
            left[asked] = False
    return out
