"""Classes of texts or of pairs of texts, predicted: supervised stages, next-sentence prediction, fine-tuning."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional

from isogloss.errors import UsageError
from isogloss.objectives.contract import Batch, Losses


def predict_classes(module: nn.Module, batch: Batch) -> Tensor:
    """Return the module's logits ``(size, classes)`` of the first column: the forward pass of a text classifier."""
    logits: Tensor = module(batch.columns[0])
    return logits


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassPrediction:
    """Log loss of each item's class, in nats; takes logits ``(size, classes)`` and ``batch.labels`` of class numbers.

    With labels of 0 and 1 for "does not follow" and "follows" it is BERT's next-sentence prediction
    (https://arxiv.org/abs/1810.04805); as a stage before fine-tuning it is UER's supervised target
    (https://arxiv.org/abs/1909.05658).

    Attributes
    ----------
    smoothing
        Share of the probability that is spread over all classes.

    Examples
    --------
    >>> import torch
    >>> losses = ClassPrediction()(torch.zeros(2, 4), Batch((torch.zeros(2, 1),), torch.tensor([3, 0])))
    >>> [round(value, 4) for value in losses.values.tolist()]
    [1.3863, 1.3863]
    """

    smoothing: float = 0.0
    cacheable: bool = False

    def __call__(self, outputs: Tensor, batch: Batch) -> Losses:
        """Return one loss an item.

        Raises
        ------
        UsageError
            Where labels are missing, are no class numbers, or there are not as many as logits.
        """
        labels = batch.labels
        if labels is None or labels.is_floating_point() or labels.shape != outputs.shape[:1]:
            found = "none" if labels is None else f"{labels.dtype} of shape {tuple(labels.shape)}"
            raise UsageError("classes are learned from one class number an item", f"labels: {found}")
        if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < outputs.shape[1]:
            bounds = f"labels run from {int(labels.min())} to {int(labels.max())}"
            raise UsageError(f"there are {outputs.shape[1]} classes", bounds, "number the classes from 0")
        values = functional.cross_entropy(outputs.float(), labels, reduction="none", label_smoothing=self.smoothing)
        right = (outputs.detach().argmax(1) == labels).float()  # (size,)
        return Losses(values, batch.weights, "item", {"accuracy": right.mean() if len(right) else 0.0})
