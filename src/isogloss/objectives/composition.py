"""Vectors made of several columns: a positive that is the mean of the vectors of its parts."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from isogloss.errors import UsageError
from isogloss.objectives.contract import Batch, Losses, Objective
from isogloss.objectives.in_batch import InBatchSoftmax
from isogloss.objectives.similarity import need_columns


@dataclass(frozen=True, slots=True, kw_only=True)
class Composed:
    """An objective on the means of neighbouring columns.

    With ``parts=(1, 2)`` the columns are a text and its two halves, and the inner objective gets the text's vector
    ``z`` and ``c = (z' + z'') / 2``, as "Composition-contrastive Learning for Sentence Embeddings"
    (https://arxiv.org/abs/2307.07380), section 3. With ``parts=(1, 2)`` on an anchor and two spans it averages the
    positives of DeCLUTR (https://arxiv.org/abs/2006.03659), section 3.1. The vectors are averaged as they are.

    Attributes
    ----------
    inner
        Gets one vector an item for each entry of ``parts``.
    parts
        How many columns are averaged into each.

    Notes
    -----
    A mean of several texts has a key of its own: equal where all its parts are, and equal to a single text where all
    its parts are that text. What stands in ``extra`` a column is for the columns of the inner objective.

    Examples
    --------
    >>> text, first = torch.eye(2), torch.tensor([[2.0, 1.0], [0.0, 1.0]])
    >>> columns = text, first, 2 * text - first
    >>> losses = Composed(inner=InBatchSoftmax(temperature=1.0))(columns, Batch(columns))
    >>> round(float(losses.mean()), 4)
    0.3133
    """

    inner: Objective = field(default_factory=InBatchSoftmax)
    parts: tuple[int, ...] = (1, 2)

    def __post_init__(self) -> None:
        if not self.parts or min(self.parts) < 1:
            raise UsageError("a vector is made of one column or more", f"the parts are {self.parts}")

    @property
    def cacheable(self) -> bool:
        """Whether the inner objective is."""
        return self.inner.cacheable

    def __call__(self, outputs: tuple[Tensor, ...], batch: Batch) -> Losses:
        """Return the inner objective's losses on the means.

        Raises
        ------
        UsageError
            Where there are not as many columns as parts.
        """
        outputs = need_columns(outputs, sum(self.parts), "a mean of columns")
        if len(outputs) != sum(self.parts):
            raise UsageError(
                "the columns do not fit the parts", f"{len(outputs)} columns, parts {self.parts}",
                "name in parts how many columns each vector is made of",
            )  # fmt: skip
        stops = torch.tensor(self.parts).cumsum(0).tolist()
        places = [slice(stop - size, stop) for stop, size in zip(stops, self.parts, strict=True)]
        made = tuple(torch.stack(outputs[place]).mean(0) for place in places)  # (size, d) each
        keys = None if batch.keys is None else torch.stack([_key(batch.keys, place) for place in places], 1)
        columns = tuple(batch.columns[place.start] for place in places)
        return self.inner(made, replace(batch, columns=columns, keys=keys))


def _key(keys: Tensor, place: slice) -> Tensor:
    """Return a key ``(size,)`` of each item's means: that of its parts where they share one, else a new one."""
    own = keys[:, place]  # (size, parts)
    kind = own.unique(dim=0, return_inverse=True)[1]  # (size,)
    fresh = keys.max() + 1 + place.start * len(keys) + kind  # no key of a text, nor of the means of another place
    return torch.where((own == own[:, :1]).all(1), own[:, 0], fresh)
