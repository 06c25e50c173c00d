"""What transforms that learn from two sets of vectors share: the second set's checks, its width, its preparation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isogloss.transforms.blocks import by_blocks
from isogloss.transforms.estimator import Estimator

Floats = NDArray[Any]


class PairedEstimator(Estimator):
    """A transform whose ``fit`` takes a second set of vectors as ``y``.

    ``transform`` brings vectors of the first kind into a shared space, ``transform_target`` those of the second.
    """

    n_targets_in_: int

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.target_tags.multi_output = True
        return tags

    def _learn_targets(self, y: Any, rows: int | None) -> Floats:
        """Return ``y`` as a finite matrix of at least two rows, as many as ``rows`` where that is given."""
        if y is None:
            raise ValueError(
                f"{type(self).__name__} requires y to be passed, but the target y is None; give the second vectors"
            )
        targets = _column(y)
        if rows is not None and len(targets) != rows:
            raise ValueError(f"X has {rows} rows and y has {len(targets)}; each row of one must have its partner")
        if len(targets) < 2:
            raise ValueError(f"{type(self).__name__} cannot be fitted on n_samples = 1: two pairs or more are needed")
        self.n_targets_in_ = targets.shape[1]
        return targets

    def _target_matrix(self, y: Any) -> Floats:
        """Return ``y`` as a finite matrix of the width learnt."""
        self._check_fitted()
        targets = _column(y)
        if targets.shape[1] != self.n_targets_in_:
            raise ValueError(
                f"y has {targets.shape[1]} columns, but this {type(self).__name__} was fitted with {self.n_targets_in_}"
            )
        return targets


def _column(y: Any) -> Floats:
    """Return ``y`` checked as vectors; a single column may be given flat."""
    given = y if hasattr(y, "tocsr") else np.asarray(y)
    return Estimator.checked(given[:, None] if given.ndim == 1 else given)


@dataclass(frozen=True, slots=True)
class Preparation:
    """Scale to length one, take a mean off, scale again: each where it is asked for.

    Source: Artetxe, Labaka, Agirre 2018, "Generalizing and Improving Bilingual Word Embedding Mappings with a
    Multi-Step Framework of Linear Transformations" (https://doi.org/10.1609/aaai.v32i1.11992), step 0.

    Attributes
    ----------
    normalise
        Scale rows to length one, before the mean is taken off and after; rows of zeros stay.
    centre
        Take the mean off.
    """

    normalise: bool
    centre: bool

    def mean(self, matrix: Floats) -> NDArray[np.float64]:
        """Return the mean ``(d,)`` of the rows of ``matrix (n, d)``, scaled where asked; zeros without ``centre``."""
        if not self.centre:
            return np.zeros(matrix.shape[1])
        scaled = by_blocks(unit_rows, matrix) if self.normalise else matrix
        return np.asarray(scaled.mean(0, dtype=np.float64))

    def apply(self, matrix: Floats, mean: Floats) -> Floats:
        """Return the prepared rows ``(n, d)``, of the type of ``matrix``.

        Examples
        --------
        >>> Preparation(normalise=True, centre=True).apply(np.array([[3.0, 4.0]]), np.array([0.6, 0.0])).tolist()
        [[0.0, 1.0]]
        """
        offset = mean.astype(matrix.dtype, copy=False)

        def prepare(part: Floats) -> Floats:
            if self.normalise:
                part = unit_rows(part)
            if self.centre:
                part = part - offset
            return unit_rows(part) if self.normalise and self.centre else part

        return by_blocks(prepare, matrix)


def unit_rows(matrix: Floats) -> Floats:
    """Scale rows to length one in their own type; rows of zeros stay zeros.

    Examples
    --------
    >>> unit_rows(np.array([[3.0, 4.0], [0.0, 0.0]])).tolist()
    [[0.6, 0.8], [0.0, 0.0]]
    """
    lengths = np.sqrt(np.einsum("ij,ij->i", matrix, matrix, dtype=np.float64))
    lengths[lengths == 0] = 1
    return np.asarray(matrix / lengths[:, None].astype(matrix.dtype), matrix.dtype)
