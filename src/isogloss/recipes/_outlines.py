"""The outline of an artifact: vectors of fixed texts, or its first rows, by which two artifacts are told apart."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import CSR, Ragged
from isogloss.protocols import PROBE_TEXTS

ROWS = 64
"""Rows of an array that are looked at."""


def outline(artifact: Any) -> NDArray[np.float64] | None:
    """Return an encoder's vectors of the probe texts ``(8, d)``, an array's first rows, None for anything else.

    Examples
    --------
    >>> outline(np.ones((100, 3))).shape, outline("neither") is None
    ((64, 3), True)
    """
    if hasattr(artifact, "encode") and not isinstance(artifact, str):
        artifact = artifact.encode(list(PROBE_TEXTS))
    if isinstance(artifact, Ragged):
        parts = [one.reshape(len(one), -1) for one in artifact]
        artifact = np.stack([one.mean(0) if len(one) else np.zeros(one.shape[1]) for one in parts])
    if isinstance(artifact, CSR):
        artifact = _packed(artifact.take(slice(0, ROWS)))
    if isinstance(artifact, np.ndarray) and artifact.ndim == 2 and artifact.dtype.kind == "f":
        return artifact[:ROWS].astype(np.float64)
    return None


def _packed(vectors: CSR) -> NDArray[np.float32]:
    """Return sparse vectors with the columns that occur only: widths may be 63-bit hashes."""
    columns, places = np.unique(vectors.indices, return_inverse=True)
    dense = np.zeros((len(vectors), max(1, len(columns))), np.float32)
    dense[np.repeat(np.arange(len(vectors)), np.diff(vectors.offsets)), places] = vectors.values
    return dense


def shape_distance(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Return how far two sets of vectors are apart beyond rotation and one scale: 0 the same shape, about 1 unrelated.

    It is the distance of their matrices of dot products, each scaled to norm one. Vectors that are moved by a common
    shift differ, because cosines do.

    Parameters
    ----------
    a, b
        ``(n, d)`` and ``(n, e)`` vectors of the same texts.

    Examples
    --------
    >>> x = np.array([[1.0, 2.0], [3.0, -1.0]])
    >>> shape_distance(x, -2 * x[:, ::-1]) < 1e-6, shape_distance(x, x + 1) > 0.1
    (True, True)
    """
    first, second = a @ a.T, b @ b.T  # (n, n) of both, whatever the dimensions
    norms = np.linalg.norm(first), np.linalg.norm(second)
    if not all(norm > 0 for norm in norms):
        return 0.0 if norms[0] == norms[1] else 1.0
    return float(np.linalg.norm(first / norms[0] - second / norms[1]) / math.sqrt(2))
