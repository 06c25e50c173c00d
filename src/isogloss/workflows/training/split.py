"""Rows to learn from, rows that choose, and rows that prove: split once, by what rows share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from isogloss.seeding import generator
from isogloss.workflows.training.data import TrainingData

SHARE, MOST, LEAST = 0.1, 500, 20
"""Share of the rows that each of the two held-out parts gets, the most rows of one, and the fewest that it is worth."""


@dataclass(frozen=True, slots=True)
class Parts:
    """The three parts of what a user trains on.

    Attributes
    ----------
    train
        Rows to learn from.
    choose, prove
        Rows that choose between candidates, and rows that are read once at the end; None where there are too few.
    note
        What was split, in a sentence.
    """

    train: TrainingData
    choose: TrainingData | None
    prove: TrainingData | None
    note: str


def split(data: TrainingData, seed: int) -> Parts:
    """Split rows by group, so that no document and no text is in two parts.

    Parameters
    ----------
    data
        The rows.
    seed
        Of the draw.

    Returns
    -------
    Parts
        Plain texts are not held out: nothing can be judged on them. A group that holds more than a part may have
        goes to ``train``.

    Examples
    --------
    >>> pairs = TrainingData("t", "pairs", ([str(i) for i in range(400)],) * 2, np.arange(400))
    >>> parts = split(pairs, 0)
    >>> len(parts.train), len(parts.choose), len(parts.prove)
    (320, 40, 40)
    """
    if data.kind == "texts":
        return Parts(data, None, None, "plain texts have no answers: nothing is measured on them")
    wanted = min(MOST, int(len(data) * SHARE))
    if wanted < LEAST:
        said = f"{len(data)} rows are too few to hold any out (at least {int(LEAST / SHARE)} are needed)"
        return Parts(data, None, None, said)
    sizes = np.bincount(data.groups)
    order = generator(seed, "split").permutation(len(sizes))
    home = np.zeros(len(sizes), np.int64)
    filled = [0, 0]
    for group in order:
        part = 0 if filled[0] <= filled[1] else 1
        if 0 < sizes[group] <= wanted - filled[part]:
            home[group] = part + 1
            filled[part] += int(sizes[group])
        if min(filled) >= wanted:
            break
    if min(filled) < LEAST:
        large = f"one group of texts that hang together holds {sizes.max():,} of {len(data):,} rows"
        return Parts(data, None, None, f"nothing could be held out: {large}")
    rows = home[data.groups]
    train, choose, prove = (data.take(np.flatnonzero(rows == part)) for part in range(3))
    said = f"{len(train):,} rows to learn from, {len(choose):,} to choose, {len(prove):,} to prove; no text is in two"
    return Parts(train, choose, prove, said)
