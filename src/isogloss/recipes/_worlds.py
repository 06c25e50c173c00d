"""Worlds whose answer is known: what a survey, benchmark, theory or toolkit must find before its findings are believed.

A ladder of encoders with planted noise must come out in order, two copies must never be told apart, permuted labels
must find nothing, and a bound must hold where its assumption does and break where that is broken.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy as shallow
from typing import Any

from isogloss.errors import UsageError
from isogloss.recipes._effects import effect
from isogloss.recipes._findings import Judge, judge_name
from isogloss.recipes._judges import LabJudge
from isogloss.recipes._run import Arm, Run
from isogloss.recipes._swaps import noisy, shuffled_labels
from isogloss.seeding import derive

STEPS = (0.0, 0.3, 0.6, 0.9)
"""Shares of noise of the planted ladder, from the good encoder downwards."""


def ladder(arm: Arm) -> Arm:
    """Return an arm whose ``run.size`` in [0, 1] is the share of noise that is planted in the artifact.

    Examples
    --------
    >>> import numpy as np
    >>> made = ladder(lambda run: np.ones(3))
    >>> made(Run(0, size=0.0)).tolist(), bool((made(Run(0, size=1.0)) != 1).any())
    ([1.0, 1.0, 1.0], True)
    """

    def planted(run: Run) -> Any:
        if run.size is None or not 0 <= run.size <= 1:
            raise UsageError("a planted ladder takes shares of noise", f"the size is {run.size}", "sizes from 0 to 1")
        return noisy(arm(run), run.size, derive(run.seed, "ladder"))

    return planted


def copy(arm: Arm) -> Arm:
    """Return an arm that makes the same artifact as another object: a judge that tells the two apart is broken.

    Examples
    --------
    >>> copy(lambda run: [1, 2])(Run(0))
    [1, 2]
    """

    def twin(run: Run) -> Any:
        return shallow(arm(run))

    return twin


def permuted(judge: LabJudge, seed: int = 0) -> LabJudge:
    """Return the judge over the same items with labels of other items.

    Raises
    ------
    UsageError
        Where its data have no labels.
    """
    examples, count = shuffled_labels(judge.data, seed)
    if not count:
        raise UsageError(f"{judge.name} has no labels to permute", f"its data is {type(judge.data).__name__}")
    name = f"{judge.name}, permuted labels"
    return LabJudge(name, lambda: examples, judge.metric, judge.name_of_data, judge.task, judge.options)


def found_by(judge: Judge, seed: int = 0) -> Callable[[Any], float]:
    """Return a measure of how far an artifact surely differs from pure noise under a judge: 0 where it does not.

    It is the part of the difference beyond twice its interval's half width, for ``lab.exact(..., within=0)``.
    """

    def found(artifact: Any) -> float:
        gap = effect([judge(artifact)], [judge(noisy(artifact, 1.0, derive(seed, "nothing")))])
        return max(0.0, abs(gap.value) - (gap.high - gap.low))

    found.__name__ = f"found by {judge_name(judge)}"
    return found


def excess(bound: Sequence[float], measured: Sequence[float]) -> float:
    """Return by how much a bound is exceeded at worst, 0 where it holds everywhere.

    Examples
    --------
    >>> excess([1.0, 2.0], [0.5, 2.5]), excess([1.0], [1.0])
    (0.5, 0.0)
    """
    if len(bound) != len(measured) or not len(bound):
        raise UsageError("a bound is held against as many numbers", f"{len(bound)} bounds, {len(measured)} numbers")
    return max(0.0, *(float(one) - float(most) for most, one in zip(bound, measured, strict=True)))
