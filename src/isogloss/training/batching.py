"""Batches of texts in columns: tokens made once, a new order each epoch, no two items of a batch that answer alike."""

from __future__ import annotations

import warnings
from collections import deque
from collections.abc import Hashable, Sequence
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from isogloss.encoders.tokenizer_file import Tokens
from isogloss.errors import IsoglossWarning, TruncationWarning, UsageError
from isogloss.nn.packing import Packed
from isogloss.objectives.contract import Batch
from isogloss.protocols import EncodeReport
from isogloss.seeding import generator

Ints: TypeAlias = NDArray[np.int64]


class Cutter(Protocol):
    """Makes token ids of texts, at most ``max_length`` of each (0: all)."""

    max_length: int

    def __call__(self, texts: Sequence[str]) -> Tokens:
        """Return the ids of each text and how many there were."""
        ...


@runtime_checkable
class FlatCutter(Protocol):
    """A cutter that gives the ids of all texts end to end: faster where there are many short texts."""

    def flat(self, texts: Sequence[str]) -> tuple[Ints, Ints, Ints]:
        """Return ids ``(T,)``, numbers of ids ``(n,)``, and what these were before any cut."""
        ...


class TextBatches:
    """Batches of items, each with one text a column: ``(anchor, positive, negative ...)``, a pair with a score, a text.

    Every epoch has the same number of batches, of sizes that differ by at most one. With ``no_duplicates`` no two items
    of a batch share a text or a group, so that no right answer is a negative; an item for which no batch of an epoch
    has room sits out that epoch (``left_out`` says how many, and a warning).

    Parameters
    ----------
    columns
        Texts by column, all of one length.
    tokenizer
        Cuts at the model's window; what is cut is counted in ``report``, and a warning says it.
    batch_size
        Most items of a batch.
    seed
        Of the orders.
    labels
        One number (or a row of numbers) an item.
    groups
        One id an item, of the document that its texts come from (or of whatever else makes two items answer alike).
    weights
        One weight an item.
    no_duplicates
        Keep items that share a text or a group out of one batch. Without it ``keys`` still tell objectives.
    prompts
        Text in front of each text, one a column.

    Attributes
    ----------
    per_epoch
        Batches of an epoch.
    duplicates
        Items that share a text or a group with another item.
    left_out
        Items that sit out the first epoch; as many others do in later ones.
    report
        Texts, tokens, and how many were cut.

    Raises
    ------
    UsageError
        Where there is no data, columns differ in length, an item is not a string, labels are not finite numbers, or
        nothing could be learned: one item without labels and negatives, or items that all answer alike.

    Examples
    --------
    With a folder that has a ``tokenizer.json``::

        batches = TextBatches([questions, answers], TokenizerFile(folder, max_length=128), batch_size=64, seed=0)
        batches(0).columns[0]  # Packed: the questions of the first batch
    """

    def __init__(
        self,
        columns: Sequence[Sequence[str]],
        tokenizer: Cutter,
        *,
        batch_size: int,
        seed: int,
        labels: Any = None,
        groups: Sequence[Hashable] | None = None,
        weights: Sequence[float] | None = None,
        no_duplicates: bool = True,
        prompts: Sequence[str] = (),
    ) -> None:
        texts = _checked(columns)
        self.size, self.seed = len(texts[0]), seed
        if batch_size < 1:
            raise UsageError(f"a batch of {batch_size} items is not possible", "", "use 1 or more")
        self.labels = None if labels is None else _numbers(labels, self.size, "label")
        self.weights = None if weights is None else _numbers(weights, self.size, "weight").float()
        self.keys = _keys(texts, groups)
        self._no_duplicates = no_duplicates
        if self.labels is None:
            _check_contrast(self.keys)
        self.report = EncodeReport()
        prompts = prompts or [""] * len(texts)
        self._columns = [
            _Column(column, prompt, tokenizer, self.report) for column, prompt in zip(texts, prompts, strict=True)
        ]
        if self.report.cut:
            warnings.warn(self.report.sentence(), TruncationWarning, stacklevel=2)
        self.per_epoch = -(-self.size // batch_size)
        self.duplicates = int(_shared(self.keys).sum())
        self._epochs: dict[int, list[NDArray[np.int64]]] = {}
        self.left_out = self.size - sum(map(len, self._epoch(0)))
        if self.left_out:
            warnings.warn(
                f"{self.left_out:,} of {self.size:,} items sit out each epoch: they share a text or a group with an "
                f"item in every batch that has room; leave repetitions out of the data",
                IsoglossWarning, stacklevel=2,
            )  # fmt: skip

    def __call__(self, step: int) -> Batch:
        """Return the batch of a step."""
        epoch, place = divmod(step, self.per_epoch)
        return self.of(self._epoch(epoch)[place])

    def of(self, items: NDArray[np.int64]) -> Batch:
        """Return the batch of chosen items, by number: for the orders of :mod:`isogloss.training.mixing`."""
        chosen = torch.from_numpy(items)
        return Batch(
            tuple(column.take(items) for column in self._columns),
            labels=None if self.labels is None else self.labels[chosen],
            weights=None if self.weights is None else self.weights[chosen],
            keys=torch.from_numpy(self.keys[items]),
        )

    def lengths(self) -> NDArray[np.int64]:
        """Return the tokens of each text, ``(size, columns)``: for estimates of time and memory."""
        return np.stack([np.diff(column.offsets) for column in self._columns], axis=1)

    def summary(self) -> dict[str, int]:
        """Return the counts of items, batches, duplicates and cut texts as plain data."""
        return {
            "items": self.size, "batches": self.per_epoch, "duplicates": self.duplicates, "left_out": self.left_out,
            "cut": self.report.cut, "tokens": self.report.tokens,
        }  # fmt: skip

    def _epoch(self, epoch: int) -> list[NDArray[np.int64]]:
        """Return the items of each batch of an epoch; the last two epochs asked for are kept."""
        if epoch not in self._epochs:
            order = generator(self.seed, "order", epoch).permutation(self.size).astype(np.int64)
            apart = self._no_duplicates and self.duplicates
            plan = _apart(order, self.keys, self.per_epoch) if apart else np.array_split(order, self.per_epoch)
            for old in sorted(self._epochs)[:-1]:
                del self._epochs[old]
            self._epochs[epoch] = plan
        return self._epochs[epoch]


class _Column:
    """Token ids of all texts of a column, end to end."""

    def __init__(self, texts: list[str], prompt: str, tokenizer: Cutter, report: EncodeReport) -> None:
        parts, sizes = [], [np.zeros(1, np.int64)]
        for start in range(0, len(texts), 8192):  # in slices: the single arrays take more room than the tokens
            some = [prompt + text for text in texts[start : start + 8192]] if prompt else texts[start : start + 8192]
            flat, kept, full = tokenizer.flat(some) if isinstance(tokenizer, FlatCutter) else _flat(tokenizer(some))
            parts.append(flat.astype(np.int32))
            sizes.append(kept)
            lost = full - kept
            report.add(
                texts=len(kept), tokens=int(full.sum()), cut=int((lost > 0).sum()), lost=int(lost.sum()),
                window=tokenizer.max_length,
            )  # fmt: skip
        self.ids, self.offsets = np.concatenate(parts), np.cumsum(np.concatenate(sizes))

    def take(self, items: NDArray[np.int64]) -> Packed:
        """Return the tokens of some texts."""
        starts, stops = self.offsets[items], self.offsets[items + 1]
        flat = np.concatenate([self.ids[a:b] for a, b in zip(starts, stops, strict=True)])  # (T,)
        offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(stops - starts)])
        return Packed(torch.from_numpy(flat.astype(np.int64)), torch.from_numpy(offsets))


