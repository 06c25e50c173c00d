"""Immutable array files: the safetensors layout, every array at a multiple of 64 bytes, memory-mapped for reading.

The layout is that of https://github.com/huggingface/safetensors (format description in its README): eight bytes with
the header's length, a JSON header padded with spaces, the arrays without gaps. Gaps are forbidden there, so the bytes
that bring an array to its place belong to small arrays named ``_pad0``, ``_pad1`` ...
"""

from __future__ import annotations

import json
import mmap
import os
import sys
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

import numpy as np
from numpy.typing import NDArray

from isogloss.errors import CorruptIndexError

ALIGNMENT = 64
_BLOCK = 1 << 24
_CODES = {
    "BOOL": "?",
    "U8": "<u1",
    "I8": "<i1",
    "U16": "<u2",
    "I16": "<i2",
    "U32": "<u4",
    "I32": "<i4",
    "U64": "<u8",
    "I64": "<i8",
    "F16": "<f2",
    "F32": "<f4",
    "F64": "<f8",
}
_NAMES = {np.dtype(code): name for name, code in _CODES.items()}

Parts: TypeAlias = NDArray[Any] | Sequence[NDArray[Any]]
"""One array, or several of one dtype and trailing shape that are joined along the first axis while writing."""


@dataclass(frozen=True, slots=True)
class Written:
    """What the catalogue keeps about an array file: its length in bytes, and CRC-32 of the file and of its header."""

    bytes: int
    checksum: int
    header: int


def write_arrays(path: str | Path, arrays: Mapping[str, Parts], metadata: Mapping[str, str] | None = None) -> Written:
    """Write a new array file and bring it to the disk (fsync of the file, not of its folder).

    Parameters
    ----------
    path
        Must not exist.
    arrays
        Arrays by name; dtypes bool, (u)int8 to (u)int64, float16 to float64. A list of arrays is written one after the
        other as one array, so that a merge needs no second copy in memory.
    metadata
        Strings for the header.

    Returns
    -------
    Written
        Length and checksums.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "a.safetensors"
    >>> written = write_arrays(path, {"x": np.arange(3)})
    >>> read_arrays(path, written)["x"].tolist()
    [0, 1, 2]
    """
    with open(path, "xb") as file:
        size = checksum = header = 0
        for i, block in enumerate(_blocks(arrays, metadata or {})):
            file.write(block)
            checksum = zlib.crc32(block, checksum)
            size += len(block)
            header = checksum if i == 0 else header
        file.flush()
        sync_file(file)
    return Written(size, checksum, header)


def pack_arrays(arrays: Mapping[str, Parts]) -> bytes:
    """Return the bytes of an array file, for arrays small enough to lie in the catalogue."""
    return b"".join(_blocks(arrays, {}))


def unpack_arrays(data: bytes) -> dict[str, NDArray[Any]]:
    """Return the arrays of ``pack_arrays``."""
    return _arrays(memoryview(data), "catalogue.sqlite")


def _blocks(arrays: Mapping[str, Parts], metadata: Mapping[str, str]) -> Iterator[bytes | memoryview]:
    """Yield header and bodies in order; the header comes first and alone."""
    header: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
    bodies: list[list[NDArray[Any]]] = []
    at = 0
    for name, value in arrays.items():
        parts = [value] if isinstance(value, np.ndarray) else list(value)
        dtype, shape = _shape(name, parts)
        parts = [np.ascontiguousarray(part, dtype) for part in parts]
        if at % ALIGNMENT:
            pad = ALIGNMENT - at % ALIGNMENT
            header[f"_pad{len(bodies)}"] = {"dtype": "U8", "shape": [pad], "data_offsets": [at, at + pad]}
            bodies.append([np.zeros(pad, np.uint8)])
            at += pad
        size = prod(shape) * dtype.itemsize
        header[name] = {"dtype": _NAMES[dtype], "shape": list(shape), "data_offsets": [at, at + size]}
        bodies.append(parts)
        at += size
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-(len(text) + 8) % ALIGNMENT)
    yield len(text).to_bytes(8, "little") + text
    for body in bodies:
        for part in body:
            yield part.reshape(-1).view(np.uint8).data if part.size else b""


