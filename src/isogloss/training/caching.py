"""Gradient caching: the gradient of a large batch in the memory of a small one, for any objective on vectors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from isogloss.errors import UsageError
from isogloss.objectives.contract import Batch, Losses
from isogloss.seeding import derive
from isogloss.training.devices import Alone, Devices
from isogloss.training.randomness import seeded
from isogloss.training.stage import Player


@dataclass(slots=True)
class Cached:
    """Outputs of a batch that was encoded in pieces without a graph, ready to be encoded again with one.

    Attributes
    ----------
    outputs
        What ``forward`` gives for the whole batch, as leaves that collect the gradient.
    leaves
        The tensors in it, ``(size, ...)`` each.
    pieces
        The batch in pieces.
    """

    outputs: Any
    leaves: list[Tensor]
    pieces: list[Batch]


def encode(player: Player, batch: Batch, chunk: int, seed: int) -> Cached:
    """Encode a batch in pieces, without a graph.

    Parameters
    ----------
    player
        Whose forward pass.
    batch
        Any columns that can be cut by items.
    chunk
        Items a piece.
    seed
        Of dropout and the like; piece ``i`` draws from a seed of its own, in this pass and in the second one.

    Raises
    ------
    UsageError
        Where the objective does not depend on the batch through vectors alone, or the outputs have no row an item.
    """
    if not player.objective.cacheable:
        raise UsageError(
            f"{player.name} cannot learn by gradient caching",
            f"{type(player.objective).__name__} does not depend on its batch through one vector an item",
            "set chunk=0 and use smaller batches, with accumulate= for their number",
        )
    pieces = [batch.take(start, min(start + chunk, batch.size)) for start in range(0, batch.size, chunk)]
    collected: list[list[Tensor]] = []
    with torch.no_grad():
        for number, piece in enumerate(pieces):
            with seeded(derive(seed, "piece", number)):
                outputs = player.forward(player.module, piece)
            collected.append(_tensors(outputs))
            _check_rows(player, collected[-1], piece)
    leaves = [torch.cat(parts).requires_grad_() for parts in zip(*collected, strict=True)]  # (size, ...)
    rest = iter(leaves)
    return Cached(mapped(outputs, lambda _: next(rest)), leaves, pieces)


def replay(player: Player, cached: Cached, seed: int) -> None:
    """Encode the pieces again, with a graph and the same random numbers, and send the leaves' gradients through.

    Parameters
    ----------
    player, cached, seed
        As in :func:`encode`.
    """
    found = [leaf.grad for leaf in cached.leaves]
    start = 0
    for number, piece in enumerate(cached.pieces):
        stop = start + piece.size
        with seeded(derive(seed, "piece", number)):
            outputs = _tensors(player.forward(player.module, piece))
        pairs = [
            (output, gradient[start:stop])
            for output, gradient in zip(outputs, found, strict=True)
            if gradient is not None and output.requires_grad
        ]
        if pairs:
            torch.autograd.backward([output for output, _ in pairs], [gradient for _, gradient in pairs])
        start = stop


def backward(
    player: Player, batch: Batch, chunk: int, seed: int, *, devices: Devices | None = None, mean: bool = False
) -> Losses:
    """Add the gradient of a batch's summed weighted losses to the parameters, by gradient caching.

    Three passes: the vectors of all pieces without a graph; the objective on all vectors, whose gradient stops at them;
    each piece once more with a graph and the same random numbers, into which its vectors' gradient is sent. The result
    is that of one graph over all pieces; memory grows with the batch only by its vectors and what the objective needs.

    Parameters
    ----------
    player, batch, chunk, seed
        As in :func:`encode`.
    devices
        Where several processes share the batch; None: one has it all.
    mean
        Send back the weighted mean of the losses instead of their sum.

    Returns
    -------
    Losses
        Of the whole batch, detached.

    References
    ----------
    Scaling Deep Contrastive Learning Batch Size under Memory Limited Setup: https://arxiv.org/abs/2101.06983

    Examples
    --------
    >>> module = torch.nn.Linear(2, 1, bias=False)
    >>> class Square:
    ...     cacheable = True
    ...     def __call__(self, outputs, batch):
    ...         return Losses(outputs[0][:, 0] ** 2)
    >>> _ = torch.nn.init.ones_(module.weight)
    >>> batch = Batch((torch.tensor([[1.0, 0.0], [0.0, 2.0]]),))
    >>> losses = backward(Player(module=module, objective=Square()), batch, chunk=1, seed=0)
    >>> losses.values.tolist(), module.weight.grad.tolist()
    ([1.0, 4.0], [[2.0, 8.0]])
    """
    where = devices or Alone()
    cached = encode(player, where.share(batch), chunk, derive(seed, "device", where.number))
    gathered = mapped(cached.outputs, lambda tensor: where.gather(tensor, batch.size))
    with seeded(derive(seed, "objective")):
        losses = player.objective(gathered, batch)
    sent = send_back(losses, mean=mean, share=where.count)
    replay(player, cached, derive(seed, "device", where.number))
    return sent


def send_back(losses: Losses, *, mean: bool, share: int) -> Losses:
    """Run the backward pass of a sum of losses, or of their mean, and return them detached.

    Parameters
    ----------
    losses
        With a graph; one without is left alone.
    mean
        The mean instead of the sum.
    share
        Number of processes that hold these very losses: each sends back, and reports, its share of them.
    """
    weights = losses.weights
    if share > 1:
        weights = (torch.ones_like(losses.values.detach()) if weights is None else weights) / share
    total, weight = Losses(losses.values, weights).totals()
    if total.requires_grad:
        torch.autograd.backward(total, 1 / weight.to(total).clamp_min(torch.finfo(total.dtype).tiny) if mean else None)
    return Losses(losses.values.detach(), weights, losses.unit, losses.parts)


def _check_rows(player: Player, outputs: list[Tensor], piece: Batch) -> None:
    wrong = [tuple(output.shape) for output in outputs if not output.ndim or len(output) != piece.size]
    if wrong or not outputs:
        raise UsageError(
            f"{player.name}'s outputs cannot be cached",
            f"{piece.size} items gave outputs of shapes {wrong}",
            "gradient caching needs one row an item; set chunk=0",
        )


def mapped(outputs: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """Return nested tuples, lists and dictionaries of tensors with each tensor changed.

    Examples
    --------
    >>> mapped((torch.ones(1), {"a": torch.ones(1)}), lambda x: x + 1)
    (tensor([2.]), {'a': tensor([2.])})
    """
    if isinstance(outputs, Tensor):
        return change(outputs)
    if isinstance(outputs, dict):
        return {name: mapped(part, change) for name, part in outputs.items()}
    return type(outputs)(mapped(part, change) for part in outputs)


def _tensors(outputs: Any) -> list[Tensor]:
    """Return the tensors in nested outputs, in order."""
    found: list[Tensor] = []

    def note(tensor: Tensor) -> Tensor:
        found.append(tensor)
        return tensor

    mapped(outputs, note)
    return found