def _flat(tokens: Tokens) -> tuple[Ints, Ints, Ints]:
    return np.concatenate(tokens.ids), np.array([len(ids) for ids in tokens.ids], np.int64), tokens.full


def _checked(columns: Sequence[Sequence[str]]) -> list[list[str]]:
    if isinstance(columns, str) or any(isinstance(column, str) for column in columns):
        raise UsageError("columns are lists of texts", "a column is a single string", "give [[text, ...], ...]")
    texts = [list(column) for column in columns]
    sizes = [len(column) for column in texts]
    if not sizes or not max(sizes):
        raise UsageError("there is nothing to train on", f"{len(sizes)} columns without a text", "check the data")
    if len(set(sizes)) > 1:
        raise UsageError(
            "the columns differ in length", f"they have {', '.join(map(str, sizes))} texts", "give one text a row each"
        )
    for number, column in enumerate(texts):
        wrong = [i for i, text in enumerate(column) if not isinstance(text, str)]
        if wrong:
            found = type(column[wrong[0]]).__name__
            raise UsageError(
                "only texts can be trained on",
                f"{len(wrong)} of {len(column)} items of column {number} are no strings; item {wrong[0]} is {found}",
                "leave these rows out, or give numbers as labels=",
            )
    return texts


def _numbers(values: Any, size: int, name: str) -> Tensor:
    """Return labels or weights as float32 or int64, checked."""
    found = values.detach().cpu().numpy() if isinstance(values, Tensor) else np.asarray(values)
    if found.dtype.kind not in "biuf":
        flat = list(values)
        wrong = [value for value in flat if not isinstance(value, int | float | np.number)]
        shown = repr(wrong[0])[:40] if wrong else str(found.dtype)
        raise UsageError(
            f"{name}s must be numbers", f"{len(wrong)} of {len(flat)} are not; one is {shown}",
            f"give each {name} a number, for instance by its place in the sorted list of classes",
        )  # fmt: skip
    if len(found) != size:
        raise UsageError(f"texts and {name}s differ in number", f"{size} rows, {len(found)} {name}s", "give one a row")
    if found.dtype.kind == "f" and not np.isfinite(found).all():
        bad = int((~np.isfinite(found)).reshape(len(found), -1).any(1).sum())
        raise UsageError(f"{name}s must be finite", f"{bad} of {size} rows have NaN or infinity", "leave them out")
    return torch.from_numpy(found.astype(np.float32 if found.dtype.kind == "f" else np.int64))


