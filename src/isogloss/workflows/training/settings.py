"""What a training run is asked for: settings from the command line or a config file, checked first."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal, get_args

from isogloss.errors import UsageError
from isogloss.workflows.durations import seconds_of

Precision = Literal["auto", "bf16", "fp32"]
POSITIVE = ("steps", "epochs", "budget", "batch_size", "learning_rate", "temperature", "max_length", "patience")
_TYPES: Mapping[str, type] = {
    "steps": int, "batch_size": int, "chunk": int, "max_length": int, "patience": int,
    "epochs": float, "budget": float, "learning_rate": float, "temperature": float,
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class StageSettings:
    """One stage of training.

    Attributes
    ----------
    on, split
        What is learned from, and which part of it.
    objective
        Name of the objective; empty for the one that fits the rows.
    steps, epochs, budget
        How long: steps, passes over the rows, or seconds; whichever is given, the first of them in this order. None of
        them: one pass.
    batch_size
        Rows a step; None for 64 (transformers) or 512 (static models).
    learning_rate
        Highest rate; None for 2e-5 (transformers), or for static models .04 of the mean size of their numbers: 3e-4
        for the bundled one.
    temperature
        Of in-batch soft-max.
    chunk
        Rows a piece of gradient caching; 0: off.
    """

    on: str
    split: str = "train"
    objective: str = ""
    steps: int | None = None
    epochs: float | None = None
    budget: float | None = None
    batch_size: int | None = None
    learning_rate: float | None = None
    temperature: float = 0.05
    chunk: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSettings:
    """A training run.

    Attributes
    ----------
    base
        Name or folder of the model that is trained.
    stages
        One after another.
    seed
        Of everything random.
    precision
        ``bf16``, ``fp32``, or ``auto``: bf16 where the processor multiplies it in hardware.
    merge
        Mix the trained weights with the base's, the share chosen on held-out rows.
    max_length
        Longest text in tokens while training; None for the model's own.
    patience
        Looks at the held-out rows without a gain after which a stage stops early; None: never.
    """

    base: str = "minilm"
    stages: tuple[StageSettings, ...] = field(default=())
    seed: int = 0
    precision: Precision = "auto"
    merge: bool = True
    max_length: int | None = None
    patience: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as plain data, without what is None."""
        content = {name: value for name, value in asdict(self).items() if value is not None}
        content["stages"] = [{k: v for k, v in asdict(one).items() if v is not None} for one in self.stages]
        return content


def read_config(path: str | Path) -> tuple[TrainingSettings, str]:
    r"""Read a ``config.toml``: settings of the run at the top, one ``[[stage]]`` a stage, ``out`` where it goes.

    A setting of a stage that stands at the top, such as ``on``, holds for every stage that does not say otherwise.

    Paths are relative to the file. A budget may be written as ``"10m"``.

    Raises
    ------
    UsageError
        Where it cannot be read, has unknown or wrong values, or no stage.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> file = pathlib.Path(tempfile.mkdtemp()) / "config.toml"
    >>> _ = file.write_text('base = "static"\n[[stage]]\non = "sts-b"\nepochs = 2\n')
    >>> settings, out = read_config(file)
    >>> settings.base, settings.stages[0].on, settings.stages[0].epochs, out
    ('static', 'sts-b', 2.0, '')
    """
    path = Path(path)
    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{path} is no config file", str(error), "look at: isogloss train --help") from error
    rows = content.pop("stage", [])
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        raise UsageError(f"{path} has no stage", "a run needs one [[stage]] at least", 'add [[stage]] with on = "DATA"')
    out = content.pop("out", "")
    of_run = {one.name for one in fields(TrainingSettings)}
    shared = {one.name: content.pop(one.name) for one in fields(StageSettings) if one.name in {*content} - of_run}
    stages = []
    for number, row in enumerate(rows, 1):
        row = {**shared, **row}
        if "on" not in row:
            raise UsageError(f"stage {number} of {path} does not say what it learns from", "", 'give on = "DATA"')
        own = with_values(StageSettings(on=""), row, f"stage {number} of {path}")
        stages.append(replace(own, on=_beside(path, own.on)))
    settings: TrainingSettings = with_values(TrainingSettings(), content, str(path))
    return replace(settings, stages=tuple(stages), base=_beside(path, settings.base)), _beside(path, out) if out else ""


