"""Distil a sentence encoder into a table of token vectors by least squares, without torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import CSR, Dense, normalise
from isogloss.errors import UsageError


@dataclass(frozen=True, slots=True)
class DistilledTable:
    """Token vectors that a text's sum of tokens turns into its vector.

    Attributes
    ----------
    rows
        ``(V, d)`` float32, frequency weights folded in; rows of tokens left out are zeros.
    mean
        ``(D,)`` float32: the teacher's mean vector, which was taken off.
    basis
        ``(D, d)`` float32: the teacher's principal directions; ``(teacher - mean) @ basis`` is what the table imitates.
    kept
        Share of the teacher's variance inside the basis.
    """

    rows: Dense
    mean: Dense
    basis: Dense
    kept: float

    def targets(self, teacher: Dense) -> Dense:
        """Return what the table imitates for these teacher vectors ``(n, D)``: centred, projected, of length one."""
        return normalise(np.asarray((teacher - self.mean) @ self.basis, np.float32))


def linear_distillation(
    counts: CSR,
    teacher: Dense,
    tokens: Dense,
    *,
    dimensions: int = 256,
    smoothing: float = 1e-3,
    ridge: float = 1.0,
    rounds: int = 3,
    iterations: int = 8,
    leave_out: NDArray[np.int64] | None = None,
) -> DistilledTable:
    r"""Fit token vectors whose sum points where a teacher's sentence vectors point.

    The start is the teacher's own vectors of single tokens in the principal directions of its sentence vectors, times
    ``a / (a + p(token))`` (smooth inverse frequency). From there the table ``E (V, d)`` solves

    .. math:: \min_E \sum_i \lVert s_i c_i E - y_i \rVert^2 + \lambda \lVert E - E_0 \rVert^2

    with token counts ``c_i``, centred and projected teacher vectors ``y_i`` of length one, and scales
    ``s_i = 1 / |c_i E|`` taken from the round before: only directions matter, so a text's length does not.
    All ``d`` columns are solved at once by conjugate gradients with the diagonal as preconditioner.

    Source: the frequency weights are those of Arora, Liang, Ma 2017, "A Simple but Tough-to-Beat Baseline for Sentence
    Embeddings" (https://openreview.net/forum?id=SyK00v5xx), equation 3; token vectors from the teacher as in model2vec
    (https://github.com/MinishLab/model2vec).

    Parameters
    ----------
    counts
        ``(n, V)`` counts of tokens in texts.
    teacher
        ``(n, D)`` vectors of the same texts by the teacher.
    tokens
        ``(V, D)`` vectors of the tokens alone by the teacher.
    dimensions
        Components of the table, at most D.
    smoothing
        ``a``, as a share of all tokens.
    ridge
        Weight of the pull towards the start, in units of a text.
    rounds
        How many times the scales are taken anew.
    iterations
        Steps of conjugate gradients in a round.
    leave_out
        Tokens whose rows are zero (special and unknown tokens).

    Raises
    ------
    UsageError
        Where shapes do not fit, or there are no texts.

    Examples
    --------
    >>> counts = CSR(np.array([0, 1, 2]), np.array([0, 1]), np.ones(2, np.float32), 2)
    >>> points = np.array([[1, 0], [-1, 0]], np.float32)
    >>> table = linear_distillation(counts, points, points, dimensions=1)
    >>> bool(table.rows[0, 0] * table.rows[1, 0] < 0)
    True
    """
    _check(counts, teacher, tokens, dimensions)
    import scipy.sparse

    mean, basis, kept = _principal(teacher, dimensions)
    wanted = normalise(np.asarray((teacher - mean) @ basis, np.float32))
    matrix: Any = counts.tocsr().astype(np.float32)
    share = np.asarray(matrix.sum(0), np.float64).ravel() / max(1.0, float(matrix.sum()))
    start = ((tokens - tokens.mean(0)) @ basis) * (smoothing / (smoothing + share)).astype(np.float32)[:, None]
    if leave_out is not None:
        start[leave_out] = 0
        keep = np.ones(len(start), np.float32)
        keep[leave_out] = 0
        matrix = matrix @ scipy.sparse.diags(keep)
    start *= _fitting_scale(normalise(matrix @ start), wanted, matrix @ start)
    rows = start
    for _ in range(rounds):
        lengths = np.linalg.norm(matrix @ rows, axis=1)
        scales = np.where(lengths > 0, 1 / np.maximum(lengths, 1e-6), 0).astype(np.float32)
        rows = ridge_solution(scipy.sparse.diags(scales) @ matrix, wanted, start, rows, ridge, iterations)
    return DistilledTable(np.ascontiguousarray(rows, np.float32), mean, basis, kept)


def ridge_solution(matrix: Any, wanted: Dense, centre: Dense, first: Dense, ridge: float, iterations: int) -> Dense:
    """Minimise ``|matrix @ E - wanted|^2 + ridge * |E - centre|^2`` by conjugate gradients, from ``first`` on.

    Parameters
    ----------
    matrix
        SciPy sparse ``(n, V)`` float32.
    wanted
        ``(n, d)``.
    centre, first
        ``(V, d)``: what the penalty pulls to, and where the search begins.
    ridge
        The penalty's weight.
    iterations
        Steps; each column has a step length of its own.
    """
    transposed = matrix.T.tocsr()
    diagonal = (np.asarray(matrix.multiply(matrix).sum(0)).ravel() + ridge).astype(np.float32)[:, None]
    rows = np.array(first, np.float32)
    left = np.asarray(transposed @ (wanted - matrix @ rows), np.float32) - np.float32(ridge) * (rows - centre)
    scaled = left / diagonal
    step, size = scaled.copy(), np.einsum("ij,ij->j", left, scaled)
    for _ in range(iterations):
        image = np.asarray(transposed @ (matrix @ step), np.float32) + np.float32(ridge) * step
        length = size / np.maximum(np.einsum("ij,ij->j", step, image), np.float32(1e-30))
        rows += length * step
        left -= length * image
        scaled = left / diagonal
        before, size = size, np.einsum("ij,ij->j", left, scaled)
        step = scaled + (size / np.maximum(before, np.float32(1e-30))) * step
    return rows


def _principal(vectors: Dense, dimensions: int) -> tuple[Dense, Dense, float]:
    """Return the mean, the first principal directions ``(D, d)`` with fixed signs, and their share of the variance."""
    mean = vectors.mean(0, dtype=np.float64)
    centred = vectors - mean.astype(np.float32)
    values, directions = np.linalg.eigh((centred.T @ centred).astype(np.float64))
    values, directions = values[::-1], directions[:, ::-1][:, :dimensions]
    strongest = np.abs(directions).argmax(0)
    directions = directions * np.where(directions[strongest, np.arange(directions.shape[1])] < 0, -1, 1)
    kept = float(values[:dimensions].sum() / max(float(values.sum()), 1e-30))
    return mean.astype(np.float32), np.ascontiguousarray(directions, np.float32), kept


def _fitting_scale(directions: Dense, wanted: Dense, sums: Dense) -> np.float32:
    """Return the factor that gives the starting sums the length of the best fit, so that the ridge has a meaning."""
    lengths = np.linalg.norm(sums, axis=1)
    typical = float(np.median(lengths[lengths > 0])) if (lengths > 0).any() else 1.0
    agreement = float(np.einsum("ij,ij->i", directions, wanted).mean())
    return np.float32(max(agreement, 0.1) / typical)


def _check(counts: CSR, teacher: Dense, tokens: Dense, dimensions: int) -> None:
    texts, width = counts.shape
    if not texts:
        raise UsageError("there is nothing to distil from", "no texts were given", "give texts and their vectors")
    if teacher.shape[0] != texts or tokens.shape[0] != width or teacher.shape[1] != tokens.shape[1]:
        raise UsageError(
            "texts, teacher vectors and token vectors do not fit together",
            f"counts {counts.shape}, teacher {teacher.shape}, tokens {tokens.shape}",
            "give one teacher vector a text, one token vector a column of counts, both of the same width",
        )
    if not 1 <= dimensions <= teacher.shape[1]:
        raise UsageError(
            f"{dimensions} dimensions cannot be fitted",
            f"the teacher has {teacher.shape[1]}",
            f"choose 1 to {teacher.shape[1]}",
        )
