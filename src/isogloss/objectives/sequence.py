"""Losses of models that write: each token of a target, or one word that says whether a document is relevant."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from isogloss.errors import UsageError
from isogloss.objectives.contract import Batch, Losses


@dataclass(frozen=True, slots=True, kw_only=True)
class TeacherForcing:
    """Cross-entropy of each target token, given the source and the right tokens before it.

    Takes logits ``(T, outputs)`` at the tokens of ``batch.columns[1]``; an item's weight counts for all its tokens.

    Williams and Zipser 1989, "A Learning Algorithm for Continually Running Fully Recurrent Neural Networks"
    (https://doi.org/10.1162/neco.1989.1.2.270); label smoothing as in Szegedy et al. 2016
    (https://arxiv.org/abs/1512.00567).

    Attributes
    ----------
    smoothing
        Share of the probability that is spread over all outputs, 0 to below 1.
    cacheable
        False: the loss reads logits, not vectors.

    Examples
    --------
    >>> import numpy as np
    >>> from isogloss.nn.packing import pack
    >>> targets = pack([np.array([1]), np.array([0, 1])])
    >>> losses = TeacherForcing()(torch.zeros(3, 2), Batch((targets, targets)))
    >>> losses.unit, [round(float(x), 3) for x in losses.values]
    ('token', [0.693, 0.693, 0.693])
    """

    smoothing: float = 0.0
    cacheable: bool = False

    def __call__(self, outputs: Tensor, batch: Batch) -> Losses:
        """Return one loss a target token.

        Raises
        ------
        UsageError
            Where there are not as many rows of logits as target tokens, or a target is no output.
        """
        targets = batch.columns[1]
        if len(outputs) != len(targets.ids):
            raise UsageError("each target token needs its logits", f"{len(targets.ids)} tokens, {len(outputs)} rows")
        if len(targets.ids) and int(targets.ids.max()) >= outputs.shape[1]:
            raise UsageError(
                f"the target {int(targets.ids.max())} is no output", f"the model has {outputs.shape[1]} outputs"
            )
        logits = outputs.float()
        values = functional.cross_entropy(logits, targets.ids, reduction="none", label_smoothing=self.smoothing)  # (T,)
        weights = None if batch.weights is None else batch.weights.index_select(0, targets.texts())  # (T,)
        right = (logits.argmax(1) == targets.ids).float().mean()
        return Losses(values, weights, "token", {"accuracy": right.detach()})


@dataclass(frozen=True, slots=True, kw_only=True)
class RelevanceToken:
    """Cross-entropy of the one word that says whether a document is relevant to a query.

    Takes logits ``(n, outputs)`` of the first step, and ``batch.labels`` of 0 and 1.

    Nogueira, Jiang, Pradeep and Lin 2020, "Document Ranking with a Pretrained Sequence-to-Sequence Model"
    (https://arxiv.org/abs/2003.06713), trains on the whole vocabulary and ranks by two words only.

    Attributes
    ----------
    true, false
        Output rows of the two words.
    two_way
        Take the softmax over the two words in training too.
    cacheable
        False: the loss reads logits, not vectors.

    Examples
    --------
    >>> objective = RelevanceToken(true=2, false=0, two_way=True)
    >>> losses = objective(torch.tensor([[1.0, 9.0, 1.0]]), Batch((torch.zeros(1, 1),), torch.tensor([1])))
    >>> round(float(losses.values[0]), 3)
    0.693
    """

    true: int
    false: int
    two_way: bool = False
    cacheable: bool = False

    def __call__(self, outputs: Tensor, batch: Batch) -> Losses:
        """Return one loss a pair of query and document.

        Raises
        ------
        UsageError
            Where labels are missing or not 0 and 1, or the words are not two outputs of the model.
        """
        labels = relevance_labels(batch)
        if self.true == self.false or max(self.true, self.false) >= outputs.shape[1] or min(self.true, self.false) < 0:
            raise UsageError(
                "relevance needs two different words among the outputs",
                f"rows {self.true} and {self.false} of {outputs.shape[1]}",
            )
        pair = torch.tensor([self.false, self.true], device=outputs.device)  # (2,)
        both = outputs.float().index_select(1, pair)  # (n, 2)
        right = (both.argmax(1) == labels).float().mean()
        logits, targets = (both, labels) if self.two_way else (outputs.float(), pair[labels])
        values = functional.cross_entropy(logits, targets, reduction="none")  # (n,)
        return Losses(values, batch.weights, "item", {"accuracy": right.detach()})


def relevance_labels(batch: Batch) -> Tensor:
    """Return the batch's labels ``(n,)`` as 0 and 1.

    Raises
    ------
    UsageError
        Where they are missing, or others than 0 and 1 are among them; the message counts those.

    Examples
    --------
    >>> relevance_labels(Batch((torch.zeros(2, 1),), torch.tensor([1.0, 0.0]))).tolist()
    [1, 0]
    """
    if batch.labels is None:
        raise UsageError("relevance has to be learned from labels", "the batch has none", "give labels of 0 and 1")
    labels = batch.labels
    strange = int(((labels != 0) & (labels != 1)).sum()) if labels.ndim == 1 else labels.numel()
    if strange:
        raise UsageError("labels of relevance are 0 and 1", f"{strange} of {labels.numel()} are not")
    return labels.long()
