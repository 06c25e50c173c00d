"""Ctrl-C between two steps instead of in the middle of one."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any, Self


class Interruption:
    """While it is open, the first Ctrl-C only sets ``asked``; a second one interrupts at once.

    Outside the main thread, where signals cannot be caught, nothing changes.

    Parameters
    ----------
    catch
        Whether to catch it at all: several processes would not stop after the same step.

    Examples
    --------
    >>> with Interruption() as interruption:
    ...     interruption.asked
    False
    """

    def __init__(self, *, catch: bool = True) -> None:
        self.asked, self._catch = False, catch
        self._before: Any = None
        self._caught = False

    def __enter__(self) -> Self:
        if self._catch and threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._ask)
            self._caught = True
        return self

    def __exit__(self, *_: object) -> None:
        self._give_back()

    def _ask(self, _number: int, _frame: FrameType | None) -> None:
        self.asked = True
        self._give_back()

    def _give_back(self) -> None:
        if self._caught:
            signal.signal(signal.SIGINT, self._before if self._before is not None else signal.SIG_DFL)
            self._caught = False
