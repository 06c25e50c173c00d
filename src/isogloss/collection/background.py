"""The background of scores: what random question-chunk pairs of an index score, so that a score can be placed.

A percentile against this background says how unusual a score is among unrelated pairs. It is not a
probability of relevance, which takes judgements.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import Dense
from isogloss.seeding import generator

SAMPLE = 256
QUESTION_WORDS = 12
LEVELS = np.concatenate([np.linspace(0, 99, 100), np.linspace(99.01, 100, 100)])
"""Percent levels kept: every percent, and every hundredth above 99."""


def sample_numbers(numbers: NDArray[np.int64], seed: int = 0, size: int = SAMPLE) -> NDArray[np.int64]:
    """Draw at most ``size`` chunk numbers, ascending; the same ones for the same chunks and seed."""
    if len(numbers) <= size:
        return numbers
    return np.sort(generator(seed, "background").choice(numbers, size, replace=False))


def question_of(text: str) -> str:
    """Return the last words of a text, which stand for a question that somebody might ask about it."""
    return " ".join(text.split()[-QUESTION_WORDS:])


def levels(scores: Dense, questions: NDArray[np.int64], chunks: NDArray[np.int64]) -> list[float]:
    """Return the score at each of ``LEVELS`` over pairs of unlike question and chunk.

    Parameters
    ----------
    scores
        ``(q, n)``: question by chunk.
    questions, chunks
        Chunk numbers that rows and columns belong to; pairs of equal numbers are left out.

    Returns
    -------
    list of float
        One score a level; empty with fewer than 20 chunks, which say nothing.

    Examples
    --------
    >>> numbers = np.arange(30)
    >>> levels(np.eye(30, dtype=np.float32), numbers, numbers)[-1]
    0.0
    """
    if len(chunks) < 20:
        return []
    unlike = scores[questions[:, None] != chunks[None, :]]
    return [round(float(value), 6) for value in np.percentile(unlike, LEVELS)]


def percentile(score: float, levels: Any) -> float | None:
    """Return the percent of background pairs that score below ``score``; None without a background.

    Examples
    --------
    >>> percentile(0.5, list(np.linspace(0.0, 1.0, len(LEVELS))))
    99.01
    >>> percentile(0.5, []) is None
    True
    """
    if levels is None or not len(levels):
        return None
    place = int(np.searchsorted(np.asarray(levels), score, side="left"))
    return round(float(LEVELS[min(place, len(LEVELS) - 1)]), 2)
