"""The forward pass of a model of one of the further shapes as an ONNX graph, and the engine that runs it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from isogloss import protobuf as onnx_bytes
from isogloss.encoders.engines.architectures import Architecture
from isogloss.encoders.engines.graph import encoder_layers, write_graph
from isogloss.encoders.engines.onnx import GraphEngine, open_session
from isogloss.encoders.engines.operators import CONTRIB, IR_VERSION, OPSET, Graph
from isogloss.encoders.engines.precision import Precision
from isogloss.encoders.engines.relative import Bucketed, Disentangled
from isogloss.encoders.engines.relative_graph import bucketed_states, disentangled_states, summed_embeddings
from isogloss.encoders.engines.rotary_engine import RotaryEngine
from isogloss.encoders.engines.shapes import Shape
from isogloss.encoders.engines.weights import TensorPlace


def write_shape_graph(
    graph: Graph, shape: Shape, *, states: Sequence[int] = (), maps: Sequence[int] = (), masked: bool = True
) -> bytes:
    """Return an ONNX model of the encoder as bytes, with the inputs and outputs of ``write_graph``.

    Parameters
    ----------
    graph
        An empty graph: it knows the weights, and how they are stored.
    shape
        Sizes and names.
    states, maps, masked
        As those of :func:`isogloss.encoders.engines.graph.write_graph`.
    """
    graph.op("Shape", ["ids"], "sizes")
    graph.op("Shape", ["ids"], "width", start=1, end=2)
    graph.op("Concat", ["sizes", graph.constant("depth", np.array([shape.width]))], "batched", axis=0)
    depth = max([*states, *(i + 1 for i in maps)], default=shape.layers)
    last = _states(graph, shape, depth, masked, bool(maps))
    found: dict[str, list[int | str]] = {f"state.{i}": ["T", shape.width] for i in states}
    found |= {f"attention.{i}": ["B", shape.heads, "L", "L"] for i in maps}
    if not found:
        found[graph.op("Reshape", [last, "batched"], "last")] = ["B", "L", shape.width]
    inputs = {"ids": ("int64", ["B", "L"]), "positions": ("int64", ["L"]), "lengths": ("int32", ["B"])}
    return onnx_bytes.model(
        graph.nodes,
        [onnx_bytes.value_info(name, *kind) for name, kind in inputs.items() if masked or name != "lengths"],
        [onnx_bytes.value_info(name, "float32", sizes) for name, sizes in found.items()],
        [item for item in graph.initializers.values() if item], opset=OPSET,
        domains={} if graph.plain else {CONTRIB: 1}, ir_version=IR_VERSION, name=shape.model_type,
    )  # fmt: skip


def _states(graph: Graph, shape: Shape, depth: int, masked: bool, maps: bool) -> str:
    if isinstance(shape.relative, Disentangled):
        return disentangled_states(graph, shape, shape.relative, depth, masked, maps)
    if isinstance(shape.relative, Bucketed):
        return bucketed_states(graph, shape, shape.relative, depth, masked, maps)
    summed = summed_embeddings(graph, shape)
    x = graph.norm(
        summed, shape.names.embedding_norm, "embedded/normed" if shape.widening else "state.0", shape.epsilon
    )
    x = graph.linear(x, shape.widening, "state.0") if shape.widening else x
    graph.constant("flat", np.array([-1, shape.width]))
    return encoder_layers(graph, shape, x, depth, masked, maps)


def inlined_graph(arch: Architecture, weights: Mapping[str, TensorPlace], folder: Path) -> bytes:
    """Return the graph of any shape with its weights inside and in the standard's operators alone."""
    if isinstance(arch, Shape):
        return write_shape_graph(Graph(weights, folder, plain=True, inline=True), arch)
    return write_graph(arch, weights, folder, plain=True, inline=True)


@dataclass
class ShapeEngine(GraphEngine):
    """Our own graph over the weights of a model of one of the further shapes."""

    def _session(self, states: tuple[int, ...], maps: tuple[int, ...]) -> Any:
        shape = self.architecture
        if (states, maps) not in self._sessions and isinstance(shape, Shape):
            folder = Path(os.path.commonpath([place.path.parent for place in self.weights.values()]))
            graph = Graph(self.weights, folder, rounded=self.precision == "int8")
            self._sessions[states, maps] = open_session(
                write_shape_graph(graph, shape, states=states, maps=maps), folder=folder
            )
        return self._sessions[states, maps]

    def multiply_adds(self, texts: int, width: int) -> int:
        """Return the multiply-adds of one run on ``texts`` rows of ``width`` tokens."""
        shape = self.architecture
        return shape.multiply_adds(texts, width) if isinstance(shape, Shape) else super().multiply_adds(texts, width)


def graph_engine(arch: Architecture, weights: Mapping[str, TensorPlace], precision: Precision = "fp32") -> GraphEngine:
    """Return the engine of our own graph, whatever the shape."""
    if isinstance(arch, Shape):
        return ShapeEngine(arch, weights, precision)
    return (GraphEngine if arch.rotary is None else RotaryEngine)(arch, weights, precision)
