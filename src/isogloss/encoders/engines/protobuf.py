"""ONNX models as protocol-buffer bytes, written by hand: no ``onnx`` package, weights left in their own file.

The field numbers are those of ``onnx.proto`` (ONNX, IR version 8 and later: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto);
the wire format is protocol buffers' (https://protobuf.dev/programming-guides/encoding/).
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

IR_VERSION = 8
OPSET = 20
CONTRIB = "com.microsoft"

FLOAT, INT32, INT64, FLOAT16, BFLOAT16 = 1, 6, 7, 10, 16
"""Element types of ``TensorProto``."""

_NUMPY_TYPES = {np.dtype(np.float32): FLOAT, np.dtype(np.int32): INT32, np.dtype(np.int64): INT64}


def varint(number: int) -> bytes:
    """Return ``number`` in base 128, lowest digits first; negative numbers as 64-bit two's complement.

    Examples
    --------
    >>> varint(150).hex()
    '9601'
    """
    number &= (1 << 64) - 1
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


def field(number: int, value: int | float | str | bytes) -> bytes:
    """Return one field: integers as varint, floats as 32 bits, strings and messages with their length in front."""
    if isinstance(value, (int, np.integer)):
        return varint(number << 3) + varint(int(value))
    if isinstance(value, float):
        return varint(number << 3 | 5) + struct.pack("<f", value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def attribute(name: str, value: int | float | str | Sequence[int]) -> bytes:
    """Return an ``AttributeProto`` of a type that follows from ``value``."""
    if isinstance(value, str):
        body = field(4, value) + field(20, 3)
    elif isinstance(value, int):
        body = field(3, value) + field(20, 2)
    elif isinstance(value, float):
        body = field(2, value) + field(20, 1)
    else:
        body = b"".join(field(8, int(item)) for item in value) + field(20, 7)
    return field(1, name) + body


def node(op: str, inputs: Sequence[str], outputs: Sequence[str], *, domain: str = "", **attributes: Any) -> bytes:
    """Return a ``NodeProto``; an empty input name stands for an optional input that is not given."""
    parts = [field(1, name) for name in inputs] + [field(2, name) for name in outputs]
    parts += [field(3, outputs[0]), field(4, op)]
    parts += [field(5, attribute(name, value)) for name, value in attributes.items()]
    if domain:
        parts.append(field(7, domain))
    return b"".join(parts)


def tensor(name: str, array: NDArray[Any]) -> bytes:
    """Return a ``TensorProto`` that holds the values of a float32, int32 or int64 array."""
    array = np.asarray(array)
    dims = b"".join(field(1, size) for size in array.shape)
    raw = np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<"), copy=False).tobytes()
    return dims + field(2, _NUMPY_TYPES[array.dtype]) + field(8, name) + field(9, raw)


def external_tensor(name: str, element: int, dims: Sequence[int], location: str, offset: int, length: int) -> bytes:
    """Return a ``TensorProto`` whose bytes lie in file ``location`` (relative to the model's folder)."""
    entries = (("location", location), ("offset", str(offset)), ("length", str(length)))
    pairs = b"".join(field(13, field(1, key) + field(2, value)) for key, value in entries)
    return b"".join(field(1, size) for size in dims) + field(2, element) + field(8, name) + pairs + field(14, 1)


def value_info(name: str, element: int, dims: Sequence[int | str]) -> bytes:
    """Return a ``ValueInfoProto``; string dimensions are free."""
    shape = b"".join(field(1, field(2 if isinstance(size, str) else 1, size)) for size in dims)
    return field(1, name) + field(2, field(1, field(1, element) + field(2, shape)))


def model(
    *,
    nodes: Sequence[bytes],
    initializers: Sequence[bytes],
    inputs: Sequence[bytes],
    outputs: Sequence[bytes],
    name: str,
    opsets: Mapping[str, int],
) -> bytes:
    """Return a ``ModelProto`` with one graph."""
    parts = [field(1, item) for item in nodes] + [field(2, name)]
    parts += [field(5, item) for item in initializers]
    parts += [field(11, item) for item in inputs] + [field(12, item) for item in outputs]
    imports = b"".join(field(8, field(1, domain) + field(2, version)) for domain, version in opsets.items())
    return field(1, IR_VERSION) + field(2, "isogloss") + field(7, b"".join(parts)) + imports
