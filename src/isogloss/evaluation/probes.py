"""Small models on top of vectors that tell what the vectors hold: logistic and linear regression, neighbours."""

from __future__ import annotations

import warnings
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import CSR, Similarity, Vectors
from isogloss.errors import IsoglossError, IsoglossWarning, NotFittedError, UsageError

Floats = NDArray[Any]
Labels = NDArray[np.int64]


def dense(vectors: Vectors, what: str = "a probe") -> Floats:
    """Return vectors as a dense array ``(n, d)``; sparse ones are spread out where that stays below 1 GB.

    Raises
    ------
    UsageError
        For ragged vectors, or sparse ones that are too wide.
    """
    if isinstance(vectors, np.ndarray):
        return vectors
    if isinstance(vectors, CSR):
        narrow = narrowed(vectors)
        if len(narrow) * narrow.width < 250_000_000:
            out = np.zeros(narrow.shape, np.float32)
            out[np.repeat(np.arange(len(narrow)), np.diff(narrow.offsets)), narrow.indices] = narrow.values
            return out
        raise UsageError(f"{what} cannot learn from these vectors", f"{narrow.width:,} columns", "project them first")
    raise UsageError(f"{what} needs one vector a text", "the encoder gives several", "pool them first")


def narrowed(vectors: CSR) -> CSR:
    """Return sparse vectors with only the columns that are used: hashed ones are too wide for products of matrices.

    Examples
    --------
    >>> narrowed(CSR(np.array([0, 2]), np.array([7, 2**62]), np.ones(2, np.float32), 2**63 - 1)).indices.tolist()
    [0, 1]
    """
    used = np.unique(vectors.indices)
    return CSR(vectors.offsets, np.searchsorted(used, vectors.indices), vectors.values, len(used))


def on_one_scale(learned: Floats, asked: Floats) -> tuple[Floats, Floats]:
    """Shift and scale vectors so that those to learn from have mean zero and a mean squared length of one.

    One number scales all dimensions. Without it the penalty of a probe would judge encoders by the length of their
    vectors: short ones could not be learned from.

    Parameters
    ----------
    learned, asked
        ``(n, d)`` and ``(m, d)``; both are moved by the mean of the first.

    Examples
    --------
    >>> on_one_scale(np.array([[10.0], [14.0]]), np.array([[12.0]]))[0].ravel().tolist()
    [-1.0, 1.0]
    """
    middle = learned.mean(0, dtype=np.float64).astype(learned.dtype)
    moved = learned - middle
    length = float(np.sqrt(np.einsum("ij,ij->", moved, moved, dtype=np.float64) / max(1, len(moved))))
    scale = learned.dtype.type(1 / length if length > 0 else 1.0)
    return moved * scale, (asked - middle) * scale


