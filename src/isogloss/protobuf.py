"""ONNX graphs written as protobuf bytes, so that neither ``onnx`` nor ``protobuf`` is needed at run time.

Only what our own graphs use: nodes with plain attributes, tensors inside the file or lying in another one
(weights stay in ``model.safetensors``), typed inputs and outputs with symbolic dimensions. Field numbers are
those of the ONNX schema (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto).
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Attribute: TypeAlias = int | float | str | Sequence[int] | Sequence[float] | Sequence[str]
Dimension: TypeAlias = int | str
"""A number, or the name of a dimension that is known only when the graph runs."""

_TYPES = {
    "float32": 1,
    "uint8": 2,
    "int8": 3,
    "int16": 5,
    "int32": 6,
    "int64": 7,
    "bool": 9,
    "float16": 10,
    "float64": 11,
    "bfloat16": 16,
}


def node(op: str, inputs: Sequence[str], outputs: Sequence[str], *, domain: str = "", **attributes: Attribute) -> bytes:
    """Return one operation of a graph.

    Parameters
    ----------
    op
        Operator, for instance ``"MatMul"``.
    inputs, outputs
        Names of the values it reads and gives; an empty name leaves an optional input out.
    domain
        Operator set, empty for the standard one (``"com.microsoft"`` for ONNX Runtime's own).
    attributes
        Integers, floats, strings and sequences of one of them; booleans count as integers.
    """
    body = b"".join(_text(1, name) for name in inputs) + b"".join(_text(2, name) for name in outputs)
    body += _text(4, op) + b"".join(_block(5, _attribute(name, value)) for name, value in attributes.items())
    return body + (_text(7, domain) if domain else b"")


def initializer(
    name: str,
    values: NDArray[np.generic] | None = None,
    *,
    dtype: str = "",
    shape: Sequence[int] = (),
    location: str = "",
    offset: int = 0,
    length: int = 0,
) -> bytes:
    """Return a constant tensor: ``values`` copied into the graph, or a place in another file.

    Parameters
    ----------
    name
        Name of the value.
    values
        The array, or None for one that lies elsewhere.
    dtype, shape
        Type (as NumPy calls it, or ``"bfloat16"``) and shape of a tensor in another file.
    location
        Path of that file, relative to the graph's folder.
    offset, length
        Where the tensor's little-endian bytes begin, and how many they are.
    """
    if values is not None:
        values = np.asarray(values)
        little = values.astype(values.dtype.newbyteorder("<"), copy=False)
        head = b"".join(_number(1, size) for size in values.shape) + _number(2, _type(values.dtype.name))
        return head + _text(8, name) + _block(9, little.tobytes())
    head = b"".join(_number(1, size) for size in shape) + _number(2, _type(dtype)) + _text(8, name)
    places = {"location": location, "offset": str(offset), "length": str(length)}
    return (
        head + b"".join(_block(13, _text(1, key) + _text(2, place)) for key, place in places.items()) + _number(14, 1)
    )


def value_info(name: str, dtype: str, shape: Sequence[Dimension]) -> bytes:
    """Return the description of an input or output: its name, type and dimensions (numbers or names)."""
    sizes = (_text(2, size) if isinstance(size, str) else _number(1, size) for size in shape)
    tensor = _number(1, _type(dtype)) + _block(2, b"".join(_block(1, size) for size in sizes))
    return _text(1, name) + _block(2, _block(1, tensor))


def model(
    nodes: Sequence[bytes],
    inputs: Sequence[bytes],
    outputs: Sequence[bytes],
    initializers: Sequence[bytes] = (),
    *,
    opset: int = 17,
    domains: dict[str, int] | None = None,
    ir_version: int = 8,
    name: str = "isogloss",
) -> bytes:
    """Return a whole ONNX model, ready for ``InferenceSession``.

    Parameters
    ----------
    nodes, inputs, outputs, initializers
        What ``node``, ``value_info`` (twice) and ``initializer`` gave; nodes in the order of the computation.
    opset
        Version of the standard operators (20 brings ``Gelu``).
    domains
        Versions of further operator sets, for instance ``{"com.microsoft": 1}``.
    ir_version
        Version of the file format; 9 goes with opset 20, 10 with 21.
    name
        Name of the graph.

    Examples
    --------
    >>> double = node("Add", ["x", "x"], ["y"])
    >>> graph = model([double], [value_info("x", "float32", ["n"])], [value_info("y", "float32", ["n"])])
    >>> from onnxruntime import InferenceSession
    >>> InferenceSession(graph).run(None, {"x": np.array([1.5, 2.0], np.float32)})[0].tolist()
    [3.0, 4.0]
    """
    body = b"".join(_block(1, one) for one in nodes) + _text(2, name)
    body += b"".join(_block(5, one) for one in initializers)
    body += b"".join(_block(11, one) for one in inputs) + b"".join(_block(12, one) for one in outputs)
    versions = {"": opset, **(domains or {})}
    sets = b"".join(_block(8, (_text(1, key) if key else b"") + _number(2, number)) for key, number in versions.items())
    return _number(1, ir_version) + _text(2, name) + _block(7, body) + sets


def _varint(number: int) -> bytes:
    number &= (1 << 64) - 1  # negative numbers are written as their two's complement
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


def _number(field: int, number: int) -> bytes:
    return _varint(field << 3) + _varint(int(number))


def _block(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def _text(field: int, text: str) -> bytes:
    return _block(field, text.encode())


def _float(field: int, number: float) -> bytes:
    return _varint(field << 3 | 5) + struct.pack("<f", number)


def _type(dtype: str) -> int:
    if dtype not in _TYPES:
        raise ValueError(f"a graph cannot hold the type {dtype!r}; it can hold {', '.join(_TYPES)}")
    return _TYPES[dtype]


def _attribute(name: str, value: Attribute) -> bytes:
    if isinstance(value, str):
        return _text(1, name) + _text(4, value) + _number(20, 3)
    if isinstance(value, int | np.integer):
        return _text(1, name) + _number(3, int(value)) + _number(20, 2)
    if isinstance(value, float | np.floating):
        return _text(1, name) + _float(2, float(value)) + _number(20, 1)
    items: list[Any] = list(value)
    if items and all(isinstance(item, str) for item in items):
        return _text(1, name) + b"".join(_text(9, str(item)) for item in items) + _number(20, 8)
    if any(isinstance(item, float | np.floating) for item in items):
        return _text(1, name) + b"".join(_float(7, float(item)) for item in items) + _number(20, 6)
    return _text(1, name) + b"".join(_number(8, int(item)) for item in items) + _number(20, 7)
