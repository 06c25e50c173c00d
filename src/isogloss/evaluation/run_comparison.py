"""Which settings, data and scores differ between two run files, and which differences can change a score."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from isogloss.evaluation.run_file import RunFile, SystemSettings

Matters = Literal["scores", "intervals", "nothing"]
"""What a difference can change: the scores (and so the intervals), only intervals, or neither."""
Sort = Literal["data", "model", "setting", "metric", "version", "statistics", "name"]

ROUNDING = 0.0005
"""Scores are printed with three digits: a smaller difference is not seen."""
_ABSENT = "not there"
_NAMES = ("model",)
_STATISTICS: dict[str, Matters] = {"seed": "intervals", "draws": "intervals"}


@dataclass(frozen=True, slots=True)
class Delta:
    """One setting that differs.

    Attributes
    ----------
    what
        What it is, such as ``minilm: max_length`` or ``data: questions``.
    sort
        ``data``, ``model`` (another encoder), ``setting``, ``metric``, ``version``, ``statistics`` or ``name``.
    before, after
        In words.
    matters
        What it can change.
    """

    what: str
    sort: Sort
    before: str
    after: str
    matters: Matters


@dataclass(frozen=True, slots=True)
class ScoreDelta:
    """One score in two runs; ``came_back`` where value and interval agree within rounding."""

    metric: str
    system: str
    before: list[float] | None
    after: list[float] | None

    @property
    def change(self) -> float:
        """The change of the value; NaN where one of the two is missing."""
        if self.before is None or self.after is None:
            return float("nan")
        return self.after[0] - self.before[0]

    @property
    def came_back(self) -> bool:
        """Whether value and interval agree within ``ROUNDING``; no number agrees with no number."""
        if self.before is None or self.after is None or len(self.before) != len(self.after):
            return False
        return all(_equal(a, b) for a, b in zip(self.before, self.after, strict=True))

    def to_dict(self) -> dict[str, Any]:
        """Return the comparison as plain data."""
        return {**asdict(self), "change": self.change, "came_back": self.came_back}


def _equal(a: float, b: float) -> bool:
    return (a != a and b != b) or a == b or abs(a - b) < ROUNDING


def compare_runs(before: RunFile, after: RunFile) -> list[Delta]:
    """Return every setting, input and version that differs, those that can change scores first.

    Parameters
    ----------
    before, after
        The two runs.

    Returns
    -------
    list of Delta
        Empty where nothing differs. Where files lay and what a model's folder is called changes nothing and is said so.

    Examples
    --------
    >>> from dataclasses import replace
    >>> one = RunFile("runs", [], [], [SystemSettings("minilm", "aa", max_length=256)], {}, {}, versions={})
    >>> other = replace(one, systems=[SystemSettings("minilm", "bb", max_length=128)], draws=100)
    >>> [(delta.what, delta.before, delta.after, delta.matters) for delta in compare_runs(one, other)]
    [('minilm: identity', 'aa', 'bb', 'scores'), ('minilm: max_length', '256', '128', 'scores'),
     ('draws', '0', '100', 'intervals')]
    """
    found = [*_data(before, after), *_systems(before, after)]
    found += _mapping(before.metrics, after.metrics, "metric", "metric", "scores")
    found += _versions(before.versions, after.versions)
    for name, matters in _STATISTICS.items():
        # questions made from documents are drawn with the seed too
        drawn: Matters = "scores" if name == "seed" and before.kind == "questions" else matters
        found += _one(name, "statistics", getattr(before, name), getattr(after, name), drawn)
    found += _one("kind", "setting", before.kind, after.kind, "scores")
    found += _options(before.options, after.options)
    order = {"scores": 0, "intervals": 1, "nothing": 2}
    return sorted(found, key=lambda delta: order[delta.matters])


def compare_scores(before: RunFile, after: RunFile) -> list[ScoreDelta]:
    """Return every score of either run, in the order of the first.

    Examples
    --------
    >>> one = RunFile("runs", [], [], [], {}, {"ndcg@10": {"a": [0.4, 0.3, 0.5]}}, versions={})
    >>> [(delta.system, delta.came_back) for delta in compare_scores(one, one)]
    [('a', True)]
    """
    metrics = dict.fromkeys([*before.scores, *after.scores])
    found = []
    for metric in metrics:
        old, new = before.scores.get(metric, {}), after.scores.get(metric, {})
        found += [ScoreDelta(metric, name, old.get(name), new.get(name)) for name in dict.fromkeys([*old, *new])]
    return found


def _one(what: str, sort: Sort, before: Any, after: Any, matters: Matters) -> Iterator[Delta]:
    if before != after:
        yield Delta(what, sort, _said(before), _said(after), matters)


def _said(value: Any) -> str:
    if value is None:
        return _ABSENT
    if isinstance(value, Mapping):
        return ", ".join(f"{key}={_said(item)}" for key, item in sorted(value.items())) or "none"
    if isinstance(value, (list, tuple)):
        return ", ".join(_said(item) for item in value) or "none"
    return f"{value:.6g}" if isinstance(value, float) else str(value) or "none"


def _mapping(
    before: Mapping[str, Any], after: Mapping[str, Any], prefix: str, sort: Sort, matters: Matters
) -> Iterator[Delta]:
    for name in dict.fromkeys([*before, *after]):
        yield from _one(f"{prefix}: {name}", sort, before.get(name), after.get(name), matters)


def _data(before: RunFile, after: RunFile) -> Iterator[Delta]:
    old, new = ({one.what: one for one in run.data} for run in (before, after))
    for what in dict.fromkeys([*old, *new]):
        a, b = old.get(what), new.get(what)
        if a is None or b is None or a.sha256 != b.sha256:
            said = [_ABSENT if one is None else f"{one.count:,} items, hash {one.sha256[:12]}" for one in (a, b)]
            yield Delta(f"data: {what}", "data", said[0], said[1], "scores")
        elif a.source != b.source:
            yield Delta(f"data: {what}, source", "name", _said(a.source), _said(b.source), "nothing")


def _systems(before: RunFile, after: RunFile) -> Iterator[Delta]:
    old, new = ({one.name: one for one in run.systems} for run in (before, after))
    for name in dict.fromkeys([*old, *new]):
        a, b = old.get(name), new.get(name)
        if a is None or b is None:
            said = [_ABSENT if one is None else one.model or "there" for one in (a, b)]
            yield Delta(f"system {name}", "setting", said[0], said[1], "scores")
            continue
        for field in fields(SystemSettings):
            yield from _field(name, field.name, getattr(a, field.name), getattr(b, field.name))


def _field(system: str, field: str, before: Any, after: Any) -> Iterator[Delta]:
    what = f"{system}: {field}"
    if field in _NAMES:
        yield from _one(what, "name", before, after, "nothing")
    elif field == "cut":
        yield from _mapping(before, after, f"{system}: texts cut", "setting", "scores")
    else:
        yield from _one(what, "model" if field == "identity" else "setting", before, after, "scores")


def _versions(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[Delta]:
    for name in dict.fromkeys([*before, *after]):
        matters: Matters = "nothing" if name == "python" else "scores"
        yield from _one(f"version: {name}", "version", before.get(name), after.get(name), matters)


PLACES = frozenset(["index", "data", "queries", "qrels", "runs", "vectors", "ids", "endpoint", "seed", "draws"])
"""Fields of a request that say where inputs lie, which their hashes judge, or that are compared elsewhere."""


def _options(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Delta]:
    for name in dict.fromkeys([*before, *after]):
        a, b = before.get(name), after.get(name)
        if isinstance(a, Mapping) and isinstance(b, Mapping):
            for key in dict.fromkeys([*a, *b]):
                place = key in PLACES
                yield from _one(
                    f"{name}: {key}", "name" if place else "setting", a.get(key), b.get(key),
                    "nothing" if place else "scores",
                )  # fmt: skip
        else:
            yield from _one(name, "setting", a, b, "scores")
