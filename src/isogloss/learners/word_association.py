"""Dictionaries from translated sentences: words that stand in the same pairs of sentences, counted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isogloss.errors import UsageError


def associated_words(
    first: Sequence[Sequence[str]], second: Sequence[Sequence[str]], *, least: float = 0.3, min_count: int = 4
) -> list[tuple[str, str]]:
    """Return words of two languages that are each other's best partner by Dice's coefficient.

    With n(x) the sentences that have a word and n(x, y) the pairs that have both it is ``2 n(x, y) / (n(x) + n(y))``. A
    word with two equally good partners is left out: it would be a guess.

    Source: Dice 1945, "Measures of the Amount of Ecologic Association Between Species"
    (https://doi.org/10.2307/1932409); for translations: Smadja, McKeown, Hatzivassiloglou 1996, "Translating
    Collocations for Bilingual Lexicons" (https://aclanthology.org/J96-1001).

    Parameters
    ----------
    first, second
        Words of each sentence, and of its translation.
    least
        Smallest coefficient.
    min_count
        Sentences that a word must stand in.

    Returns
    -------
    list of (str, str)
        By falling coefficient, equal ones by the first word.

    Raises
    ------
    UsageError
        Where the sides do not pair up.

    Examples
    --------
    >>> english = [["a", "dog"], ["a", "cat"], ["the", "dog"]]
    >>> german = [["ein", "hund"], ["eine", "katze"], ["der", "hund"]]
    >>> associated_words(english, german, min_count=2)
    [('dog', 'hund')]
    """
    if len(first) != len(second):
        raise UsageError("the sentences do not pair up", f"{len(first):,} and {len(second):,}", "give one for each")
    tables, names = zip(*(_presence(side, min_count) for side in (first, second)), strict=True)
    together = (tables[0].T @ tables[1]).tocoo()
    counts = [np.asarray(table.sum(0)).ravel() for table in tables]
    rows, columns = together.row, together.col
    dice = 2 * together.data / (counts[0][rows] + counts[1][columns])
    chosen = (dice >= least) & _only_best(rows, dice, len(names[0])) & _only_best(columns, dice, len(names[1]))
    found = [(-dice[i], names[0][rows[i]], names[1][columns[i]]) for i in np.flatnonzero(chosen)]
    return [(one, other) for _, one, other in sorted(found)]


def _presence(sentences: Sequence[Sequence[str]], min_count: int) -> tuple[Any, list[str]]:
    """Return which sentence has which word, ``(n, V)`` of ones, and the words that enough sentences have."""
    import scipy.sparse

    numbers: dict[str, int] = {}
    rows, columns = [], []
    for row, words in enumerate(sentences):
        for word in dict.fromkeys(words):
            rows.append(row)
            columns.append(numbers.setdefault(word, len(numbers)))
    ones = np.ones(len(rows))
    table = scipy.sparse.coo_matrix((ones, (rows, columns)), shape=(len(sentences), len(numbers))).tocsc()
    kept = np.flatnonzero(np.asarray(table.sum(0)).ravel() >= min_count)
    names = list(numbers)
    return table[:, kept], [names[number] for number in kept]


def _only_best(owner: NDArray[Any], values: NDArray[Any], owners: int) -> NDArray[np.bool_]:
    """Return which values are the largest of their owner, and the only ones so large."""
    best = np.full(owners, -np.inf)
    np.maximum.at(best, owner, values)
    top = values == best[owner]
    return np.asarray(top & (np.bincount(owner[top], minlength=owners)[owner] == 1))
