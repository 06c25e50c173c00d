"""Successive halving: all courses get a little time, the better half goes on.

Jamieson, Talwalkar 2016, "Non-stochastic Best Arm Identification and Hyperparameter Optimization"
(https://arxiv.org/abs/1502.07943).
"""

from __future__ import annotations

from math import ceil, log2
from typing import TYPE_CHECKING

from isogloss.workflows.adapting.workbench import Candidate, Workbench

if TYPE_CHECKING:
    from isogloss.workflows.adapting.courses import Course

LEAST = 2.0
"""Seconds of training below which a slice is not worth its judging."""


def rounds_of(courses: int) -> int:
    """Return after how many rounds one course is left, and has had a round alone.

    Examples
    --------
    >>> [rounds_of(count) for count in (1, 2, 3, 4)]
    [1, 2, 3, 3]
    """
    return ceil(log2(courses)) + 1 if courses > 1 else 1


def slice_of(seconds: float, rounds: int, alive: int, reading: float) -> float:
    """Return the seconds of training of each course in a round, less what judging it takes.

    Examples
    --------
    >>> slice_of(120.0, 3, 4, 2.0)
    8.0
    """
    return seconds / rounds / alive - reading


def halve(bench: Workbench, courses: list[Course], seconds: float) -> list[Candidate]:
    """Train courses in slices and let the better half go on; return what each reached, round by round.

    What a round gave is kept on disk at once: a call that was broken off takes it up again.

    Parameters
    ----------
    bench
        Judges.
    courses
        At their beginning.
    seconds
        For all of it.
    """
    told: list[Candidate] = []
    alive, rounds = list(courses), rounds_of(len(courses))
    ends = bench.clock.left() - seconds
    for number in range(rounds):
        for place, course in enumerate(alive):
            if course.take_up(bench, number):
                bench.notes.append(f"{course.name}: round {number + 1} was finished by an earlier call")
                assert course.best is not None
                told.append(course.best)
                continue
            left = bench.clock.left() - ends
            waiting = len(alive) - place + sum(max(1, len(alive) >> k) for k in range(1, rounds - number))
            share = slice_of(left, 1, waiting, bench.reading_seconds()) * _weight(number)
            if share < LEAST:
                break
            course.learn(bench, share)
            found = course.judged(bench)
            course.keep(bench, number, found)
            told.append(found)
        judged = [course for course in alive if course.best is not None]
        alive = sorted(judged, key=lambda course: -_value(course))[: max(1, ceil(len(alive) / 2))]
        if not alive:
            break
    return told


def _weight(number: int) -> float:
    """Return how a slice stands to an even share of what is left: the first look is shorter."""
    return 0.7 if number == 0 else 1.0


def _value(course: Course) -> float:
    assert course.best is not None
    return course.best.value
