"""A student learns from a teacher: its scores, its vectors, or the relations between its vectors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from isogloss.errors import UsageError
from isogloss.objectives.contract import Batch, Losses
from isogloss.objectives.similarity import Kind, distances, matrix, need_columns, need_labels, root, rowwise, unit

Error = Literal["squared", "euclidean", "cosine", "absolute"]


@dataclass(frozen=True, kw_only=True)
class ScoreDivergence:
    """The student spreads a query's probability over its candidates as the teacher does (Kullback-Leibler).

    The candidates are the item's own document and negatives, or with ``in_batch`` all documents of the batch.

    Source: Hinton et al. 2015, "Distilling the Knowledge in a Neural Network" (https://arxiv.org/abs/1503.02531).

    Attributes
    ----------
    temperature
        Of the student's scores; the divergence is multiplied by its square.
    teacher_temperature
        Of the teacher's scores; None: the same.
    similarity
        ``dot`` or ``cosine``.
    in_batch
        The labels are ``(size, size * (columns - 1))``, in the columns' order.

    Examples
    --------
    >>> q, d = torch.tensor([[1.0, 0.0]]), torch.tensor([[2.0, 0.0]])
    >>> losses = ScoreDivergence()((q, d, q), Batch((q, d, q), torch.tensor([[5.0, 4.0]])))
    >>> abs(losses.mean().item()) < 1e-6
    True
    """

    temperature: float = 1.0
    teacher_temperature: float | None = None
    similarity: Kind = "dot"
    in_batch: bool = False

    cacheable: ClassVar[bool] = True

    def __call__(self, outputs: tuple[Tensor, ...], batch: Batch) -> Losses:
        """Return one loss an item for ``(query, document, negative_1, ...)`` and ``(size, candidates)`` scores."""
        outputs = need_columns(outputs, 2 if self.in_batch else 3, "distillation of scores")
        labels = need_labels(batch.labels, len(outputs[0]), "distillation of scores")
        if self.in_batch:
            scores = matrix(outputs[0], torch.cat(outputs[1:]), self.similarity)  # (n, n * (columns - 1))
        else:
            scores = torch.stack([rowwise(outputs[0], one, self.similarity) for one in outputs[1:]], 1)  # (n, m)
        if labels.shape != scores.shape:
            wanted = f"the batch asks for {tuple(scores.shape)}"
            raise UsageError(f"the teacher's scores have the shape {tuple(labels.shape)}", wanted)
        logs = (scores / self.temperature).log_softmax(1)
        wanted_logs = (labels.to(scores) / (self.teacher_temperature or self.temperature)).log_softmax(1)
        values = functional.kl_div(logs, wanted_logs, reduction="none", log_target=True).sum(1)  # (n,)
        return Losses(values * self.temperature**2, batch.weights, "item")


@dataclass(frozen=True, kw_only=True)
class MarginRegression:
    """The student keeps the teacher's difference between right and wrong documents (MarginMSE).

    Source: Hofstaetter et al. 2020, "Improving Efficient Neural Ranking Models with Cross-Architecture Knowledge
    Distillation" (https://arxiv.org/abs/2010.02666).

    Attributes
    ----------
    similarity
        ``dot`` or ``cosine``.

    Examples
    --------
    >>> q, d, n = torch.tensor([[1.0]]), torch.tensor([[3.0]]), torch.tensor([[1.0]])
    >>> float(MarginRegression()((q, d, n), Batch((q, d, n), torch.tensor([1.0]))).mean())
    1.0
    """

    similarity: Kind = "dot"

    cacheable: ClassVar[bool] = True

    def __call__(self, outputs: tuple[Tensor, ...], batch: Batch) -> Losses:
        """Return one loss an item, averaged over negatives, for ``(query, document, negative_1, ...)``.

        Labels are the teacher's differences ``(size, negatives)`` (or ``(size,)``), or its scores, one more column.
        """
        outputs = need_columns(outputs, 3, "distillation of margins")
        labels = need_labels(batch.labels, len(outputs[0]), "distillation of margins").reshape(len(outputs[0]), -1)
        if labels.shape[1] == len(outputs) - 1:
            labels = labels[:, :1] - labels[:, 1:]  # (n, negatives)
        if labels.shape[1] != len(outputs) - 2:
            wanted = f"there are {len(outputs) - 2} negatives"
            raise UsageError(f"the labels have {labels.shape[1]} columns", wanted)
        wrong = torch.stack([rowwise(outputs[0], one, self.similarity) for one in outputs[2:]], 1)  # (n, negatives)
        margins = rowwise(outputs[0], outputs[1], self.similarity)[:, None] - wrong
        return Losses((margins - labels.to(margins)).square().mean(1), batch.weights, "item")


def vector_error(own: Tensor, target: Tensor, error: Error) -> Tensor:
    """Return how far vectors are from their targets, ``(n, d)`` twice to ``(n,)``.

    Examples
    --------
    >>> own, target = torch.tensor([[3.0, 4.0]]), torch.tensor([[0.0, 0.0]])
    >>> [float(vector_error(own, target, e)) for e in ("squared", "euclidean", "cosine", "absolute")]
    [12.5, 5.0, 1.0, 3.5]
    """
    difference = own - target
    if error == "squared":
        return difference.square().mean(1)  # (n,)
    if error == "absolute":
        return difference.abs().mean(1)  # (n,)
    return 1 - rowwise(own, target) if error == "cosine" else root(difference.square().sum(1))  # (n,)


class FeatureDistillation(nn.Module):
    """The student's vectors come near the teacher's, through a learned projection where their widths differ.

    The teacher's vectors are ``extra["teacher"]`` or else the labels: ``(size, t)`` for all columns alike (a
    translation learns its source's vector), or ``(size, columns, t)``. The projection is part of the objective and
    is trained with its player.

    Sources: Reimers and Gurevych 2020, "Making Monolingual Sentence Embeddings Multilingual using Knowledge
    Distillation" (https://arxiv.org/abs/2004.09813); Romero et al. 2015, "FitNets" (https://arxiv.org/abs/1412.6550).

    Parameters
    ----------
    error
        ``squared`` (mean over numbers), ``absolute``, ``euclidean`` or ``cosine`` (1 less the cosine).
    width, teacher_width
        Of student and teacher; where both are given there is a linear projection between them.

    Examples
    --------
    >>> x = torch.ones(2, 3)
    >>> float(FeatureDistillation()((x,), Batch((x,), extra={"teacher": x * 2})).mean())
    1.0
    """

    cacheable = True

    def __init__(self, *, error: Error = "squared", width: int | None = None, teacher_width: int | None = None) -> None:
        super().__init__()
        self.error = error
        self.projection = nn.Linear(width, teacher_width) if width and teacher_width else None

    def forward(self, outputs: tuple[Tensor, ...], batch: Batch) -> Losses:
        """Return one loss an item, averaged over columns of ``(size, d)``."""
        outputs = need_columns(outputs, 1, "distillation of vectors")
        target = teacher_vectors(batch, len(outputs[0]), len(outputs))  # (n, columns, t)
        own = [one if self.projection is None else self.projection(one) for one in outputs]  # (n, t) each
        if own[0].shape[1] != target.shape[2]:
            raise UsageError(
                f"the student's vectors have {own[0].shape[1]} numbers", f"the teacher's have {target.shape[2]}",
                "give width and teacher_width, so that a projection is learned",
            )  # fmt: skip
        errors = [vector_error(one, target[:, i].to(one), self.error) for i, one in enumerate(own)]
        return Losses(torch.stack(errors, 1).mean(1), batch.weights, "item")  # (n,)


@dataclass(frozen=True, kw_only=True)
class RelationalDistillation:
    """The student keeps the teacher's distances and angles between the items of a batch (RKD).

    One value a batch for each column, averaged: Huber errors of distances divided by their mean, and of the cosines of
    the angles of all triples. A batch of fewer than two items (three for angles) costs nothing. ``O(n^3)`` with angles.

    Source: Park et al. 2019, "Relational Knowledge Distillation" (https://arxiv.org/abs/1904.05068).

    Attributes
    ----------
    distance, angle
        Factors of both; 0 leaves one out.

    Examples
    --------
    >>> x = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 2.0]])
    >>> abs(RelationalDistillation()((x,), Batch((x,), extra={"teacher": 3 * x})).mean().item()) < 1e-6
    True
    """

    distance: float = 1.0
    angle: float = 2.0

    cacheable: ClassVar[bool] = True

    def __call__(self, outputs: tuple[Tensor, ...], batch: Batch) -> Losses:
        """Return one value of the batch for columns of ``(size, d)`` vectors; teacher as in FeatureDistillation."""
        outputs = need_columns(outputs, 1, "distillation of relations")
        target = teacher_vectors(batch, len(outputs[0]), len(outputs))
        if batch.weights is not None:
            kept = batch.weights > 0
            outputs, target = tuple(one[kept] for one in outputs), target[kept]
        values = [self._column(one, target[:, i].to(one)) for i, one in enumerate(outputs)]
        return Losses(torch.stack(values).mean()[None], unit="batch")  # (1,)

    def _column(self, own: Tensor, teacher: Tensor) -> Tensor:
        whole = own.sum() * 0
        if self.distance and len(own) > 1:
            whole = whole + self.distance * _mean_error(_relative(own), _relative(teacher))
        if self.angle and len(own) > 2:
            whole = whole + self.angle * _mean_error(_angles(own), _angles(teacher))
        return whole


def _relative(vectors: Tensor) -> Tensor:
    """Return the distances of all pairs of items, divided by their mean, ``(n (n - 1),)``."""
    other = ~torch.eye(len(vectors), dtype=torch.bool, device=vectors.device)
    between = distances(vectors, vectors)[other]
    return between / between.mean().clamp_min(1e-12)


def _angles(vectors: Tensor) -> Tensor:
    """Return the cosines of the angles at each item between each two others, ``(n^3,)``."""
    arms = unit(vectors[None, :] - vectors[:, None])  # (n, n, d): from the first to the second
    return (arms @ arms.transpose(1, 2)).flatten()  # (n^3,)


def _mean_error(own: Tensor, teacher: Tensor) -> Tensor:
    return functional.smooth_l1_loss(own, teacher)


class TableRegression(nn.Module):
    """A table of vectors is drawn towards another one, row by row: new token embeddings towards old ones.

    Columns are row numbers ``(size,)``; the model is not asked. The table that learns is ``table`` itself.

    Source: Minixhofer et al. 2024, "Zero-Shot Tokenizer Transfer", warm-up by imitation
    (https://arxiv.org/abs/2405.07883).

    Parameters
    ----------
    table
        ``(rows, d)`` that learns.
    target
        ``(rows, d)`` that stays.
    error
        As in :class:`FeatureDistillation`.

    Examples
    --------
    >>> objective = TableRegression(torch.zeros(2, 3), torch.ones(2, 3))
    >>> objective((), Batch((torch.tensor([1]),))).mean().item()
    1.0
    """

    cacheable = False
    target: Tensor

    def __init__(self, table: Tensor, target: Tensor, *, error: Error = "squared") -> None:
        super().__init__()
        if table.shape != target.shape:
            raise UsageError("the tables differ in shape", f"{tuple(table.shape)} and {tuple(target.shape)}")
        self.table, self.error = nn.Parameter(table.clone()), error
        self.register_buffer("target", target.clone())

    def forward(self, outputs: object, batch: Batch) -> Losses:
        """Return one loss an item."""
        rows = batch.columns[0]
        return Losses(vector_error(self.table[rows], self.target[rows], self.error), batch.weights, "item")


def teacher_vectors(batch: Batch, rows: int, columns: int) -> Tensor:
    """Return the teacher's vectors of a batch as ``(rows, columns, t)``.

    Raises
    ------
    UsageError
        Where there are none, or their shape does not fit.

    Examples
    --------
    >>> tuple(teacher_vectors(Batch((0, 0), labels=torch.ones(4, 5)), 4, 2).shape)
    (4, 2, 5)
    """
    given = batch.extra.get("teacher", batch.labels)
    given = need_labels(given, rows, "distillation of vectors (a teacher's vectors in extra or labels)")
    shared = given[:, None].expand(-1, columns, -1) if given.ndim == 2 else given
    if shared.ndim != 3 or shared.shape[1] != columns:
        wanted = f"({rows}, t) or ({rows}, {columns}, t) is needed"
        raise UsageError(f"the teacher's vectors have the shape {tuple(given.shape)}", wanted)
    return shared