class LogisticProbe:
    """Multinomial logistic regression with a squared penalty, as scikit-learn's ``LogisticRegression`` fits it.

    The loss is the mean of the log losses plus ``|w|^2 / (2 C n)``, the intercepts without penalty, found by SciPy's
    L-BFGS from zero with scikit-learn's stopping rules and in the precision of the vectors: predictions agree with it,
    but for float32 vectors where two labels are as good as tied (logits within about 1e-5).

    Parameters
    ----------
    C
        Inverse strength of the penalty.
    iterations
        At most so many steps; a warning says where they did not suffice.
    tolerance
        Greatest entry of the gradient at which it stops.

    Examples
    --------
    >>> x = np.array([[0.0], [1.0], [2.0], [3.0]], np.float32)
    >>> LogisticProbe().fit(x, np.array([0, 0, 1, 1])).predict(x).tolist()
    [0, 0, 1, 1]
    """

    def __init__(self, C: float = 1.0, iterations: int = 100, tolerance: float = 1e-4) -> None:
        self.C, self.iterations, self.tolerance = C, iterations, tolerance
        self.weights: Floats | None = None
        self.intercepts: Floats | None = None
        self.labels: Labels | None = None

    def fit(self, x: Floats, y: Labels) -> Self:
        """Learn from vectors ``(n, d)`` and labels ``(n,)`` of at least two kinds; returns self.

        Raises
        ------
        IsoglossError
            Where all labels are the same.
        """
        from scipy.optimize import minimize

        self.labels, classes = np.unique(y, return_inverse=True)
        count = len(self.labels)
        if count < 2:
            raise IsoglossError("a classifier needs two labels", f"all {len(y)} are {self.labels[0]}", "check the data")
        x = np.asarray(x, np.float32 if x.dtype == np.float32 else np.float64)
        loss = _binary_loss if count == 2 else _softmax_loss
        start = np.zeros((1 if count == 2 else count) * (x.shape[1] + 1), x.dtype)
        found = minimize(
            loss, start, method="L-BFGS-B", jac=True, args=(x, classes, 1.0 / (self.C * len(x))),
            options={
                "maxiter": self.iterations, "maxls": 50, "gtol": self.tolerance, "ftol": 64 * np.finfo(float).eps
            },
        )  # fmt: skip
        if found.nit >= self.iterations:
            said = f"the logistic probe stopped after {self.iterations} steps, before it had converged"
            warnings.warn(said, IsoglossWarning, stacklevel=2)
        table = np.asarray(found.x, x.dtype).reshape(-1, x.shape[1] + 1, order="F" if count > 2 else "C")
        self.weights, self.intercepts = np.ascontiguousarray(table[:, :-1]), table[:, -1]
        return self

    def scores(self, x: Floats) -> Floats:
        """Return the logits: ``(n, classes)``, or ``(n,)`` of the second of two classes.

        Raises
        ------
        NotFittedError
            Before ``fit``.
        """
        if self.weights is None or self.intercepts is None:
            raise NotFittedError("the probe has not learned yet", "", "call fit first")
        logits = np.asarray(x, self.weights.dtype) @ self.weights.T + self.intercepts
        return np.asarray(logits[:, 0] if len(self.weights) == 1 else logits)

    def predict(self, x: Floats) -> Labels:
        """Return the label of each vector."""
        logits = self.scores(x)
        places = (logits > 0).astype(np.int64) if logits.ndim == 1 else logits.argmax(1)
        return np.asarray(np.asarray(self.labels)[places], np.int64)


def _softmax_loss(flat: Floats, x: Floats, classes: Labels, strength: float) -> tuple[float, Floats]:
    """Mean log loss with its penalty, and the gradient, for ``(classes, d + 1)`` weights in Fortran's order."""
    # the optimiser hands float64 to a float32 problem: the product is taken in the precision of the vectors
    table = flat.astype(x.dtype).reshape(-1, x.shape[1] + 1, order="F")
    weights = table[:, :-1]
    logits = x @ weights.T + table[:, -1]
    logits -= logits.max(1, keepdims=True)
    rows = np.arange(len(x))
    right = logits[rows, classes]
    np.exp(logits, out=logits)
    total = logits.sum(1, keepdims=True)
    loss = float((np.log(total[:, 0], dtype=np.float64) - right).sum()) / len(x)
    logits /= total
    logits[rows, classes] -= 1
    logits /= len(x)
    gradient = np.empty(table.shape, x.dtype, order="F")
    gradient[:, :-1] = logits.T @ x + x.dtype.type(strength) * weights
    gradient[:, -1] = logits.sum(0)
    return loss + 0.5 * strength * float((weights * weights).sum()), gradient.ravel(order="F").astype(np.float64)


def _binary_loss(flat: Floats, x: Floats, classes: Labels, strength: float) -> tuple[float, Floats]:
    """Mean log loss of two classes with its penalty, and the gradient, for ``d + 1`` weights."""
    table = flat.astype(x.dtype)
    weights = table[:-1]
    logits = x @ weights + table[-1]
    loss = float((np.logaddexp(0, logits, dtype=np.float64) - classes * logits).sum()) / len(x)
    residue = ((1 / (1 + np.exp(-logits.astype(np.float64)))) - classes).astype(x.dtype) / x.dtype.type(len(x))
    gradient = np.append(residue @ x + x.dtype.type(strength) * weights, residue.sum())
    return loss + 0.5 * strength * float(weights @ weights), gradient.astype(np.float64)


