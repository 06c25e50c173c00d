"""An objective on pairs, seen from both sides."""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import Tensor

from isogloss.objectives.contract import Batch, Losses, Objective
from isogloss.objectives.in_batch import InBatchSoftmax
from isogloss.objectives.similarity import need_columns


@dataclass(frozen=True, slots=True, kw_only=True)
class BothWays:
    """The mean of an objective's losses on ``(a, b)`` and on ``(b, a)``, item by item.

    Around ``InBatchSoftmax(directions=("query_document", "query_query"), joint=True)`` it is the NT-Xent of SimCLR
    (https://arxiv.org/abs/2002.05709) and DeCLUTR (https://arxiv.org/abs/2006.03659): each of the ``2n`` vectors is
    told from the ``2n - 2`` others that are not its partner.

    Attributes
    ----------
    inner
        An objective on two columns with a loss an item.

    Examples
    --------
    >>> import torch
    >>> pair = torch.eye(2), torch.tensor([[1.0, 0.0], [1.0, 1.0]])
    >>> one, other = (float(InBatchSoftmax()(side, Batch(side)).mean()) for side in (pair, pair[::-1]))
    >>> abs(float(BothWays(inner=InBatchSoftmax())(pair, Batch(pair)).mean()) - (one + other) / 2) < 1e-6
    True
    """

    inner: Objective

    @property
    def cacheable(self) -> bool:
        """Whether the inner objective is."""
        return self.inner.cacheable

    def __call__(self, outputs: tuple[Tensor, ...], batch: Batch) -> Losses:
        """Return one loss an item for ``(a, b)``, each ``(size, d)``; parts are those of ``(a, b)``."""
        one, other = need_columns(outputs, 2, "a loss both ways")[:2]
        keys = None if batch.keys is None else batch.keys.flip(1)
        turned = replace(batch, columns=batch.columns[::-1], keys=keys)
        ahead, back = self.inner((one, other), batch), self.inner((other, one), turned)
        return replace(ahead, values=(ahead.values + back.values) / 2)


def nt_xent(temperature: float = 0.05) -> BothWays:
    """Return the normalised, temperature-scaled cross entropy over all ``2n`` vectors of a batch of pairs.

    Parameters
    ----------
    temperature
        Cosines are divided by it.

    Examples
    --------
    >>> nt_xent(0.1).inner.temperature
    0.1
    """
    softmax = InBatchSoftmax(temperature=temperature, directions=("query_document", "query_query"), joint=True)
    return BothWays(inner=softmax)
