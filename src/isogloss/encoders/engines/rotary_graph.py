"""The forward pass of pre-norm transformers with rotary positions, in plain ONNX operators."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from isogloss import protobuf as onnx_bytes
from isogloss.encoders.engines.architectures import Architecture
from isogloss.encoders.engines.operators import FLOAT, INT64, Graph
from isogloss.encoders.engines.rotary import Rotary, Turning


def rotary_states(graph: Graph, arch: Architecture, rotary: Rotary, depth: int, masked: bool) -> str:
    """Add the embeddings and ``depth`` layers on flat rows ``(B * L, d)``; return the name of the last output.

    The graph has the values ``sizes`` and ``width`` (the shape of ``ids`` and its length) already. The states are
    named ``state.N``, the attention maps ``attention.N``; the output of the model's last layer is normed, as the
    model gives it away.
    """
    names = arch.names
    word = graph.gathered(names.word + ".weight", "ids", "word")
    x = graph.op("Reshape", [word, graph.constant("flat", np.array([-1, arch.width]))], "embedded")
    x = _norm(graph, arch, rotary, x, names.embedding_norm, "state.0") if names.embedding_norm else x
    if not names.embedding_norm:
        x = graph.op("Identity", [x], "state.0")
    _open_places(graph, masked)
    for i in range(depth):
        last = i + 1 == arch.layers
        x = _layer(graph, arch, rotary, i, x, masked, f"layer.{i}/sum" if last else f"state.{i + 1}")
        if last:
            x = _norm(graph, arch, rotary, x, names.last_norm, f"state.{i + 1}")
    return x


def _norm(graph: Graph, arch: Architecture, rotary: Rotary, x: str, name: str, output: str) -> str:
    """Add a norm over the last axis: a layer norm, or one by the root mean square alone."""
    weight = graph.float32(name + ".weight")
    if rotary.centred:
        inputs = [x, weight] + ([graph.float32(name + ".bias")] if "norm" in rotary.biases else [])
        return graph.op("LayerNormalization", inputs, output, axis=-1, epsilon=arch.epsilon)
    square = graph.op("Mul", [x, x], output + "/square")
    axis = graph.constant("axis.last", np.array([-1]))
    mean = graph.op("ReduceMean", [square, axis], output + "/mean", keepdims=1)
    safe = graph.op("Add", [mean, graph.constant("epsilon", np.array(arch.epsilon, np.float32))], output + "/safe")
    scaled = graph.op("Div", [x, graph.op("Sqrt", [safe], output + "/root")], output + "/scaled")
    return graph.op("Mul", [scaled, weight], output)


def _halves(graph: Graph, x: str) -> tuple[str, str]:
    """Cut the last axis in two halves."""
    first, second = x + "/first", x + "/second"
    graph.nodes.append(onnx_bytes.node("Split", [x], [first, second], axis=-1, num_outputs=2))
    return first, second


def _open_places(graph: Graph, masked: bool) -> None:
    """Add what masks are made of: ``distance (L, L)`` from key to query, ``real (B, 1, 1, L)`` where not padding."""
    graph.op("Shape", ["ids"], "sizes/first", start=0, end=1)
    zero, one = graph.constant("zero", np.array(0)), graph.constant("one", np.array(1))
    graph.op("Range", [zero, graph.op("Squeeze", ["width"], "width/scalar"), one], "columns")
    rows = graph.op("Unsqueeze", ["columns", graph.constant("axis1", np.array([1]))], "rows")
    graph.op("Sub", [rows, "columns"], "distance")
    if masked:
        long = graph.op("Cast", ["lengths"], "lengths/long", to=INT64)
        column = graph.op("Unsqueeze", [long, graph.constant("axes", np.array([1, 2, 3]))], "lengths/deep")
        graph.op("Less", ["columns", column], "real")


def _mask(graph: Graph, rotary: Rotary, window: int, masked: bool) -> str:
    """Add an additive mask once: 0 where a query sees a key, the lowest float elsewhere; empty where all is seen."""
    name = f"mask.{window}"
    if name in graph.made:
        return name
    seen = ["real"] if masked else []
    if rotary.causal:
        seen.append(graph.op("GreaterOrEqual", ["distance", graph.constant("zero", np.array(0))], name + "/before"))
    if window:
        far = graph.constant(name + "/window", np.array(window))
        apart = "distance" if rotary.causal else graph.op("Abs", ["distance"], name + "/apart")
        seen.append(graph.op("Less" if rotary.causal else "LessOrEqual", [apart, far], name + "/near"))
    if not seen:
        return ""
    whole = seen[0]
    for number, part in enumerate(seen[1:]):
        whole = graph.op("And", [whole, part], f"{name}/seen{number}")
    low = graph.constant("low", np.array(np.finfo(np.float32).min, np.float32))
    flat = graph.op("Where", [whole, graph.constant("nought", np.array(0, np.float32)), low], name + "/flat")
    if not masked:
        flat = graph.op("Unsqueeze", [flat, graph.constant("axes01", np.array([0, 1]))], name + "/deep")
    graph.made.add(name)
    return graph.op("Identity", [flat], name)


def _turns(graph: Graph, rotary: Rotary, turning: Turning) -> tuple[str, str]:
    """Add cosines and sines ``(L, size)`` once; the sines of the first half are negative."""
    name = f"turn.{turning.theta:g}"
    if name not in graph.made:
        graph.made.add(name)
        floats = graph.op("Cast", ["positions"], name + "/positions", to=FLOAT)
        column = graph.op("Unsqueeze", [floats, graph.constant("axis1", np.array([1]))], name + "/column")
        speeds = graph.constant(name + "/speeds", turning.frequencies(rotary.head_size)[None])
        angles = graph.op("Mul", [column, speeds], name + "/angles")
        cosine, sine = graph.op("Cos", [angles], name + "/cos"), graph.op("Sin", [angles], name + "/sin")
        graph.op("Concat", [cosine, cosine], name + "/cosines", axis=-1)
        graph.op("Concat", [graph.op("Neg", [sine], name + "/minus"), sine], name + "/sines", axis=-1)
    return name + "/cosines", name + "/sines"


def _turned(graph: Graph, x: str, turns: tuple[str, str]) -> str:
    """Turn pairs of components (one of each half) by the angle of their position."""
    first, second = _halves(graph, x)
    swapped = graph.op("Concat", [second, first], x + "/swapped", axis=-1)
    straight = graph.op("Mul", [x, turns[0]], x + "/straight")
    return graph.op("Add", [straight, graph.op("Mul", [swapped, turns[1]], x + "/across")], x + "/turned")


def _parts(graph: Graph, arch: Architecture, rotary: Rotary, i: int, x: str) -> list[str]:
    """Add queries, keys and values as flat rows."""
    names, at, bias = arch.names, f"layer.{i}/", "attention" in rotary.biases
    if not rotary.joined:
        return [
            graph.linear(x, name.format(i=i), at + part, bias=bias)
            for name, part in ((names.query, "query"), (names.key, "key"), (names.value, "value"))
        ]
    joined = graph.linear(x, names.query.format(i=i), at + "joined", bias=bias)
    outputs = [at + "query", at + "key", at + "value"]
    graph.nodes.append(onnx_bytes.node("Split", [joined], outputs, axis=-1, num_outputs=3))
    return outputs


def _heads(graph: Graph, arch: Architecture, rotary: Rotary, i: int, parts: Sequence[str]) -> list[str]:
    """Bring flat rows into heads ``(B, heads, L, size)``; queries and keys are normed where the model does, and turned.

    Where heads share keys, queries become ``(B, key heads, sharing, L, size)`` and the others
    ``(B, key heads, 1, L, size)``.
    """
    shared = rotary.key_heads != arch.heads
    turns = _turns(graph, rotary, rotary.turnings[i])
    norms = [arch.names.query_norm, arch.names.key_norm, ""] if rotary.head_norms else ["", "", ""]
    found = []
    for part, norm, count in zip(parts, norms, (arch.heads, rotary.key_heads, rotary.key_heads), strict=True):
        own = graph.constant(f"heads.{count}", np.array([count, rotary.head_size]))
        shape = graph.op("Concat", ["sizes", own], part + "/shape", axis=0)
        deep = graph.op("Reshape", [part, shape], part + "/deep")
        deep = _norm(graph, arch, rotary, deep, norm.format(i=i), part + "/normed") if norm else deep
        deep = graph.op("Transpose", [deep], part + "/heads", perm=[0, 2, 1, 3])
        deep = deep if part.endswith("value") else _turned(graph, deep, turns)
        if shared:
            sharing = count // rotary.key_heads
            sizes = np.array([0, rotary.key_heads, sharing, -1, rotary.head_size])
            deep = graph.op("Reshape", [deep, graph.constant(f"shared.{sharing}", sizes)], part + "/shared")
        found.append(deep)
    return found


def _attention(graph: Graph, arch: Architecture, rotary: Rotary, i: int, x: str, masked: bool) -> str:
    """Add attention on flat rows, from normed rows to what it mixed."""
    at, shared = f"layer.{i}/", rotary.key_heads != arch.heads
    query, key, value = _heads(graph, arch, rotary, i, _parts(graph, arch, rotary, i, x))
    axes = [0, 1, 2, 4, 3] if shared else [0, 1, 3, 2]
    products = graph.op("MatMul", [query, graph.op("Transpose", [key], key + "/columns", perm=axes)], at + "products")
    scale = graph.constant("scale", np.array(rotary.head_size**-0.5, np.float32))
    scores = graph.op("Mul", [products, scale], at + "scores")
    mask = _mask(graph, rotary, rotary.windows[i], masked)
    if mask and shared:
        deep = mask + "/shared"
        if deep not in graph.made:
            graph.made.add(deep)
            graph.op("Unsqueeze", [mask, graph.constant("axis1", np.array([1]))], deep)
        mask = deep
    scores = graph.op("Add", [scores, mask], at + "masked") if mask else scores
    weights = graph.op("Softmax", [scores], at + "weights", axis=-1)
    mixed = graph.op("MatMul", [weights, value], at + "mixed")
    whole = graph.constant("whole", np.array([0, arch.heads, -1, rotary.head_size]))
    mixed = graph.op("Reshape", [mixed, whole], at + "mixed/heads") if shared else mixed
    square = graph.op("Concat", ["sizes/first", graph.constant("heads", np.array([arch.heads])), "width", "width"],
                      at + "square", axis=0)  # fmt: skip
    graph.op("Reshape", [weights, square], f"attention.{i}")
    back = graph.op("Transpose", [mixed], at + "back", perm=[0, 2, 1, 3])
    across = graph.constant("across", np.array([-1, arch.heads * rotary.head_size]))
    return graph.op("Reshape", [back, across], at + "mixed/flat")


def _layer(graph: Graph, arch: Architecture, rotary: Rotary, i: int, x: str, masked: bool, output: str) -> str:
    """Add layer ``i`` on flat rows."""
    names, at, biases = arch.names, f"layer.{i}/", rotary.biases
    bare = rotary.joined and i == 0  # ModernBERT's first layer: the embeddings are normed already
    normed = x if bare else _norm(graph, arch, rotary, x, names.attention_norm.format(i=i), at + "normed")
    mixed = _attention(graph, arch, rotary, i, normed, masked)
    seen = graph.linear(mixed, names.attention_out.format(i=i), at + "seen", bias="out" in biases)
    middle = graph.op("Add", [x, seen], at + "middle")
    rows = _norm(graph, arch, rotary, middle, names.out_norm.format(i=i), at + "rows")
    if rotary.joined:
        first, gate = _halves(graph, graph.linear(rows, names.up.format(i=i), at + "wide", bias="inner" in biases))
    else:
        first = graph.linear(rows, names.gate.format(i=i), at + "first", bias="inner" in biases)
        gate = graph.linear(rows, names.up.format(i=i), at + "gate", bias="inner" in biases)
    gated = graph.op("Mul", [graph.activation(arch.activation, first, at + "active"), gate], at + "gated")
    narrow = graph.linear(gated, names.down.format(i=i), at + "narrow", bias="inner" in biases)
    return graph.op("Add", [middle, narrow], output)
