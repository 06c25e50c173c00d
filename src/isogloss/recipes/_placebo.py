"""Whether a placebo is live: its outputs differ from the control's beyond rotation and scale, its score is whole."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from isogloss.evaluation.sample import Sample
from isogloss.recipes._bench import Bench, Job
from isogloss.recipes._findings import Judge
from isogloss.recipes._outlines import shape_distance
from isogloss.recipes._run import Arm, Run

SAME = 1e-4
"""Outputs whose shapes are nearer than this (see ``_outlines.shape_distance``) are one shape."""
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
    other, own = bench.read(Job(placebo, judge, size), run), bench.read(Job(control, judge, size), run)
    score, base = other.sample, own.sample
    found: dict[str, Any] = {"live": True, "why": "", "placebo": score.value(), "control": base.value()}
    why = _broken(score.value(), base.value())
    if not why:
        first, second = other.outline, own.outline
        if first is not None and second is not None and len(first) == len(second):
            found["distance"] = distance = shape_distance(first, second)
            why = "its vectors are the control's up to rotation and scale" if distance < SAME else ""
        elif _equal(score, base):
            why = "every item scores as under the control"
    found |= {"live": not why, "why": why}
    return found


def _broken(score: float, control: float) -> str:
    if not math.isfinite(score):
        return "its score is no number"
    least = BROKEN * control if control > 0 else control / BROKEN  # below zero (minus bits per byte) twice the cost
    if math.isfinite(control) and control and score < least:
        return f"its score is broken ({score:.4f}, the control's is {control:.4f})"
    return ""


def _equal(a: Sample, b: Sample) -> bool:
    return a.items.shape == b.items.shape and bool(np.array_equal(a.items, b.items))
