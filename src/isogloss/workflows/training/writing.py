"""The folder that a training command leaves: the model, its card with the measured numbers, and how it was made."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isogloss.errors import UsageError
from isogloss.evaluation.report import wording
from isogloss.evaluation.report.card_yaml import front_matter
from isogloss.evaluation.report.content import SystemTask
from isogloss.evaluation.report.markdown import table
from isogloss.evaluation.results import Comparison, TaskResult
from isogloss.evaluation.run_file import versions
from isogloss.evaluation.sample import Sample

FORMAT = "isogloss.training/1"
RECORD = "training.json"


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured on one set of questions.

    Attributes
    ----------
    name
        Of the questions, in words.
    kind
        Of the task.
    comparison
        Of base (or teacher) and model; of the model alone where there is nothing to compare it with.
    model
        Name of the model in it.
    sample
        What the model reached.
    base
        Name of what it is compared with; empty where there is nothing.
    """

    name: str
    kind: str
    comparison: Comparison
    model: str
    sample: Sample
    base: str = ""

    def gain(self) -> tuple[float, float, float] | None:
        """Return by how much the model is better than its base, and the interval of it; None without a base."""
        for one in self.comparison.differences:
            if {one.system, one.control} == {self.model, self.base}:
                return gain(one.value, one.interval.low, one.interval.high, one.system == self.model)
        return None

    def rows(self) -> list[list[str]]:
        """Return a line a system for a table: questions, metric, system, score, interval, difference."""
        found = []
        for score in sorted(self.comparison.scores, key=lambda one: one.system == self.model):
            found_gain = self.gain() if score.system == self.model else None
            gap = ""
            if found_gain is not None:
                value, low, high = found_gain
                gap = f"{wording.signed(value)} [{wording.signed(low)}, {wording.signed(high)}]"
            found.append([
                self.name, self.comparison.metric, score.system, wording.number(score.value),
                wording.interval(score.interval), gap,
            ])  # fmt: skip
        return found

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data."""
        plain = {"name": self.name, "kind": self.kind, "model": self.model, "base": self.base, "gain": self.gain()}
        return {**plain, "comparison": self.comparison.to_dict()}


def gain(value: float, low: float, high: float, forward: bool) -> tuple[float, float, float]:
    """Return a difference and its interval as the model's gain, whichever of the two was named first.

    Examples
    --------
    >>> gain(0.1, 0.0, 0.3, False)
    (-0.1, -0.3, -0.0)
    """
    return (value, low, high) if forward else (-value, -high, -low)


@dataclass(frozen=True, slots=True)
class Written:
    """Where a model was written, and its size in bytes."""

    folder: Path
    size: int


HEAD = ["questions", "metric", "system", "score", "95 % interval", "difference"]


def check_place(out: Path) -> None:
    """Refuse a place where something other than a model lies, before anything is computed.

    Raises
    ------
    UsageError
        Where the folder is there, has something in it, and is no model.
    """
    from isogloss.encoders.names import is_model, is_static

    if out.exists() and (not out.is_dir() or (any(out.iterdir()) and not (is_model(out) or is_static(out)))):
        raise UsageError(f"{out} is there and is not a model", "it would be replaced", "choose another --out")


def write_model(
    out: Path, save: Callable[[Path, str], Any], *, title: str, base: str, how: str, results: Sequence[Measured],
    settings: Mapping[str, Any], facts: Mapping[str, Any],
) -> Written:  # fmt: skip
    """Write a model with its card and ``training.json``.

    Parameters
    ----------
    out
        The folder.
    save
        Writes the model into a folder, with the text of its card.
    title, base, how
        For the card: what it is, what it came from, how it was made in sentences.
    results
        What was measured.
    settings, facts
        What was asked for, and what came of it.
    """
    from isogloss import __version__

    tasks = [_task(out.name, one) for one in results]
    about = front_matter(out.name, tasks, {"base_model": base})
    measured = table(HEAD, [row for one in results for row in one.rows()], right=[3]) if results else "Nothing was."
    body = (
        f"{about}\n\n# {title}\n\n{how}\n\n## Measured\n\n{measured}\n\nIntervals are bootstraps over questions; "
        "differences are paired, on the same questions, which neither chose nor taught anything.\n\n"
        f"## How\n\n```json\n{_json(settings)}\n```\n\nMade with Isogloss {__version__}.\n"
    )
    save(out, body)
    record = {
        "format": FORMAT, "base": base, "settings": dict(settings), "facts": dict(facts),
        "results": [one.to_dict() for one in results], "versions": versions(),
    }  # fmt: skip
    (out / RECORD).write_text(_json(record) + "\n", "utf-8")
    return Written(out, sum(file.stat().st_size for file in out.rglob("*") if file.is_file()))


def _task(model: str, one: Measured) -> SystemTask:
    metric = one.comparison.metric
    result = TaskResult(one.name, one.kind, metric, {metric: one.sample})
    return SystemTask(model, result, {metric: one.comparison.score(one.model).interval})


def _json(content: Any) -> str:
    return json.dumps(_finite(content), ensure_ascii=False, indent=1, sort_keys=True, default=str, allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return None
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, list | tuple) else value
