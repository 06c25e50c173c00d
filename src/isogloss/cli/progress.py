"""Progress of long work on stderr: a bar with speed and time left, or a line now and then where nobody watches."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, TextIO

from isogloss.cli import layout

_QUIET_SECONDS = 10.0
"""Milestones: a stage that takes less says nothing, and no two lines of a stage are closer than this."""


@dataclass(slots=True)
class Bars:
    """Draws each stage as a bar that disappears when it ends."""

    stream: TextIO
    _bar: Any = None

    def start(self, what: str, total: int | None, unit: str) -> None:
        """Begin a stage of ``total`` units (None: unknown)."""
        from tqdm import tqdm

        self.finish()
        self._bar = tqdm(
            total=total, desc=what, unit=f" {unit}", unit_scale=True, file=self.stream, leave=False, delay=0.3,
            dynamic_ncols=True, mininterval=0.1,
        )  # fmt: skip

    def advance(self, amount: int) -> None:
        """Say that ``amount`` more units are done."""
        if self._bar is not None:
            self._bar.update(amount)

    def finish(self) -> None:
        """End the stage."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None


@dataclass(slots=True)
class Milestones:
    """Writes a line when a stage has taken long, and another when it ends."""

    stream: TextIO
    quiet: float = _QUIET_SECONDS
    _what: str = ""
    _unit: str = ""
    _total: int | None = None
    _done: int = 0
    _began: float = 0.0
    _spoke: float | None = None
    _said: int = -1

    def start(self, what: str, total: int | None, unit: str) -> None:
        """Begin a stage of ``total`` units (None: unknown)."""
        self.finish()
        self._what, self._unit, self._total, self._done = what, unit, total, 0
        self._began, self._spoke, self._said = time.monotonic(), None, -1

    def advance(self, amount: int) -> None:
        """Say that ``amount`` more units are done."""
        self._done += amount
        now = time.monotonic()
        if now - (self._began if self._spoke is None else self._spoke) >= self.quiet:
            self._spoke = now
            self._write(now)

    def finish(self) -> None:
        """End the stage."""
        if self._what and self._spoke is not None and self._done != self._said:
            self._write(time.monotonic(), ended=True)
        self._what = ""

    def _write(self, now: float, ended: bool = False) -> None:
        self._said = self._done
        seconds = max(now - self._began, 1e-9)
        speed = self._done / seconds
        of = f" of {self._total:,}" if self._total else ""
        left = ""
        if self._total and not ended and speed:
            left = f", {layout.duration(max(0, self._total - self._done) / speed)} left"
        state = f"{self._done:,}{of} {self._unit}, {speed:,.0f} {self._unit}/s, {layout.duration(seconds)}{left}"
        self.stream.write(f"{self._what}: {state}\n")
        self.stream.flush()
