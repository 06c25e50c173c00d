"""Losses of the rows of a large batch, block by block, each computed once more when gradients are asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

Rows = Callable[..., tuple[Tensor, Tensor]]


def in_blocks(rows: Rows, n: int, step: int, *given: Tensor) -> tuple[Tensor, Tensor]:
    """Return the values of ``n`` rows, and counts summed over them, in the memory of ``step`` rows.

    A single block keeps its graph. Of several, none is kept: the backward pass computes each again. Gradients of
    gradients are then not to be had.

    Parameters
    ----------
    rows
        From ``start``, ``stop`` and ``*given`` to values ``(stop - start,)`` and counts of any shape, without gradient.
        Gradients go to ``given`` alone, so it must take from there whatever has one.
    n, step
        Rows in all, and of a block.
    given
        Tensors of numbers.

    Examples
    --------
    >>> x = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    >>> values, count = in_blocks(lambda start, stop, x: (x[start:stop] * x.sum(), torch.ones(())), 3, 2, x)
    >>> values.sum().backward()
    >>> values.tolist(), float(count), x.grad.tolist()
    ([6.0, 12.0, 18.0], 2.0, [12.0, 12.0, 12.0])
    """
    if step >= n:
        return rows(0, n, *given)
    values, counts = _Recomputed.apply(rows, n, step, *given)  # type: ignore[no-untyped-call]
    return values, counts


class _Recomputed(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Rows, n: int, step: int, *given: Tensor) -> tuple[Tensor, Tensor]:
        ctx.rows, ctx.starts, ctx.step, ctx.n = rows, range(0, n, step), step, n
        ctx.save_for_backward(*given)
        found = [rows(start, min(start + step, n), *given) for start in ctx.starts]
        values, counts = torch.cat([one for one, _ in found]), torch.stack([one for _, one in found]).sum(0)  # (n,)
        ctx.mark_non_differentiable(counts)
        return values, counts

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, sent: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        wanted = ctx.needs_input_grad[3:]
        leaves = [one.detach().requires_grad_(ask) for one, ask in zip(ctx.saved_tensors, wanted, strict=True)]
        for start in ctx.starts:
            stop = min(start + ctx.step, ctx.n)
            with torch.enable_grad():
                values, _counts = ctx.rows(start, stop, *leaves)
            torch.autograd.backward(values, sent[start:stop])  # adds up in place
        return None, None, None, *(one.grad for one in leaves)
