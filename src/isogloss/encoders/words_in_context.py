"""Words in their sentences: which tokens spell a word, and one vector a word that is the mean over its contexts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import Dense, Ragged
from isogloss.errors import CorpusError, UsageError
from isogloss.text.words import words as words_of

States = Callable[[Sequence[str]], tuple[Ragged, Ragged]]
"""From texts to their tokens' states, ``(T, d)`` or ``(T, layers, d)``, and ``(T, 2)`` character spans: an encoder's
``states`` with the layers that are wanted."""


@dataclass(frozen=True, slots=True)
class Occurrences:
    """Where known words stand in texts.

    Attributes
    ----------
    places
        For every token the number of the occurrence that it spells a part of, -1 for none: ``values (T,)`` int64.
    words
        ``(m,)`` int64: the row of each occurrence's word.
    """

    places: Ragged
    words: NDArray[np.int64]


def occurrences(texts: Sequence[str], spans: Ragged, rows: Mapping[str, int]) -> Occurrences:
    """Find the tokens of every known word in some texts.

    Words are those of :func:`isogloss.text.words.words`: case and accents folded. A token belongs to the word that it
    begins in; marks around a text have empty spans and belong to none. A word whose tokens were cut off is left out.

    Parameters
    ----------
    texts
        Any texts.
    spans
        ``(T, 2)`` characters of each token.
    rows
        Row of each known word.

    Raises
    ------
    UsageError
        Where there are not as many texts as rows of spans.

    Examples
    --------
    >>> spans = Ragged.from_list([np.array([[0, 3], [4, 6], [6, 8]])])
    >>> found = occurrences(["The Hens"], spans, {"hens": 7})
    >>> found.places.values.tolist(), found.words.tolist()
    ([-1, 0, 0], [7])
    """
    if len(texts) != len(spans):
        raise UsageError("texts and spans do not belong together", f"{len(texts)} texts, {len(spans)} rows of spans")
    places = np.full(len(spans.values), -1, np.int64)
    found: list[int] = []
    for number, text in enumerate(texts):
        start, stop = int(spans.offsets[number]), int(spans.offsets[number + 1])
        begins, ends = spans.values[start:stop, 0], spans.values[start:stop, 1]
        for word, first, last in words_of(text):
            row = rows.get(word)
            if row is None:
                continue
            inside = np.flatnonzero((begins >= first) & (begins < last) & (ends > begins))
            if len(inside) and ends[inside].max() >= last:
                places[start + inside] = len(found)
                found.append(row)
    return Occurrences(Ragged(places, spans.offsets), np.array(found, np.int64))


def mean_in_context(
    states: States, texts: Sequence[str], words: Sequence[str], *, batch: int = 256
) -> tuple[Dense, NDArray[np.int64]]:
    """Return a static vector of each word out of a contextual model: the mean of its states over all its occurrences.

    The state of an occurrence is the mean of its tokens' states, over all layers that are given.

    Source: Bommasani, Davis, Cardie 2020, "Interpreting Pretrained Contextualized Representations via Reductions to
    Static Embeddings" (https://doi.org/10.18653/v1/2020.acl-main.431); as the first step of a multilingual alignment:
    Haemmerl, Libovicky, Fraser 2022 (https://arxiv.org/abs/2203.09326).

    Parameters
    ----------
    states
        Of the model, such as ``partial(encoder.states, layers=[-1])``.
    texts
        Sentences with the words in them.
    words
        Normalised as :func:`isogloss.text.words.words` gives them, each once.
    batch
        Texts at once; it changes no result but by rounding.

    Returns
    -------
    vectors : ndarray
        ``(V, d)`` float32; zeros for a word without an occurrence.
    counts : ndarray
        ``(V,)`` occurrences that were averaged.

    Raises
    ------
    UsageError
        Where a word comes twice.
    CorpusError
        Where none of the words occurs in the texts.

    Examples
    --------
    >>> def states(texts):
    ...     found = [np.array([[1.0, 0.0], [0.0, len(text)]]) for text in texts]
    ...     return Ragged.from_list(found), Ragged.from_list([np.array([[0, 3], [4, 7]]) for _ in texts])
    >>> vectors, counts = mean_in_context(states, ["red hen", "a d hen.."], ["hen", "fox"])
    >>> vectors.tolist(), counts.tolist()
    ([[0.0, 8.0], [0.0, 0.0]], [2, 0])
    """
    rows = {word: row for row, word in enumerate(words)}
    if len(rows) != len(words):
        raise UsageError("a word comes twice", f"{len(words)} words, {len(rows)} of them different")
    total: NDArray[Any] | None = None
    counts = np.zeros(len(words), np.int64)
    for start in range(0, len(texts), batch):
        some = list(texts[start : start + batch])
        vectors, spans = states(some)
        found = occurrences(some, spans, rows)
        flat = vectors.values if vectors.values.ndim == 2 else vectors.values.mean(1)  # (T, d)
        total = np.zeros((len(words), flat.shape[1])) if total is None else total
        np.add.at(total, found.words, mean_by(flat, found.places.values, len(found.words)))
        counts += np.bincount(found.words, minlength=len(words))
    if total is None or not counts.any():
        raise CorpusError("none of the words occurs", f"{len(words):,} words, {len(texts):,} texts", "")
    return np.asarray(total / np.maximum(counts, 1)[:, None], np.float32), counts


def mean_by(values: NDArray[Any], places: NDArray[np.int64], count: int) -> NDArray[np.float64]:
    """Return the mean of the rows ``(T, d)`` of each of ``count`` places, ``(count, d)``; place -1 is left out.

    Examples
    --------
    >>> mean_by(np.array([[1.0], [3.0], [9.0]]), np.array([0, 0, -1]), 2).tolist()
    [[2.0], [0.0]]
    """
    total = np.zeros((count, values.shape[1]))
    kept = places >= 0
    np.add.at(total, places[kept], values[kept])
    sizes = np.bincount(places[kept], minlength=count)
    return np.asarray(total / np.maximum(sizes, 1)[:, None], np.float64)
