"""Torch as the engine of the forward pass: texts without padding, linear layers fused with what follows them.

Post-norm encoders (BERT, RoBERTa, DistilBERT and their kin; MPNet with its relative positions) on the processor, in
float32 or bfloat16. The tokens of a batch lie end to end (as in ByteTransformer, https://arxiv.org/abs/2210.03052):
linear layers and norms see one matrix, only attention knows where a text ends. Where the processor has AMX, attention
in bfloat16 is :class:`~isogloss.encoders.engines.attention_kernel.TileAttention`, else torch's own, for texts of one
length at a time. On a graphics card :class:`~isogloss.encoders.engines.device_torch.DeviceTorch` does the same.
"""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from isogloss.arrays import Dense
from isogloss.encoders.engines.architectures import Architecture, Weights, relative_buckets
from isogloss.encoders.engines.precision import Precision
from isogloss.encoders.engines.weights import TensorPlace, read_headers
from isogloss.encoders.model_plan import ModelPlan
from isogloss.errors import UnsupportedModelError

Linear = Callable[..., Tensor]
Offsets = NDArray[np.int64]
_FUSED = {"gelu": ("gelu", "none"), "gelu_tanh": ("gelu", "tanh"), "relu": ("relu", ""), "silu": ("swish", "")}
_PLAIN: Mapping[str, Callable[[Tensor], Tensor]] = {
    "gelu": functional.gelu,
    "gelu_tanh": functools.partial(functional.gelu, approximate="tanh"),
    "relu": functional.relu,
    "silu": functional.silu,
}
_LLVMLITE = (0, 50)  # the first that the kernel was tried with: an older one may not know its instructions
POOLINGS = frozenset({"cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken"})
"""The modes of :func:`isogloss.encoders.pooling.pool`, all of which are known here."""


def load(plan: ModelPlan, precision: Precision, threads: int) -> PackedTorch:
    """Load a model into torch.

    Parameters
    ----------
    plan
        The model.
    precision
        ``"fp32"`` or ``"bf16"``.
    threads
        Not used: each batch runs in the thread that asks for it.

    Raises
    ------
    UnsupportedModelError
        Where the model has no tensors that we can name, or is no post-norm encoder.
    """
    arch = plan.architecture
    if arch is None or arch.rotary is not None or type(arch) is not Architecture:
        kind = "runs from an ONNX file" if arch is None else f"is a {arch.model_type}"
        raise UnsupportedModelError(
            "the engine torch cannot run this model", f"{plan.name} {kind}", "use the engine onnx or openvino"
        )
    return PackedTorch(arch, Weights(read_headers(plan.transformer), arch).used(), precision)


def tiles_available() -> bool:
    """Say whether attention can run on AMX tiles: the processor, the system, our compiler and the user's limits allow.

    ``ONEDNN_MAX_CPU_ISA`` and ``ATEN_CPU_CAPABILITY``, torch's own switches, are obeyed.
    """
    limit = os.environ.get("ONEDNN_MAX_CPU_ISA", os.environ.get("DNNL_MAX_CPU_ISA", "AMX")).upper()
    if "AMX" not in limit and limit not in ("ALL", "DEFAULT"):
        return False
    wide = torch.backends.cpu.get_cpu_capability() not in ("DEFAULT", "NO AVX", "AVX2")
    known = find_spec("llvmlite") is not None and hasattr(torch.cpu, "_init_amx")
    if not (wide and known and torch.cpu._is_amx_tile_supported()):
        return False
    import llvmlite  # type: ignore[import-untyped]

    recent = tuple(int(part) for part in llvmlite.__version__.split(".")[:2]) >= _LLVMLITE
    return bool(recent and torch.cpu._init_amx())


@contextmanager
def _one_thread() -> Iterator[None]:
    """Compute in the calling thread alone, as the callers run side by side; torch's setting is put back."""
    before = torch.get_num_threads()
    if before != 1:
        torch.set_num_threads(1)
    try:
        with torch.inference_mode():
            yield
    finally:
        if before != 1:
            torch.set_num_threads(before)


