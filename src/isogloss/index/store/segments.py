"""Segments of a generation: opening all their files at once, and the garbage that a dead writer left."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from isogloss.errors import CorruptIndexError
from isogloss.index.store.arrayfile import Written, corrupt, read_arrays
from isogloss.index.store.bitmaps import frozen, unpack
from isogloss.index.store.catalogue import SEGMENTS
from isogloss.index.store.rows import Segment

if TYPE_CHECKING:
    import sqlite3

CHECK_WHOLE = 32 << 20
"""Generations of at most so many bytes of array files have every checksum compared at open (8 ms at 4 GB/s)."""


def file_of(folder: Path, name: str) -> Path:
    """Return where a segment's array file lies."""
    return folder / SEGMENTS / f"{name}.safetensors"


def open_segments(
    connection: sqlite3.Connection,
    folder: Path,
    *,
    opened: Mapping[str, Segment],
    broken: list[CorruptIndexError] | None = None,
) -> dict[str, Segment]:
    """Open every array file that the pinned commit names.

    Parameters
    ----------
    connection, folder
        The catalogue and its folder.
    opened
        Segments that are open already; their maps are used again.
    broken
        Where given, damaged or missing files are appended here and left out; otherwise they raise.

    Raises
    ------
    CorruptIndexError
        When a file is damaged.
    FileNotFoundError
        When a file is gone: compaction replaced it since, or it was deleted by hand.
    """
    rows = connection.execute(
        "SELECT name, encoder, level, rows, bytes, checksum, header, first, last, numbers FROM segments ORDER BY name"
    ).fetchall()
    fresh = sum(row[4] for row in rows if row[0] not in opened)
    found: dict[str, Segment] = {}
    for name, encoder, level, count, size, checksum, header, first, last, numbers in rows:
        if name in opened:
            found[name] = opened[name]
            continue
        path = file_of(folder, name)
        try:
            arrays = read_arrays(path, Written(size, checksum, header), check=fresh <= CHECK_WHOLE)
        except (CorruptIndexError, FileNotFoundError) as error:
            if broken is None:
                raise
            broken.append(error if isinstance(error, CorruptIndexError) else missing(path))
            continue
        found[name] = Segment(name, encoder, level, count, size, arrays, _numbers(numbers, first, last))
    return found


def missing(path: Path) -> CorruptIndexError:
    """Make the error for an array file that the catalogue names and that is not there."""
    return corrupt(path, "the catalogue names it, but there is no such file")


def _numbers(data: bytes, first: int, last: int) -> NDArray[np.bool_]:
    bitmap = np.zeros(last + 1, np.bool_)
    bitmap[first:] = unpack(data, last + 1 - first)
    return frozen(bitmap)


def garbage(folder: Path, named: set[str]) -> list[Path]:
    """Return the files of ``segments`` that the catalogue does not name."""
    return sorted(
        path for path in (folder / SEGMENTS).iterdir() if path.stem not in named or path.suffix != ".safetensors"
    )