class LinearProbe:
    """Linear regression with a squared penalty on the weights, the intercept without.

    Parameters
    ----------
    alpha
        Strength of the penalty; 0: least squares, of the solutions the one with the smallest weights.

    Examples
    --------
    >>> x = np.array([[0.0], [1.0], [2.0]])
    >>> LinearProbe().fit(x, np.array([1.0, 3.0, 5.0])).predict(np.array([[4.0]])).round(6).tolist()
    [9.0]
    """

    def __init__(self, alpha: float = 0.0) -> None:
        self.alpha = alpha
        self.weights: Floats | None = None
        self.intercept = 0.0

    def fit(self, x: Floats, y: Floats) -> Self:
        """Learn from vectors ``(n, d)`` and numbers ``(n,)``; returns self."""
        import scipy.linalg

        x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
        middle = x.mean(0)
        centred, target = x - middle, y - y.mean()
        if self.alpha:
            table = centred.T @ centred + self.alpha * np.eye(x.shape[1])
            self.weights = np.asarray(scipy.linalg.solve(table, centred.T @ target, assume_a="pos"), np.float64)
        else:
            self.weights = np.asarray(scipy.linalg.lstsq(centred, target)[0], np.float64)
        self.intercept = float(y.mean() - middle @ self.weights)
        return self

    def predict(self, x: Floats) -> Floats:
        """Return a number for each vector.

        Raises
        ------
        NotFittedError
            Before ``fit``.
        """
        if self.weights is None:
            raise NotFittedError("the probe has not learned yet", "", "call fit first")
        return np.asarray(np.asarray(x, np.float64) @ self.weights + self.intercept, np.float64)


def vote_of_neighbours(x: Vectors, y: Labels, asked: Vectors, similarity: Similarity, k: int = 5) -> Labels:
    """Return for each vector of ``asked`` the label that most of its ``k`` nearest ones have.

    Parameters
    ----------
    x, y
        Vectors ``(n, d)`` with their labels ``(n,)``.
    asked
        Vectors ``(m, d)``.
    similarity
        What near means.
    k
        How many neighbours vote; of equally near ones the first in ``x``, of equally frequent labels the smallest.

    Raises
    ------
    UsageError
        Where ``k`` is not between 1 and ``n``.

    Examples
    --------
    >>> x = np.array([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0]], np.float32)
    >>> vote_of_neighbours(x, np.array([7, 7, 3]), np.array([[1.0, 0.2]], np.float32), Similarity.COSINE, 3).tolist()
    [7]
    """
    if not 0 < k <= len(x):
        raise UsageError(f"{k} neighbours cannot vote", f"there are {len(x)} vectors", "choose k between 1 and that")
    names, numbers = np.unique(y, return_inverse=True)
    out = np.empty(len(asked), np.int64)
    size = max(1, 20_000_000 // len(x))
    for start in range(0, len(asked), size):
        part = asked[start : start + size] if isinstance(asked, np.ndarray) else _rows(asked, start, size)
        near = np.argsort(-similarity(part, x), axis=1, kind="stable")[:, :k]
        votes = np.zeros((len(near), len(names)), np.int64)
        np.add.at(votes, (np.repeat(np.arange(len(near)), k), numbers[near].ravel()), 1)
        out[start : start + size] = votes.argmax(1)
    return np.asarray(names[out], np.int64)


def _rows(vectors: Vectors, start: int, size: int) -> Vectors:
    if isinstance(vectors, CSR):
        return vectors.take(slice(start, start + size))
    raise UsageError("neighbours need one vector a text", "the encoder gives several", "pool them first")
