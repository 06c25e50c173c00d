"""Which checks to run after a change: those that it touches, and a few others in turn."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from isogloss.errors import UsageError
from isogloss.recipes._catalogue import Entry
from isogloss.recipes._closure import closure
from isogloss.recipes._symbols import PACKAGE
from isogloss.seeding import derive


def changed_files(base: str, folder: Path = PACKAGE) -> set[Path]:
    """Return the files that differ from a commit, uncommitted and new ones too.

    Raises
    ------
    UsageError
        Where git does not know the commit, or there is no checkout.
    """
    found: set[Path] = set()
    try:
        top = Path(_git(folder, "rev-parse", "--show-toplevel").strip())
        names = _git(folder, "diff", "--name-only", "-z", base) + _git(
            top, "ls-files", "--others", "--exclude-standard", "-z"
        )
        found = {(top / name).resolve() for name in names.split("\0") if name}
    except (subprocess.CalledProcessError, OSError) as error:
        why = str(getattr(error, "stderr", "") or error).strip()
        raise UsageError(
            f"git cannot say what changed since {base}", why, "name a commit, for instance HEAD~1"
        ) from error
    return found


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True)
    return done.stdout


def touched(entries: Sequence[Entry], base: str, folder: Path = PACKAGE) -> list[Entry]:
    """Return the recipes whose import closure holds a file that changed since ``base``."""
    changed = changed_files(base, folder)
    return [entry for entry in entries if changed & set(closure(entry.path))]


def rotating(entries: Sequence[Entry], count: int, day: int | None = None) -> list[Entry]:
    """Return ``count`` recipes, the next ones every day, so that all come round.

    Parameters
    ----------
    entries
        All recipes.
    count
        How many.
    day
        Number of the day; today's where None.

    Examples
    --------
    >>> rotating([], 3)
    []
    """
    from datetime import date

    if not entries:
        return []
    order = sorted(entries, key=lambda entry: derive(0, "rotation", entry.card.slug))
    start = (date.today().toordinal() if day is None else day) * count % len(order)
    return [order[(start + i) % len(order)] for i in range(min(count, len(order)))]
