"""Losses of sentence-transformers in our loop, and our objectives in their trainer.

Their losses on vectors (``compute_loss_from_embeddings``) and ours on vectors mean the same things under other names;
neither side needs the other installed unless it is used.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from isogloss.errors import UsageError
from isogloss.objectives.contract import Batch, Losses, Objective
from isogloss.objectives.similarity import need_columns


class FromSentenceTransformers(nn.Module):
    """A loss of sentence-transformers as an objective: one value a batch.

    Taken are losses that work on vectors: those with ``compute_loss_from_embeddings`` (in-batch soft-max, triplets,
    CoSENT, AnglE, contrastive pairs, cosine, distillation) and the cached ones with ``calculate_loss``. Losses that
    wrap the model itself (their Matryoshka and adaptive layers, denoising auto-encoder, soft-max head) are not: ours do
    that. Give the loss ``model=None`` where it allows. Items of weight 0 are left out; it cannot weigh items otherwise.

    Source: https://www.sbert.net/docs/package_reference/sentence_transformer/losses.html

    Parameters
    ----------
    loss
        An instance of one of their losses; parameters that it holds are trained with the player.

    Examples
    --------
    >>> class Theirs(torch.nn.Module):
    ...     def compute_loss_from_embeddings(self, embeddings, labels):
    ...         return (embeddings[0] - embeddings[1]).square().mean()
    >>> x = torch.ones(2, 3)
    >>> float(FromSentenceTransformers(Theirs())((x, 3 * x), Batch((x, x))).mean())
    4.0
    """

    cacheable = True

    def __init__(self, loss: nn.Module) -> None:
        super().__init__()
        if not hasattr(loss, "compute_loss_from_embeddings") and not hasattr(loss, "calculate_loss"):
            raise UsageError(
                f"{type(loss).__name__} cannot be used here", "it works on the model, not on vectors",
                "use the objective of the same mechanism in isogloss.objectives",
            )  # fmt: skip
        self.loss: Any = loss

    def forward(self, outputs: tuple[Tensor, ...], batch: Batch) -> Losses:
        """Return one value of the batch for columns of ``(size, d)`` vectors."""
        outputs, labels = need_columns(outputs, 1, "a loss of sentence-transformers"), batch.labels
        if batch.weights is not None:
            kept = batch.weights > 0
            if len(batch.weights[kept].unique()) > 1:
                raise UsageError(
                    f"{type(self.loss).__name__} cannot weigh items", "the batch has unlike weights",
                    "use the objective of the same mechanism in isogloss.objectives",
                )  # fmt: skip
            outputs = tuple(one[kept] for one in outputs)
            labels = None if labels is None else labels[kept]
        value = self._value(list(outputs), labels)
        parts: dict[str, Tensor | float] = {}
        if isinstance(value, dict):
            parts = {name: one.detach() for name, one in value.items()}
            value = torch.stack(list(value.values())).sum()
        return Losses(value.reshape(1), unit="batch", parts=parts)

    def _value(self, outputs: list[Tensor], labels: Tensor | None) -> Any:
        if not hasattr(self.loss, "compute_loss_from_embeddings"):
            return self.loss.calculate_loss([[one] for one in outputs], labels)
        compute = self.loss.compute_loss_from_embeddings
        if "teacher_embeddings" not in inspect.signature(compute).parameters:
            return compute(outputs, labels)
        if labels is None:
            raise UsageError(f"{type(self.loss).__name__} needs the teacher's vectors as labels", "there are none")
        each = [labels] * len(outputs) if labels.ndim == 2 else list(labels.unbind(1))
        return compute(outputs, each)


class ToSentenceTransformers(nn.Module):
    """An objective of ours as a loss for ``SentenceTransformerTrainer``.

    Parameters
    ----------
    model
        The ``SentenceTransformer`` that is trained.
    objective
        Any objective on one vector a text; parameters that it holds are trained too.

    Examples
    --------
    >>> from isogloss.objectives.pairs import CosineRegression
    >>> class Theirs(torch.nn.Module):
    ...     def forward(self, features):
    ...         return {"sentence_embedding": features["x"]}
    >>> loss = ToSentenceTransformers(Theirs(), CosineRegression())
    >>> x = {"x": torch.eye(2)}
    >>> float(loss([x, x], torch.ones(2)))
    0.0
    """

    def __init__(self, model: nn.Module, objective: Objective) -> None:
        super().__init__()
        if not objective.cacheable:
            raise UsageError(
                f"{type(objective).__name__} cannot be used there", "it does not work on one vector a text alone"
            )
        self.model = model
        self.objective = objective

    def forward(self, sentence_features: Iterable[dict[str, Tensor]], labels: Tensor | None = None) -> Tensor:
        """Return the mean loss of a batch as their trainer collates it."""
        outputs = tuple(self.model(features)["sentence_embedding"] for features in sentence_features)
        return self.objective(outputs, Batch(outputs, labels)).mean()
