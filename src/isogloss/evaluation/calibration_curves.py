"""Two curves from scores to probabilities, fitted to weighted pairs: isotonic and logistic."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]

_STEPS = 100


def isotonic(scores: Floats, truth: Floats, weights: Floats) -> Floats:
    """Return the rising step curve nearest to the truth, as its scores followed by their values, ``(2 m,)``.

    Pairs of equal scores count as one with their mean. Pool-adjacent-violators by SciPy; between scores the curve is
    straight, beyond the ends level.

    Examples
    --------
    >>> isotonic(np.array([1.0, 2.0, 3.0, 4.0]), np.array([0.0, 1.0, 0.0, 1.0]), np.ones(4)).tolist()
    [1.0, 2.0, 3.0, 4.0, 0.0, 0.5, 0.5, 1.0]
    """
    from scipy.optimize import isotonic_regression

    knots, place = np.unique(scores, return_inverse=True)
    mass = np.bincount(place, weights=weights)
    means = np.bincount(place, weights=weights * truth) / mass
    values = np.asarray(isotonic_regression(means, weights=mass).x)
    # within a level stretch only its two ends are needed
    inner = np.zeros(len(knots), bool)
    inner[1:-1] = (values[1:-1] == values[:-2]) & (values[1:-1] == values[2:])
    return np.concatenate([knots[~inner], values[~inner]])


def logistic(scores: Floats, truth: Floats, weights: Floats) -> Floats:
    """Return slope and intercept of ``P = 1 / (1 + exp(-(slope * score + intercept)))``, ``(2,)``.

    Maximum likelihood with Platt's targets, (n+ + 1) / (n+ + 2) and 1 / (n- + 2) in place of 1 and 0, which keep the
    slope finite where a score parts the classes. Newton's steps with halving.

    Examples
    --------
    >>> slope, intercept = logistic(np.array([0.0, 0.0, 1.0, 1.0]), np.array([0.0, 0.0, 1.0, 1.0]), np.ones(4))
    >>> round(float(1 / (1 + np.exp(-intercept))), 3), round(float(1 / (1 + np.exp(-slope - intercept))), 3)
    (0.25, 0.75)
    """
    positive = float((weights * truth).sum())
    negative = float(weights.sum()) - positive
    targets = np.where(truth > 0, (positive + 1) / (positive + 2), 1 / (negative + 2))
    middle, width = float(np.average(scores, weights=weights)), float(scores.std()) or 1.0
    design = np.stack([(scores - middle) / width, np.ones(len(scores))], axis=1)
    at = np.zeros(2)
    loss = _loss(design @ at, targets, weights)
    for _ in range(_STEPS):
        p = _sigmoid(design @ at)
        slope = design.T @ (weights * (p - targets))
        bend = (design * (weights * p * (1 - p))[:, None]).T @ design + 1e-12 * np.eye(2)
        step = np.linalg.solve(bend, slope)
        size = 1.0
        while size > 1e-10 and _loss(design @ (at - size * step), targets, weights) > loss:
            size /= 2
        if size <= 1e-10 or np.abs(size * step).max() < 1e-12:
            break
        at = at - size * step
        loss = _loss(design @ at, targets, weights)
    return np.array([at[0] / width, at[1] - at[0] * middle / width])


def values_of(kind: str, parameters: Floats, scores: Floats) -> Floats:
    """Return ``(n,)`` probabilities of scores by a fitted curve.

    Examples
    --------
    >>> values_of("logistic", np.array([1.0, 0.0]), np.array([0.0])).tolist()
    [0.5]
    """
    if kind == "isotonic":
        knots, values = np.split(parameters, 2)
        return np.asarray(np.interp(scores, knots, values), np.float64)
    return _sigmoid(parameters[0] * scores + parameters[1])


CURVES: Mapping[str, Callable[[Floats, Floats, Floats], Floats]] = {"isotonic": isotonic, "logistic": logistic}
"""The fits by name."""


def _sigmoid(z: Floats) -> Floats:
    small = np.exp(-np.abs(z))
    return np.asarray(np.where(z >= 0, 1, small) / (1 + small), np.float64)


def _loss(z: Floats, targets: Floats, weights: Floats) -> float:
    return float((weights * (np.logaddexp(0, z) - targets * z)).sum())
