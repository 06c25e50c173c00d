"""Findings: the closed list of things that a check can claim, as plain data that the Lab measures and judges."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from isogloss.errors import UsageError
from isogloss.evaluation.sample import Sample
from isogloss.recipes._run import Arm

Judge: TypeAlias = Callable[[Any], Sample]
"""From an artifact to a sample over the same items for every arm of the check."""

Kind = Literal[
    "better", "not_worse", "same", "trend", "interaction", "recovers", "cheaper", "exact", "reported"
]  # fmt: skip
Direction = Literal["rising", "falling", "peak"]
KINDS: tuple[Kind, ...] = (
    "better", "not_worse", "same", "trend", "interaction", "recovers", "cheaper", "exact", "reported",
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Finding:
    """One claim about arms under judges; made by the methods of the Lab, never judged by a recipe.

    Attributes
    ----------
    kind
        One of the closed list.
    name
        How tables call it.
    arms
        Arms by part: ``treated``, ``control``, ``placebo``, ``planted``, ``positive``, ``broken``.
    judges
        Judges by part: ``main``, and ``there`` of an interaction.
    margin
        Smallest effect worth having.
    settings
        What else the kind needs: ``sizes``, ``direction``, ``at_least``, ``factor``, ``cost``, ``invariant``,
        ``within``.
    """

    kind: Kind
    name: str
    arms: Mapping[str, Arm]
    judges: Mapping[str, Judge] = field(default_factory=dict)
    margin: float = 0.0
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise UsageError(f"there is no finding {self.kind!r}", f"the findings are {', '.join(KINDS)}")
        parts: list[tuple[str, Any]] = [*self.arms.items(), *self.judges.items()]
        for part, made in parts:
            if not callable(made):
                why = f"{part} of {self.name} is a {type(made).__name__}"
                raise UsageError("arms and judges are functions", why, "pass a function of one argument")
        if self.margin < 0:
            raise UsageError("a margin is not negative", f"{self.name} has {self.margin}")


def given(**parts: Any) -> dict[str, Any]:
    """Return the parts that are there.

    Examples
    --------
    >>> given(treated=abs, placebo=None)
    {'treated': <built-in function abs>}
    """
    return {name: part for name, part in parts.items() if part is not None}


def judge_name(judge: Callable[[Any], Any]) -> str:
    """Return what tables call a judge: its own name, else that of its function.

    Examples
    --------
    >>> judge_name(abs)
    'abs'
    """
    return str(getattr(judge, "name", "") or getattr(judge, "__name__", type(judge).__name__))


def ladder(sizes: tuple[float, ...], direction: Direction) -> tuple[float, ...]:
    """Check the steps of a trend and return them, ascending.

    Raises
    ------
    UsageError
        Where steps are too few, equal, or the direction is unknown.

    Examples
    --------
    >>> ladder((4, 1, 2), "rising")
    (1, 2, 4)
    """
    if direction not in ("rising", "falling", "peak"):
        raise UsageError(f"no trend is {direction!r}", "", "rising, falling or peak")
    if len(set(sizes)) != len(sizes) or len(sizes) < 3:
        why = f"the steps are {', '.join(map(str, sizes))}"
        raise UsageError("a trend needs at least three different sizes", why)
    return tuple(sorted(sizes))
