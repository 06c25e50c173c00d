"""Packed torch for further shapes: embeddings that are widened, and pre-norm transformers.

ELECTRA and ALBERT are the post-norm encoder of :mod:`isogloss.encoders.engines.packed_torch` behind one more layer.
ModernBERT, decoders of Llama's kind and T5's encoders add what a layer finds to a stream that is normed before each
use. The stream stays in float32, so that bfloat16 rounds what layers see and say, but not what has been said before.
Attention is torch's own, for texts of one length at a time. Graphics cards are not used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from isogloss.encoders.engines import packed_torch
from isogloss.encoders.engines.architectures import Architecture
from isogloss.encoders.engines.packed_torch import Linear, Offsets, PackedTorch, equal_runs, rounded
from isogloss.encoders.engines.precision import Precision
from isogloss.encoders.engines.relative import Bucketed, Disentangled
from isogloss.encoders.engines.rotary import Rotary, Turning
from isogloss.encoders.engines.rotary_engine import rotary_multiply_adds
from isogloss.encoders.engines.shapes import Shape, used_tensors
from isogloss.encoders.engines.weights import TensorPlace, read_headers
from isogloss.encoders.model_plan import ModelPlan
from isogloss.errors import UnsupportedModelError

Norm = Callable[[Tensor], Tensor]


def load(plan: ModelPlan, precision: Precision, threads: int) -> PackedTorch:
    """Load a model of any shape that torch can run; arguments as those of ``packed_torch.load``.

    Raises
    ------
    UnsupportedModelError
        For DeBERTa, whose attention has no kernel in torch, and for models that run from an ONNX file.
    """
    arch = plan.architecture
    if arch is None or (arch.rotary is None and not isinstance(arch, Shape)):
        return packed_torch.load(plan, precision, threads)
    if isinstance(arch, Shape) and isinstance(arch.relative, Disentangled):
        raise UnsupportedModelError(
            "the engine torch cannot run this model", f"{plan.name} is a {arch.model_type}",
            "use the engine onnx or openvino",
        )  # fmt: skip
    weights = used_tensors(read_headers(plan.transformer), arch)
    if isinstance(arch, Shape) and arch.relative is None:
        return WidenedTorch(arch, weights, precision)
    return PreNormTorch(arch, weights, precision)


def further_multiply_adds(arch: Architecture, texts: int, width: int) -> int:
    """Return the multiply-adds of one run, by the sizes of any shape."""
    if isinstance(arch, Shape):
        return arch.multiply_adds(texts, width)
    return rotary_multiply_adds(arch, texts, width)


class WidenedTorch(PackedTorch):
    """A post-norm encoder whose embeddings go through a layer of their own; arguments as those of the class above."""

    _shared: Any

    def __init__(self, architecture: Shape, weights: Mapping[str, TensorPlace], precision: Precision) -> None:
        super().__init__(architecture, weights, precision)
        name = architecture.widening
        self._widening = [self._tensor(f"{name}.{part}", kind=torch.float32) for part in ("weight", "bias") if name]

    def _layer(self, i: int) -> Any:
        if i and "{i}" not in self.architecture.names.query:
            return self._shared  # ALBERT's one layer is in memory once
        self._shared = super()._layer(i)
        return self._shared

    def multiply_adds(self, texts: int, width: int) -> int:
        """Return the multiply-adds of one run on ``texts`` texts of ``width`` tokens."""
        return further_multiply_adds(self.architecture, texts, width)

    def _widened(self, x: Tensor) -> Tensor:
        return functional.linear(x, *self._widening) if self._widening else x  # (R, d)


@dataclass(frozen=True, slots=True)
class _Layer:
    """The functions of one pre-norm layer."""

    first_norm: Norm
    qkv: Linear
    query_norm: Norm | None
    key_norm: Norm | None
    out: Linear
    second_norm: Norm
    active: Linear
    times: Callable[[Tensor, Tensor], Tensor] | None
    down: Linear


class PreNormTorch(PackedTorch):
    """A pre-norm transformer over packed texts; several threads may call it.

    Parameters
    ----------
    architecture
        Sizes and names, of a shape with rotary positions or of T5's kind.
    weights
        Place of each tensor, by its name without prefix.
    precision
        ``"fp32"`` or ``"bf16"``: the type of linear layers and attention. The stream between them, norms, rotation and
        pooling are float32 in both.
    """

    def __init__(self, architecture: Architecture, weights: Mapping[str, TensorPlace], precision: Precision) -> None:
        self.architecture, self.precision, self.budget = architecture, precision, 2048
        self._weights, self._type = weights, torch.bfloat16 if precision == "bf16" else torch.float32
        self._scale, names = 1.0, architecture.names
        self._rotary = architecture.rotary
        self._bucketed = _bucketed(architecture)
        rotary = self._rotary
        self._size = self._bucketed.head_size if self._bucketed else rotary.head_size if rotary else 0
        self._keys = rotary.key_heads if rotary else architecture.heads
        self._gated = bool(rotary) or bool(names.gate)
        self._word = weights[names.word + ".weight"].read()
        self._embedding_norm = self._stream_norm(names.embedding_norm) if names.embedding_norm else _same
        self._last_norm = self._stream_norm(names.last_norm)
        self._pre = [self._pre_layer(i) for i in range(architecture.layers)]
        self._tables = self._read_tables()

    def multiply_adds(self, texts: int, width: int) -> int:
        """Return the multiply-adds of one run on ``texts`` texts of ``width`` tokens."""
        return further_multiply_adds(self.architecture, texts, width)

    def _read_tables(self) -> list[Tensor]:
        """Return T5's tables of biases ``(buckets, heads)``, the one that each layer uses."""
        if self._bucketed is None:
            return []
        name, count = self.architecture.names.relative, self.architecture.layers
        read = [self._tensor(name.format(i=i) + ".weight") for i in range(count if self._bucketed.each else 1)]
        return read if self._bucketed.each else read * count

    def _stream_norm(self, name: str) -> Norm:
        """Return a norm of the stream in float32, whose result has the type of layers."""
        weight = self._tensor(f"{name}.weight", kind=torch.float32)
        shape, epsilon, kind = weight.shape, self.architecture.epsilon, self._type
        if self._rotary is not None and self._rotary.centred:
            biased = "norm" in self._rotary.biases
            bias = self._tensor(f"{name}.bias", kind=torch.float32) if biased else None
            return lambda x: functional.layer_norm(x, shape, weight, bias, epsilon).to(kind)
        return lambda x: root_norm(x, weight, epsilon).to(kind)

    def _head_norm(self, name: str) -> Norm | None:
        if self._rotary is None or not self._rotary.head_norms:
            return None
        weight, epsilon = self._tensor(f"{name}.weight", kind=torch.float32), self.architecture.epsilon
        weight = weight[side_by_side(self._size)]
        return lambda x: root_norm(x, weight, epsilon)

    def _plain(self, names: Sequence[str], part: str) -> Linear:
        return self._linear_of(*self._read(names, part))

    def _turning_layer(self, names: Sequence[str]) -> Linear:
        """Return the layer of queries, keys and values; what is turned together lies side by side."""
        weight, bias = self._read(names, "attention")
        if self._rotary is None:
            return self._linear_of(weight, bias)
        size, turned_rows = self._size, (self.architecture.heads + self._keys) * self._size
        rows = torch.arange(len(weight))
        rows[:turned_rows] = rows[:turned_rows].view(-1, size)[:, side_by_side(size)].flatten()
        return self._linear_of(weight[rows], None if bias is None else bias[rows])

    def _pre_layer(self, i: int) -> _Layer:
        names, joined = self.architecture.names, self._rotary is not None and self._rotary.joined
        bare = joined and i == 0  # ModernBERT's first layer: the embeddings are normed already

        def named(*templates: str) -> list[str]:
            return [one.format(i=i) for one in templates]

        return _Layer(
            self._as_type if bare else self._stream_norm(*named(names.attention_norm)),
            self._turning_layer(named(names.query) if joined else named(names.query, names.key, names.value)),
            self._head_norm(*named(names.query_norm)), self._head_norm(*named(names.key_norm)),
            self._plain(named(names.attention_out), "out"), self._stream_norm(*named(names.out_norm)),
            *self._feed_forward(named(names.gate)[0], named(names.up)[0]), self._plain(named(names.down), "inner"),
        )  # fmt: skip

    def _feed_forward(self, gate: str, up: str) -> tuple[Linear, Callable[[Tensor, Tensor], Tensor] | None]:
        """Return the layer that is activated, and what multiplies by a second one's result where there is one."""
        arch = self.architecture
        weight, bias = self._read([gate or up], "inner")
        if not self._gated:
            return self._linear_of(weight, bias, arch.activation), None
        if gate:
            second = self._read([up], "inner")
        else:  # ModernBERT keeps both in one matrix
            second = weight[arch.inner :], None if bias is None else bias[arch.inner :]
            weight, bias = weight[: arch.inner], None if bias is None else bias[: arch.inner]
        return self._linear_of(weight, bias, arch.activation), self._times(*second)

    def _times(self, weight: Tensor, bias: Tensor | None) -> Callable[[Tensor, Tensor], Tensor]:
        """Return a layer whose result is multiplied while it is still in the cache, where oneDNN can."""
        if not self._fusing():
            return lambda x, other: functional.linear(x, weight, bias) * other  # (T, outputs)
        stored = torch.ops.mkldnn._reorder_linear_weight(weight.contiguous(), self.budget)
        both = torch.ops.mkldnn._linear_pointwise.binary

        def run(x: Tensor, other: Tensor) -> Tensor:
            found: Tensor = both(x, other, stored, bias, "mul")  # (T, outputs)
            return found

        return run

    def _read(self, names: Sequence[str], part: str) -> tuple[Tensor, Tensor | None]:
        """Return weights and biases of layers joined; ``part`` says whether there are biases."""
        biased = self._rotary is not None and part in self._rotary.biases
        bias = self._tensor(*(f"{name}.bias" for name in names)) if biased else None
        return self._tensor(*(f"{name}.weight" for name in names)), bias

    def _as_type(self, x: Tensor) -> Tensor:
        return x.to(self._type)

    def _states(self, ids: NDArray[np.int64], offsets: Offsets) -> Tensor:
        """Return the last states ``(T, d)`` of the tokens ``(T,)`` of texts that begin and end at ``offsets``."""
        arch, rows = self.architecture, rounded(len(ids))
        x = torch.zeros(rows, arch.width)  # (R, d), the stream; R rows from T on
        x[: len(ids)] = torch.from_numpy(self._word[ids])
        x = self._embedding_norm(x).float()
        places = torch.zeros(rows)
        places[: len(ids)] = torch.from_numpy(np.arange(len(ids)) - np.repeat(offsets[:-1], np.diff(offsets)))
        turns: dict[Turning, Tensor] = {}
        masks: dict[tuple[int, int], Tensor | None] = {}
        for i, layer in enumerate(self._pre):
            parts = self._parts(layer, i, x, places, turns)
            x = x + layer.out(self._mixed(parts, i, offsets, masks))  # (R, d)
            normed = layer.second_norm(x)
            inner = layer.active(normed)  # (R, inner)
            x = x + layer.down(inner if layer.times is None else layer.times(normed, inner))
        return self._last_norm(x[: len(ids)])  # (T, d)

    def _parts(
        self, layer: _Layer, i: int, x: Tensor, places: Tensor, turns: dict[Turning, Tensor]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return queries ``(R, heads, s)``, keys and values ``(R, key heads, s)``, turned where positions turn them."""
        heads, keys, size = self.architecture.heads, self._keys, self._size
        joined = layer.qkv(layer.first_norm(x)).view(len(x), heads + 2 * keys, size)  # (R, h + 2 k, s)
        query, key, value = joined[:, :heads], joined[:, heads : heads + keys], joined[:, heads + keys :]
        if self._rotary is None:
            return query, key, value
        turning = self._rotary.turnings[i]
        if turning not in turns:
            angles = places[:, None] * torch.from_numpy(turning.frequencies(size))  # (R, s / 2)
            turns[turning] = torch.polar(torch.ones_like(angles), angles)[:, None]  # (R, 1, s / 2)
        query = query.float() if layer.query_norm is None else layer.query_norm(query.float())
        key = key.float() if layer.key_norm is None else layer.key_norm(key.float())
        return turned(query, turns[turning]).to(self._type), turned(key, turns[turning]).to(self._type), value

    def _mixed(
        self, parts: tuple[Tensor, Tensor, Tensor], i: int, offsets: Offsets,
        masks: dict[tuple[int, int], Tensor | None],
    ) -> Tensor:  # fmt: skip
        """Return ``(R, heads s)``: for each text, what its tokens see of each other."""
        heads, size = self.architecture.heads, self._size
        out = parts[0].new_zeros(len(parts[0]), heads * size)
        for start, stop, length in equal_runs(offsets):
            q, k, v = (
                part[start:stop].view(-1, length, part.shape[1], size).transpose(1, 2) for part in parts
            )  # (n, h, L, s)
            seen = functional.scaled_dot_product_attention(
                q, k.repeat_interleave(heads // self._keys, 1), v.repeat_interleave(heads // self._keys, 1),
                attn_mask=self._mask(i, length, masks), scale=1.0 if self._bucketed else None,
            )  # (n, h, L, s)  # fmt: skip
            out[start:stop].view(-1, length, heads, size).copy_(seen.transpose(1, 2))
        return out

    def _mask(self, i: int, length: int, masks: dict[tuple[int, int], Tensor | None]) -> Tensor | None:
        """Return what is added to the scores of layer ``i``, or which keys are seen; ``None`` where all are alike."""
        if self._bucketed is not None:
            key = (i if self._bucketed.each else 0, length)
            if key not in masks:
                masks[key] = _bias(self._tables[i], self._bucketed, length)
            return masks[key]
        if self._rotary is None:
            return None
        key = (self._rotary.windows[i], length)
        if key not in masks:
            masks[key] = _seen(self._rotary, *key)
        return masks[key]


def side_by_side(size: int) -> Tensor:
    """Return the order in which components lie that are turned together, one of each half: products do not mind.

    Examples
    --------
    >>> side_by_side(6).tolist()
    [0, 3, 1, 4, 2, 5]
    """
    return torch.arange(size).view(2, -1).T.flatten()


def turned(x: Tensor, turns: Tensor) -> Tensor:
    """Turn neighbouring components of ``x (..., s)`` by the angle of their position, complex ``turns (..., s / 2)``.

    Examples
    --------
    >>> turned(torch.tensor([[1.0, 0.0]]), torch.tensor([[1j]])).tolist()
    [[0.0, 1.0]]
    """
    pairs = torch.view_as_complex(x.contiguous().view(*x.shape[:-1], -1, 2))  # (..., s / 2)
    return torch.view_as_real(pairs * turns).flatten(-2)  # (..., s)


def root_norm(x: Tensor, weight: Tensor, epsilon: float) -> Tensor:
    """Return ``x (..., d)`` divided by its root mean square, times a gain.

    Examples
    --------
    >>> root_norm(torch.tensor([[3.0, 4.0]]), torch.ones(2), 0.0).mul(12.5**0.5).round().tolist()
    [[3.0, 4.0]]
    """
    length = torch.linalg.vector_norm(x, dim=-1, keepdim=True)  # (..., 1)
    return x * torch.rsqrt(length * length / x.shape[-1] + epsilon) * weight  # (..., d)


def _same(x: Tensor) -> Tensor:
    return x


def _bucketed(arch: Architecture) -> Bucketed | None:
    relative = arch.relative if isinstance(arch, Shape) else None
    return relative if isinstance(relative, Bucketed) else None


def _bias(table: Tensor, relative: Bucketed, length: int) -> Tensor:
    """Return T5's bias ``(1, heads, L, L)`` by the distance from query to key."""
    rows, places = relative.rows(), np.arange(length)
    far = len(rows) // 2
    found = rows[np.clip(places[None, :] - places[:, None], -far, far) + far]  # (L, L)
    return table[torch.from_numpy(found)].permute(2, 0, 1)[None].contiguous()  # (1, heads, L, L)


def _seen(rotary: Rotary, window: int, length: int) -> Tensor | None:
    """Return which keys each query sees ``(L, L)``; ``None`` where it sees all."""
    places = torch.arange(length)
    apart = places[:, None] - places[None, :]  # (L, L), from key to query
    seen = torch.ones(length, length, dtype=torch.bool)
    if rotary.causal:
        seen &= apart >= 0
        seen &= apart < window if window else seen
    elif window:
        seen &= apart.abs() <= window
    return None if bool(seen.all()) else seen
