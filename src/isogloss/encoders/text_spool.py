"""The texts of a long encoding on disk, for many processes to read by position, and the blocks that they are cut into.

Two files: the texts' bytes end to end, and where each text ends. They and the blocks that follow from them are the same
in every process, so that a block is named by its number alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from isogloss.errors import UsageError

TEXTS, ENDS = "texts.bin", "ends.bin"
WINDOW = 8192
"""Texts that are sorted by length together."""
BLOCK_TEXTS = 1024
BLOCK_BYTES = 64 << 10
"""A block, which is what a kill can lose, ends at whichever comes first: about a second of a transformer's time."""


@dataclass(frozen=True, slots=True)
class Spool:
    """Texts on disk.

    Attributes
    ----------
    data
        ``(bytes,)`` uint8, the texts in UTF-8 end to end; a map of the file.
    ends
        ``(n,)`` int64, where each text ends.
    """

    data: NDArray[np.uint8]
    ends: NDArray[np.int64]

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Bytes of each text, ``(n,)``."""
        return np.diff(self.ends, prepend=0)

    def take(self, positions: NDArray[np.int64]) -> list[str]:
        """Return the texts at ``positions``, in that order."""
        starts = self.ends[positions] - self.sizes[positions]
        ends = self.ends[positions]
        return [
            self.data[start:end].tobytes().decode("utf-8", "surrogatepass")
            for start, end in zip(starts, ends, strict=True)
        ]


def write_spool(folder: Path, texts: Iterable[str]) -> tuple[int, str]:
    """Write texts as they come; return how many there were, and a hash of them in their order.

    Raises
    ------
    UsageError
        Where an item is not a string; the message names its position and type.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> write_spool(folder, ["heat", "", "cold"])[0]
    3
    >>> open_spool(folder).take(np.array([2, 0, 1]))
    ['cold', 'heat', '']
    """
    whole = hashlib.blake2b(digest_size=16)
    count = end = 0
    with open(folder / TEXTS, "wb") as bodies, open(folder / ENDS, "wb") as places:
        for text in texts:
            if not isinstance(text, str):
                raise UsageError(
                    "only strings can be encoded as text",
                    f"item {count} is of type {type(text).__name__}",
                    "convert it to a string, or leave it out",
                )
            data = text.encode("utf-8", "surrogatepass")
            count, end = count + 1, end + len(data)
            place = end.to_bytes(8, "little")
            whole.update(place + data)
            bodies.write(data)
            places.write(place)
    return count, whole.hexdigest()


def open_spool(folder: Path) -> Spool:
    """Open texts that were written before, without reading them."""
    ends = np.fromfile(folder / ENDS, "<i8").astype(np.int64)
    empty = not len(ends) or not ends[-1]  # nothing cannot be mapped
    data = np.zeros(0, np.uint8) if empty else np.memmap(folder / TEXTS, np.uint8, "r")
    return Spool(data, ends)


def blocks(sizes: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Cut texts into blocks of like length: positions, each of ``0 .. n - 1`` once.

    Texts are sorted by their bytes within windows, longest first, equal ones in their order; a block never crosses a
    window.

    Examples
    --------
    >>> [block.tolist() for block in blocks(np.array([5, 70_000, 9, 9]))]
    [[1], [2, 3, 0]]
    """
    found = []
    for start in range(0, len(sizes), WINDOW):
        own = sizes[start : start + WINDOW]
        order = np.argsort(-own, kind="stable")
        total = np.cumsum(own[order])
        at = 0
        while at < len(order):
            before = total[at - 1] if at else 0
            within = int(np.searchsorted(total, before + BLOCK_BYTES, side="right"))
            end = min(max(within, at + 1), at + BLOCK_TEXTS)
            found.append((order[at:end] + start).astype(np.int64))
            at = end
    return found
