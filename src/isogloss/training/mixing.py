"""Batches of several sources: one task a batch, all sources in every batch, neighbours together; objectives by source.

Everything here is a function of the step, so that a run can go on from any step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import nn

from isogloss.errors import UsageError
from isogloss.objectives.contract import Batch, Losses, Objective
from isogloss.seeding import generator
from isogloss.training.stage import Batches, Forward

Items = NDArray[np.int64]


def shares(
    sizes: Sequence[int], weights: Sequence[float] | None = None, temperature: float = 1.0
) -> NDArray[np.float64]:
    """Return the share of each source, their sum being 1.

    Parameters
    ----------
    sizes
        Items or batches of each source.
    weights
        Shares by hand, any sum; None: by size.
    temperature
        Sizes (or weights) are raised to ``1 / temperature``: 1 leaves them, larger ones even them out
        (https://arxiv.org/abs/1907.05019).

    Raises
    ------
    UsageError
        Where a source is empty, a weight is not above 0, or the temperature is not.

    Examples
    --------
    >>> shares([900, 100]).round(9).tolist(), shares([900, 100], temperature=2.0).round(9).tolist()
    ([0.9, 0.1], [0.75, 0.25])
    """
    if not sizes or min(sizes) < 1:
        raise UsageError("a source is empty", f"the sources have {list(sizes)} items", "leave it out")
    if not temperature > 0:
        raise UsageError("a temperature is above 0", f"it is {temperature}")
    if weights is not None and len(weights) != len(sizes):
        raise UsageError("one weight a source is needed", f"{len(sizes)} sources, {len(weights)} weights")
    known = np.array(sizes if weights is None else weights, np.float64)
    if not (np.isfinite(known).all() and (known > 0).all()):
        raise UsageError("the weight of a source is above 0", f"the weights are {known.tolist()}", "leave it out")
    raised = (known / known.max()) ** (1 / temperature)
    return np.asarray(raised / raised.sum())


def portions(parts: NDArray[np.float64], whole: int) -> list[int]:
    """Divide ``whole`` by shares: at least 1 each, the rest by largest remainder.

    Examples
    --------
    >>> portions(np.array([0.5, 0.3, 0.2]), 9), portions(np.array([0.99, 0.01]), 4)
    ([4, 3, 2], [3, 1])
    """
    if whole < len(parts):
        raise UsageError("there is not room for every source", f"{len(parts)} sources in {whole}")
    counts = np.maximum(1, np.floor(parts * whole).astype(np.int64))
    while counts.sum() > whole:  # the least ones were lifted to 1
        counts[np.argmax(np.where(counts > 1, counts - parts * whole, -np.inf))] -= 1
    while counts.sum() < whole:
        counts[np.argmax(parts * whole - counts)] += 1
    return [int(count) for count in counts]


class TaskMixture:
    """Each batch from one source, sources in a drawn order: multi-task training with task-homogeneous batches.

    Parameters
    ----------
    sources
        Batches by name; a batch carries its source's name, which :class:`BySource` reads.
    weights, temperature
        See :func:`shares`. Without weights and at temperature 1 every item of every source is seen once an epoch.
    per_epoch
        Batches of an epoch; None: as many as the sources have in all.
    seed
        Of the order.

    Examples
    --------
    >>> class Numbers:
    ...     per_epoch = 2
    ...     def __call__(self, step):
    ...         return Batch(([step],))
    >>> mixture = TaskMixture({"a": Numbers(), "b": Numbers()}, seed=0)
    >>> sorted((mixture(step).source, mixture(step).columns[0]) for step in range(4))
    [('a', [0]), ('a', [1]), ('b', [0]), ('b', [1])]
    """

    def __init__(
        self, sources: Mapping[str, Batches], *, seed: int, weights: Mapping[str, float] | None = None,
        temperature: float = 1.0, per_epoch: int | None = None,
    ) -> None:  # fmt: skip
        self.names, self.sources, self.seed = list(sources), list(sources.values()), seed
        if weights is not None and set(weights) != set(sources):
            raise UsageError(
                "the weights are of other sources", f"sources {sorted(sources)}, weights {sorted(weights)}"
            )
        sizes = [source.per_epoch for source in self.sources]
        parts = shares(sizes, None if weights is None else [weights[name] for name in self.names], temperature)
        self.per_epoch = sum(sizes) if per_epoch is None else per_epoch
        self.portions = portions(parts, self.per_epoch)
        self._epoch: tuple[int, Items] = (-1, np.zeros(0, np.int64))

    def __call__(self, step: int) -> Batch:
        """Return the batch of a step."""
        epoch, place = divmod(step, self.per_epoch)
        order = self._order(epoch)
        chosen = int(order[place])
        before = epoch * self.portions[chosen] + int((order[:place] == chosen).sum())
        return replace(self.sources[chosen](before), source=self.names[chosen])

    def _order(self, epoch: int) -> Items:
        if self._epoch[0] != epoch:
            numbers = np.repeat(np.arange(len(self.sources)), self.portions)
            self._epoch = epoch, generator(self.seed, "mixture", epoch).permutation(numbers)
        return self._epoch[1]


class Order(Protocol):
    """Which items make the batch of a step: a function of the step."""

    per_epoch: int

    def __call__(self, step: int) -> Items:
        """Return numbers of items."""
        ...


class Grouped:
    """Each batch from one group: clusters of neighbours, whose texts are hard negatives, or tasks.

    Parameters
    ----------
    labels
        ``(n,)`` number of each item's group.
    batch_size
        Most items of a batch. A group is cut into batches of sizes that differ by at most one.
    seed
        Of the orders of items in a group and of the batches.
    mix_rest
        Cut whole batches from each group, and put what is left of all groups together.

    References
    ----------
    Embedding And Clustering Your Data Can Improve Contrastive Pretraining: https://arxiv.org/abs/2407.18887

    Examples
    --------
    >>> order = Grouped([0, 0, 0, 1, 1], batch_size=2, seed=0)
    >>> sorted(sorted(order(step).tolist()) for step in range(order.per_epoch))[-1]
    [3, 4]
    """

    def __init__(self, labels: Sequence[int] | Items, *, batch_size: int, seed: int, mix_rest: bool = False) -> None:
        self.batch_size, self.seed, self.mix_rest = batch_size, seed, mix_rest
        self.groups = _groups(labels, batch_size)
        self._epoch: tuple[int, list[Items]] = (-1, [])
        self.per_epoch = len(self._batches(0))

    def __call__(self, step: int) -> Items:
        """Return the items of the batch of a step."""
        epoch, place = divmod(step, self.per_epoch)
        if self._epoch[0] != epoch:
            self._epoch = epoch, self._batches(epoch)
        return self._epoch[1][place]

    def _batches(self, epoch: int) -> list[Items]:
        random = generator(self.seed, "grouped", epoch)
        batches, rest = [], []
        for group in self.groups:
            drawn = random.permutation(group)
            whole = len(drawn) - len(drawn) % self.batch_size if self.mix_rest else len(drawn)
            batches += _even(drawn[:whole], self.batch_size)
            rest.append(drawn[whole:])
        batches += _even(random.permutation(np.concatenate(rest)), self.batch_size)
        return [batches[place] for place in random.permutation(len(batches))]


class Stratified:
    """Each batch from all sources, as many items of each in every batch.

    Parameters
    ----------
    labels
        ``(n,)`` number of each item's source.
    batch_size
        Items of a batch.
    seed
        Of the orders.
    weights, temperature
        See :func:`shares`; weights in the order of the sources' numbers.

    Notes
    -----
    Each source is gone through in an order of its own, again and again, by whole portions: what does not fill one sits
    out that time. No item is twice in a batch.

    Examples
    --------
    >>> order = Stratified([0] * 6 + [1] * 3, batch_size=3, seed=0)
    >>> order.portions, [int((order(step) >= 6).sum()) for step in range(order.per_epoch)]
    ([2, 1], [1, 1, 1])
    """

    def __init__(
        self, labels: Sequence[int] | Items, *, batch_size: int, seed: int, weights: Sequence[float] | None = None,
        temperature: float = 1.0,
    ) -> None:  # fmt: skip
        self.seed, self.groups = seed, _groups(labels, batch_size)
        sizes = [len(group) for group in self.groups]
        self.portions = portions(shares(sizes, weights, temperature), batch_size)
        for number, (size, portion) in enumerate(zip(sizes, self.portions, strict=True)):
            if portion > size:
                raise UsageError(
                    "a source is too small for its portion", f"source {number} has {size} items, {portion} a batch",
                    "lower its weight or the batch size",
                )  # fmt: skip
        self.per_epoch = -(-sum(sizes) // batch_size)
        self._rounds: dict[int, tuple[int, Items]] = {}

    def __call__(self, step: int) -> Items:
        """Return the items of the batch of a step."""
        return np.concatenate([self._portion(number, step) for number in range(len(self.groups))])

    def _portion(self, number: int, step: int) -> Items:
        group, portion = self.groups[number], self.portions[number]
        turn, place = divmod(step, len(group) // portion)
        known, order = self._rounds.get(number, (-1, group))
        if known != turn:
            order = generator(self.seed, "stratified", number, turn).permutation(group)
            self._rounds[number] = turn, order
        return order[place * portion : (place + 1) * portion]


@dataclass(frozen=True, slots=True)
class OrderedBatches:
    """Batches of chosen items, in an order.

    Attributes
    ----------
    items
        From numbers of items to their batch: ``TextBatches(...).of``.
    order
        Which items.
    sources
        ``(n,)`` name of each item's source; a batch of one source alone carries its name.
    """

    items: Callable[[Items], Batch]
    order: Order
    sources: Sequence[str] | None = None

    @property
    def per_epoch(self) -> int:
        """Batches of an epoch."""
        return self.order.per_epoch

    def __call__(self, step: int) -> Batch:
        """Return the batch of a step."""
        chosen = self.order(step)
        names = set() if self.sources is None else {self.sources[int(item)] for item in chosen}
        batch = self.items(chosen)
        return replace(batch, source=names.pop()) if len(names) == 1 else batch


@dataclass(frozen=True, slots=True)
class BySource:
    """Each batch by its own source's objective: multi-task learning.

    Attributes
    ----------
    objectives
        Source's name to objective.

    Examples
    --------
    >>> class One:
    ...     cacheable = True
    ...     def __call__(self, outputs, batch):
    ...         return Losses(outputs)
    >>> import torch
    >>> BySource({"a": One()})(torch.ones(2), Batch(([1, 2],), source="a")).mean()
    tensor(1.)
    """

    objectives: Mapping[str, Objective]

    @property
    def cacheable(self) -> bool:
        """Whether all of them are."""
        return all(objective.cacheable for objective in self.objectives.values())

    def __call__(self, outputs: Any, batch: Batch) -> Losses:
        """Return the losses that the batch's source asks for."""
        return _of_source(self.objectives, batch, "objective")(outputs, batch)


def forward_by_source(forwards: Mapping[str, Forward]) -> Forward:
    """Return a forward pass that depends on the batch's source.

    Parameters
    ----------
    forwards
        Source's name to forward pass.
    """

    def forward(module: nn.Module, batch: Batch) -> Any:
        return _of_source(forwards, batch, "forward pass")(module, batch)

    return forward


def _of_source(known: Mapping[str, Any], batch: Batch, what: str) -> Any:
    if batch.source not in known:
        raise UsageError(f"a batch's source has no {what}", f"{batch.source!r} is none of {', '.join(sorted(known))}")
    return known[batch.source]


def _groups(labels: Sequence[int] | Items, batch_size: int) -> list[Items]:
    """Return the items of each group, groups by number."""
    numbers = np.asarray(labels)
    if not len(numbers) or batch_size < 1:
        raise UsageError("there is nothing to order", f"{len(numbers)} items, {batch_size} a batch")
    return [np.flatnonzero(numbers == number) for number in np.unique(numbers)]


def _even(items: Items, batch_size: int) -> list[Items]:
    """Cut items into as few batches as possible, of sizes that differ by at most one."""
    return np.array_split(items, -(-len(items) // batch_size)) if len(items) else []
