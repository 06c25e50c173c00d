"""Two views of one thing: a world where they are independent given the label, and how far real ones are from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isogloss.errors import UsageError
from isogloss.seeding import generator


@dataclass(frozen=True, slots=True)
class Views:
    """Two views ``(n, d)`` and the labels ``(n,)`` behind them."""

    first: NDArray[np.float64]
    second: NDArray[np.float64]
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)

    def part(self, rows: slice) -> Views:
        """Return some rows."""
        return Views(self.first[rows], self.second[rows], self.labels[rows])


def gaussian_views(
    count: int, *, classes: int = 4, dimensions: int = 50, spread: float = 3.0, correlation: float = 0.0, seed: int = 0
) -> Views:
    """Draw two views of a mixture of Gaussians, independent given the class where ``correlation`` is 0.

    Each view is the class's own centre plus noise of variance one; the noise of the second repeats that of the first
    (turned by a rotation) with weight ``correlation``. Setting of "Predicting What You Already Know Helps: Provable
    Self-Supervised Learning" (2020, https://arxiv.org/abs/2008.01064), section 3.

    Parameters
    ----------
    count
        Rows.
    classes, dimensions
        Numbers of centres, and of components of each view.
    spread
        Root mean square length of a centre.
    correlation
        0 (independent given the class) to 1 (the second view's noise is the first's).
    seed
        Of everything; centres depend on the seed alone, so that other counts draw from the same world.

    Examples
    --------
    >>> views = gaussian_views(8, dimensions=3)
    >>> views.first.shape, views.labels.shape
    ((8, 3), (8,))
    """
    if not 0 <= correlation <= 1 or classes < 2 or dimensions < 1:
        raise UsageError(
            "no such world", f"correlation {correlation}, {classes} classes, {dimensions} dimensions", "0 to 1, 2, 1"
        )
    rng = generator(seed, "gaussian views", "centres")
    one, other = rng.standard_normal((2, classes, dimensions)) * spread / np.sqrt(dimensions)
    turn = np.linalg.qr(rng.standard_normal((dimensions, dimensions)))[0]
    rng = generator(seed, "gaussian views", "rows")
    labels = rng.integers(0, classes, count)
    noise, fresh = rng.standard_normal((2, count, dimensions))
    shared = correlation * (noise @ turn) + np.sqrt(1 - correlation**2) * fresh
    return Views(one[labels] + noise, other[labels] + shared, labels)


def conditional_dependence(first: NDArray[Any], second: NDArray[Any], labels: NDArray[np.int64]) -> float:
    """Return how much two views depend on each other once the label is known: 0 where they are independent.

    The Frobenius norm of the covariance of what the class means leave of each view, with each view's remaining
    components scaled to variance one, over the root of the dimension; an estimate of the paper's epsilon, which is
    biased upwards by about ``sqrt(d / n)``.

    Parameters
    ----------
    first, second
        ``(n, d)`` and ``(n, e)``.
    labels
        ``(n,)``.

    Examples
    --------
    >>> near = gaussian_views(5000, dimensions=5, correlation=0.9)
    >>> far = gaussian_views(5000, dimensions=5)
    >>> conditional_dependence(near.first, near.second, near.labels) > 0.8
    True
    >>> conditional_dependence(far.first, far.second, far.labels) < 0.1
    True
    """
    if not len(first) == len(second) == len(labels) or len(labels) < 3:
        raise UsageError("views and labels do not match", f"{len(first)}, {len(second)}, {len(labels)} rows")
    left, right = _residual(first, labels), _residual(second, labels)
    covariance = left.T @ right / len(labels)  # (d, n) @ (n, e) -> (d, e)
    return float(np.linalg.norm(covariance) / np.sqrt(min(covariance.shape)))


def _residual(view: NDArray[Any], labels: NDArray[np.int64]) -> NDArray[np.float64]:
    view = np.asarray(view, np.float64)
    rest = view.copy()
    for label in np.unique(labels):
        rest[labels == label] -= view[labels == label].mean(0)
    scale = rest.std(0)
    return np.asarray(rest / np.where(scale > 0, scale, 1.0))
