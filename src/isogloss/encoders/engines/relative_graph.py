"""The forward passes of DeBERTa-v2 and of T5's encoders in ONNX operators: attention that knows distances."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from isogloss.encoders.engines.graph import padding_mask
from isogloss.encoders.engines.operators import CONTRIB, FLOAT, Graph
from isogloss.encoders.engines.relative import Bucketed, Convolution, Disentangled
from isogloss.encoders.engines.shapes import (
    CONVOLUTION,
    CONVOLUTION_NORM,
    DISTANCE_KEY,
    DISTANCE_NORM,
    DISTANCE_QUERY,
    Shape,
)  # fmt: skip


def summed_embeddings(graph: Graph, shape: Shape) -> str:
    """Add the sum of a token's embeddings on flat rows ``(T, e)``."""
    names = shape.names
    x = graph.gathered(names.word + ".weight", "ids", "word")
    if names.position:
        x = graph.op("Add", [x, graph.gathered(names.position + ".weight", "positions", "position")], "word/placed")
    if shape.types:
        x = graph.op("Add", [x, graph.float32(names.token_type + ".weight", rows=1)], "word/typed")
    return graph.op("Reshape", [x, graph.constant("narrow", np.array([-1, shape.embedded]))], "embedded")


def disentangled_states(
    graph: Graph, shape: Shape, relative: Disentangled, depth: int, masked: bool, maps: bool
) -> str:
    """Add embeddings and ``depth`` layers of a DeBERTa on flat rows; return the name of the last output."""
    if masked and (maps or graph.plain or relative.convolution):
        padding_mask(graph)
    x = summed_embeddings(graph, shape)
    x = graph.linear(x, shape.widening, "embedded/wide", bias=False) if shape.widening else x
    first = graph.norm(x, shape.names.embedding_norm, "state.0", shape.epsilon)
    if relative.content or relative.position:
        _distances(graph, relative.rows(), keys_first=False)
        _square(graph, shape.heads)
        table = graph.float32(shape.names.relative + ".weight")
        if relative.normed:
            graph.norm(table, DISTANCE_NORM, "distances", shape.epsilon)
        else:
            graph.op("Identity", [table], "distances")
    x = first
    for i in range(depth):
        convolved = relative.convolution if i == 0 else None
        output = "layer.0/before" if convolved else f"state.{i + 1}"
        x = _disentangled_layer(graph, shape, relative, i, x, masked, maps, output)
        if convolved:
            x = _convolved(graph, shape, convolved, first, x, masked)
    return x


def _disentangled_layer(
    graph: Graph, shape: Shape, relative: Disentangled, i: int, x: str, masked: bool, maps: bool, output: str
) -> str:
    names, at = shape.names, f"layer.{i}/"
    parts = [
        graph.linear(x, name.format(i=i), at + part)
        for name, part in ((names.query, "query"), (names.key, "key"), (names.value, "value"))
    ]
    size = shape.width // shape.heads
    scale = (size * relative.factor) ** -0.5
    bias = _disentangled_bias(graph, shape, relative, i, parts, scale)
    mixed = _attention(graph, shape.heads, size, scale, i, parts, bias, masked, maps)
    seen = graph.linear(mixed, names.attention_out.format(i=i), at + "seen")
    middle = graph.residual_norm(seen, x, names.attention_norm.format(i=i), at + "middle", shape.epsilon)
    wide = graph.activation(shape.activation, graph.linear(middle, names.up.format(i=i), at + "wide"), at + "active")
    narrow = graph.linear(wide, names.down.format(i=i), at + "narrow")
    return graph.residual_norm(narrow, middle, names.out_norm.format(i=i), output, shape.epsilon)


