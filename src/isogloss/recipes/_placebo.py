"""Whether a placebo is live: its outputs differ from the control's beyond rotation and scale, its score is whole."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import CSR, Ragged
from isogloss.evaluation.sample import Sample
from isogloss.protocols import PROBE_TEXTS
from isogloss.recipes._bench import Bench, Job
from isogloss.recipes._findings import Judge
from isogloss.recipes._run import Arm, Run

SAME = 1e-4
"""Outputs whose shapes are nearer than this (see :func:`shape_distance`) are one shape."""
BROKEN = 0.5
"""A placebo that keeps less than this share of the control's score is broken, and beating it says nothing."""


def liveness(
    bench: Bench, placebo: Arm, control: Arm, judge: Judge, run: Run, size: float | None = None
) -> dict[str, Any]:
    """Compare placebo and control in one run.

    Returns
    -------
    dict
        ``live``, ``why`` (empty where live), the two scores, and ``distance`` where the artifacts are encoders.
    """
    score = bench.read(Job(placebo, judge, size), run).sample
    base = bench.read(Job(control, judge, size), run).sample
    found: dict[str, Any] = {"live": True, "why": "", "placebo": score.value(), "control": base.value()}
    why = _broken(score.value(), base.value())
    if not why:
        at = run if size is None else Run(run.seed, run.fold, size, run.budget)
        distance = _distance(bench.artifact(placebo, at), bench.artifact(control, at))
        if distance is not None:
            found["distance"] = distance
            if distance < SAME:
                why = "its vectors are the control's up to rotation and scale"
        elif _equal(score, base):
            why = "every item scores as under the control"
    found |= {"live": not why, "why": why}
    return found


def _broken(score: float, control: float) -> str:
    if not math.isfinite(score):
        return "its score is no number"
    if math.isfinite(control) and control > 0 and score < BROKEN * control:
        return f"its score is broken ({score:.4f}, the control's is {control:.4f})"
    return ""


def _equal(a: Sample, b: Sample) -> bool:
    return a.items.shape == b.items.shape and bool(np.array_equal(a.items, b.items))


def _distance(a: Any, b: Any) -> float | None:
    """Return the distance of two encoders on the probe texts (or of two arrays), None where they are neither."""
    first, second = _matrix(a), _matrix(b)
    if first is None or second is None or len(first) != len(second):
        return None
    return shape_distance(first, second)


def _matrix(artifact: Any) -> NDArray[np.float64] | None:
    if hasattr(artifact, "encode"):
        artifact = artifact.encode(list(PROBE_TEXTS))
    if isinstance(artifact, Ragged):
        artifact = np.stack([one.mean(0) if len(one) else np.zeros(one.shape[1:]) for one in artifact])
    if isinstance(artifact, CSR):
        artifact = artifact.tocsr()
        artifact = artifact[:, np.unique(artifact.indices)].toarray()
    if isinstance(artifact, np.ndarray) and artifact.ndim == 2 and artifact.dtype.kind == "f":
        return artifact.astype(np.float64)
    return None


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