def plain_linear(weight: Tensor, bias: Tensor | None, activation: str) -> Linear:
    """Return a layer ``(T, inputs) -> (T, outputs)`` with its activation, or with what is added to its product."""

    def run(x: Tensor, added: Tensor | None = None) -> Tensor:
        found = functional.linear(x, weight, bias)  # (T, outputs)
        if added is not None:
            return found.add_(added)
        return _PLAIN[activation](found) if activation else found

    return run


def _fused_linear(weight: Tensor, bias: Tensor | None, activation: str, tokens: int) -> Linear:
    """Return a layer whose activation or sum is computed while its product is still in the cache (oneDNN)."""
    operators = torch.ops.mkldnn
    stored = operators._reorder_linear_weight(weight, tokens)
    single, kind = operators._linear_pointwise.default, _FUSED.get(activation, ("none", ""))
    both = operators._linear_pointwise.binary

    def run(x: Tensor, added: Tensor | None = None) -> Tensor:
        if added is None:
            found: Tensor = single(x, stored, bias, kind[0], [], kind[1])  # (T, outputs)
            return found
        summed: Tensor = both(x, added, stored, bias, "add")  # (T, outputs)
        return summed

    return run


@dataclass(frozen=True, slots=True)
class _Layer:
    """The functions of one layer: linear layers, and layer norms."""

    qkv: Linear
    out: Linear
    up: Linear
    down: Linear
    attention_norm: Callable[[Tensor], Tensor]
    out_norm: Callable[[Tensor], Tensor]


