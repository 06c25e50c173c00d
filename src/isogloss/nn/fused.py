"""Faster twins of a transformer's inner functions: linear layers in bfloat16, dropout by bits, attention by length.

Each does what its plain twin in torch does (`functional.linear`, `dropout`, `scaled_dot_product_attention`), to the
rounding of the type that it computes in, and has a gradient of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.nn import functional

_INTEGERS = {2: torch.int16, 4: torch.int32, 8: torch.int64}


class HalfWeights:
    """Copies of float32 weights in bfloat16, each made once: for one forward pass, in which no weight changes.

    A longer life would need to know when a weight has moved, and torch's fused optimisers do not say so.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[int, ...], tuple[tuple[Tensor, ...], Tensor]] = {}

    def __call__(self, *weights: Tensor) -> Tensor:
        """Return the weights in bfloat16, one below the other."""
        key = tuple(map(id, weights))
        if key not in self._known:
            with torch.no_grad():
                halves = [weight.to(torch.bfloat16) for weight in weights]
                joined = halves[0] if len(halves) == 1 else torch.cat(halves)  # (sum of rows, ...)
            self._known[key] = weights, joined  # the weights are kept too, so that no other one can get their id
        return self._known[key][1]


_half: ContextVar[HalfWeights | None] = ContextVar("half", default=None)


def halving() -> bool:
    """Say whether the caller is in a region of :func:`half_precision`."""
    return _half.get() is not None


@contextmanager
def half_precision(device: str = "cpu") -> Iterator[None]:
    """Compute in bfloat16 inside, from weights that stay float32: our own layers here, the rest by torch's autocast.

    For one forward pass: weights must not move inside.
    """
    token = _half.set(HalfWeights())
    try:
        with torch.autocast(device, dtype=torch.bfloat16):
            yield
    finally:
        _half.reset(token)


