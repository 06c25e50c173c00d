"""Is this encoder the one that built the index? Decided by identity and by the vectors of eight probe texts."""

from __future__ import annotations

import warnings

import numpy as np

from isogloss.arrays import CSR, Dense, Vectors, normalise
from isogloss.errors import IncompatibleIndexError, IsoglossWarning
from isogloss.protocols import Encoder

SAME, NEAR = 0.9999, 0.99


def lowest_cosine(a: Vectors, b: Vectors) -> float:
    """Return the lowest cosine between rows of two sets of vectors; -1.0 where shapes differ.

    Examples
    --------
    >>> lowest_cosine(np.eye(2, dtype=np.float32), np.eye(2, dtype=np.float32))
    1.0
    """
    if isinstance(a, CSR) and isinstance(b, CSR):
        return min((_sparse_cosine(a, b, i) for i in range(len(a))), default=1.0) if len(a) == len(b) else -1.0
    if not isinstance(a, np.ndarray) or not isinstance(b, np.ndarray) or a.shape != b.shape:
        return -1.0
    left, right = normalise(a), normalise(b)
    same_zero = (np.abs(left).sum(1) == 0) & (np.abs(right).sum(1) == 0)
    cosines = np.einsum("ij,ij->i", left.astype(np.float64), right.astype(np.float64))
    cosines[same_zero] = 1.0
    return float(round(np.nan_to_num(cosines, nan=-1.0).min(initial=1.0), 7))


def _sparse_cosine(a: CSR, b: CSR, i: int) -> float:
    (columns_a, values_a), (columns_b, values_b) = a.row(i), b.row(i)
    _, at_a, at_b = np.intersect1d(columns_a, columns_b, assume_unique=True, return_indices=True)
    norm = float(np.linalg.norm(values_a) * np.linalg.norm(values_b))
    if norm == 0:
        return 1.0 if len(columns_a) == len(columns_b) else 0.0
    return round(float(values_a[at_a] @ values_b[at_b]) / norm, 7)


def check_encoder(encoder: Encoder, name: str, identity: str, probes: Vectors) -> float:
    """Compare ``encoder`` with what the index recorded; return the lowest probe cosine.

    Equal dimensions prove nothing, and an equal identity does not excuse an engine that computes
    something else: the probes decide.

    Raises
    ------
    IncompatibleIndexError
        Where a probe text comes out below cosine .99 (exit code 4).
    """
    cosine = lowest_cosine(encoder.probes, probes)
    if cosine >= SAME:
        return cosine
    if cosine >= NEAR:
        warnings.warn(
            f"{name} gives slightly other vectors than those in the index (lowest cosine on the probe texts "
            f"{cosine:.5f}); results may differ a little. Another engine or precision is the usual cause.",
            IsoglossWarning,
            stacklevel=3,
        )
        return cosine
    raise IncompatibleIndexError(
        f"the index was built with another {name}",
        _cause(encoder, identity, probes, cosine),
        "use the model that built the index, or build a new one: isogloss add DIR --index OTHER --with MODEL",
    )


def _cause(encoder: Encoder, identity: str, probes: Vectors, cosine: float) -> str:
    now = encoder.probes
    if isinstance(now, CSR) or isinstance(probes, CSR):
        return (
            f"the words are cut differently (lowest cosine on the probe texts {cosine:.2f}): other language or version"
        )
    if isinstance(now, np.ndarray) and isinstance(probes, np.ndarray) and now.shape != probes.shape:
        return f"it gives {now.shape[1]} dimensions, the index holds {probes.shape[1]}"
    found = f"the model gives cosine {cosine:.2f} on the probe texts"
    if identity != encoder.identity:
        hashes = f"identity {encoder.identity[:12]}, index {identity[:12]}"
        return f"{found}; weights, pooling, prompts or maximum length differ ({hashes})"
    return f"{found} although its files are the same: the engine computes something else"


def pack_probes(vectors: Vectors) -> dict[str, np.ndarray]:
    """Return probe vectors as named arrays, to be stored."""
    if isinstance(vectors, CSR):
        return {"offsets": vectors.offsets, "indices": vectors.indices, "values": vectors.values}
    if isinstance(vectors, np.ndarray):
        return {"dense": np.asarray(vectors, np.float32)}
    return {"values": vectors.values, "offsets": vectors.offsets}


def unpack_probes(arrays: dict[str, np.ndarray]) -> Vectors:
    """Undo ``pack_probes``."""
    if "dense" in arrays:
        dense: Dense = arrays["dense"]
        return dense
    return CSR(arrays["offsets"], arrays["indices"], arrays["values"], 2**63 - 1)
