"""Sentences and their translations out of two data sets that run side by side, and piles that hide some of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isogloss.corpus.examples import ScoredPairs
from isogloss.errors import CorpusError

_SHARES = 5


def translations_of(first: ScoredPairs, second: ScoredPairs) -> dict[str, str]:
    """Return each distinct sentence of ``first`` with what stands in its place in ``second``, in order of appearance.

    Of several translations of one sentence the first one counts; blank sentences are left out.

    Parameters
    ----------
    first, second
        The same pairs in two languages, row by row.

    Raises
    ------
    CorpusError
        Where they are not equally many.

    Examples
    --------
    >>> one = ScoredPairs(["a dog", "a cat"], ["a cat", "a cow"], np.ones(2), np.arange(2))
    >>> other = ScoredPairs(["ein Hund", "eine Katze"], ["die Katze", "eine Kuh"], np.ones(2), np.arange(2))
    >>> translations_of(one, other)
    {'a dog': 'ein Hund', 'a cat': 'die Katze', 'a cow': 'eine Kuh'}
    """
    if len(first.left) != len(second.left):
        why = f"there are {len(first.left)} rows and {len(second.left)}"
        raise CorpusError("the two languages do not stand side by side", why, "give the same part of both")
    sides = [[text for pair in zip(one.left, one.right, strict=True) for text in pair] for one in (first, second)]
    found: dict[str, str] = {}
    for text, translation in zip(*sides, strict=True):
        if text.strip() and translation.strip():
            found.setdefault(text, translation)
    return found


@dataclass(frozen=True, slots=True)
class HiddenTranslations:
    """Two piles of sentences, of which some are translations of each other.

    Attributes
    ----------
    source, target
        Sentences of the second and of the first language.
    gold
        ``(len(source),)`` row of each source sentence's translation in ``target``, -1 where it has none.
    """

    source: list[str]
    target: list[str]
    gold: NDArray[np.int64]


def hide_translations(pairs: Mapping[str, str], *, without: Sequence[Mapping[str, str]] = ()) -> HiddenTranslations:
    """Make two piles in which a third of either side has its translation on the other side.

    Every fifth pair is kept whole; of two fifths the source alone and of two fifths the target alone, so that sentences
    that stand beside each other, and are often about the same, part company.

    Parameters
    ----------
    pairs
        Target sentences with their translations, the source sentences.
    without
        Pairs that have been learnt from: whatever has a sentence of theirs is left out.

    Raises
    ------
    CorpusError
        Where fewer than five pairs are left.

    Examples
    --------
    >>> piles = hide_translations({letter: letter.upper() for letter in "abcdefghij"})
    >>> piles.source, piles.target, piles.gold.tolist()
    (['A', 'B', 'C', 'F', 'G', 'H'], ['a', 'd', 'e', 'f', 'i', 'j'], [0, -1, -1, 3, -1, -1])
    """
    known = {text for one in without for pair in one.items() for text in pair}
    # one sentence, one translation: two target sentences with one source would both be right, and one would not count
    fresh = {source: target for target, source in pairs.items() if not {source, target} & known}
    if len(fresh) < _SHARES:
        raise CorpusError("there is nothing to hide", f"{len(fresh)} of {len(pairs)} pairs are left", "give more")
    source: list[str] = []
    target: list[str] = []
    gold: list[int] = []
    for number, (one, other) in enumerate(fresh.items()):
        place = number % _SHARES
        if place < 3:
            source.append(one)
            gold.append(-1 if place else len(target))
        if place not in (1, 2):
            target.append(other)
    return HiddenTranslations(source, target, np.array(gold, np.int64))
