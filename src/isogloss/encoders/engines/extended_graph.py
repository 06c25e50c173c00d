"""The graph of an encoder whose positions were changed: another table, or distances that are counted in groups."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isogloss import protobuf as onnx_bytes
from isogloss.arrays import Dense
from isogloss.encoders.engines.architectures import Architecture
from isogloss.encoders.engines.graph import add_states
from isogloss.encoders.engines.onnx import GraphEngine, open_session
from isogloss.encoders.engines.operators import CONTRIB, FLOAT, IR_VERSION, OPSET, Graph
from isogloss.encoders.engines.rotary import Rotary
from isogloss.encoders.engines.rotary_engine import rotary_multiply_adds
from isogloss.encoders.positions import SelfExtend


@dataclass
class ExtendedGraph(Graph):
    """A graph under construction that puts a table of its own in the place of the stored positions.

    ``table (window, d)`` is looked up where the stored positions would be; None leaves them. It lies in the graph: at
    384 components 2,048 positions are 3 MB.
    """

    table: Dense | None = None

    def gathered(self, table: str, ids: str, output: str) -> str:
        """Look rows of a stored table up, positions in the graph's own one."""
        if self.table is None or ids != "positions":
            return super().gathered(table, ids, output)
        return self.op("Gather", [self.constant("positions/extended", self.table), ids], output)


