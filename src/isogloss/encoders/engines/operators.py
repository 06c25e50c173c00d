"""A graph under construction: ONNX operators over weights that stay in their own files."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isogloss import protobuf as onnx_bytes
from isogloss.encoders.engines.weights import TensorPlace
from isogloss.errors import UnsupportedModelError

CONTRIB = "com.microsoft"
IR_VERSION, OPSET = 8, 20
FLOAT, INT64 = 1, 7  # element types as the attribute of a Cast names them
_TYPES = {"F32": "float32", "F16": "float16", "BF16": "bfloat16"}


@dataclass
class Graph:
    """A graph under construction: serialised nodes and initializers, and the weights that it may name.

    ``plain`` keeps to the standard's operators, which every engine reads; else ONNX Runtime's fused ones are used.
    ``inline`` copies the weights into the graph as float32. ``rounded`` computes linear
    layers in 8-bit integers: weights by row, inputs by batch (dynamic quantisation).
    """

    weights: Mapping[str, TensorPlace]
    folder: Path
    plain: bool = False
    inline: bool = False
    rounded: bool = False
    nodes: list[bytes] = field(default_factory=list)
    initializers: dict[str, bytes] = field(default_factory=dict)
    made: set[str] = field(default_factory=set)

    def op(self, kind: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        """Add a node with one output; return the output's name."""
        self.nodes.append(onnx_bytes.node(kind, inputs, [output], **attributes))
        return output

    def constant(self, name: str, array: NDArray[Any]) -> str:
        """Add a small constant once; return its name."""
        self.initializers.setdefault(name, onnx_bytes.initializer(name, array))
        return name

    def stored(self, name: str, *, rows: int | None = None) -> str:
        """Name a stored tensor as it is (``rows=1``: its first row, as a vector)."""
        place = self.weights[name]
        if self.inline:
            return self.constant(name, place.read()[0] if rows else place.read())
        if place.dtype not in _TYPES:
            raise UnsupportedModelError(
                f"weights of type {place.dtype} are not supported",
                f"{name} has it",
                "store the weights as F32, F16 or BF16",
            )
        shape, length = (place.shape[1:], place.length // place.shape[0]) if rows else (place.shape, place.length)
        where = os.path.relpath(place.path, self.folder)
        self.initializers.setdefault(
            name,
            onnx_bytes.initializer(
                name, dtype=_TYPES[place.dtype], shape=shape, location=where, offset=place.offset, length=length
            ),
        )
        return name

    def float32(self, name: str, *, rows: int | None = None) -> str:
        """Name a stored tensor as float32; a cast of a constant is folded when the session is made."""
        self.stored(name, rows=rows)
        if self.inline or self.weights[name].dtype == "F32":
            return name
        cast = name + "/float32"
        if cast not in self.initializers:
            self.initializers[cast] = b""
            self.op("Cast", [name], cast, to=FLOAT)
        return cast

    def gathered(self, table: str, ids: str, output: str) -> str:
        """Look rows of a stored table up; half-precision rows are widened after the look-up, never the table."""
        self.stored(table)
        if self.inline or self.weights[table].dtype == "F32":
            return self.op("Gather", [table, ids], output)
        return self.op("Cast", [self.op("Gather", [table, ids], output + "/half")], output, to=FLOAT)

    def linear(self, x: str, name: str, output: str, *, bias: bool = True) -> str:
        """Add ``x W^T (+ b)`` on rows; W is (out, in) as stored."""
        if self.rounded:
            return self._rounded_linear(x, name, output, bias)
        inputs = [x, self.float32(name + ".weight")] + ([self.float32(name + ".bias")] if bias else [])
        return self.op("Gemm", inputs, output, transB=1)

    def _rounded_linear(self, x: str, name: str, output: str, bias: bool) -> str:
        """Add a linear layer whose weights are rounded to -127 .. 127, each output's row by its own largest value."""
        weight = self.weights[name + ".weight"].read()  # (out, in)
        scale = np.maximum(np.abs(weight).max(1), np.finfo(np.float32).tiny) / 127
        whole = np.rint(weight / scale[:, None]).astype(np.int8).T  # (in, out)
        inputs = [
            x, self.constant(name + "/int8", np.ascontiguousarray(whole)),
            self.constant(name + "/scale", scale.astype(np.float32)), "",
        ]  # fmt: skip
        inputs += [self.float32(name + ".bias")] if bias else []
        while not inputs[-1]:
            inputs.pop()
        return self.op("DynamicQuantizeMatMul", inputs, output, domain=CONTRIB)

    def norm(self, x: str, name: str, output: str, epsilon: float) -> str:
        """Add a layer norm over the last axis."""
        inputs = [x, self.float32(name + ".weight"), self.float32(name + ".bias")]
        return self.op("LayerNormalization", inputs, output, axis=-1, epsilon=epsilon)

    def residual_norm(self, x: str, skip: str, name: str, output: str, epsilon: float) -> str:
        """Add the layer norm of ``x + skip``, fused where that is allowed."""
        if self.plain:
            return self.norm(self.op("Add", [x, skip], output + "/sum"), name, output, epsilon)
        inputs = [x, skip, self.float32(name + ".weight"), self.float32(name + ".bias")]
        return self.op("SkipLayerNormalization", inputs, output, domain=CONTRIB, epsilon=epsilon)

    def activation(self, kind: str, x: str, output: str) -> str:
        """Add one of the activation functions of :class:`Architecture`."""
        if kind == "relu":
            return self.op("Relu", [x], output)
        if kind == "silu":
            return self.op("Mul", [x, self.op("Sigmoid", [x], output + "/gate")], output)
        return self.op("Gelu", [x], output, approximate="tanh" if kind == "gelu_tanh" else "none")
