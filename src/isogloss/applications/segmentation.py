"""Where one topic ends and the next begins: valleys in the similarity of neighbouring sentences."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import normalise
from isogloss.errors import UsageError


def segment(vectors: NDArray[Any], *, segments: int | None = None, window: int = 3) -> list[int]:
    """Return the places where new segments begin, ascending, without 0.

    At each gap the mean of the ``window`` sentences before is compared with that of those behind; the gaps whose
    valley is deepest against the peaks on both sides are borders ("TextTiling: Segmenting Text into Multi-paragraph
    Subtopic Passages", Hearst 1997, https://aclanthology.org/J97-1003).

    Parameters
    ----------
    vectors
        ``(n, d)`` of the sentences, in order.
    segments
        How many segments; None takes valleys deeper than the mean depth less half its standard deviation.
    window
        Sentences on each side of a gap.

    Examples
    --------
    >>> topics = np.repeat(np.eye(2), 4, axis=0)
    >>> segment(topics, segments=2)
    [4]
    """
    unit = normalise(np.asarray(vectors, np.float32))
    if unit.ndim != 2 or len(unit) < 2 or window < 1:
        raise UsageError("nothing can be cut", f"vectors {np.shape(vectors)}, window {window}", "give two sentences")
    if segments is not None and not 1 <= segments <= len(unit):
        raise UsageError("so many segments are not possible", f"{segments} of {len(unit)} sentences")
    similar = np.array([_across(unit, gap, window) for gap in range(1, len(unit))])
    depths = _depths(similar)
    if segments is None:
        chosen = np.flatnonzero((depths > max(0.0, depths.mean() - depths.std() / 2)) & _valleys(similar))
    else:
        order = np.lexsort((np.arange(len(depths)), -depths * _valleys(similar)))
        chosen = np.sort(order[: segments - 1])
    return [int(gap) + 1 for gap in chosen]


def _across(unit: NDArray[np.float32], gap: int, window: int) -> float:
    before, behind = unit[max(0, gap - window) : gap].mean(0), unit[gap : gap + window].mean(0)
    size = float(np.linalg.norm(before) * np.linalg.norm(behind))
    return float(before @ behind) / size if size else 0.0


def _valleys(similar: NDArray[np.float64]) -> NDArray[np.bool_]:
    left, right = np.r_[np.inf, similar[:-1]], np.r_[similar[1:], np.inf]
    return np.asarray((similar <= left) & (similar <= right), bool)


def _depths(similar: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how far each gap lies below the nearest peaks to its left and right, summed."""
    depths = np.zeros(len(similar))
    for place, here in enumerate(similar):
        for step in (-1, 1):
            peak, at = here, place + step
            while 0 <= at < len(similar) and similar[at] >= peak:
                peak, at = similar[at], at + step
            depths[place] += peak - here
    return depths
