"""An objective on vectors, and beside it the hidden words of the first column, from one pass."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from torch import Tensor, nn

from isogloss.nn.heads import TokenPredictor
from isogloss.nn.packing import join
from isogloss.nn.pooling import pool
from isogloss.objectives.contract import Batch, Losses, Objective, weighted_sum
from isogloss.objectives.in_batch import InBatchSoftmax
from isogloss.objectives.token_targets import IGNORED, targets_of, token_losses, token_weights


def vectors_and_words(module: nn.Module, batch: Batch) -> tuple[Tensor, ...]:
    """Return the mean states ``(size, width)`` of each column, and logits ``(m, V)`` of the first one's hidden tokens.

    The forward pass of a :class:`~isogloss.nn.heads.TokenPredictor` for :class:`WithMaskedWords`: all columns are read
    at once, the first with its tokens hidden.
    """
    predictor: TokenPredictor = module  # type: ignore[assignment]
    together = join(batch.columns)
    states = predictor.body(together)  # (T, width)
    vectors = pool(states.float(), together, ["mean"]).split([len(column) for column in batch.columns])
    judged = states[: len(batch.columns[0].ids)][targets_of(batch) != IGNORED]  # (m, width)
    return (*vectors, predictor.head(judged, predictor.table))


@dataclass(frozen=True, slots=True, kw_only=True)
class WithMaskedWords:
    """The mean of an objective on vectors plus that of the log loss of hidden tokens.

    DeCLUTR (https://arxiv.org/abs/2006.03659), section 3.2: ``L = L_contrastive + L_MLM``, the words hidden in the
    anchors, which are the first column. Takes what ``vectors_and_words`` gives, and batches with ``targets`` such as
    :class:`~isogloss.training.masked_anchors.MaskedAnchors`.

    Attributes
    ----------
    vectors
        Objective on the vectors of the columns.
    weight
        Of the words' loss.

    Examples
    --------
    >>> import numpy as np, torch
    >>> from isogloss.nn.packing import pack
    >>> texts, targets = pack([np.array([4, 0]), np.array([5])]), pack([np.array([-100, 1]), np.array([-100])])
    >>> batch = Batch((texts, texts), extra={"targets": targets})
    >>> losses = WithMaskedWords()((torch.eye(2), torch.eye(2), torch.zeros(1, 8)), batch)
    >>> round(float(losses.parts["vectors"]), 3), round(float(losses.parts["words"]), 3)
    (0.0, 2.079)
    """

    vectors: Objective = field(default_factory=InBatchSoftmax)
    weight: float = 1.0
    cacheable: bool = False

    def __call__(self, outputs: tuple[Tensor, ...], batch: Batch) -> Losses:
        """Return one value, the sum; the two in its parts."""
        *vectors, logits = outputs
        extra = {name: value for name, value in batch.extra.items() if name not in ("targets", "true")}
        plain = self.vectors(tuple(vectors), replace(batch, extra=extra))
        words = token_losses(logits, targets_of(batch), token_weights(batch))
        return weighted_sum({"vectors": (1.0, plain), "words": (self.weight, words)})
