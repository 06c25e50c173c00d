"""The names of search systems: ``words``, ``minilm@128``, ``rrf(words,minilm)``, ``weighted(words=1,static=.75)``."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from isogloss.errors import ModelError, UsageError

GRAMMAR = "NAME, NAME@LENGTH, rrf(A,B), rrf(A,B,k=60), weighted(A=1,B=.75), hybrid"
MODELS = ("words", "words:LANGUAGE", "static", "minilm", "the folder of a model")
ALIASES = {"bm25": "words"}
_CALL = re.compile(r"(\w+)\s*\((.*)\)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class EncoderPlan:
    """One encoder as a system.

    Attributes
    ----------
    name
        Name for ``load_encoder``.
    length
        Longest input in tokens; None for what the model says.
    dims
        Empty, a number (the first so many dimensions), or ``pcaN`` (N directions fitted on the documents).
    """

    name: str
    length: int | None = None
    dims: str = ""

    @property
    def label(self) -> str:
        """The system's name in reports; a folder is named by its last part."""
        short = os.path.basename(self.name.rstrip(os.sep)) if os.sep in self.name else self.name
        return short + (f"@{self.length}" if self.length else "") + (f" {self.dims}d" if self.dims else "")

    @property
    def encoders(self) -> tuple[EncoderPlan, ...]:
        """The encoders that the system needs."""
        return (self,)


@dataclass(frozen=True, slots=True)
class FusionPlan:
    """Several encoders, their rankings fused.

    Attributes
    ----------
    kind
        ``rrf`` (reciprocal ranks) or ``weighted`` (scores scaled to 0 ... 1 and added).
    parts, weights
        The encoders and the weight of each.
    constant
        Of reciprocal ranks.
    name
        The system's name where it has one of its own (``hybrid``).
    """

    kind: Literal["rrf", "weighted"]
    parts: tuple[EncoderPlan, ...]
    weights: tuple[float, ...]
    constant: float = 60.0
    name: str = ""

    @property
    def label(self) -> str:
        """The system's name in reports."""
        if self.name:
            return self.name
        if self.kind == "rrf":
            inner = [part.label for part in self.parts] + ([f"k={self.constant:g}"] if self.constant != 60 else [])
        else:
            inner = [f"{part.label}={weight:g}" for part, weight in zip(self.parts, self.weights, strict=True)]
        return f"{self.kind}({','.join(inner)})"

    @property
    def encoders(self) -> tuple[EncoderPlan, ...]:
        """The encoders that the system needs."""
        return self.parts


SystemPlan: TypeAlias = EncoderPlan | FusionPlan


def split_systems(text: str) -> list[str]:
    """Cut a list of systems at the commas that stand outside brackets.

    Raises
    ------
    UsageError
        Where brackets do not match.

    Examples
    --------
    >>> split_systems("words, rrf(words,static), minilm@128")
    ['words', 'rrf(words,static)', 'minilm@128']
    """
    parts, depth = [""], 0
    for char in text:
        depth += (char == "(") - (char == ")")
        if depth < 0:
            break
        if char == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += char
    if depth:
        raise UsageError(
            "the brackets of the systems do not match", text, 'quote them: --compare words,"rrf(words,static)"'
        )
    return [part.strip() for part in parts if part.strip()]


def parse_system(text: str, hybrid: FusionPlan | None = None) -> SystemPlan:
    """Read one system.

    Parameters
    ----------
    text
        In the grammar above.
    hybrid
        What ``hybrid`` stands for: the fusion that ``isogloss search`` uses on this index.

    Raises
    ------
    UsageError
        Where it cannot be read; the message lists what is known.

    Examples
    --------
    >>> parse_system("minilm@128")
    EncoderPlan(name='minilm', length=128, dims='')
    >>> parse_system("rrf(words, static, k=10)").label
    'rrf(words,static,k=10)'
    """
    text = text.strip()
    if text == "hybrid":
        return hybrid if hybrid is not None else DEFAULT_HYBRID
    call = _CALL.fullmatch(text)
    if call:
        return _fusion(text, call[1], split_systems(call[2]))
    if not text or any(char in text for char in "()=,"):
        raise _unreadable(text, "it is no name and no fusion")
    return _encoder(text)


