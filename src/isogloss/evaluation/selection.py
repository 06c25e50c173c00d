"""Choosing among candidates on a development set; what chooses never proves."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from isogloss.errors import IsoglossError
from isogloss.evaluation.sample import Sample

Name = TypeVar("Name", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Selection(Generic[Name]):
    """The candidate that was chosen, and the development score of every one: how many were tried is part of it."""

    best: Name
    scores: dict[Name, float]


def choose(candidates: Mapping[Name, Any], judge: Callable[[Any], Sample]) -> Selection[Name]:
    """Return the candidate with the highest score; of equal ones the first.

    Parameters
    ----------
    candidates
        What is chosen among, by name: encoders, settings, anything that the judge reads.
    judge
        Measures a candidate on a development set. The score of the chosen one there is too high by the choice
        itself: prove it on other items.

    Raises
    ------
    IsoglossError
        Where there is no candidate, or a score is NaN.

    Examples
    --------
    >>> choose({"a": 1.0, "b": 3.0, "c": 3.0}, lambda made: Sample.of([made])).best
    'b'
    """
    if not candidates:
        raise IsoglossError("there is nothing to choose from", "no candidate is given", "give one or more")
    scores = {name: judge(candidate).value() for name, candidate in candidates.items()}
    undefined = [name for name, score in scores.items() if math.isnan(score)]
    if undefined:
        why = f"{len(undefined)} of {len(scores)} have no score, the first is {undefined[0]!r}"
        raise IsoglossError("candidates cannot be compared", why, "leave constant candidates out")
    return Selection(max(scores, key=lambda name: scores[name]), scores)
