"""Bitmaps over chunk numbers, as bytes and in memory."""

from __future__ import annotations

import zlib

import numpy as np

from isogloss.arrays import Bitmap


def pack(bitmap: Bitmap) -> bytes:
    """Return a bitmap as compressed bytes; runs of equal flags cost almost nothing."""
    return zlib.compress(np.packbits(bitmap, bitorder="little").tobytes(), 1)


def unpack(data: bytes, length: int) -> Bitmap:
    """Return the bitmap of ``pack``, ``(length,)``."""
    bits = np.frombuffer(zlib.decompress(data), np.uint8)
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
