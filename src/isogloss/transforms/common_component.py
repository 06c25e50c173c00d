"""The common component of sentence vectors, fitted on a corpus and taken off every later vector."""

from __future__ import annotations

from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import charge
from isogloss.transforms.blocks import by_blocks
from isogloss.transforms.estimator import Estimator
from isogloss.transforms.projection import principal_directions


class CommonComponentRemoval(Estimator):
    """Take off what lies along the strongest directions about zero, learnt from a corpus of vectors.

    Weighted averages of word vectors share a component that tells of grammar and frequency. Nothing is centred, other
    than in ``TopComponentsRemoval``; the directions come from the corpus and never from the vectors that are asked, so
    that a vector does not depend on its batch.

    Source: Arora, Liang, Ma 2017, "A Simple but Tough-to-Beat Baseline for Sentence Embeddings"
    (https://openreview.net/forum?id=SyK00v5xx), second step; ``weighting="variance"``: Ethayarajh 2018, "Unsupervised
    Random Walk Sentence Embeddings" (https://aclanthology.org/W18-3012), which takes five directions and only a part
    of each.

    Parameters
    ----------
    components
        Directions to remove.
    weighting
        ``"full"``: all of what lies along each. ``"variance"``: of each the share that its second moment has in theirs
        together.

    Attributes
    ----------
    components_
        ``(k, d)``, orthonormal rows, strongest first.
    shares_
        ``(k,)``: how much of each is taken off.

    Examples
    --------
    >>> removal = CommonComponentRemoval().fit([[5.0, 0.1], [5.0, -0.1]])
    >>> removal.transform([[7.0, 2.0]]).round(6).tolist()
    [[0.0, 2.0]]
    """

    def __init__(self, *, components: int = 1, weighting: Literal["full", "variance"] = "full") -> None:
        self.components = components
        self.weighting = weighting

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn the directions from ``X (n, d)``; more directions than columns are a ``ValueError``."""
        matrix = self._matrix(X, reset=True)
        if not 0 <= self.components <= matrix.shape[1]:
            raise ValueError(f"components={self.components} must lie in 0..{matrix.shape[1]}, the columns of X")
        if self.weighting not in ("full", "variance"):
            raise ValueError(f"weighting={self.weighting!r} is neither 'full' nor 'variance'")
        found = principal_directions(matrix, centre=False)
        values = found.values[: self.components]
        shares = values / (values.sum() or 1.0) if self.weighting == "variance" else np.ones(self.components)
        self.components_: NDArray[Any] = np.ascontiguousarray(found.rows[: self.components], matrix.dtype)
        self.shares_: NDArray[Any] = shares.astype(matrix.dtype)
        return self

    def transform(self, X: Any) -> Any:
        """Return each row less its shares along the directions, ``(n, d)``."""
        matrix = self._matrix(X)
        charge(multiply_adds=2 * len(matrix) * self.components_.size)
        rows, shares = (one.astype(matrix.dtype, copy=False) for one in (self.components_, self.shares_))
        return self._output(X, by_blocks(lambda part: part - ((part @ rows.T) * shares) @ rows, matrix))
