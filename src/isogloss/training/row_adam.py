"""Adam for tables of which a step touches few rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch.optim import Optimizer


class RowAdam(Optimizer):
    """Adam (https://arxiv.org/abs/1412.6980) that moves only the rows with a gradient, moments included.

    The twin of ``torch.optim.SparseAdam``, several times as fast on a processor: both moments of a row lie side by side
    and are read and written once.

    Parameters
    ----------
    parameters
        ``(V, d)`` tables with sparse gradients, or groups of them.
    lr, betas, eps
        As of Adam.

    Examples
    --------
    >>> table = torch.nn.Embedding(4, 2, sparse=True)
    >>> before = table.weight.detach().clone()
    >>> mover = RowAdam(table.parameters(), lr=0.5)
    >>> table(torch.tensor([2])).sum().backward()
    >>> mover.step()
    >>> (before - table.weight.detach()).round(decimals=4).tolist()
    [[0.0, 0.0], [0.0, 0.0], [0.5, 0.5], [0.0, 0.0]]
    """

    def __init__(
        self,
        parameters: Iterable[Any],
        *,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
    ) -> None:
        super().__init__(parameters, {"lr": lr, "betas": betas, "eps": eps})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Move the rows that have a gradient."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._move(parameter, group)

    def _move(self, parameter: torch.Tensor, group: dict[str, Any]) -> None:
        state = self.state[parameter]
        if not state:
            state["step"] = torch.zeros(())
            state["moments"] = parameter.new_zeros(len(parameter), 2, parameter.shape[1])  # (V, 2, d)
        state["step"] += 1
        assert parameter.grad is not None
        grad = parameter.grad.coalesce()
        rows, values = grad.indices()[0], grad.values()  # (u,), (u, d)
        (first, second), taken = group["betas"], float(state["step"])
        moments = state["moments"].index_select(0, rows)  # (u, 2, d)
        moments[:, 0].lerp_(values, 1 - first)
        moments[:, 1].mul_(second).addcmul_(values, values, value=1 - second)
        state["moments"].index_copy_(0, rows, moments)
        rate = group["lr"] * (1 - second**taken) ** 0.5 / (1 - first**taken)
        divisor = moments[:, 1].sqrt().add_(group["eps"])
        parameter.index_add_(0, rows, moments[:, 0].div(divisor), alpha=-rate)
