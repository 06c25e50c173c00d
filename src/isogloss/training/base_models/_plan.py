"""What a row of this package says: how a base model is built, and what must be true of it before it is used."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from isogloss.protocols import Progress


class Material(Protocol):
    """Where a builder gets its data from; the Lab gives one, so that builders know no folder."""

    def texts(self, name: str, part: str | None = None) -> list[str]:
        """Return the texts of a data set, or of one of its parts."""
        ...

    def examples(self, name: str, part: str | None = None) -> Any:
        """Return the examples of a part as plain data of ``isogloss.corpus``."""
        ...


class Artifact(Protocol):
    """What a builder makes and the cache keeps."""

    def save(self, folder: Path) -> None:
        """Write everything into an empty folder: safetensors and JSON."""
        ...

    @property
    def parameters(self) -> int:
        """Number of weights."""
        ...


@dataclass(frozen=True, slots=True)
class Admission:
    """What the admission test of a base model found.

    Attributes
    ----------
    measured
        Numbers by name.
    failed
        What is not true of the model that must be, in words; empty where it is admitted.

    Examples
    --------
    >>> Admission.of({"bits": 2.0, "unigram": 3.0}, {"below the unigram": True}).failed
    ()
    """

    measured: Mapping[str, float]
    failed: tuple[str, ...] = ()

    @classmethod
    def of(cls, measured: Mapping[str, float], demands: Mapping[str, bool]) -> Admission:
        """Join numbers and demands: a demand that is not met is a failure by its name."""
        return cls(dict(measured), tuple(name for name, met in demands.items() if not met))


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseModel:
    """A row: one base model of the Lab.

    Attributes
    ----------
    name
        As a recipe's ``needs`` call it.
    what
        What it is, in a sentence, for tables and its card.
    data
        Names of the data sets that it is made from; their digests are part of the cache's key.
    build
        ``(material, seed, progress) -> artifact``; equal seeds give equal weights.
    admit
        ``(artifact, material) -> Admission``.
    load
        From the folder that ``save`` wrote to the artifact.
    score
        Name of the number in ``Admission.measured`` that tables show.
    claims
        What admission demands, in words, for the model's card.
    """

    name: str
    what: str
    data: Sequence[str]
    build: Callable[[Material, int, Progress], Any]
    admit: Callable[[Any, Material], Admission]
    load: Callable[[Path], Any]
    score: str
    claims: Sequence[str] = field(default=())