def _keys(columns: list[list[str]], groups: Sequence[Hashable] | None) -> NDArray[np.int64]:
    """Return ``(size, columns)``: equal numbers for equal texts, and for the answers (column 1) of one group."""
    known: dict[str, int] = {}
    size = len(columns[0])
    keys = np.array([[known.setdefault(_even(text), len(known)) for text in column] for column in columns])
    if groups is not None:
        if len(groups) != size:
            raise UsageError("texts and groups differ in number", f"{size} rows, {len(groups)} groups", "give one each")
        answers = keys[min(1, len(columns) - 1)]
        parent = list(range(len(known)))
        first: dict[Hashable, int] = {}
        for group, answer in zip(groups, answers.tolist(), strict=True):
            parent[_root(parent, answer)] = _root(parent, first.setdefault(group, answer))
        keys = np.array([_root(parent, key) for key in range(len(known))])[keys]
    return np.ascontiguousarray(keys.T.astype(np.int64))  # (columns, size) -> (size, columns)


def _even(text: str) -> str:
    """Return a text with single blanks between its words."""
    plain = not ("  " in text or "\n" in text or "\t" in text or text[:1].isspace() or text[-1:].isspace())
    return text if plain else " ".join(text.split())


def _root(parent: list[int], node: int) -> int:
    while parent[node] != node:
        parent[node] = parent[parent[node]]
        node = parent[node]
    return node


def _shared(keys: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Say of each item whether it shares a key with another one, ``(size,)``."""
    items = np.repeat(np.arange(len(keys)), keys.shape[1])
    once = np.unique(np.stack([keys.ravel(), items]), axis=1)  # a key counts once an item
    counts = np.bincount(once[0], minlength=int(keys.max()) + 1)
    return np.asarray((counts[keys] > 1).any(1))


def _check_contrast(keys: NDArray[np.int64]) -> None:
    """Refuse data without labels in which no item can be told from another."""
    size, columns = keys.shape
    if size == 1 and columns < 3:
        raise UsageError(
            "one item has nothing to be told apart from", f"1 row of {columns} columns without labels",
            "give two rows or more, a negative, or labels",
        )  # fmt: skip
    for number, name in enumerate(("anchor", "answer")[:columns]):
        if size > 1 and columns < 3 and (keys[:, number] == keys[0, number]).all():
            raise UsageError(
                "all items answer alike", f"{size} rows share one {name} (or one group)",
                "give data with different texts, or labels",
            )  # fmt: skip


def _apart(order: NDArray[np.int64], keys: NDArray[np.int64], count: int) -> list[NDArray[np.int64]]:
    """Deal items into ``count`` batches so that no two of a batch share a key; what fits nowhere is left out."""
    room = [len(part) for part in np.array_split(order, count)]
    batches: list[list[int]] = [[] for _ in range(count)]
    taken: list[set[int]] = [set() for _ in range(count)]
    rows = [set(row) for row in keys.tolist()]
    waiting: deque[int] = deque()
    following = iter(order.tolist())
    for number in range(count):
        again: list[int] = []
        while len(batches[number]) < room[number]:
            item = waiting.popleft() if waiting else next(following, None)
            if item is None:
                break
            if rows[item].isdisjoint(taken[number]):
                batches[number].append(item)
                taken[number] |= rows[item]
            else:
                again.append(item)
        waiting.extendleft(reversed(again))
    for item in [*waiting, *following]:
        _exchange(item, batches, taken, rows, room)
    return [np.array(batch, np.int64) for batch in batches]


def _exchange(
    item: int, batches: list[list[int]], taken: list[set[int]], rows: list[set[int]], room: list[int]
) -> None:
    """Put an item into a full batch whose place another item gives up for a batch with room."""
    free = [number for number, batch in enumerate(batches) if len(batch) < room[number]]
    for number, batch in enumerate(batches):
        if not rows[item].isdisjoint(taken[number]):
            continue
        for place, other in enumerate(batch):
            home = next((one for one in free if rows[other].isdisjoint(taken[one])), None)
            if home is not None:
                batch[place] = item
                taken[number] = (taken[number] - rows[other]) | rows[item]
                batches[home].append(other)
                taken[home] |= rows[other]
                return