class _HalfLinear(Function):
    """``x W^T + b`` in bfloat16; gradients of weights and biases in float32."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, cache: HalfWeights, count: int, *parts: Tensor) -> Tensor:
        weights, biases = parts[:count], parts[count:]
        half, x = cache(*weights), x.to(torch.bfloat16)
        ctx.save_for_backward(x, half)
        ctx.sizes = [len(weight) for weight in weights]
        ctx.biased = len(biases)
        return functional.linear(x, half, cache(*biases) if biases else None)  # (T, outputs)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Any, ...]:
        x, half = ctx.saved_tensors
        grad = grads[0].to(torch.bfloat16)
        needed = ctx.needs_input_grad
        to_x = grad @ half if needed[0] else None  # (T, inputs)
        count = len(ctx.sizes)
        to_weights: list[Tensor | None] = [None] * count
        to_biases: list[Tensor | None] = [None] * ctx.biased
        if any(needed[3 : 3 + count]):
            to_weights = list((grad.t() @ x).float().split(ctx.sizes))  # (outputs, inputs)
        if any(needed[3 + count :]):
            to_biases = list(grad.sum(0, dtype=torch.float32).split(ctx.sizes))  # (outputs,)
        return (to_x, None, None, *to_weights, *to_biases)


def linears(x: Tensor, modules: Sequence[nn.Module]) -> Tensor:
    """Return the outputs of several linear layers on ``x (T, inputs)`` side by side, ``(T, sum of outputs)``.

    In a region of :func:`half_precision` plain ``nn.Linear`` modules run as one product in bfloat16; modules of other
    kinds (adapters) run as they are.
    """
    cache = _half.get()
    plain = all(
        type(module) is nn.Linear and not module._forward_hooks and not module._forward_pre_hooks for module in modules
    )
    if cache is None or not plain:
        found = [module(x) for module in modules]
        return found[0] if len(found) == 1 else torch.cat(found, dim=-1)
    biases: list[Any] = [module.bias for module in modules if module.bias is not None]
    weights: list[Any] = [module.weight for module in modules]
    with torch.autocast(x.device.type, enabled=False):
        out: Tensor = _HalfLinear.apply(x, cache, len(weights), *weights, *biases)  # type: ignore[no-untyped-call]
    return out


def keep_bits(like: Tensor, share: float) -> tuple[Tensor, float]:
    """Draw what dropout keeps: integers of ``like``'s shape and width, all bits one where kept; and the share kept.

    One draw of 64 random bits serves four numbers, so ``share`` is met to 1/32768; the draws are from torch's own
    generator.

    Examples
    --------
    >>> bits, kept = keep_bits(torch.zeros(4), 0.0)
    >>> bits.tolist(), kept
    ([-1, -1, -1, -1], 1.0)
    """
    dropped, count = round(share * 32768), like.numel()
    drawn = torch.empty(-(-count // 4), dtype=torch.int64, device=like.device).random_()
    bits = drawn.view(torch.int16)[:count].view(like.shape)
    bits.bitwise_and_(0x7FFF).neg_().add_(dropped - 1).bitwise_right_shift_(15)  # minus one from the share on, else 0
    width = _INTEGERS[like.element_size()]
    return bits if width == torch.int16 else bits.to(width), 1 - dropped / 32768


def _masked(x: Tensor, bits: Tensor) -> Tensor:
    """Return ``x`` where the bits are ones, else 0."""
    return (x.contiguous().view(bits.dtype) & bits).view(x.dtype)


class _Dropout(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, share: float) -> Tensor:
        bits, kept = keep_bits(x, share)
        ctx.save_for_backward(bits)
        ctx.kept = kept
        return _masked(x, bits).mul_(1 / kept)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        return _masked(grads[0], ctx.saved_tensors[0]).mul_(1 / ctx.kept), None


class FastDropout(nn.Module):
    """Dropout (https://jmlr.org/papers/v15/srivastava14a.html), several times as fast as torch's on a processor.

    Parameters
    ----------
    share
        Of the values that become 0 in training, met to 1/32768; the others grow by ``1 / (1 - share)``.

    Examples
    --------
    >>> FastDropout(0.5).eval()(torch.ones(3)).tolist()
    [1.0, 1.0, 1.0]
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        if not 0 <= share < 1:
            raise ValueError(f"a share of {share} cannot be dropped: give 0 or more, and less than 1")
        self.share = share

    def forward(self, x: Tensor) -> Tensor:
        """Return ``x`` with some values set to 0 in training, else ``x``."""
        if not self.training or not self.share:
            return x
        if x.device.type != "cpu":
            return functional.dropout(x, self.share)
        out: Tensor = _Dropout.apply(x, self.share)  # type: ignore[no-untyped-call]
        return out


@dataclass(frozen=True, slots=True)
class Bucket:
    """Texts of like length, padded to the longest of them.

    Attributes
    ----------
    rows
        ``(n * L,)``: the packed token at each place, any token of the text where there is padding.
    real
        Places that hold a token, or None: all.
    hidden
        ``(n, 1, L or 1, L)``, true where a key is not seen; None: all are.
    texts, longest
        ``n`` and ``L``.
    """

    rows: Tensor
    real: Tensor | None
    hidden: Tensor | None
    texts: int
    longest: int


_BUCKET_COST = 6000.0
"""What a further bucket costs, in pairs of tokens: the small operations that each one needs."""


def buckets(offsets: Tensor, *, causal: bool, device: torch.device | str = "cpu") -> list[Bucket]:
    """Sort texts into buckets of like length, so that attention pads little.

    Parameters
    ----------
    offsets
        ``(n + 1,)`` of the packed texts, on the CPU.
    causal
        Hide the tokens behind each one.
    device
        Of the tokens.
    """
    lengths = offsets.diff()
    order = torch.argsort(lengths, stable=True)
    found = []
    for start, stop in cut_points(lengths[order].tolist()):
        texts = order[start:stop]
        sizes, longest = lengths[texts], int(lengths[order[stop - 1]])
        place = torch.arange(longest)  # (L,)
        inside = place[None] < sizes[:, None]  # (n, L)
        rows = torch.where(inside, offsets[texts][:, None] + place, offsets[texts][:, None]).flatten()  # (n * L,)
        whole = bool(inside.all())
        hidden = None if whole else ~inside[:, None, None, :]  # (n, 1, 1, L)
        if causal:
            behind = torch.ones(longest, longest, dtype=torch.bool).triu(1)[None, None]  # (1, 1, L, L)
            hidden = behind.expand(len(texts), 1, -1, -1) if hidden is None else hidden | behind
        real = None if whole else inside.flatten().nonzero()[:, 0].to(device)
        shown = None if hidden is None else hidden.to(device)
        found.append(Bucket(rows.to(device), real, shown, len(texts), longest))
    return found


def cut_points(lengths: list[int]) -> list[tuple[int, int]]:
    """Cut ascending lengths into runs ``(start, stop)`` so that padded pairs of tokens and buckets cost least.

    Texts without a token are in no run.

    Examples
    --------
    >>> cut_points([10] * 8 + [200])
    [(0, 8), (8, 9)]
    """
    first = next((i for i, length in enumerate(lengths) if length), len(lengths))
    ends = [i for i in range(first + 1, len(lengths)) if lengths[i] > lengths[i - 1]] + [len(lengths)]
    best: dict[int, tuple[float, int]] = {first: (0.0, first)}
    for end in ends if first < len(lengths) else []:
        square = float(lengths[end - 1]) ** 2
        best[end] = min((best[at][0] + (end - at) * square + _BUCKET_COST, at) for at in best)
    runs, at = [], len(lengths)
    while at > first:
        runs.append((best[at][1], at))
        at = best[at][1]
    return runs[::-1]


class _Attention(Function):
    """Soft-max attention with dropout of its weights, bucket by bucket (https://arxiv.org/abs/1706.03762)."""

    @staticmethod
    def forward(ctx: Any, qkv: Tensor, chosen: list[Bucket], heads: int, share: float) -> Tensor:
        tokens, width = len(qkv), qkv.shape[1] // 3
        out = qkv.new_empty(tokens, width)
        saved: list[Tensor] = []
        kept = 1.0
        for bucket in chosen:
            q, k, v = _split(qkv, bucket, heads)  # (n, heads, L, d) each
            q.mul_((width // heads) ** -0.5)
            scores = q @ k.transpose(2, 3)  # (n, heads, L, L)
            if bucket.hidden is not None:
                scores.masked_fill_(bucket.hidden, -torch.inf)
            weights = torch.softmax(scores, -1)
            bits, used = weights, weights
            if share:
                bits, kept = keep_bits(weights, share)
                used = _masked(weights, bits)
            seen = (used @ v).mul_(1 / kept)  # (n, heads, L, d)
            out.index_copy_(0, *_real(seen.transpose(1, 2).reshape(-1, width), bucket))
            saved += [q, k, v, weights, bits]
        ctx.save_for_backward(*saved)
        ctx.chosen, ctx.heads, ctx.kept, ctx.share, ctx.shape = chosen, heads, kept, share, qkv.shape
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Any, ...]:
        grad, width = grads[0], ctx.shape[1] // 3
        to_qkv = grad.new_empty(ctx.shape)
        for number, bucket in enumerate(ctx.chosen):
            q, k, v, weights, bits = ctx.saved_tensors[5 * number : 5 * number + 5]
            used = _masked(weights, bits) if ctx.share else weights
            rows = grad.index_select(0, bucket.rows).view(bucket.texts, bucket.longest, ctx.heads, -1).transpose(1, 2)
            seen = rows * (1 / ctx.kept)  # (n, heads, L, d)
            if bucket.hidden is not None:
                seen = _without_padding(seen, bucket)
            to_v = used.transpose(2, 3) @ seen
            to_used = seen @ v.transpose(2, 3)  # (n, heads, L, L)
            to_weights = _masked(to_used, bits) if ctx.share else to_used
            to_scores = torch._softmax_backward_data(to_weights, weights, -1, weights.dtype)
            to_q = (to_scores @ k).mul_((width // ctx.heads) ** -0.5)
            to_k = to_scores.transpose(2, 3) @ q
            joined = torch.stack([to_q, to_k, to_v])  # (3, n, heads, L, d)
            flat = joined.permute(1, 3, 0, 2, 4).reshape(-1, 3 * width)  # (n * L, 3 * width)
            to_qkv.index_copy_(0, *_real(flat, bucket))
        return to_qkv, None, None, None


def _split(qkv: Tensor, bucket: Bucket, heads: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return queries, keys and values of a bucket, ``(n, heads, L, d)`` each, as copies of their own."""
    rows = qkv.index_select(0, bucket.rows)  # (n * L, 3 * width)
    parts = rows.view(bucket.texts, bucket.longest, 3, heads, -1).permute(2, 0, 3, 1, 4).contiguous()
    return parts[0], parts[1], parts[2]


def _without_padding(x: Tensor, bucket: Bucket) -> Tensor:
    """Set the rows of padding to 0 in ``(n, heads, L, d)``: what they see must not reach keys and values."""
    if bucket.real is None:
        return x
    inside = torch.zeros(bucket.texts * bucket.longest, dtype=x.dtype, device=x.device)
    inside[bucket.real] = 1
    return x * inside.view(bucket.texts, 1, bucket.longest, 1)


def _real(values: Tensor, bucket: Bucket) -> tuple[Tensor, Tensor]:
    """Return which tokens the rows ``(n * L, d)`` of a bucket are, and the rows, padding left away."""
    if bucket.real is None:
        return bucket.rows, values
    return bucket.rows[bucket.real], values.index_select(0, bucket.real)


_LONG = 128
"""Tokens from which torch's own kernel, which keeps no attention weights, is worth its slower soft-max."""


def _look(qkv: Tensor, chosen: list[Bucket], heads: int) -> Tensor:
    """Attend by torch's own kernel."""
    out = qkv.new_empty(len(qkv), qkv.shape[1] // 3)  # (T, width)
    for bucket in chosen:
        q, k, v = _split(qkv, bucket, heads)
        mask = None if bucket.hidden is None else ~bucket.hidden
        seen = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)  # (n, heads, L, d)
        out = out.index_copy(0, *_real(seen.transpose(1, 2).reshape(-1, out.shape[1]), bucket))
    return out


def attend(qkv: Tensor, chosen: list[Bucket], heads: int, share: float = 0.0) -> Tensor:
    """Return what each token sees, ``(T, width)``.

    Parameters
    ----------
    qkv
        ``(T, 3 * width)``: queries, keys and values side by side.
    chosen
        From :func:`buckets`; every token must be in one of them.
    heads
        Attention heads.
    share
        Of the attention weights that are dropped.
    """
    with torch.autocast(qkv.device.type, enabled=False):
        learning = torch.is_grad_enabled() and qkv.requires_grad
        if not share and (not learning or any(bucket.longest > _LONG for bucket in chosen)):
            return _look(qkv, chosen, heads)
        out: Tensor = _Attention.apply(qkv, chosen, heads, share)  # type: ignore[no-untyped-call]
    return out