def _shape(name: str, parts: Sequence[NDArray[Any]]) -> tuple[np.dtype[Any], tuple[int, ...]]:
    """Return the dtype (little-endian) and the shape of the parts joined."""
    if not parts or name.startswith(("_pad", "__metadata__")):
        raise ValueError(f"array {name!r} has no parts, or a name that the format keeps for itself")
    dtype = parts[0].dtype.newbyteorder("<")
    if dtype not in _NAMES:
        raise ValueError(f"array {name!r} has dtype {dtype}, which an array file cannot hold")
    if len(parts) == 1:
        return dtype, parts[0].shape
    if any(part.dtype != parts[0].dtype or part.shape[1:] != parts[0].shape[1:] for part in parts):
        raise ValueError(f"the parts of array {name!r} differ in dtype or trailing shape")
    return dtype, (sum(len(part) for part in parts), *parts[0].shape[1:])


def sync_file(file: BinaryIO) -> None:
    """Bring a file's bytes to the disk itself (on macOS fsync alone leaves them in the drive's cache)."""
    if sys.platform == "darwin":
        import fcntl

        fcntl.fcntl(file.fileno(), fcntl.F_FULLFSYNC)
    else:
        os.fsync(file.fileno())


def sync_folder(path: str | Path) -> None:
    """Bring a folder's entries to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def read_arrays(path: str | Path, written: Written, *, check: bool = False) -> dict[str, NDArray[Any]]:
    """Memory-map an array file.

    Parameters
    ----------
    path
        The file; bytes beyond the named length are not looked at.
    written
        Length and checksums that were committed.
    check
        Also compare the checksum of the whole file (about 4 GB/s with zlib's CRC-32 on the machine it was chosen on).

    Returns
    -------
    dict
        Read-only arrays by name; they keep the file alive after it was unlinked.

    Raises
    ------
    CorruptIndexError
        When the file is shorter than committed, or its header or checksum differ.
    FileNotFoundError
        When there is none.
    """
    with open(path, "rb") as file:
        found = os.fstat(file.fileno()).st_size
        if found < written.bytes:
            raise corrupt(path, f"it has {found:,} bytes where {written.bytes:,} were committed: it was truncated")
        mapped = memoryview(mmap.mmap(file.fileno(), written.bytes, access=mmap.ACCESS_READ))
    size = 8 + int.from_bytes(mapped[:8], "little")
    if size > written.bytes or zlib.crc32(mapped[:size]) != written.header:
        raise corrupt(path, "the checksum of its header differs from what was committed")
    if check:
        check_sum(path, mapped, written)
    return _arrays(mapped, path)


def check_sum(path: str | Path, mapped: memoryview, written: Written) -> None:
    """Compare the checksum of the whole file; raise ``CorruptIndexError`` where it differs."""
    found = 0
    for start in range(0, written.bytes, _BLOCK):
        found = zlib.crc32(mapped[start : start + _BLOCK], found)
    if found != written.checksum:
        raise corrupt(path, f"its checksum is {found:08x} where {written.checksum:08x} was committed")


def corrupt(path: str | Path, why: str) -> CorruptIndexError:
    """Make the error for a damaged array file."""
    return CorruptIndexError(
        f"the index file {path} is damaged",
        why,
        "open the index with repair (isogloss doctor INDEX --repair): the chunks of this file are encoded again by the "
        "next isogloss add; or restore the folder from a backup",
    )


def _arrays(mapped: memoryview, path: str | Path) -> dict[str, NDArray[Any]]:
    try:
        start = 8 + int.from_bytes(mapped[:8], "little")
        header = json.loads(bytes(mapped[8:start]))
        header.pop("__metadata__", None)
        _no_gaps((entry["data_offsets"] for entry in header.values()), len(mapped) - start)
        return {name: _array(mapped, entry, start) for name, entry in header.items() if not name.startswith("_pad")}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise corrupt(path, f"its header cannot be read ({error})") from error


def _no_gaps(offsets: Iterable[list[int]], size: int) -> None:
    at = 0
    for start, stop in sorted(offsets):
        if start != at or stop < start:
            raise ValueError(f"a gap at byte {at}")
        at = stop
    if at != size:
        raise ValueError(f"the arrays end at byte {at} of {size}")


def _array(mapped: memoryview, entry: Mapping[str, Any], start: int) -> NDArray[Any]:
    dtype, shape = np.dtype(_CODES[entry["dtype"]]), tuple(entry["shape"])
    first, last = entry["data_offsets"]
    if prod(shape) * dtype.itemsize != last - first:
        raise ValueError(f"shape {shape} does not fill {last - first} bytes")
    if first == last:
        empty = np.zeros(shape, dtype)
        empty.flags.writeable = False
        return empty
    return np.frombuffer(mapped, dtype, prod(shape), start + first).reshape(shape)
