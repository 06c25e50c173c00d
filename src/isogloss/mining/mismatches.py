"""Pairs made wrong on purpose: a world in which a filter's answer is known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from isogloss.errors import UsageError
from isogloss.seeding import generator


def mismatched(texts: Sequence[str], share: float, *, seed: int) -> tuple[list[str], NDArray[np.bool_]]:
    """Give a share of the items the text of another one of them.

    Each text stays once, so the mismatched items cannot be told by counting.

    Parameters
    ----------
    texts
        One an item.
    share
        Of the items that are to be wrong, rounded; 0 to 1, and never exactly one item.
    seed
        Which items, and whose texts.

    Returns
    -------
    list of str, array
        The texts, and ``(n,)`` which items have another one's.

    Raises
    ------
    UsageError
        Where the share is not of 0 to 1, or is that of one item.

    Examples
    --------
    >>> texts, wrong = mismatched(["a", "b", "c", "d"], 0.5, seed=0)
    >>> sorted(texts), [old != new for old, new in zip("abcd", texts)] == wrong.tolist()
    (['a', 'b', 'c', 'd'], True)
    """
    count = round(share * len(texts))
    if not 0 <= share <= 1 or count == 1:
        raise UsageError("these pairs cannot be mismatched", f"{count} of {len(texts)} items, a share of {share}")
    moved = generator(seed, "mismatched").permutation(len(texts))[:count]
    found, wrong = list(texts), np.zeros(len(texts), bool)
    for place, other in zip(moved, np.roll(moved, 1), strict=True):
        found[place], wrong[place] = texts[other], True
    return found, wrong
