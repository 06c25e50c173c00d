"""fastText's binary models: the dictionary, the rows of words and of letter n-grams, quantised ones included."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import Dense
from isogloss.encoders.word_files import FASTTEXT_MAGIC
from isogloss.errors import ModelError, UnsupportedModelError

_ARGS = struct.Struct("<12id")
_SIZES = struct.Struct("<iiiqq")
_ENTRY = struct.Struct("<qb")
_WORD, _SUPERVISED, _CENTROIDS = 0, 3, 256


@dataclass(frozen=True)
class FastTextModel:
    """What a binary model of fastText holds; the rows are mapped from the file, not read.

    Attributes
    ----------
    words
        The dictionary without labels, in UTF-8, the most frequent first.
    counts
        ``(V,)`` how often each occurred.
    rows
        ``(V + buckets, d)`` float32: a row of each word, then those that n-grams are hashed into.
    shortest, longest
        Letters of an n-gram, the marks of the word's ends counted; ``longest`` 0 for none.
    buckets
        Rows for n-grams.
    """

    words: list[bytes]
    counts: NDArray[np.int64]
    rows: Dense
    shortest: int
    longest: int
    buckets: int


@dataclass(frozen=True)
class PrunedFastText(FastTextModel):
    """A quantised model of which only some n-grams kept a row (``fasttext quantize -cutoff``).

    Attributes
    ----------
    kept
        ``(P,)`` int64: the numbers, below ``buckets``, of the n-grams that kept one, ascending.
    places
        ``(P,)`` int32: which of the ``P`` rows behind those of the words each of them has.
    """

    kept: NDArray[np.int64]
    places: NDArray[np.int32]


class _Cursor:
    """Where the reading of a file stands; what goes beyond its end is an error that names the place."""

    def __init__(self, path: Path) -> None:
        self.path, self.at = path, 0
        self.raw = np.memmap(path, np.uint8, "r")

    def take(self, size: int, what: str) -> bytes:
        """Return the next bytes."""
        return self.array(np.dtype(np.uint8), (size,), what).tobytes()

    def array(self, kind: np.dtype[Any], shape: tuple[int, ...], what: str) -> NDArray[Any]:
        """Map the next numbers."""
        size = kind.itemsize * int(np.prod(shape, dtype=np.int64))
        if min(shape) < 0 or self.at + size > len(self.raw):
            why = f"{what} begins at byte {self.at:,} and needs {size:,}; the file has {len(self.raw):,}"
            raise ModelError(f"{self.path} is not whole", why, "get the file again")
        self.at += size
        return self.raw[self.at - size : self.at].view(kind).reshape(shape)

    def number(self, form: str, what: str) -> int:
        """Return one number."""
        return int(struct.unpack(f"<{form}", self.take(struct.calcsize(f"<{form}"), what))[0])


def read_fasttext(path: Path) -> FastTextModel:
    """Read a ``.bin`` or ``.ftz`` file of fastText (Bojanowski et al. 2017, https://arxiv.org/abs/1607.04606).

    Quantised models (Joulin et al. 2016, https://arxiv.org/abs/1612.03651) are unpacked into float32. Labels and the
    output side are left out.

    Raises
    ------
    ModelError
        Where the file is not whole, or sizes contradict each other; the message names the byte.
    UnsupportedModelError
        Where the file was written by a version of fastText that is not known.
    """
    cursor = _Cursor(path)
    if cursor.take(4, "the first number") != FASTTEXT_MAGIC:
        raise ModelError(f"{path} is no binary model of fastText", "its first four bytes are others", "")
    version = cursor.number("i", "the version")
    if version not in (11, 12):
        raise UnsupportedModelError(f"{path} cannot be read", f"fastText's format {version}; 11 and 12 are known", "")
    args = _ARGS.unpack(cursor.take(_ARGS.size, "the settings"))
    dimensions, kind, buckets, shortest, longest = args[0], args[7], args[8], args[9], args[10]
    if version == 11 and kind == _SUPERVISED:
        longest = 0  # that version's classifiers used no letters, whatever they say
    words, counts, pruned = _dictionary(cursor)
    rows = _quantised(cursor) if cursor.number("?", "the kind of rows") else _plain(cursor)
    letters = buckets if pruned is None else len(pruned)
    if rows.shape != (len(words) + letters, dimensions):
        why = f"{rows.shape} numbers for {len(words):,} words, {letters:,} n-grams and {dimensions} components"
        raise ModelError(f"{path} contradicts itself", why, "get the file again")
    whole = FastTextModel(words, counts, rows, shortest, longest if letters else 0, buckets)
    return whole if pruned is None or not letters else _pruned(path, whole, pruned)


def _pruned(path: Path, model: FastTextModel, pairs: NDArray[np.int32]) -> PrunedFastText:
    """Join a model with the pairs ``(P, 2)`` of an n-gram's number and its row, in any order."""
    kept, places = pairs.T
    if kept.min() < 0 or kept.max() >= model.buckets or not np.array_equal(np.sort(places), np.arange(len(places))):
        why = f"its {len(pairs):,} n-grams do not number {model.buckets:,} buckets and as many rows as they are"
        raise ModelError(f"{path} contradicts itself", why, "get the file again")
    order = np.argsort(kept, kind="stable")
    numbers = kept[order].astype(np.int64)
    if (np.diff(numbers) == 0).any():
        raise ModelError(f"{path} contradicts itself", "an n-gram has two rows", "get the file again")
    fields = (model.words, model.counts, model.rows, model.shortest, model.longest, model.buckets)
    return PrunedFastText(*fields, numbers, places[order].astype(np.int32))


def _dictionary(cursor: _Cursor) -> tuple[list[bytes], NDArray[np.int64], NDArray[np.int32] | None]:
    """Return words, counts, and number and row of each n-gram that pruning has left, ``(P, 2)``; None: not pruned."""
    size, word_count, _, _, pruned = _SIZES.unpack(cursor.take(_SIZES.size, "the dictionary"))
    raw = memoryview(cursor.raw)  # type: ignore[arg-type]
    words: list[bytes] = []
    counts: list[int] = []
    for number in range(size):
        start = cursor.at
        near = bytes(raw[start : start + 256])
        end = near.find(b"\0")
        while end < 0 and start + len(near) < len(raw):
            near = bytes(raw[start : start + 4 * len(near)])
            end = near.find(b"\0")
        if end < 0:
            why = f"entry {number + 1:,} of {size:,} begins at byte {start:,} and does not end"
            raise ModelError(f"{cursor.path} is not whole", why, "get the file again")
        cursor.at += end + 1
        count, kind = _ENTRY.unpack(cursor.take(_ENTRY.size, f"entry {number + 1:,} of the dictionary"))
        if kind == _WORD:
            words.append(near[:end])
            counts.append(count)
    if len(words) != word_count:
        why = f"{len(words):,} words in a dictionary that says {word_count:,}"
        raise ModelError(f"{cursor.path} contradicts itself", why, "get the file again")
    pairs = cursor.array(np.dtype("<i4"), (pruned, 2), "the pruned n-grams") if pruned >= 0 else None
    return words, np.array(counts, np.int64), pairs


def _plain(cursor: _Cursor) -> Dense:
    shape = cursor.number("q", "the rows"), cursor.number("q", "the rows")
    return cursor.array(np.dtype("<f4"), shape, "the matrix of rows")


def _quantised(cursor: _Cursor) -> Dense:
    """Unpack product codes: each part of a row is one of 256 centroids, its length one of 256 more."""
    with_norms = bool(cursor.number("?", "the quantised rows"))
    count, width = cursor.number("q", "the quantised rows"), cursor.number("q", "the quantised rows")
    size = cursor.number("i", "the codes")
    codes = cursor.array(np.dtype(np.uint8), (size,), "the codes")
    rows = _unpacked(cursor, codes, count, width)
    if with_norms:
        norms = cursor.array(np.dtype(np.uint8), (count,), "the codes of lengths")
        rows = rows * _unpacked(cursor, norms, count, 1)
    return np.asarray(rows, np.float32)


def _unpacked(cursor: _Cursor, codes: NDArray[Any], count: int, width: int) -> Dense:
    dimensions, parts, part, last = (cursor.number("i", "the centroids") for _ in range(4))
    if dimensions != width or len(codes) != count * parts or (parts - 1) * part + last != width:
        why = f"{len(codes):,} codes of {parts} parts for {count:,} rows of {width}, at byte {cursor.at:,}"
        raise ModelError(f"{cursor.path} contradicts itself", why, "get the file again")
    flat = cursor.array(np.dtype("<f4"), (dimensions * _CENTROIDS,), "the centroids")
    chosen = codes.reshape(count, parts)
    rows = np.empty((count, width), np.float32)
    for number in range(parts):
        size = part if number < parts - 1 else last
        first = number * _CENTROIDS * part
        table = flat[first : first + _CENTROIDS * size].reshape(_CENTROIDS, size)
        rows[:, number * part : number * part + size] = table[chosen[:, number]]
    return rows