def _beside(config: Path, place: str) -> str:
    """Return a path relative to the config file where there is one, else the name as it stands."""
    near = config.parent / place
    return str(near) if near.exists() or "/" in place else place


def from_command(
    on: str, base: str, budget: float | None, pairs: Sequence[str], *, seed: int = 0, split: str = "train",
    merge: bool = True,
) -> TrainingSettings:  # fmt: skip
    """Make settings of one stage from the command line.

    Parameters
    ----------
    on, base, budget, seed, split, merge
        As in the settings.
    pairs
        ``name=value`` of any other setting.

    Raises
    ------
    UsageError
        Where a pair names no setting or its value is wrong.

    Examples
    --------
    >>> from_command("p.tsv", "minilm", 600.0, ["batch_size=32"]).stages[0].batch_size
    32
    """
    values = parsed(pairs)
    of_run = {name for name in values if name in {one.name for one in fields(TrainingSettings)} - {"stages"}}
    stage = with_values(StageSettings(on=on), {k: v for k, v in values.items() if k not in of_run}, "--set")
    stage = replace(stage, split=split, budget=stage.budget if stage.budget is not None else budget)
    settings: TrainingSettings = with_values(TrainingSettings(), {k: values[k] for k in of_run}, "--set")
    return replace(settings, base=base, stages=(stage,), seed=seed, merge=merge and settings.merge)


def parsed(pairs: Sequence[str]) -> dict[str, Any]:
    """Read ``name=value`` pairs; numbers, ``true``, ``false``, ``none`` and lists in brackets are told from words.

    Examples
    --------
    >>> parsed(["steps=10", "objective=angle", "merge=false", "layers=[1, -1]"])
    {'steps': 10, 'objective': 'angle', 'merge': False, 'layers': [1, -1]}
    """
    found: dict[str, Any] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not (equals and name.strip().isidentifier()):
            raise UsageError(f"--set {pair} says nothing", "it is not name=value", "for instance --set steps=200")
        found[name.strip()] = _value(value.strip())
    return found


def _value(text: str) -> Any:
    if text.lower() == "none":
        return None
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def with_values(settings: Any, values: Mapping[str, Any], place: str) -> Any:
    """Return the settings with some values replaced, each checked for its type and range.

    Raises
    ------
    UsageError
        For an unknown name or a value that cannot be; the message names ``place``.
    """
    known = {one.name for one in fields(settings)} - {"stages"}
    for name in values:
        if name not in known:
            raise UsageError(f"there is no setting {name!r}", place, f"the settings are {', '.join(sorted(known))}")
    return replace(settings, **{name: _checked(settings, name, value, place) for name, value in values.items()})


def _checked(settings: Any, name: str, value: Any, place: str) -> Any:
    if name == "budget" and isinstance(value, str):
        value = _seconds(value, place)
    if name == "precision" and value not in get_args(Precision):
        raise UsageError(f"there is no precision {value!r}", place, f"use one of {', '.join(get_args(Precision))}")
    now = getattr(settings, name)
    kind: Any = _TYPES.get(name, type(now))
    if isinstance(value, int) and not isinstance(value, bool) and kind is float:
        value = float(value)
    if value is None and now is None:
        return None
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise UsageError(f"{name} cannot be {value!r}", f"{place}: it is a {kind.__name__}", f"the default is {now!r}")
    if (name in POSITIVE and not value > 0) or (name == "chunk" and value < 0):
        raise UsageError(f"{name} cannot be {value!r}", f"{place}: it must be above zero", f"the default is {now!r}")
    return value


def _seconds(text: str, place: str) -> float:
    try:
        return seconds_of(text)
    except ValueError as error:
        raise UsageError(f"budget cannot be {text!r}", place, 'write it as "90s", "10m" or "1.5h"') from error
