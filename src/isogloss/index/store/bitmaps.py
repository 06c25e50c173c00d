"""Bitmaps over chunk numbers, as bytes and in memory."""

from __future__ import annotations

import zlib

import numpy as np

from isogloss.arrays import Bitmap
from isogloss.errors import CorruptIndexError


def pack(bitmap: Bitmap) -> bytes:
    """Return a bitmap as compressed bytes; runs of equal flags cost almost nothing."""
    return zlib.compress(np.packbits(bitmap, bitorder="little").tobytes(), 1)


def unpack(data: bytes, length: int) -> Bitmap:
    """Return the bitmap of ``pack``, ``(length,)``."""
    try:
        bits = np.frombuffer(zlib.decompress(data), np.uint8)
    except zlib.error as error:
        raise CorruptIndexError(
            "the catalogue of the index is damaged",
            f"a bitmap cannot be read: {error}",
            "restore the index folder from a backup, or delete it and run isogloss add again",
        ) from error
    return np.unpackbits(bits, count=length, bitorder="little").view(np.bool_)


def stretched(bitmap: Bitmap, length: int) -> Bitmap:
    """Return a copy of exactly ``length`` flags; new ones are off."""
    out = np.zeros(length, np.bool_)
    kept = min(length, len(bitmap))
    out[:kept] = bitmap[:kept]
    return out


def frozen(bitmap: Bitmap) -> Bitmap:
    """Mark a bitmap read-only and return it."""
    bitmap.flags.writeable = False
    return bitmap
