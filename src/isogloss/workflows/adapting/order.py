"""What an adaptation is asked for, and the clock that it must keep."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from typing import Any

SMALLEST = 20.0
"""Seconds below which nothing can be tried and proved."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """An adaptation.

    Attributes
    ----------
    on
        Folder or file of documents, or a folder in BEIR layout; empty for the documents of ``index``.
    index
        Folder of an index.
    base
        Name or folder of the model to start from; empty for the best model of the index, else ``static``.
    budget
        Seconds of wall-clock time, all in all.
    out
        Folder of the adapted model; empty: a new one under ``models``.
    seed
        Of everything drawn.
    merge
        Mix trained weights with the base's.
    families
        Which families of candidates are tried; empty for all.
    writer, writer_model
        Address of a chat server that writes questions, and the name of its model.
    """

    on: str = ""
    index: str = ".isogloss"
    base: str = ""
    budget: float = 600.0
    out: str = ""
    seed: int = 0
    merge: bool = True
    families: tuple[str, ...] = ()
    writer: str = ""
    writer_model: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as plain data."""
        return asdict(self)


@dataclass(slots=True)
class Clock:
    """Wall-clock time of an adaptation.

    Attributes
    ----------
    budget
        Seconds from the beginning.
    reserved
        Seconds that the end needs: reading *prove*, writing.

    Examples
    --------
    >>> clock = Clock(100.0, reserved=40.0)
    >>> 59 < clock.left() <= 60
    True
    """

    budget: float
    reserved: float = 0.0
    began: float = field(default_factory=time.perf_counter)

    def spent(self) -> float:
        """Return the seconds since the beginning."""
        return time.perf_counter() - self.began

    def left(self) -> float:
        """Return the seconds that may still be spent on candidates; below 0 where the time is over."""
        return self.budget - self.reserved - self.spent()