def _disentangled_bias(
    graph: Graph, shape: Shape, relative: Disentangled, i: int, parts: Sequence[str], scale: float
) -> str:
    """Add what distances add to the scaled scores ``(B, heads, L, L)``; empty where they add nothing."""
    at, names = f"layer.{i}/distances/", shape.names
    through = (names.key, names.query) if relative.shared else (DISTANCE_KEY, DISTANCE_QUERY)
    found = []
    for wanted, layer, part, kind in (
        (relative.content, through[0], parts[0], "key"), (relative.position, through[1], parts[1], "query")
    ):  # fmt: skip
        if not wanted:
            continue
        # weights alone: computed once, when the graph is loaded
        rows = _whole_linear(graph, layer.format(i=i), at + kind)
        columns = _heads(graph, rows, shape.heads, shape.width // shape.heads, [1, 2, 0], flat=True)  # (h, s, 2 span)
        tokens = _heads(graph, part, shape.heads, shape.width // shape.heads, [0, 2, 1, 3])  # (B, h, L, s)
        products = graph.op("MatMul", [tokens, columns], at + kind + "/products")  # (B, h, L, 2 span)
        index = graph.op("Expand", ["rows" if kind == "key" else "rows/turned", "square"], at + kind + "/index")
        near = graph.op("GatherElements", [products, index], at + kind + "/near", axis=-1)  # (B, h, L, L)
        found.append(near if kind == "key" else graph.op("Transpose", [near], near + "/turned", perm=[0, 1, 3, 2]))
    if not found:
        return ""
    total = found[0] if len(found) == 1 else graph.op("Add", found, at + "total")
    return graph.op("Mul", [total, graph.constant("scale", np.array(scale, np.float32))], at + "bias")


def _whole_linear(graph: Graph, name: str, output: str) -> str:
    """Add the layer ``name`` on the table of distances in float32, also where other layers are rounded."""
    return graph.op(
        "Gemm", ["distances", graph.float32(name + ".weight"), graph.float32(name + ".bias")], output, transB=1
    )


def _convolved(graph: Graph, shape: Shape, more: Convolution, first: str, x: str, masked: bool) -> str:
    """Add the convolution over the embeddings to the first layer's output."""
    deep = graph.op("Reshape", [first, "batched"], "convolution/deep")
    if masked:
        flat = graph.op("Squeeze", ["real", graph.constant("axes12", np.array([1, 2]))], "convolution/real")
        column = graph.op("Unsqueeze", [flat, graph.constant("axis.last", np.array([-1]))], "convolution/column")
        deep = graph.op(
            "Mul", [deep, graph.op("Cast", [column], "convolution/ones", to=FLOAT)], "convolution/kept"
        )  # padding is zero, as a text's surroundings are
    turned = graph.op("Transpose", [deep], "convolution/turned", perm=[0, 2, 1])  # (B, d, L)
    inputs = [turned, graph.float32(CONVOLUTION + ".weight"), graph.float32(CONVOLUTION + ".bias")]
    sides = [(more.kernel - 1) // 2] * 2
    found = graph.op("Conv", inputs, "convolution/found", group=more.groups, kernel_shape=[more.kernel], pads=sides)
    back = graph.op("Transpose", [found], "convolution/back", perm=[0, 2, 1])
    back = graph.op("Reshape", [back, graph.constant("flat", np.array([-1, shape.width]))], "convolution/flat")
    if more.activation == "tanh":
        active = graph.op("Tanh", [back], "convolution/active")
    else:
        active = graph.activation(more.activation, back, "convolution/active")
    return graph.residual_norm(active, x, CONVOLUTION_NORM, "state.1", shape.epsilon)


def bucketed_states(graph: Graph, shape: Shape, relative: Bucketed, depth: int, masked: bool, maps: bool) -> str:
    """Add embeddings and ``depth`` layers of a T5 encoder on flat rows; return the name of the last output.

    The output of the model's last layer is normed, as the model gives it away.
    """
    if masked and (maps or graph.plain):
        padding_mask(graph)
    x = graph.op("Identity", [summed_embeddings(graph, shape)], "state.0")
    _distances(graph, relative.rows(), keys_first=True)
    for i in range(depth):
        last = i + 1 == shape.layers
        x = _bucketed_layer(graph, shape, relative, i, x, masked, maps, f"layer.{i}/sum" if last else f"state.{i + 1}")
        if last:
            x = _root_norm(graph, shape, x, shape.names.last_norm, f"state.{i + 1}")
    return x


def _bucketed_layer(
    graph: Graph, shape: Shape, relative: Bucketed, i: int, x: str, masked: bool, maps: bool, output: str
) -> str:
    names, at = shape.names, f"layer.{i}/"
    normed = _root_norm(graph, shape, x, names.attention_norm.format(i=i), at + "normed")
    parts = [
        graph.linear(normed, name.format(i=i), at + part, bias=False)
        for name, part in ((names.query, "query"), (names.key, "key"), (names.value, "value"))
    ]
    bias = _bucketed_bias(graph, names.relative.format(i=i if relative.each else 0))
    mixed = _attention(graph, shape.heads, relative.head_size, 1.0, i, parts, bias, masked, maps)
    seen = graph.linear(mixed, names.attention_out.format(i=i), at + "seen", bias=False)
    middle = graph.op("Add", [x, seen], at + "middle")
    rows = _root_norm(graph, shape, middle, names.out_norm.format(i=i), at + "rows")
    wide = graph.linear(rows, names.up.format(i=i), at + "wide", bias=False)
    if relative.gated:
        gate = graph.linear(rows, names.gate.format(i=i), at + "gate", bias=False)
        wide = graph.op("Mul", [graph.activation(shape.activation, gate, at + "active"), wide], at + "gated")
    else:
        wide = graph.activation(shape.activation, wide, at + "active")
    narrow = graph.linear(wide, names.down.format(i=i), at + "narrow", bias=False)
    return graph.op("Add", [middle, narrow], output)


def _bucketed_bias(graph: Graph, table: str) -> str:
    """Add a table's bias ``(1, heads, L, L)`` once."""
    name = table + "/bias"
    if name not in graph.made:
        graph.made.add(name)
        looked_up = graph.gathered(table + ".weight", "rows", table + "/found")  # (L, L, heads)
        turned = graph.op("Transpose", [looked_up], table + "/turned", perm=[2, 0, 1])
        graph.op("Unsqueeze", [turned, graph.constant("axis0", np.array([0]))], name)
    return name


def _root_norm(graph: Graph, shape: Shape, x: str, name: str, output: str) -> str:
    """Add a norm by the root mean square alone (https://arxiv.org/abs/1910.07467)."""
    square = graph.op("Pow", [x, graph.constant("two", np.array(2, np.float32))], output + "/square")
    mean = graph.op("ReduceMean", [square, graph.constant("axis.last", np.array([-1]))], output + "/mean", keepdims=1)
    safe = graph.op("Add", [mean, graph.constant("epsilon", np.array(shape.epsilon, np.float32))], output + "/safe")
    scaled = graph.op("Div", [x, graph.op("Sqrt", [safe], output + "/root")], output + "/scaled")
    return graph.op("Mul", [scaled, graph.float32(name + ".weight")], output)


def _distances(graph: Graph, rows: np.ndarray, *, keys_first: bool) -> None:
    """Add ``rows (L, L)``: for each query and key the table's row of their distance, and ``rows/turned``."""
    column = graph.op("Unsqueeze", ["positions", graph.constant("axis1", np.array([1]))], "positions/column")
    pair = ["positions", column] if keys_first else [column, "positions"]
    far = len(rows) // 2
    apart = graph.op("Sub", pair, "distance")
    low, high = (graph.constant(f"far/{sign}", np.array(sign * far)) for sign in (-1, 1))
    place = graph.op("Add", [graph.op("Clip", [apart, low, high], "distance/clipped"), high], "distance/place")
    graph.op("Gather", [graph.constant("distance/rows", rows), place], "rows")
    if not keys_first:
        graph.op("Transpose", ["rows"], "rows/turned", perm=[1, 0])


def _square(graph: Graph, heads: int) -> None:
    """Add ``square``: the shape of attention maps."""
    first = graph.op("Shape", ["ids"], "sizes/first", start=0, end=1)
    graph.op("Concat", [first, graph.constant("heads", np.array([heads])), "width", "width"], "square", axis=0)


def _heads(graph: Graph, x: str, heads: int, size: int, order: Sequence[int], *, flat: bool = False) -> str:
    """Bring flat rows into heads, once for each order of axes: batch (not where ``flat``), row, head, component."""
    output = f"{x}/heads.{''.join(map(str, order))}"
    if output not in graph.made:
        graph.made.add(output)
        own = graph.constant("head.flat" if flat else "head", np.array([-1, heads, size] if flat else [heads, size]))
        shape = own if flat else graph.op("Concat", ["sizes", own], output + "/shape", axis=0)
        graph.op("Transpose", [graph.op("Reshape", [x, shape], output + "/deep")], output, perm=list(order))
    return output


def _attention(
    graph: Graph, heads: int, size: int, scale: float, i: int, parts: Sequence[str], bias: str, masked: bool, maps: bool
) -> str:
    """Add attention of flat queries, keys and values with a bias; fused where no map is an output."""
    at = f"layer.{i}/"
    flat = graph.constant("across", np.array([-1, heads * size]))
    if not maps and not graph.plain:
        across = graph.constant("across.deep", np.array([heads * size]))
        deep = [
            graph.op("Reshape", [part, graph.op("Concat", ["sizes", across], part + "/wanted", axis=0)], part + "/deep")
            for part in parts
        ]
        inputs = [*deep, "", "lengths" if masked else "", bias]
        while not inputs[-1]:
            inputs.pop()
        mixed = graph.op("MultiHeadAttention", inputs, at + "mixed", domain=CONTRIB, num_heads=heads, scale=scale)
        return graph.op("Reshape", [mixed, flat], at + "mixed/flat")
    query, value = (_heads(graph, part, heads, size, [0, 2, 1, 3]) for part in (parts[0], parts[2]))
    scores = graph.op("MatMul", [query, _heads(graph, parts[1], heads, size, [0, 2, 3, 1])], at + "products")
    if scale != 1:
        scores = graph.op("Mul", [scores, graph.constant("scale", np.array(scale, np.float32))], at + "scores")
    for addend in [name for name in (bias, "mask" if masked else "") if name]:
        scores = graph.op("Add", [scores, addend], f"{at}scores+{addend.rpartition('/')[2]}")
    weights = graph.op("Softmax", [scores], f"attention.{i}", axis=-1)
    mixed = graph.op("MatMul", [weights, value], at + "mixed")
    return graph.op(
        "Reshape", [graph.op("Transpose", [mixed], at + "back", perm=[0, 2, 1, 3]), flat], at + "mixed/flat"
    )
