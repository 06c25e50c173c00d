"""Targets of single tokens: which positions of a batch are judged, and the log loss of each of them."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from isogloss.errors import UsageError
from isogloss.nn.packing import Packed
from isogloss.objectives.contract import Batch, Losses

IGNORED = -100
"""Target of a position that nobody judges."""


def targets_of(batch: Batch) -> Tensor:
    """Return the targets ``(T,)`` of the first column's tokens, ``IGNORED`` where a position is not judged.

    They lie in ``batch.extra["targets"]`` as a :class:`~isogloss.nn.packing.Packed` with the column's offsets, so that
    they are cut and moved with it.

    Raises
    ------
    UsageError
        Where the batch has none, or they are not as many as the tokens.
    """
    targets = batch.extra.get("targets")
    if not isinstance(targets, Packed):
        raise UsageError("the batch has no token targets", f"extra holds {', '.join(batch.extra) or 'nothing'}",
                         "take batches from training.corpus_batches")  # fmt: skip
    if len(targets.ids) != len(batch.columns[0].ids):
        found = f"{len(targets.ids)} targets, {len(batch.columns[0].ids)} tokens"
        raise UsageError("each token needs one target", found)
    return targets.ids


def token_weights(batch: Batch) -> Tensor | None:
    """Return the weight of each token of the first column ``(T,)``, that of its text, or None: all 1.

    Examples
    --------
    >>> import numpy as np
    >>> from isogloss.nn.packing import pack
    >>> texts = pack([np.array([7, 8]), np.array([9])])
    >>> token_weights(Batch((texts,), weights=torch.tensor([0.5, 0.0]))).tolist()
    [0.5, 0.5, 0.0]
    """
    return None if batch.weights is None else batch.weights.index_select(0, batch.columns[0].texts())  # (T,)


def predict_judged(module: nn.Module, batch: Batch) -> Tensor:
    """Return the module's logits ``(m, V)`` at the judged positions: the forward pass of a token predictor.

    ``module(packed, at)`` gives logits where ``at (T,)`` is true, as
    :class:`~isogloss.nn.heads.TokenPredictor` does.
    """
    logits: Tensor = module(batch.columns[0], targets_of(batch) != IGNORED)
    return logits


def token_losses(logits: Tensor, targets: Tensor, weights: Tensor | None = None) -> Losses:
    """Return the log loss of each judged token, in nats, and the share that is predicted right.

    Parameters
    ----------
    logits
        ``(m, V)`` of the judged positions, or ``(T, V)`` of all.
    targets
        ``(T,)`` with ``IGNORED`` where nobody judges.
    weights
        ``(T,)`` weight of each token, see :func:`token_weights`; None: all 1. The share counts by them too.

    Raises
    ------
    UsageError
        Where the rows of logits are neither.

    Examples
    --------
    >>> losses = token_losses(torch.tensor([[0.0, 0.0]]), torch.tensor([IGNORED, 1]))
    >>> [round(float(x), 4) for x in losses.values]
    [0.6931]
    """
    judged = targets != IGNORED  # (T,)
    asked = targets[judged]  # (m,)
    if len(logits) == len(targets) and len(asked) != len(targets):
        logits = logits[judged]  # (m, V)
    if len(logits) != len(asked):
        raise UsageError("logits and targets do not belong together", f"{len(logits)} rows, {len(asked)} judged tokens")
    values = functional.cross_entropy(logits.float(), asked, reduction="none")  # (m,)
    right = (logits.detach().argmax(1) == asked).float()  # (m,)
    if weights is None:
        accuracy = right.mean() if len(asked) else torch.zeros(())
        return Losses(values, unit="token", parts={"accuracy": accuracy, "tokens": float(len(asked))})
    told = weights.detach()[judged]  # (m,)
    parts: dict[str, Tensor | float] = {"accuracy": Losses(right, told).mean(), "tokens": float((told > 0).sum())}
    return Losses(values, told, "token", parts)
