"""Soft-max over the candidates of a batch: the right text against all the others."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from isogloss.errors import UsageError
from isogloss.objectives.contract import Batch, Losses
from isogloss.objectives.in_blocks import in_blocks
from isogloss.objectives.queue import MomentumQueue
from isogloss.objectives.similarity import Kind, need_columns, rowwise, same, unit

Direction = Literal["query_document", "document_query", "query_query", "document_document"]
DIRECTIONS: tuple[Direction, ...] = ("query_document", "document_query", "query_query", "document_document")
_ENTRIES = 2**20
"""Comparisons of one block of rows: a larger batch is compared block by block, in memory that does not grow with it."""


@dataclass(frozen=True, slots=True)
class Texts:
    """Vectors of a batch, read once for all blocks of its rows.

    Attributes
    ----------
    columns
        ``(n, d)`` each, of length 1 where the similarity is the cosine.
    guide
        ``(n, columns, g)`` of length 1, or None.
    queue
        Vectors ``(q, d)`` and keys ``(q,)`` of earlier batches, or None.
    """

    columns: tuple[Tensor, ...]
    guide: Tensor | None
    queue: tuple[Tensor, Tensor] | None


@dataclass(frozen=True)
class Candidates:
    """What some rows ``start`` to ``start + b`` of a batch are compared with in one direction.

    Attributes
    ----------
    similarities
        ``(b, m)``, before temperature.
    banned
        ``(b, m)``: neither the right answer nor a negative.
    false
        ``(b, m)``: the part of ``banned`` that was found to be a right answer (by keys or by the guide).
    own
        ``(b, m)``: texts of the row's own item, its right answer among them.
    positive
        Whether column ``i`` is the right answer of item ``i``.
    start, items
        Item of the first row, and ``n``.
    """

    similarities: Tensor
    banned: Tensor
    false: Tensor
    own: Tensor
    positive: bool
    start: int
    items: int


def softmax_losses(positive: Tensor, logits: Tensor) -> Tensor:
    """Return ``log sum exp(logits) - positive``: ``(n,)`` and ``(n, m)`` to ``(n,)``.

    The right answer must be among the logits; what is banned stands there as minus infinity.

    Examples
    --------
    >>> softmax_losses(torch.tensor([0.0]), torch.tensor([[0.0, 0.0]])).exp().tolist()
    [2.0]
    """
    return logits.logsumexp(1) - positive


@dataclass(frozen=True, kw_only=True)
class InBatchSoftmax:
    """Cross entropy of the right document among all documents of the batch (InfoNCE).

    The columns are query, document and any number of hard negatives; every document and negative of the batch is a
    candidate for every query. An item of weight 0 is neither a row nor a candidate. With a single item and no negatives
    the loss is 0.

    Sources: van den Oord et al. 2018, "Representation Learning with Contrastive Predictive Coding"
    (https://arxiv.org/abs/1807.03748); several directions in one sum: Li et al. 2023, "Towards General Text Embeddings
    with Multi-stage Contrastive Learning" (https://arxiv.org/abs/2308.03281); guide: Solatorio 2024, "GISTEmbed"
    (https://arxiv.org/abs/2402.16829); additive margin: Yang et al. 2019, "Improving Multilingual Sentence Embedding
    using Bi-directional Dual Encoder with Additive Margin Softmax" (https://arxiv.org/abs/1902.08564); angular margin:
    Zhang et al. 2022, "ArcCSE" (https://aclanthology.org/2022.acl-long.336/); hardness: Lan et al. 2025, "LLaVE"
    (https://arxiv.org/abs/2503.04812); focal: Lin et al. 2017 (https://arxiv.org/abs/1708.02002).

    Attributes
    ----------
    temperature
        Similarities are divided by it; for a learned one wrap the objective in :class:`LearnedTemperature`.
    directions
        Which similarities take part: ``query_document`` always does.
    joint
        One sum over all directions (GTE) instead of a loss for each, averaged. Alone, a direction between texts of one
        kind takes the right pair in as a candidate.
    similarity
        ``cosine`` or ``dot``.
    margin
        Taken off the right pair's similarity.
    angular_margin
        Added to the right pair's angle, in radians (cosine only).
    mask_equal
        Never use as a negative what ``batch.keys`` knows to be the query, its document, a document of an equal query,
        or a query of an equal document; how many were masked stands in the losses' parts.
    guide_margin
        Where the batch brings vectors of a guide model as ``extra["guide"]`` of shape ``(size, columns, g)``,
        candidates are masked that the guide finds more similar than the right pair less this margin.
    guide_relative
        The margin is a share of the guide's similarity of the right pair.
    hardness
        This times the similarity (without gradient) is added to the logits of the negatives named by ``hardness_on``.
    hardness_on
        ``batch`` (texts of other items), ``own`` (the item's own hard negatives) or ``all``.
    focal
        Exponent of ``(1 - p)`` by which each item's loss is weighted; 0: not at all.
    queue
        Vectors of earlier batches as further documents, see :class:`~isogloss.objectives.queue.MomentumQueue`.

    Notes
    -----
    A batch of more than a million comparisons is compared in blocks of rows, each of which is computed once more in the
    backward pass: memory grows with the items, not with their square.

    ``extra["candidate_bias"]`` of shape ``(size, columns)`` is added to the logits of each text where it is a
    negative of another item: minus the log of its frequency corrects for texts that are drawn often.

    Examples
    --------
    >>> vectors = torch.eye(2)
    >>> losses = InBatchSoftmax(temperature=1.0)((vectors, vectors), Batch((vectors, vectors)))
    >>> round(float(losses.mean()), 4), losses.unit
    (0.3133, 'item')
    """

    temperature: float | Tensor = 0.05
    directions: tuple[Direction, ...] = ("query_document",)
    joint: bool = False
    similarity: Kind = "cosine"
    margin: float = 0.0
    angular_margin: float = 0.0
    mask_equal: bool = True
    guide_margin: float = 0.0
    guide_relative: bool = False
    hardness: float = 0.0
    hardness_on: Literal["batch", "own", "all"] = "batch"
    focal: float = 0.0
    queue: MomentumQueue | None = None

    cacheable: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not self.temperature > 0:
            raise UsageError(f"the temperature is {self.temperature}", "it must be above 0")
        unknown = [one for one in self.directions if one not in DIRECTIONS]
        if unknown or "query_document" not in self.directions:
            raise UsageError(
                f"the directions are {self.directions}", f"'query_document' and any of {DIRECTIONS[1:]} are possible"
            )
        if self.angular_margin and self.similarity != "cosine":
            raise UsageError("an angular margin needs the cosine", f"the similarity is {self.similarity}")

    def __call__(self, outputs: tuple[Tensor, ...], batch: Batch) -> Losses:
        """Return one loss an item for ``(query, document, negative_1, ...)``, each ``(size, d)``."""
        outputs = need_columns(outputs, 2, "a soft-max over the batch")
        n, texts = len(outputs[0]), self._texts(outputs, batch)
        temperature = torch.as_tensor(self.temperature, dtype=outputs[0].dtype, device=outputs[0].device)

        def rows(start: int, stop: int, temperature: Tensor, *columns: Tensor) -> tuple[Tensor, Tensor]:
            return self._rows(replace(texts, columns=columns), temperature, batch, start, stop)

        step = max(1, _ENTRIES // max(1, self._candidates_a_row(texts)))
        values, counts = in_blocks(rows, n, step, temperature, *texts.columns)  # (n,), (3,)
        if self.focal:
            values = values * (1 - (-values).exp()).clamp_min(0).pow(self.focal)
        masked, negatives, hits = counts.tolist()
        parts: dict[str, Tensor | float] = {
            "masked": masked, "negatives": negatives / max(1, n), "accuracy": hits / max(1, n)
        }  # fmt: skip
        return Losses(values, batch.weights, "item", parts)

    def _texts(self, outputs: tuple[Tensor, ...], batch: Batch) -> Texts:
        keys, guide = batch.keys, batch.extra.get("guide")
        if keys is not None and self.mask_equal and keys.shape != (len(outputs[0]), len(outputs)):
            wanted = (len(outputs[0]), len(outputs))
            raise UsageError("the keys do not fit the columns", f"they are {tuple(keys.shape)}, not {wanted}")
        scaled = tuple(unit(one) for one in outputs) if self.similarity == "cosine" else outputs
        queue = None if self.queue is None else self.queue.kept()
        if queue is not None:
            vectors = queue[0].to(scaled[0].dtype)  # (q, d)
            queue = unit(vectors) if self.similarity == "cosine" else vectors, queue[1]
        return Texts(scaled, None if guide is None else unit(guide), queue)

    def _candidates_a_row(self, texts: Texts) -> int:
        """Return how many texts a row is compared with, over all directions."""
        n, queued = len(texts.columns[0]), 0 if texts.queue is None else len(texts.queue[1])
        return queued + sum(n * len(_columns(texts, one)) for one in self.directions)

    def _rows(self, texts: Texts, temperature: Tensor, batch: Batch, start: int, stop: int) -> tuple[Tensor, Tensor]:
        """Return the losses ``(b,)`` of the items ``start`` to ``stop``, and counts: masked, negatives, found."""
        plain = rowwise(texts.columns[0][start:stop], texts.columns[1][start:stop], "dot")  # (b,)
        positive = self._with_margin(plain) / temperature  # (b,)
        blocks = [self._candidates(texts, batch, one, start, stop) for one in self.directions]
        logits = [
            self._logits(block, positive, batch, one, temperature)
            for block, one in zip(blocks, self.directions, strict=True)
        ]
        if self.joint:
            values = softmax_losses(positive, torch.cat(logits, 1))  # (b, all candidates)
        else:
            full = [
                one if block.positive else torch.cat([positive[:, None], one], 1)  # (b, 1 + m)
                for block, one in zip(blocks, logits, strict=True)
            ]
            values = torch.stack([softmax_losses(positive, one) for one in full]).mean(0)  # (b,)
        return values, _counts(blocks, plain)

    def _with_margin(self, similarity: Tensor) -> Tensor:
        if self.angular_margin:
            inside = similarity.clamp(-1 + 1e-6, 1 - 1e-6)  # the arc cosine has no gradient at its ends
            turned = torch.cos((inside.acos() + self.angular_margin).clamp_max(math.pi))
            similarity = similarity + (turned - inside)
        return similarity - self.margin

    def _candidates(self, texts: Texts, batch: Batch, direction: Direction, start: int, stop: int) -> Candidates:
        left, right = direction.split("_")
        n, columns = len(texts.columns[0]), _columns(texts, direction)
        rows = texts.columns[0 if left == "query" else 1][start:stop]  # (b, d)
        similarities = torch.cat([rows @ texts.columns[c].T for c in columns], 1)  # (b, m)
        items = torch.arange(n, device=rows.device)
        same_row = same(items[start:stop], items)  # (b, n)
        own = same_row.repeat(1, len(columns))  # (b, m)
        false = torch.cat([self._false(batch, c, same_row, start, stop) for c in columns], 1)  # (b, m)
        if texts.guide is not None:
            protected = own.clone()
            protected[:, n:] = False  # own hard negatives can be false negatives too
            false = false | (self._guided(texts.guide, left, columns, start, stop) & ~protected)
        banned = false.clone()
        if left == right:
            banned = banned | own
        if batch.weights is not None:
            banned = banned | ((batch.weights == 0).repeat(len(columns))[None, :] & ~own)
        if direction == "query_document" and texts.queue is not None:
            now = similarities, banned, false, own
            similarities, banned, false, own = self._queued(rows, texts.queue, batch, now, slice(start, stop))
        return Candidates(similarities, banned, false, own, left != right, start, n)

    def _false(self, batch: Batch, column: int, same_row: Tensor, start: int, stop: int) -> Tensor:
        if batch.keys is None or not self.mask_equal:
            return torch.zeros_like(same_row)
        keys, rows = batch.keys, batch.keys[start:stop]
        false = same(rows[:, 0], keys[:, column]) | same(rows[:, 1], keys[:, column])  # (b, n)
        if column < 2:  # the partner of an equal text answers too
            false = false | same(rows[:, 1 - column], keys[:, 1 - column])
            return false & ~same_row
        return false

    def _guided(self, guide: Tensor, left: str, columns: list[int], start: int, stop: int) -> Tensor:
        some = guide[start:stop]  # (b, columns, g)
        threshold = rowwise(some[:, 0], some[:, 1], "dot")  # (b,)
        threshold = threshold - self.guide_margin * (threshold.abs() if self.guide_relative else 1.0)
        rows = some[:, 0 if left == "query" else 1]  # (b, g)
        return torch.cat([rows @ guide[:, c].T for c in columns], 1) > threshold[:, None]  # (b, m)

    def _queued(
        self, rows: Tensor, queue: tuple[Tensor, Tensor], batch: Batch, now: tuple[Tensor, ...], part: slice
    ) -> tuple[Tensor, ...]:
        vectors, keys = queue
        false = torch.zeros(len(rows), len(vectors), dtype=torch.bool, device=rows.device)  # (b, q)
        if batch.keys is not None and self.mask_equal:
            false = same(batch.keys[part, 0], keys) | same(batch.keys[part, 1], keys)
        further = rows @ vectors.T, false, false, torch.zeros_like(false)
        return tuple(torch.cat([old, new], 1) for old, new in zip(now, further, strict=True))  # (b, m + q)

    def _logits(
        self, block: Candidates, positive: Tensor, batch: Batch, direction: Direction, temperature: Tensor
    ) -> Tensor:
        logits = block.similarities / temperature  # (b, m)
        n = block.items
        if self.hardness and direction == "query_document":
            negative = ~block.own
            if self.hardness_on != "batch":
                mine = block.own.clone()
                mine[:, :n] = False
                negative = mine if self.hardness_on == "own" else negative | mine
            logits = logits + self.hardness * block.similarities.detach() * negative
        bias = batch.extra.get("candidate_bias")
        if bias is not None:
            columns = bias[:, :1] if direction.endswith("query") else bias[:, 1:]  # (n, columns)
            flat = columns.T.reshape(-1)  # (m,), without the queue
            logits = logits + torch.cat([flat, flat.new_zeros(logits.shape[1] - len(flat))])[None, :] * ~block.own
        logits = logits.masked_fill(block.banned, -torch.inf)
        if not block.positive:
            return logits
        own = torch.diagonal_scatter(logits[:, :n], positive, block.start)  # (b, n) with the right pairs' margins
        return torch.cat([own, logits[:, n:]], 1)  # (b, m)


def _columns(texts: Texts, direction: Direction) -> list[int]:
    """Return the columns whose texts are the candidates."""
    return [0] if direction.endswith("query") else list(range(1, len(texts.columns)))


def _counts(blocks: list[Candidates], similarity: Tensor) -> Tensor:
    """Return how many were masked, how many negatives are left, and for how many rows the right document is nearest."""
    first = blocks[0]
    right = torch.zeros_like(first.banned)
    right.diagonal(first.start).fill_(True)
    aside = first.banned | right
    nearest = first.similarities.detach().masked_fill(aside, -torch.inf).amax(1)  # (b,)
    masked = torch.stack([block.false.sum() for block in blocks]).sum()
    return torch.stack([masked, (~aside).sum(), (similarity.detach() > nearest).sum()])  # (3,)


class LearnedTemperature(nn.Module):
    """Any objective with a ``temperature``, learned as the log of its inverse beside the model.

    Its parameter is trained with the player whose objective it is.

    Source: Radford et al. 2021, "Learning Transferable Visual Models From Natural Language Supervision"
    (https://arxiv.org/abs/2103.00020).

    Parameters
    ----------
    inner
        A frozen dataclass with a field ``temperature``.
    initial, least
        Temperature at the start, and the lowest one.

    Examples
    --------
    >>> learned = LearnedTemperature(InBatchSoftmax(), initial=0.07)
    >>> round(learned.temperature().item(), 4)
    0.07
    """

    def __init__(self, inner: Any, *, initial: float = 0.07, least: float = 0.01) -> None:
        super().__init__()
        self.inner, self.least = inner, least
        self.log_scale = nn.Parameter(torch.tensor(-math.log(initial)))

    @property
    def cacheable(self) -> bool:
        """Whether the inner objective is."""
        return bool(self.inner.cacheable)

    def temperature(self) -> Tensor:
        """Return the temperature as it is now."""
        return (-self.log_scale.clamp_max(-math.log(self.least))).exp()

    def forward(self, outputs: Any, batch: Batch) -> Losses:
        """Return the inner objective's losses at this temperature."""
        return replace(self.inner, temperature=self.temperature())(outputs, batch)
