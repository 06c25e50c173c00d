"""A score before it is averaged: values of items, the groups they come in, and the aggregate that makes one number."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from isogloss.errors import IsoglossError

Aggregate: TypeAlias = Callable[[NDArray[Any], NDArray[np.float64]], NDArray[np.float64]]
"""From ``items (n, ...)`` and ``weights (b, n)`` to ``(b,)`` numbers, one a row of weights. A row of ones gives the
score; a row of counts, how often a draw of the bootstrap took each item, gives the score of that draw."""


def mean(items: NDArray[Any], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weighted mean of ``items (n,)``: an aggregate.

    Examples
    --------
    >>> mean(np.array([1.0, 3.0]), np.array([[1.0, 1.0], [0.0, 2.0]])).tolist()
    [2.0, 3.0]
    """
    return np.asarray((weights @ items.astype(np.float64)) / weights.sum(1), np.float64)  # (b, n) @ (n,) -> (b,)


@dataclass(frozen=True, slots=True)
class Sample:
    """What a metric measured, item by item.

    Attributes
    ----------
    items
        ``(n, ...)`` whatever the aggregate reads: one score an item for the mean, a pair of numbers an item for a
        correlation.
    groups
        ``(n,)`` int64 number of the unit that is drawn (question, document, speaker, book); items of one group are
        drawn together.
    aggregate
        How items and weights make one number; the mean unless said otherwise.
    name
        Name of the metric, such as ``ndcg@10``.

    Examples
    --------
    >>> sample = Sample.of([0.0, 1.0, 1.0], name="accuracy")
    >>> round(sample.value(), 3), sample.at(np.array([[2.0, 1.0, 0.0]])).round(3).tolist()
    (0.667, [0.333])
    """

    items: NDArray[Any]
    groups: NDArray[np.int64]
    aggregate: Aggregate = mean
    name: str = ""

    def __post_init__(self) -> None:
        if len(self.items) != len(self.groups):
            raise IsoglossError(
                "a sample needs one group an item", f"{len(self.items)} items, {len(self.groups)} groups"
            )

    @classmethod
    def of(
        cls, items: Sequence[float] | NDArray[Any], *, groups: Sequence[int] | NDArray[np.int64] | None = None,
        aggregate: Aggregate = mean, name: str = "",
    ) -> Sample:  # fmt: skip
        """Make a sample; each item is a group of its own unless ``groups`` says otherwise."""
        values = np.asarray(items)
        numbers = np.arange(len(values)) if groups is None else np.asarray(groups)
        return cls(values, numbers.astype(np.int64), aggregate, name)

    def __len__(self) -> int:
        return len(self.items)

    def value(self) -> float:
        """Return the score itself: the aggregate with weight one for every item."""
        return float(self.at(np.ones((1, len(self.items))))[0])

    def at(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the score under each row of ``weights (b, n)``: ``(b,)``."""
        return self.aggregate(self.items, np.asarray(weights, np.float64))