class PackedTorch:
    """A post-norm encoder over packed texts; several threads may call it.

    Parameters
    ----------
    architecture
        Sizes and names.
    weights
        Place of each tensor, by its name without prefix.
    precision
        ``"fp32"`` or ``"bf16"``: the type of linear layers, attention and states. Embeddings and their norm, sums in
        products, soft-max, and pooling are float32 in both.
    """

    name = "torch"
    streams = True

    def __init__(self, architecture: Architecture, weights: Mapping[str, TensorPlace], precision: Precision) -> None:
        self.architecture, self.precision = architecture, precision
        self.budget = 2048  # weights are read from memory for each batch: larger ones cost less where caches are shared
        self._weights, self._type = weights, torch.bfloat16 if precision == "bf16" else torch.float32
        names, size = architecture.names, architecture.width // architecture.heads
        self._word = weights[names.word + ".weight"].read()
        places = weights[names.position + ".weight"].read()[architecture.first_position :]
        types = weights[names.token_type + ".weight"].read()[0] if names.token_type else np.float32(0)
        self._places = torch.from_numpy(np.ascontiguousarray(places + types))
        self._embedding_norm = self._norm(names.embedding_norm, torch.float32)
        self._relative = torch.from_numpy(weights[names.relative + ".weight"].read().copy()) if names.relative else None
        # scores as powers of two, for the kernel: their factor goes into the queries' weights
        self._tiles = self._tile_attention(size)
        self._scale = math.log2(math.e) / math.sqrt(size) if self._tiles else 1.0
        self._layers = [self._layer(i) for i in range(architecture.layers)]

    def _tile_attention(self, size: int) -> Any:
        if self.precision != "bf16" or self._relative is not None or not tiles_available():
            return None
        from isogloss.encoders.engines.attention_kernel import TileAttention, fits

        return TileAttention(self.architecture.heads, size) if fits(size) else None

    def _tensor(self, *names: str, kind: torch.dtype | None = None) -> Tensor:
        parts = [self._weights[name].read() for name in names]
        return torch.from_numpy(np.concatenate(parts)).to(kind or self._type)

    def _norm(self, name: str, kind: torch.dtype) -> Callable[[Tensor], Tensor]:
        weight, bias = (self._tensor(f"{name}.{part}", kind=kind) for part in ("weight", "bias"))
        shape, epsilon = weight.shape, self.architecture.epsilon
        return lambda x: functional.layer_norm(x, shape, weight, bias, epsilon)

    def _linear(self, names: Sequence[str], activation: str = "") -> Linear:
        weight, bias = (
            self._tensor(*(f"{name}.{part}" for name in names), kind=torch.float32) for part in ("weight", "bias")
        )
        if len(names) == 3:
            weight[: self.architecture.width] *= self._scale
            bias[: self.architecture.width] *= self._scale
        return self._linear_of(weight.to(self._type), bias.to(self._type), activation)

    def _linear_of(self, weight: Tensor, bias: Tensor | None, activation: str = "") -> Linear:
        if not self._fusing():
            return plain_linear(weight, bias, activation)
        return _fused_linear(weight, bias, activation, self.budget)

    def _fusing(self) -> bool:
        """Say whether oneDNN can compute a layer in this precision together with what follows it."""
        half = self._type == torch.bfloat16
        return torch.backends.mkldnn.is_available() and (not half or torch.ops.mkldnn._is_mkldnn_bf16_supported())

    def _layer(self, i: int) -> _Layer:
        names = self.architecture.names
        query, key, value, out, up, down, first, second = (
            name.format(i=i)
            for name in (names.query, names.key, names.value, names.attention_out, names.up, names.down,
                         names.attention_norm, names.out_norm)
        )  # fmt: skip
        return _Layer(
            self._linear((query, key, value)), self._linear((out,)), self._linear((up,), self.architecture.activation),
            self._linear((down,)), self._norm(first, self._type), self._norm(second, self._type),
        )  # fmt: skip

    def multiply_adds(self, texts: int, width: int) -> int:
        """Return the multiply-adds of one run on ``texts`` texts of ``width`` tokens: linear layers and attention."""
        arch = self.architecture
        linear = 4 * arch.width**2 + 2 * arch.width * arch.inner
        return arch.layers * texts * width * (linear + 2 * width * arch.width)

    def _states(self, ids: NDArray[np.int64], offsets: Offsets) -> Tensor:
        """Return the last states ``(T, d)`` of the tokens ``(T,)`` of texts that begin and end at ``offsets``."""
        places = np.arange(len(ids)) - np.repeat(offsets[:-1], np.diff(offsets))  # (T,)
        embedded = torch.zeros(rounded(len(ids)), self._word.shape[1])  # (R, e), R rows from T on
        embedded[: len(ids)] = torch.from_numpy(self._word[ids]).add_(self._places[torch.from_numpy(places)])
        x = self._widened(self._embedding_norm(embedded)).to(self._type)  # (R, d)
        for layer in self._layers:
            seen = self._attend(layer.qkv(x), offsets)  # (R, d)
            x = layer.attention_norm(layer.out(seen, x))
            x = layer.out_norm(layer.down(layer.up(x), x))
        return x[: len(ids)]  # (T, d)

    def _widened(self, x: Tensor) -> Tensor:
        """Return the embeddings as wide as states; most models have no others."""
        return x

    def _attend(self, qkv: Tensor, offsets: Offsets) -> Tensor:
        """Return ``(R, d)`` for queries, keys and values ``(R, 3 d)``."""
        width, heads = self.architecture.width, self.architecture.heads
        out = qkv.new_empty(len(qkv), width)
        out[offsets[-1] :] = 0
        if self._tiles is not None:
            self._tiles(qkv.data_ptr(), out.data_ptr(), offsets)
            return out
        for start, stop, length in equal_runs(offsets):
            q, k, v = (
                qkv[start:stop].view(-1, length, 3, heads, width // heads).permute(2, 0, 3, 1, 4)
            )  # (3, n, h, L, s)
            seen = functional.scaled_dot_product_attention(q, k, v, attn_mask=self._bias(length))  # (n, h, L, s)
            out[start:stop].view(-1, length, heads, width // heads).copy_(seen.transpose(1, 2))
        return out

    def _bias(self, length: int) -> Tensor | None:
        """Return MPNet's bias ``(1, heads, L, L)`` by relative position."""
        if self._relative is None:
            return None
        bucket = torch.from_numpy(relative_buckets(length, self.architecture.buckets))  # (L, L)
        return self._relative[bucket].permute(2, 0, 1)[None].to(self._type)  # (1, heads, L, L)

    def _packed(self, ids: Sequence[NDArray[np.int64]]) -> tuple[Dense, Offsets]:
        offsets = np.zeros(len(ids) + 1, np.int64)
        np.cumsum([len(one) for one in ids], out=offsets[1:])
        with _one_thread():
            states = self._states(np.concatenate(ids), offsets).to(torch.float32).numpy()
        return states, offsets

    def last(self, ids: NDArray[np.int64], lengths: NDArray[np.int64]) -> Dense:
        """Return the last hidden states ``(n, L, d)`` float32, as every engine does; zeros at padded places."""
        out = np.zeros((*ids.shape, self.architecture.width), np.float32)
        inside = np.arange(ids.shape[1]) < lengths[:, None]
        if inside.any():
            out[inside] = self._packed([row[:length] for row, length in zip(ids, lengths, strict=True)])[0]
        return out

    def pools(self, modes: Sequence[str]) -> bool:
        """Say whether ``pooled`` knows all these modes."""
        return POOLINGS.issuperset(modes)

    def pooled(self, ids: Sequence[NDArray[np.int64]], modes: Sequence[str], skip: int) -> Dense:
        """Return ``(n, len(modes) * d)`` float32, as :func:`isogloss.encoders.pooling.pool` does.

        Parameters
        ----------
        ids
            Tokens of each text, at least one.
        modes
            Of ``POOLINGS``.
        skip
            Tokens at each text's start that take no part.
        """
        if not len(ids):
            return np.zeros((0, len(modes) * self.architecture.width), np.float32)
        states, offsets = self._packed(ids)
        return np.concatenate([pool_packed(states, offsets, mode, skip) for mode in modes], axis=1)


def rounded(tokens: int) -> int:
    """Return how many rows a batch is given.

    oneDNN compiles its kernels anew for every number of rows, which takes milliseconds and megabytes: of 160 passages
    batches rounded to 64 rows left a peak of 470 MB, to 256 rows 445, for a twentieth more time.

    Examples
    --------
    >>> [rounded(tokens) for tokens in (1, 17, 64, 65, 1000)]
    [16, 32, 64, 128, 1024]
    """
    step = 16 if tokens <= 64 else 64 if tokens <= 512 else 256
    return -(-tokens // step) * step


def equal_runs(offsets: Offsets) -> Iterator[tuple[int, int, int]]:
    """Yield ``(first token, token behind, length)`` of each run of texts of one length; texts without tokens in none.

    Examples
    --------
    >>> list(equal_runs(np.array([0, 2, 4, 4, 7])))
    [(0, 4, 2), (4, 7, 3)]
    """
    lengths = np.diff(offsets)
    ends = np.flatnonzero(np.diff(lengths, append=-1)) + 1
    for first, end in zip(np.append(0, ends[:-1]), ends, strict=True):
        if lengths[first]:
            yield int(offsets[first]), int(offsets[end]), int(lengths[first])


def pool_packed(states: Dense, offsets: Offsets, mode: str, skip: int) -> Dense:
    """Pool packed token vectors ``(T, d)`` into one vector a text; the twin of ``pool`` for padded ones.

    Examples
    --------
    >>> pool_packed(np.array([[1.0], [3.0], [9.0]], np.float32), np.array([0, 2, 3]), "mean", 0).tolist()
    [[2.0], [9.0]]
    """
    starts, lengths = offsets[:-1], np.diff(offsets)
    if mode == "cls":
        return states[starts + np.where(lengths > skip, skip, 0)]
    if mode == "lasttoken":
        return states[offsets[1:] - 1]
    place = np.arange(len(states)) - np.repeat(starts, lengths)  # (T,)
    inside = place >= skip
    if mode == "max":
        largest = np.maximum.reduceat(np.where(inside[:, None], states, np.float32(-np.inf)), starts)
        return np.asarray(np.where((lengths > skip)[:, None], largest, 0), np.float32)
    weights = inside.astype(np.float32)
    if mode == "weightedmean":
        weights *= place + 1
    total = np.add.reduceat(weights, starts)[:, None]
    divisor = np.maximum(np.sqrt(total) if mode == "mean_sqrt_len_tokens" else total, 1e-9)
    # a product a text, as in `pool`: no copy of the states
    sums = [weights[start:end] @ states[start:end] for start, end in zip(starts, offsets[1:], strict=True)]
    return np.asarray(np.stack(sums) / divisor, np.float32)