def parse_systems(names: Sequence[str], hybrid: FusionPlan | None = None) -> list[SystemPlan]:
    """Read several systems; one that stands there twice is an error.

    Examples
    --------
    >>> [plan.label for plan in parse_systems(["words", "hybrid"])]
    ['words', 'hybrid']
    """
    plans = [parse_system(name, hybrid) for name in names]
    labels = [plan.label for plan in plans]
    twice = sorted({label for label in labels if labels.count(label) > 1})
    if twice:
        raise UsageError("a system is named twice", ", ".join(twice), "name each once")
    return plans


def _encoder(text: str) -> EncoderPlan:
    name, at, length = text.rpartition("@")
    if not at or os.path.isdir(text):
        return EncoderPlan(ALIASES.get(text, text))
    if not length.isdecimal() or int(length) < 1 or not name:
        raise _unreadable(text, f"after @ stands {length!r}, not a number of tokens")
    return EncoderPlan(ALIASES.get(name, name), int(length))


def _fusion(text: str, kind: str, parts: Sequence[str]) -> FusionPlan:
    if kind == "rrf":
        constants = [part.partition("=")[2] for part in parts if re.match(r"k\s*=", part)]
        names = [part for part in parts if not re.match(r"k\s*=", part)]
        constant = _number(text, constants[0], "k") if constants else 60.0
        made = FusionPlan("rrf", tuple(_part(text, name) for name in names), (1.0,) * len(names), constant)
    elif kind == "weighted":
        pairs = [part.partition("=") for part in parts]
        weights = tuple(_number(text, weight, name) if equals else 1.0 for name, equals, weight in pairs)
        made = FusionPlan("weighted", tuple(_part(text, name.strip()) for name, _, _ in pairs), weights)
    else:
        raise _unreadable(text, f"there is no fusion {kind!r}")
    labels = [part.label for part in made.parts]
    if len(set(labels)) != len(labels) or len(labels) < 2 or not any(made.weights):
        raise _unreadable(text, "a fusion needs two different encoders or more, and a weight above 0")
    return made


def _part(text: str, name: str) -> EncoderPlan:
    inner = parse_system(name)
    if not isinstance(inner, EncoderPlan):
        raise _unreadable(text, "a fusion cannot stand in another one")
    return inner


def _number(text: str, number: str, name: str) -> float:
    try:
        value = float(number)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= 0):
        raise _unreadable(text, f"{name}={number} is not a number of at least 0")
    return value


def _unreadable(text: str, why: str) -> UsageError:
    return UsageError(f"the system {text!r} cannot be read", f"{why}; known are: {GRAMMAR}", _fix())


def _fix(extra: Sequence[str] = ()) -> str:
    return f"names are: {', '.join(dict.fromkeys([*extra, *MODELS]))}"


def unknown_system(name: str, stored: Sequence[str], error: ModelError) -> UsageError:
    """Return the error about an encoder that is not on this machine; it lists what is known."""
    import difflib

    known = [*stored, "words", "static", "minilm", "hybrid", "rrf", "weighted"]
    near = difflib.get_close_matches(name, known, n=1)
    return UsageError(
        f"there is no system {name!r}",
        f"{error.what}{'; did you mean ' + near[0] + '?' if near else ''}; known are: {GRAMMAR}",
        f"{_fix(stored)}; or get it: {error.fix}" if error.fix.startswith("isogloss pull") else _fix(stored),
    )


def with_dims(plan: EncoderPlan, dims: str) -> EncoderPlan:
    """Return the plan with its vectors shortened to ``dims``: a number, ``pcaN``, or ``all``.

    Raises
    ------
    UsageError
        Where ``dims`` cannot be read.

    Examples
    --------
    >>> with_dims(EncoderPlan("minilm"), "pca128").label
    'minilm pca128d'
    """
    if dims == "all":
        return plan
    if not re.fullmatch(r"(pca)?[1-9][0-9]*", dims):
        raise UsageError(
            f"the dimensions {dims!r} cannot be read", "use a number, pcaN or all", "--dims all,128,pca128"
        )
    return replace(plan, dims=dims)


DEFAULT_HYBRID = FusionPlan("weighted", (EncoderPlan("words"), EncoderPlan("static")), (1.0, 0.75), name="hybrid")
"""What ``isogloss search`` does on an index of words and static vectors."""
