"""RCSLS: a map between two spaces that is learnt for the score by which translations are then looked up."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from isogloss.transforms.alignment import LinearAlignment, orthogonal_map
from isogloss.transforms.hubness import strongest

Floats = NDArray[Any]


class RCSLS(LinearAlignment):
    """Learn the linear map that makes partners' CSLS scores as high as possible, starting from the rotation.

    Gradient steps on the mean of ``-2 x W y + mean(x W y') + mean(x' W y)``, y' the nearest targets of the mapped x and
    x' the mapped sources nearest to y. A step that raises it is taken back and the rate halved.

    Source: Joulin et al. 2018, "Loss in Translation: Learning Bilingual Word Mapping with a Retrieval Criterion"
    (https://arxiv.org/abs/1804.07745).

    Parameters
    ----------
    neighbours
        Near ones in both means.
    steps
        Gradient steps.
    rate
        Of the first step.
    spectral
        Keep the map among the mixtures of rotations (no direction is stretched), in which the criterion is convex for
        given neighbours.
    normalise, centre
        As for :class:`~isogloss.transforms.alignment.Procrustes`; the criterion is about rows of length one.

    Attributes
    ----------
    weights_
        ``(d, e)``.
    mean_, target_mean_
        ``(d,)`` and ``(e,)``, zeros where ``centre`` is False.
    losses_
        ``(steps + 1,)``: the criterion before the first step and after each, on the fitted pairs.

    Examples
    --------
    >>> first = np.random.default_rng(0).standard_normal((50, 3))
    >>> losses = RCSLS(neighbours=2).fit(first, first @ np.diag([1.0, 2.0, 3.0])).losses_
    >>> bool(losses[-1] < losses[0])
    True
    """

    def __init__(
        self, *, neighbours: int = 10, steps: int = 10, rate: float = 1.0, spectral: bool = False,
        normalise: bool = True, centre: bool = False,
    ) -> None:  # fmt: skip
        self.neighbours = neighbours
        self.steps = steps
        self.rate = rate
        self.spectral = spectral
        self.normalise = normalise
        self.centre = centre

    def fit(self, X: Any, y: Any = None, *, sources: Any = None, targets: Any = None) -> Self:
        """Learn from rows ``X (n, d)`` and their partners ``y (n, e)``.

        Parameters
        ----------
        X, y
            The pairs.
        sources, targets
            Vectors ``(v, d)`` and ``(w, e)`` to look for near ones in, as the whole vocabularies; None: the pairs.
        """
        if self.neighbours < 1 or self.steps < 0 or self.rate <= 0:
            raise ValueError(
                f"neighbours={self.neighbours} and rate={self.rate} must be positive, steps={self.steps} not negative"
            )
        first = self._matrix(X, reset=True)
        second = self._learn_targets(y, len(first))
        fields = [self._matrix(first if sources is None else sources)]
        fields.append(second if targets is None else self._target_matrix(targets))
        first, second = self._prepared(first, second)
        steps = self._steps()
        prepared = (
            steps.apply(field, mean) for field, mean in zip(fields, (self.mean_, self.target_mean_), strict=True)
        )
        self._near: tuple[Floats, ...] = tuple(field.astype(np.float64) for field in prepared)
        weights = self._solve(first.astype(np.float64), second.astype(np.float64))
        del self._near
        self.weights_ = weights.astype(first.dtype)
        return self

    def _solve(self, first: Floats, second: Floats) -> Floats:
        least = min(first.shape[1], second.shape[1])
        if len(first) < least:
            raise ValueError(
                f"{len(first)} pairs (n_samples = {len(first)}) leave the first rotation of {least} dimensions open; "
                f"give {least} pairs or more"
            )
        weights, _ = orthogonal_map(first, second)
        loss, slope = self._criterion(weights, first, second)
        losses, rate = [loss], self.rate
        for _ in range(self.steps):
            moved = weights - rate * slope
            if self.spectral:
                left, values, right = np.linalg.svd(moved, full_matrices=False)
                moved = left * np.minimum(values, 1) @ right
            found, uphill = self._criterion(moved, first, second)
            if found < loss:
                weights, loss, slope = moved, found, uphill
            else:
                rate /= 2
            losses.append(loss)
        self.losses_ = np.asarray(losses)
        return weights

    def _criterion(self, weights: Floats, first: Floats, second: Floats) -> tuple[float, Floats]:
        """Return the loss and its gradient ``(d, e)``."""
        sources, targets = self._near
        mapped = first @ weights
        _, rows = strongest(mapped, targets, self.neighbours)
        near_targets = _mean_rows(targets, rows)
        _, rows = strongest(second, sources @ weights, self.neighbours)
        near_sources = _mean_rows(sources, rows)
        pull = near_targets - 2 * second
        loss = float((mapped * pull).sum() + ((near_sources @ weights) * second).sum()) / len(first)
        return loss, np.asarray((first.T @ pull + near_sources.T @ second) / len(first))


def _mean_rows(matrix: Floats, rows: NDArray[np.int64]) -> Floats:
    """Return the mean of the rows that each line of ``rows (n, k)`` names, ``(n, d)``."""
    total = np.zeros((len(rows), matrix.shape[1]))
    for column in rows.T:
        total += matrix[column]
    return np.asarray(total / rows.shape[1])
