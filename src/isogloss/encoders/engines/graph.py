"""The forward pass of an encoder as an ONNX graph over weights that stay in their own files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from isogloss import protobuf as onnx_bytes
from isogloss.encoders.engines.architectures import Architecture
from isogloss.encoders.engines.operators import CONTRIB, INT64, IR_VERSION, OPSET, Graph
from isogloss.encoders.engines.rotary_graph import rotary_states
from isogloss.encoders.engines.weights import TensorPlace


def _embeddings(graph: Graph, arch: Architecture) -> str:
    """Add the input embeddings on flat rows ``(B * L, d)``."""
    names = arch.names
    word = graph.gathered(names.word + ".weight", "ids", "word")
    position = graph.gathered(names.position + ".weight", "positions", "position")
    if names.token_type:
        position = graph.op("Add", [position, graph.float32(names.token_type + ".weight", rows=1)], "place")
    summed = graph.op("Add", [word, position], "embedded")
    normed = graph.norm(summed, names.embedding_norm, "embedding_norm", arch.epsilon)
    return graph.op("Reshape", [normed, graph.constant("flat", np.array([-1, arch.width]))], "state.0")


def _bias(graph: Graph, arch: Architecture) -> str:
    """Add the relative position bias ``(1, heads, L, L)``."""
    looked_up = graph.gathered(arch.names.relative + ".weight", "buckets", "relative")
    turned = graph.op("Transpose", [looked_up], "relative/turned", perm=[2, 0, 1])
    return graph.op("Unsqueeze", [turned, graph.constant("axis0", np.array([0]))], "relative/bias")


def _fused_attention(graph: Graph, arch: Architecture, parts: list[str], at: str, masked: bool, bias: str) -> str:
    """Add attention as one fused operator; ``parts`` are the flat queries, keys and values."""
    deep = [graph.op("Reshape", [part, "batched"], part + "/deep") for part in parts]
    inputs = [*deep, "", "lengths" if masked else "", bias]
    while not inputs[-1]:
        inputs.pop()
    mixed = graph.op("MultiHeadAttention", inputs, at + "mixed", domain=CONTRIB, num_heads=arch.heads)
    return graph.op("Reshape", [mixed, "flat"], at + "mixed/flat")


def _open_attention(graph: Graph, arch: Architecture, parts: list[str], at: str, masked: bool, bias: str) -> str:
    """Add attention in plain operators, so that the map ``(B, heads, L, L)`` can be an output."""
    size = arch.width // arch.heads
    shape = graph.op("Concat", ["sizes", graph.constant("heads", np.array([arch.heads, size]))], at + "shape", axis=0)
    turned = [
        graph.op("Transpose", [graph.op("Reshape", [part, shape], part + "/deep")], part + "/turned", perm=perm)
        for part, perm in zip(parts, ([0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3]), strict=True)
    ]
    scores = graph.op("MatMul", turned[:2], at + "products")
    scores = graph.op("Mul", [scores, graph.constant("scale", np.array(size**-0.5, np.float32))], at + "scores")
    for addend in [name for name in (bias, "mask" if masked else "") if name]:
        scores = graph.op("Add", [scores, addend], f"{at}scores+{addend}")
    weights = graph.op("Softmax", [scores], at.replace("layer", "attention").rstrip("/"), axis=-1)
    mixed = graph.op(
        "Transpose", [graph.op("MatMul", [weights, turned[2]], at + "mixed")], at + "back", perm=[0, 2, 1, 3]
    )
    return graph.op("Reshape", [mixed, "flat"], at + "mixed/flat")


def _layer(graph: Graph, arch: Architecture, i: int, x: str, masked: bool, bias: str, maps: bool) -> str:
    """Add layer ``i`` on flat rows; return the name of its output."""
    names, at = arch.names, f"layer.{i}/"
    parts = [
        graph.linear(x, name.format(i=i), at + part)
        for name, part in ((names.query, "query"), (names.key, "key"), (names.value, "value"))
    ]
    attention = _open_attention if maps else _fused_attention
    mixed = attention(graph, arch, parts, at, masked, bias)
    seen = graph.linear(mixed, names.attention_out.format(i=i), at + "seen")
    middle = graph.residual_norm(seen, x, names.attention_norm.format(i=i), at + "middle", arch.epsilon)
    wide = graph.activation(arch.activation, graph.linear(middle, names.up.format(i=i), at + "wide"), at + "active")
    narrow = graph.linear(wide, names.down.format(i=i), at + "narrow")
    return graph.residual_norm(narrow, middle, names.out_norm.format(i=i), f"state.{i + 1}", arch.epsilon)


def _open_mask(graph: Graph) -> None:
    """Add the additive mask ``(B, 1, 1, L)`` from the lengths: 0 on tokens, the lowest float on padding."""
    graph.op("Range", [graph.constant("zero", np.array(0)), graph.op("Squeeze", ["width"], "width/scalar"),
                       graph.constant("one", np.array(1))], "columns")  # fmt: skip
    long = graph.op("Cast", ["lengths"], "lengths/long", to=INT64)
    column = graph.op("Unsqueeze", [long, graph.constant("axes", np.array([1, 2, 3]))], "lengths/deep")
    real = graph.op("Less", ["columns", column], "real")
    low = graph.constant("low", np.array(np.finfo(np.float32).min, np.float32))
    graph.op("Where", [real, graph.constant("nought", np.array(0, np.float32)), low], "mask")


def _post_norm_states(graph: Graph, arch: Architecture, depth: int, masked: bool, maps: bool) -> str:
    """Add the embeddings and ``depth`` layers on flat rows; return the name of the last output."""
    if masked and (maps or graph.plain):
        _open_mask(graph)
    x = _embeddings(graph, arch)
    bias = _bias(graph, arch) if arch.buckets else ""
    for i in range(depth):
        x = _layer(graph, arch, i, x, masked, bias, maps or graph.plain)
    return x


def encoder_layers(graph: Graph, arch: Architecture, x: str, depth: int, masked: bool, maps: bool) -> str:
    """Add ``depth`` post-norm layers on flat rows ``x``, whatever made these; return the name of the last output."""
    if masked and (maps or graph.plain):
        _open_mask(graph)
    for i in range(depth):
        x = _layer(graph, arch, i, x, masked, "", maps or graph.plain)
    return x


def padding_mask(graph: Graph) -> str:
    """Add the additive mask ``(B, 1, 1, L)``, and ``real``, of the same shape, which says where there is no padding."""
    if "mask" not in graph.made:
        graph.made.add("mask")
        _open_mask(graph)
    return "mask"


def write_graph(
    arch: Architecture,
    weights: Mapping[str, TensorPlace],
    folder: Path,
    *,
    states: Sequence[int] = (),
    maps: Sequence[int] = (),
    masked: bool = True,
    plain: bool = False,
    inline: bool = False,
    rounded: bool = False,
) -> bytes:
    """Return an ONNX model of the encoder as bytes.

    Inputs: ``ids (B, L)`` and ``positions (L,)`` int64, ``lengths (B,)`` int32 where ``masked``, ``buckets (L, L)``
    int64 where the shape has relative positions. Outputs: ``last (B, L, d)`` float32 where neither states nor maps
    are asked for; else ``state.N (B * L, d)`` and ``attention.N (B, heads, L, L)``. Layers above the highest one
    that is asked for are left out.

    Parameters
    ----------
    arch
        Sizes and names.
    weights
        Place of every tensor, by its name without prefix.
    folder
        Folder that the weights' paths are taken relative to.
    states
        Hidden states: 0 is the embeddings' output, N the output of layer N.
    maps
        Attention maps: N is that of layer N, counted from 0.
    masked
        Whether texts of different lengths share a batch.
    plain
        Whether only the standard's operators are used, for engines that do not know ONNX Runtime's own.
    inline
        Whether the weights are copied into the graph, for engines that read no other file.
    rounded
        Whether linear layers are computed in 8-bit integers (needs ONNX Runtime's own operators).
    """
    graph = Graph(weights, folder, plain, inline, rounded)
    graph.op("Shape", ["ids"], "sizes")
    graph.op("Shape", ["ids"], "width", start=1, end=2)
    graph.op("Concat", ["sizes", graph.constant("depth", np.array([arch.width]))], "batched", axis=0)
    depth = max([*states, *(i + 1 for i in maps)]) if states or maps else arch.layers
    if arch.rotary is None:
        x = _post_norm_states(graph, arch, depth, masked, bool(maps))
    else:
        x = rotary_states(graph, arch, arch.rotary, depth, masked)
    outputs = [onnx_bytes.value_info(f"state.{i}", "float32", ["T", arch.width]) for i in states]
    outputs += [onnx_bytes.value_info(f"attention.{i}", "float32", ["B", arch.heads, "L", "L"]) for i in maps]
    if not outputs:
        graph.op("Reshape", [x, "batched"], "last")
        outputs = [onnx_bytes.value_info("last", "float32", ["B", "L", arch.width])]
    inputs = [onnx_bytes.value_info("ids", "int64", ["B", "L"]), onnx_bytes.value_info("positions", "int64", ["L"])]
    if masked:
        inputs.append(onnx_bytes.value_info("lengths", "int32", ["B"]))
    if arch.buckets:
        inputs.append(onnx_bytes.value_info("buckets", "int64", ["L", "L"]))
    return onnx_bytes.model(
        graph.nodes, inputs, outputs, [item for item in graph.initializers.values() if item],
        opset=OPSET, domains={} if plain else {CONTRIB: 1}, ir_version=IR_VERSION, name=arch.model_type,
    )  # fmt: skip


def add_states(graph: Graph, arch: Architecture, depth: int, *, masked: bool = True, maps: bool = False) -> str:
    """Add everything up to layer ``depth`` to a graph that a caller made its own; return the last output's name.

    The states are named ``state.N`` and lie on flat rows ``(B * L, d)``; the inputs are those of :func:`write_graph`.
    """
    sizes = graph.op("Shape", ["ids"], "sizes")
    graph.op("Shape", ["ids"], "width", start=1, end=2)
    graph.op("Concat", [sizes, graph.constant("depth", np.array([arch.width]))], "batched", axis=0)
    if arch.rotary is not None:
        return rotary_states(graph, arch, arch.rotary, depth, masked)
    return _post_norm_states(graph, arch, depth, masked, maps)
