"""Product quantisation: a vector as a few bytes, each the number of the nearest centre of a slice of it."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import charge
from isogloss.seeding import derive, generator
from isogloss.transforms.blocks import by_blocks
from isogloss.transforms.codes import checked_codes
from isogloss.transforms.estimator import Estimator
from isogloss.transforms.kmeans import kmeans

Floats = NDArray[Any]


class ProductQuantizer(Estimator):
    """Cut vectors into slices and give each slice the number of the nearest of its own k-means centres.

    A query need not be coded: :meth:`tables` holds its distances to all centres, and the distance to a code is a sum of
    one entry a slice. With ``rotations`` the vectors are first turned so that the slices can be coded well: centres and
    rotation are learnt in turns, the rotation as the one that brings the vectors nearest to their codes.

    Source: Jegou, Douze, Schmid 2011, "Product Quantization for Nearest Neighbor Search"
    (https://doi.org/10.1109/TPAMI.2010.57); the rotation: Ge et al. 2013, "Optimized Product Quantization for
    Approximate Nearest Neighbor Search" (https://doi.org/10.1109/CVPR.2013.379), their non-parametric solution.

    Parameters
    ----------
    slices
        Pieces of a vector, of nearly equal width; None for one in four columns.
    codes
        Centres of a slice, at most 65,536; up to 256 fit a byte.
    rotations
        Turns of learning a rotation; 0 for none.
    iterations
        Of k-means, at most.
    sample
        Rows to learn from, drawn at random where there are more: this many for each centre.
    seed
        Of the draws.

    Attributes
    ----------
    centres_
        ``(slices, codes, w)``, w the widest slice's width; narrower ones are filled up with zeros.
    rotation_
        ``(d, d)`` orthogonal; only with ``rotations``.

    Examples
    --------
    >>> rows = np.array([[0.0, 9.0], [0.0, 1.0], [5.0, 9.0], [5.0, 1.0]])
    >>> quantizer = ProductQuantizer(slices=2, codes=2).fit(rows)
    >>> quantizer.inverse_transform(quantizer.transform([[4.0, 2.0]])).tolist()
    [[5.0, 1.0]]
    """

    preserves_dtype: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self, *, slices: int | None = None, codes: int = 256, rotations: int = 0, iterations: int = 25,
        sample: int = 256, seed: int = 0,
    ) -> None:  # fmt: skip
        self.slices = slices
        self.codes = codes
        self.rotations = rotations
        self.iterations = iterations
        self.sample = sample
        self.seed = seed

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn the centres from ``X (n, d)``; fewer rows than centres are a ``ValueError``."""
        matrix = self._matrix(X, reset=True)
        rows, width = matrix.shape
        wanted = -(-width // 4) if self.slices is None else self.slices
        if not 1 <= wanted <= width or not 1 <= self.codes <= 65_536:
            raise ValueError(f"slices={wanted} must lie in 1..{width}, codes={self.codes} in 1..65536")
        if rows < self.codes:
            raise ValueError(
                f"{self.codes} centres cannot be learnt from n_samples = {rows}; give more rows, or fewer codes"
            )
        if rows > self.sample * self.codes:
            chosen = generator(self.seed, "product sample").permutation(rows)[: self.sample * self.codes]
            matrix = matrix[np.sort(chosen)]
        cuts = self._cuts(wanted)
        self.centres_: Floats = np.zeros((wanted, self.codes, int(np.diff(cuts).max())), matrix.dtype)
        vars(self).pop("rotation_", None)
        self._learn(matrix, 0)
        for turn in range(1, self.rotations + 1):
            near = self._decoded(self._coded(matrix))
            left, _, right = np.linalg.svd(matrix.astype(np.float64).T @ near)
            self.rotation_: Floats = (left @ right).astype(matrix.dtype)
            self._learn(matrix, turn)
        return self

    def _learn(self, matrix: Floats, turn: int) -> None:
        for number, (start, stop) in enumerate(self._edges()):
            piece = self._turned(matrix)[:, start:stop]
            seed = derive(self.seed, "product", number, turn)
            _, centres = kmeans(piece, self.codes, seed=seed, iterations=self.iterations)
            self.centres_[number, :, : stop - start] = centres

    def _cuts(self, slices: int) -> NDArray[np.int64]:
        """Return where slices begin and end, ``(slices + 1,)``; the first ones are wider where widths differ."""
        least, more = divmod(self.n_features_in_, slices)
        return np.cumsum([0, *([least + 1] * more), *([least] * (slices - more))])

    def _edges(self) -> list[tuple[int, int]]:
        cuts = self._cuts(len(self.centres_)).tolist()
        return list(pairwise(cuts))

    def _turned(self, part: Floats) -> Floats:
        rotation = getattr(self, "rotation_", None)
        return part if rotation is None else part @ rotation.astype(part.dtype, copy=False)

    def transform(self, X: Any) -> Any:
        """Return the codes ``(n, slices)`` of vectors ``(n, d)``: uint8, or uint16 above 256 centres."""
        matrix = self._matrix(X)
        charge(multiply_adds=len(matrix) * self.centres_.shape[1] * self.n_features_in_)
        return self._output(X, by_blocks(self._coded, matrix))

    def _coded(self, part: Floats) -> NDArray[Any]:
        # as differences of squares, whose own part of the row is the same for all centres and left out
        found = np.empty((len(part), len(self.centres_)), np.uint8 if self.codes <= 256 else np.uint16)
        turned = self._turned(part).astype(np.float64)
        for number, (start, stop) in enumerate(self._edges()):
            centres = self.centres_[number, :, : stop - start].astype(np.float64)
            table = turned[:, start:stop] @ centres.T
            found[:, number] = (np.einsum("ij,ij->i", centres, centres) - 2 * table).argmin(1)
        return found

    def inverse_transform(self, X: Any) -> Floats:
        """Return the vectors ``(n, d)`` that codes ``(n, slices)`` stand for, of the type that was fitted."""
        codes = self._checked_codes(X)

        def back(part: NDArray[Any]) -> Floats:
            near = self._decoded(part)
            rotation = getattr(self, "rotation_", None)
            return near if rotation is None else near @ rotation.T

        return by_blocks(back, codes)

    def _decoded(self, codes: NDArray[Any]) -> Floats:
        out = np.empty((len(codes), self.n_features_in_), self.centres_.dtype)
        for number, (start, stop) in enumerate(self._edges()):
            out[:, start:stop] = self.centres_[number, codes[:, number], : stop - start]
        return out

    def _checked_codes(self, X: Any) -> NDArray[Any]:
        self._check_fitted()
        return checked_codes(X, self._width_out(), 0, self.codes - 1)

    def tables(self, queries: Any) -> NDArray[np.float32]:
        """Return the squared distance of each query's slices to their centres, ``(q, slices, codes)``."""
        asked = self._turned(self._matrix(queries)).astype(np.float64)
        charge(multiply_adds=len(asked) * self.centres_.shape[1] * self.n_features_in_)
        found = np.empty((len(asked), *self.centres_.shape[:2]), np.float32)
        for number, (start, stop) in enumerate(self._edges()):
            piece, centres = asked[:, start:stop], self.centres_[number, :, : stop - start].astype(np.float64)
            squares = (piece**2).sum(1)[:, None] + (centres**2).sum(1)
            found[:, number] = np.maximum(squares - 2 * piece @ centres.T, 0)
        return found

    def distances(self, queries: Any, codes: Any) -> NDArray[np.float32]:
        """Return the squared distance ``(q, n)`` of vectors ``(q, d)``, not coded, to what codes stand for."""
        stored, tables = self._checked_codes(codes), self.tables(queries)
        charge(random_reads=len(tables) * stored.size)
        found = np.zeros((len(tables), len(stored)), np.float32)
        for number in range(stored.shape[1]):
            found += tables[:, number, stored[:, number]]
        return found

    def error(self, X: Any) -> float:
        """Return the mean squared distance of the rows of ``X (n, d)`` to their codes, as a share of their variance."""
        matrix = self._matrix(X)
        missed = matrix - self.inverse_transform(by_blocks(self._coded, matrix))
        whole = float(matrix.var(0, dtype=np.float64).sum())
        return float((missed**2).sum(1, dtype=np.float64).mean()) / (whole or 1.0)

    def _width_out(self) -> int:
        return len(self.centres_)
