"""Where a model is trained: on one device, or on several processes that share each batch."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from isogloss.errors import MissingExtraError, UsageError
from isogloss.objectives.contract import Batch


class Devices(Protocol):
    """The processes of a run. Each makes the whole batch, encodes its own part, and sees the vectors of all.

    Attributes
    ----------
    number, count
        Which process this is, and how many there are.
    """

    number: int
    count: int

    def place(self, module: nn.Module) -> None:
        """Move a module to this process's device, with the weights of the first process."""
        ...

    def share(self, batch: Batch) -> Batch:
        """Return this process's part of a batch."""
        ...

    def gather(self, tensor: Tensor, size: int) -> Tensor:
        """Return the rows of all processes, ``(size, ...)``; the gradient flows back to this process's own rows."""
        ...

    def total(self, values: Tensor) -> Tensor:
        """Return the sum over processes."""
        ...

    def place_batch(self, batch: Batch) -> Batch:
        """Return a batch on this process's device."""
        ...


class Alone:
    """One process, on the device where the modules are."""

    number, count = 0, 1

    def place(self, module: nn.Module) -> None:
        """Leave the module where it is."""

    def share(self, batch: Batch) -> Batch:
        """Return the whole batch."""
        return batch

    def gather(self, tensor: Tensor, size: int) -> Tensor:
        """Return the tensor."""
        return tensor

    def total(self, values: Tensor) -> Tensor:
        """Return the values."""
        return values

    def place_batch(self, batch: Batch) -> Batch:
        """Return the batch."""
        return batch


class Accelerated:
    """The processes that accelerate started (``accelerate launch``, ``torchrun``), or one on the best device.

    Parameters
    ----------
    accelerator
        An ``accelerate.Accelerator``; None makes one.

    Raises
    ------
    MissingExtraError
        Where accelerate is not installed.

    Notes
    -----
    Batches are functions of the step, so every process makes the same one and takes its own part; the objective sees
    the vectors of all. Two processes therefore learn what one learns from the same batches, up to rounding.
    """

    def __init__(self, accelerator: Any = None) -> None:
        try:
            self._library = importlib.import_module("accelerate")
        except ImportError:
            raise MissingExtraError(
                "training on several devices needs accelerate", "it is not installed",
                "pip install 'isogloss[train]', or leave devices= out",
            ) from None  # fmt: skip
        self.accelerator = accelerator or self._library.Accelerator()
        self.number, self.count = self.accelerator.process_index, self.accelerator.num_processes

    def place(self, module: nn.Module) -> None:
        """Move a module to this process's device, with the weights of the first process."""
        module.to(self.accelerator.device)
        if self.count > 1:
            with torch.no_grad():
                for tensor in [*module.parameters(), *module.buffers()]:
                    tensor.copy_(self._library.utils.broadcast(tensor.detach()))

    def share(self, batch: Batch) -> Batch:
        """Return this process's part of a batch: consecutive items, as many as the others' or one more."""
        starts = _cuts(batch.size, self.count)
        return batch.take(starts[self.number], starts[self.number + 1])

    def gather(self, tensor: Tensor, size: int) -> Tensor:
        """Return the rows of all processes, ``(size, ...)``; the gradient flows back to this process's own rows."""
        return _Gather.apply(tensor, size, self) if self.count > 1 else tensor

    def total(self, values: Tensor) -> Tensor:
        """Return the sum over processes."""
        return self._library.utils.reduce(values, "sum") if self.count > 1 else values

    def place_batch(self, batch: Batch) -> Batch:
        """Return a batch on this process's device."""
        return batch.to(self.accelerator.device)

    def rows(self, tensor: Tensor, size: int) -> Tensor:
        """Return the rows of all processes, ``(size, ...)``, without a gradient."""
        starts = _cuts(size, self.count)
        longest = starts[1] - starts[0]
        padded = tensor.new_zeros(longest, *tensor.shape[1:])  # (longest, ...): every process sends as many rows
        padded[: len(tensor)] = tensor
        every = self._library.utils.gather(padded)  # (count * longest, ...)
        parts = [every[i * longest : i * longest + starts[i + 1] - starts[i]] for i in range(self.count)]
        return torch.cat(parts)  # (size, ...)


def add_gradients(parameters: Sequence[nn.Parameter], devices: Devices) -> None:
    """Sum the gradients over all processes; a parameter without one counts as zero."""
    if devices.count == 1:
        return
    for parameter in parameters:
        if parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
        if parameter.grad.is_sparse:
            parameter.grad = parameter.grad.to_dense()
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    flat = devices.total(torch.cat([gradient.reshape(-1) for gradient in gradients]))  # (numbers in all,)
    for gradient, part in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
        gradient.copy_(part.view_as(gradient))


class _Gather(torch.autograd.Function):
    """All rows forward, the own rows' gradient backward, for a loss that every process computes whole.

    Each process backs up ``1 / count`` of that loss, and its gradient at its own rows is the same in all of them, so
    their sum is ``count`` times it.
    """

    @staticmethod
    def forward(ctx: Any, tensor: Tensor, size: int, devices: Accelerated) -> Tensor:
        starts = _cuts(size, devices.count)
        ctx.start, ctx.stop, ctx.count = starts[devices.number], starts[devices.number + 1], devices.count
        return devices.rows(tensor.detach(), size)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        return gradient[ctx.start : ctx.stop] * ctx.count, None, None


def _cuts(size: int, count: int) -> list[int]:
    """Return where the parts of ``size`` rows begin, and the end; the first ones are a row longer."""
    if size < count:
        raise UsageError("a batch is too small to share", f"{size} items for {count} processes", "use larger batches")
    each, more = divmod(size, count)
    return [number * each + min(number, more) for number in range(count + 1)]