@dataclass
class SelfExtendGraph(ExtendedGraph):
    """A graph under construction whose attention counts distances in groups beyond a neighbourhood.

    The products of queries and keys of each layer that sees everything are computed once as the model turns them, for
    the neighbours, and once for each far side with the angles of groups; the distance chooses among them. What the
    layers name ``layer.N/products`` is what it replaces; :func:`write_extended` makes sure that all were.
    """

    arch: Architecture | None = None
    how: SelfExtend = field(default_factory=lambda: SelfExtend(1, 1))
    replaced: set[int] = field(default_factory=set)

    def op(self, kind: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        """Add a node; the products of a layer without a window become those of neighbours and groups."""
        layer, _, part = output.removeprefix("layer.").partition("/")
        if kind != "MatMul" or part != "products" or self._rotary.windows[int(layer)]:
            return super().op(kind, inputs, output, **attributes)
        self.replaced.add(int(layer))
        return self._products(int(layer), inputs, output)

    @property
    def _rotary(self) -> Rotary:
        assert self.arch is not None
        assert self.arch.rotary is not None
        return self.arch.rotary

    def _products(self, i: int, inputs: Sequence[str], output: str) -> str:
        """Add near and far products ``(..., L, L)`` and choose by distance; ``distance`` is that of key to query."""
        chosen = super().op("MatMul", inputs, output + "/near")
        edge = self.constant("far/edge", np.array(self.how.near))
        behind = self._once("GreaterOrEqual", ["distance", edge], "far/behind")
        chosen = super().op("Where", [behind, self._far(i, "behind"), chosen], output + "/behind")
        if not self._rotary.causal:
            turned = self._once("Neg", ["distance"], "far/turned")
            ahead = self._once("GreaterOrEqual", [turned, edge], "far/ahead")
            chosen = super().op("Where", [ahead, self._far(i, "ahead"), chosen], output + "/ahead")
        return super().op("Identity", [chosen], output)

    def _far(self, i: int, side: str) -> str:
        """Add the products for keys on one side: whoever stands behind the other carries the shift."""
        query = self._sided(i, "query", side, self.how.shift if side == "behind" else 0)
        key = self._sided(i, "key", side, self.how.shift if side == "ahead" else 0)
        axes = [0, 1, 2, 4, 3] if self._shared else [0, 1, 3, 2]
        turned = super().op("Transpose", [key], key + "/columns", perm=axes)
        return super().op("MatMul", [query, turned], f"layer.{i}/far.{side}")

    @property
    def _shared(self) -> bool:
        assert self.arch is not None
        return self._rotary.key_heads != self.arch.heads

    def _sided(self, i: int, part: str, side: str, shift: int) -> str:
        """Add queries or keys turned by the angle of their group plus ``shift``, in the shape of the products."""
        source, at = f"layer.{i}/{part}/heads", f"layer.{i}/{part}/far.{side}"
        cosines, sines = self._angles(i, shift)
        halves = [f"{at}/first", f"{at}/second"]
        self.nodes.append(onnx_bytes.node("Split", [source], halves, axis=-1, num_outputs=2))
        minus = super().op("Neg", [halves[1]], f"{at}/minus")
        swapped = super().op("Concat", [minus, halves[0]], f"{at}/swapped", axis=-1)
        straight = super().op("Mul", [source, cosines], f"{at}/straight")
        across = super().op("Mul", [swapped, sines], f"{at}/across")
        turned = super().op("Add", [straight, across], f"{at}/turned")
        if not self._shared:
            return turned
        assert self.arch is not None
        sharing = self.arch.heads // self._rotary.key_heads if part == "query" else 1
        shape = self.constant(f"far/shared.{sharing}", np.array([0, self._rotary.key_heads, sharing, -1,
                                                                self._rotary.head_size]))  # fmt: skip
        return super().op("Reshape", [turned, shape], f"{at}/shared")

    def _angles(self, i: int, shift: int) -> tuple[str, str]:
        """Add cosines and sines ``(L, size)`` of groups, once for each kind of turning and shift."""
        turning = self._rotary.turnings[i]
        name = f"far/{sorted(set(self._rotary.turnings), key=repr).index(turning)}.{shift}"
        if name not in self.made:
            self.made.add(name)
            groups = super().op("Div", ["positions", self.constant("far/group", np.array(self.how.group))],
                                name + "/groups")  # fmt: skip
            moved = super().op("Add", [groups, self.constant(f"far/shift.{shift}", np.array(shift))], name + "/moved")
            floats = super().op("Cast", [moved], name + "/floats", to=FLOAT)
            column = super().op("Unsqueeze", [floats, self.constant("axis1", np.array([1]))], name + "/column")
            speeds = np.tile(turning.frequencies(self._rotary.head_size), 2)[None]  # (1, size)
            angles = super().op("Mul", [column, self.constant(name + "/speeds", speeds)], name + "/angles")
            super().op("Cos", [angles], name + "/cosines")
            super().op("Sin", [angles], name + "/sines")
        return name + "/cosines", name + "/sines"

    def _once(self, kind: str, inputs: Sequence[str], output: str) -> str:
        if output not in self.made:
            self.made.add(output)
            super().op(kind, inputs, output)
        return output


def write_extended(
    arch: Architecture, graph: ExtendedGraph, *, states: Sequence[int] = (), maps: Sequence[int] = ()
) -> bytes:
    """Return an ONNX model with the inputs and outputs of :func:`isogloss.encoders.engines.graph.write_graph`.

    Parameters
    ----------
    arch
        Sizes and names; its positions are as many as texts may have tokens.
    graph
        An empty graph, which knows what is to be changed.
    states, maps
        Hidden states and attention maps that are asked for; with neither the last states are the output.
    """
    layers = [*states, *(i + 1 for i in maps)]
    last = add_states(graph, arch, max(layers) if layers else arch.layers, maps=bool(maps))
    if isinstance(graph, SelfExtendGraph) and arch.rotary is not None:
        missing = {i for i in range(max(layers, default=arch.layers)) if not arch.rotary.windows[i]} - graph.replaced
        assert not missing, f"layers {sorted(missing)} kept their distances"
    declared = onnx_bytes.value_info
    outputs: list[tuple[str, list[int | str]]] = [(f"state.{i}", ["T", arch.width]) for i in states]
    outputs += [(f"attention.{i}", ["B", arch.heads, "L", "L"]) for i in maps]
    if not outputs:
        outputs = [(graph.op("Reshape", [last, "batched"], "last"), ["B", "L", arch.width])]
    inputs = [("ids", "int64", ["B", "L"]), ("positions", "int64", ["L"]), ("lengths", "int32", ["B"])]
    inputs += [("buckets", "int64", ["L", "L"])] if arch.buckets else []
    return onnx_bytes.model(
        graph.nodes, [declared(*one) for one in inputs], [declared(name, "float32", shape) for name, shape in outputs],
        list(filter(None, graph.initializers.values())),
        ir_version=IR_VERSION, domains={CONTRIB: 1}, opset=OPSET, name=f"{arch.model_type}, extended",
    )  # fmt: skip


@dataclass
class ChangedEngine(GraphEngine):
    """Our own graph over a model's weights, with other positions.

    Parameters
    ----------
    architecture, weights, precision
        As those of the plain engine; ``architecture`` has the positions of the longer window.
    table
        Rows that are looked up instead of the stored positions, or None.
    how
        How distances are counted, or None: as the model counts them.
    """

    table: Dense | None = None
    how: SelfExtend | None = None

    def _session(self, states: tuple[int, ...], maps: tuple[int, ...]) -> Any:
        key = states, maps
        if key not in self._sessions:
            folder = Path(os.path.commonpath([one.path.parent for one in self.weights.values()]))
            if self.how is None:
                graph = ExtendedGraph(self.weights, folder, table=self.table)
            else:
                graph = SelfExtendGraph(self.weights, folder, arch=self.architecture, how=self.how)
            written = write_extended(self.architecture, graph, states=states, maps=maps)
            self._sessions[key] = open_session(written, folder=folder)
        return self._sessions[key]


@dataclass
class EngineByLength(GraphEngine):
    """Two engines over the same weights: texts that fit the first one's positions run on it, longer ones on the other.

    Parameters
    ----------
    architecture, weights, precision
        Those of the engine for long texts.
    short, long
        The engines; a text's vectors depend on its own length alone, not on its batch.
    """

    short: GraphEngine | None = None
    long: GraphEngine | None = None

    def last(self, ids: NDArray[np.int64], lengths: NDArray[np.int64]) -> Dense:
        """Return the last hidden states, as :meth:`GraphEngine.last`."""
        return self._by_length(ids, lengths, lambda engine, *rows: [engine.last(*rows)], (1,))[0]

    def states(self, ids: NDArray[np.int64], lengths: NDArray[np.int64], layers: Sequence[int]) -> list[Dense]:
        """Return the hidden states of each layer asked for, as :meth:`GraphEngine.states`."""
        return self._by_length(ids, lengths, lambda engine, *rows: engine.states(*rows, layers), (1,))

    def attentions(self, ids: NDArray[np.int64], lengths: NDArray[np.int64], layers: Sequence[int]) -> list[Dense]:
        """Return the attention maps of each layer asked for, as :meth:`GraphEngine.attentions`."""
        return self._by_length(ids, lengths, lambda engine, *rows: engine.attentions(*rows, layers), (2, 3))

    def multiply_adds(self, texts: int, width: int) -> int:
        """Return the multiply-adds of one run; products of far groups are not counted."""
        return rotary_multiply_adds(self.architecture, texts, width)

    def _by_length(
        self, ids: NDArray[np.int64], lengths: NDArray[np.int64], run: Callable[..., list[Dense]], axes: tuple[int, ...]
    ) -> list[Dense]:
        """Run each row on its engine; ``axes`` of what comes back are as long as the batch is wide."""
        assert self.short is not None
        assert self.long is not None
        width, most = ids.shape[1], self.short.architecture.positions
        fits = lengths <= most
        if width <= most or not fits.any():
            return run(self.short if width <= most else self.long, ids, lengths)
        near = run(self.short, ids[fits, :most], lengths[fits])
        if fits.all():
            return [_widened(one, width, axes) for one in near]
        mixed = []
        for one, other in zip(near, run(self.long, ids[~fits], lengths[~fits]), strict=True):
            both = np.zeros((len(ids), *other.shape[1:]), np.float32)
            both[fits], both[~fits] = _widened(one, width, axes), other
            mixed.append(both)
        return mixed


def _widened(found: Dense, width: int, axes: tuple[int, ...]) -> Dense:
    """Return the array with zeros behind, so that ``axes`` are ``width`` long: what was padding stays padding."""
    margins = [(0, width - size if axis in axes else 0) for axis, size in enumerate(found.shape)]
    return np.asarray(np.pad(found, margins), np.float32)
