"""Two spaces of the same texts, cut so that a translator sees no pair, and how well it then finds each text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import normalise
from isogloss.errors import UsageError
from isogloss.evaluation.sample import Sample
from isogloss.transforms.projection import principal_directions

Matrix = NDArray[Any]


@dataclass(frozen=True)
class Axes:
    """Principal axes of a space: ``mean (d,)`` and orthonormal ``rows (k, d)``."""

    mean: Matrix
    rows: Matrix

    def onto(self, vectors: Matrix) -> Matrix:
        """Return ``(n, d)`` vectors as points ``(n, k)`` on the axes, of length ``sqrt(k)``."""
        points: Matrix = normalise((vectors - self.mean) @ self.rows.T) * np.sqrt(len(self.rows))
        return points

    def back(self, points: Matrix) -> Matrix:
        """Return points ``(n, k)`` as directions ``(n, d)`` of the space, about its mean."""
        return points @ self.rows


@dataclass(frozen=True)
class UnpairedSides:
    """What a translator may see of two spaces, and what it is asked.

    Attributes
    ----------
    first, second
        Points ``(n, k)`` of one space and ``(m, k)`` of the other, of texts that the sides do not share.
    asked
        Points ``(q, k)`` of further texts in the first space.
    partners
        ``(n, k)``: the first side's own texts in the second space, for upper bounds that know pairs alone.
    axes
        Of the second space, to bring translations back into it.
    """

    first: Matrix
    second: Matrix
    asked: Matrix
    partners: Matrix
    axes: Axes


def unpaired_sides(
    spaces: Sequence[Matrix], *, asked: int, axes: int, rng: np.random.Generator, side: int | None = None
) -> UnpairedSides:
    """Part the texts of two spaces into two sides without a common text; the last ``asked`` rows belong to neither.

    Parameters
    ----------
    spaces
        ``(n, d)`` and ``(n, e)``: vectors of the same texts, row by row.
    asked
        Rows at the end that are asked.
    axes
        Principal axes to keep of each space, fitted on its side alone.
    rng
        Deals the other rows out.
    side
        Rows of each side; None: half of them.

    Raises
    ------
    UsageError
        Where there are too few rows.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> found = unpaired_sides([rng.normal(size=(20, 4)), rng.normal(size=(20, 5))], asked=4, axes=3, rng=rng)
    >>> found.first.shape, found.second.shape, found.asked.shape
    ((8, 3), (8, 3), (4, 3))
    """
    free = len(spaces[0]) - asked
    size = free // 2 if side is None else side
    if size < axes or 2 * size > free:
        raise UsageError(
            f"two sides of {size} texts on {axes} axes cannot be dealt", f"{free} texts are left beside {asked}"
        )
    order = rng.permutation(free)
    rows = order[:size], order[size : 2 * size]
    found = []
    for space, own in zip(spaces, rows, strict=True):
        directions = principal_directions(space[own])
        found.append(Axes(directions.mean, directions.rows[:axes]))
    return UnpairedSides(
        found[0].onto(spaces[0][rows[0]]), found[1].onto(spaces[1][rows[1]]), found[0].onto(spaces[0][free:]),
        found[1].onto(spaces[1][rows[0]]), found[1],
    )  # fmt: skip


def rotation(first: Matrix, second: Matrix) -> Matrix:
    """Return the orthogonal map ``(k, k)`` that brings ``(n, k)`` rows nearest to their partners (Procrustes).

    Source: Schoenemann 1966, "A generalized solution of the orthogonal Procrustes problem"
    (https://doi.org/10.1007/BF02289451).

    Examples
    --------
    >>> rotation(np.eye(2), np.array([[0.0, 1.0], [-1.0, 0.0]])).round().tolist()
    [[0.0, 1.0], [-1.0, 0.0]]
    """
    left, _, right = np.linalg.svd(first.T @ second)
    turned: Matrix = left @ right
    return turned


@dataclass(frozen=True)
class Matching:
    """Finds each text by its translation among the true vectors ``truth (q, d)``, both about the truth's mean."""

    truth: Matrix

    def ranks(self, made: Matrix) -> NDArray[np.int64]:
        """Return each text's rank, 1 the nearest by cosine; ties count against it. ``made`` is ``(q, d)``, centred.

        Examples
        --------
        >>> truth = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
        >>> Matching(truth).ranks(truth[[0, 1, 3, 2]]).tolist()
        [1, 1, 4, 4]
        """
        found = normalise(made) @ normalise(self.truth - self.truth.mean(0)).T
        ranks: NDArray[np.int64] = (found >= np.diag(found)[:, None]).sum(1)
        return ranks

    def reciprocal(self, made: Matrix) -> Sample:
        """Return the reciprocal ranks."""
        return Sample.of(1 / self.ranks(made), name="reciprocal rank")

    def first(self, made: Matrix) -> Sample:
        """Return whether each text is the nearest one."""
        return Sample.of((self.ranks(made) == 1).astype(float), name="top 1")
