"""Losses on attention: what heads look at, and how much two sets of heads know of each other.

They take attention probabilities ``(size, heads, L, L)`` or projections ``(size, heads, L, d)``, padded, and
``extra["lengths"]`` with the number of real tokens of each item (none: all).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from isogloss.errors import UsageError
from isogloss.objectives.contract import Batch, Losses


def attention_divergence(teacher: Tensor, student: Tensor, real: Tensor) -> Tensor:
    """Return the divergence of attention maps, averaged over heads and real tokens: ``(n, h, L, L)`` to ``(n,)``.

    Parameters
    ----------
    teacher, student
        Log probabilities over the last axis.
    real
        ``(n, L)``.

    Examples
    --------
    >>> maps = torch.full((1, 1, 2, 2), 0.5).log()
    >>> attention_divergence(maps, maps, torch.ones(1, 2, dtype=torch.bool)).tolist()
    [0.0]
    """
    seen = real[:, None, None, :]
    gap = torch.where(seen, teacher.exp() * (teacher - student), torch.zeros_like(student))
    each = gap.sum(-1).mean(1) * real  # (n, L)
    return each.sum(1) / real.sum(1).clamp_min(1)


@dataclass(frozen=True, kw_only=True)
class AttentionTransfer:
    """The student's heads relate the tokens of a text as the teacher's do (MiniLM).

    Outputs are ``(queries, keys, values)`` of the student's last layer, teacher's in ``extra["teacher"]``: tuples of
    ``(size, heads, L, d)``; widths may differ, heads may not (MiniLMv2 re-splits both to the same number of relation
    heads first). For each of the pairs query-key and value-value (``relations``) it is the divergence of the soft-maxes
    of scaled products, averaged over heads and tokens.

    Sources: Wang et al. 2020, "MiniLM" (https://arxiv.org/abs/2002.10957); Wang et al. 2021, "MiniLMv2"
    (https://arxiv.org/abs/2012.15828).

    Attributes
    ----------
    relations
        Pairs of numbers of the projections: 0 queries, 1 keys, 2 values.

    Examples
    --------
    >>> states = tuple(torch.ones(2, 1, 3, 4) for _ in range(3))
    >>> float(AttentionTransfer()(states, Batch((torch.zeros(2),), extra={"teacher": states})).mean())
    0.0
    """

    relations: tuple[tuple[int, int], ...] = ((0, 1), (2, 2))

    cacheable: ClassVar[bool] = False

    def __call__(self, outputs: tuple[Tensor, ...], batch: Batch) -> Losses:
        """Return one loss an item."""
        teacher = batch.extra.get("teacher")
        if teacher is None:
            raise UsageError("attention transfer needs the teacher's projections", 'there is no extra["teacher"]')
        n, _, longest, _ = outputs[0].shape
        if teacher[0].shape[:3] != outputs[0].shape[:3]:
            shapes = f"the teacher's are {tuple(teacher[0].shape)}, the student's {tuple(outputs[0].shape)}"
            raise UsageError("teacher and student need the same texts, heads and lengths", shapes)
        real = real_tokens(batch, n, longest, outputs[0].device)
        values = outputs[0].new_zeros(n)
        for left, right in self.relations:
            own = relation(outputs[left], outputs[right], real)
            wanted = relation(teacher[left].to(own), teacher[right].to(own), real)
            values = values + attention_divergence(wanted, own, real)
        return Losses(values, batch.weights, "item")


def relation(left: Tensor, right: Tensor, real: Tensor) -> Tensor:
    """Return the log soft-max of scaled products over real tokens: ``(n, h, L, d)`` twice to ``(n, h, L, L)``.

    Examples
    --------
    >>> states, real = torch.zeros(1, 1, 2, 4), torch.tensor([[True, False]])
    >>> relation(states, states, real).exp()[0, 0, 0].tolist()
    [1.0, 0.0]
    """
    products = left @ right.transpose(-1, -2) / left.shape[-1] ** 0.5  # (n, h, L, L)
    lowest = torch.finfo(products.dtype).min / 4
    return products.masked_fill(~real[:, None, None, :], lowest).log_softmax(-1)


@dataclass(frozen=True, kw_only=True)
class AttentionMutualInformation:
    """Makes two views of a text attend alike: minus the mutual information of their logged attention (miCSE).

    Outputs are ``(maps, other maps)`` of two encodings of the same texts, probabilities ``(size, heads, L, L)``, the
    heads of all wanted layers beside each other. Logged attention is taken for Gaussian, so that a correlation ``r`` of
    two heads' entries stands for ``-0.5 log(1 - r^2)`` nats. The paper draws 150 entries; here all are used. Texts of
    one token have no correlation and the value 0.

    Source: Klein and Nabi 2022, "miCSE: Mutual Information Contrastive Learning for Low-shot Sentence Embeddings"
    (https://arxiv.org/abs/2211.04928).

    Attributes
    ----------
    least
        Attention below it, in either view, is left out.
    highest
        Correlations count as at most this, so that equal views cost a finite number and get no gradient.

    Examples
    --------
    >>> maps = torch.tensor([[0.9, 0.1], [0.4, 0.6]])[None, None]
    >>> losses = AttentionMutualInformation(highest=0.8)((maps, maps), Batch((torch.zeros(1),)))
    >>> round(float(losses.mean()), 4)
    -0.5108
    """

    least: float = 1e-9
    highest: float = 0.9999

    cacheable: ClassVar[bool] = False

    def __call__(self, outputs: tuple[Tensor, ...], batch: Batch) -> Losses:
        """Return one loss an item, averaged over heads."""
        first, second = outputs[:2]
        n, _, longest, _ = first.shape
        real = real_tokens(batch, n, longest, first.device)
        there = real[:, None, :, None] & real[:, None, None, :] & (first > self.least) & (second > self.least)
        logs = [torch.where(there, one, torch.ones_like(one)).log().flatten(2) for one in (first, second)]
        r = correlation(logs[0], logs[1], there.flatten(2)).clamp(-self.highest, self.highest)  # (n, heads)
        return Losses(0.5 * torch.log1p(-r.square()).mean(1), batch.weights, "item")


def correlation(first: Tensor, second: Tensor, there: Tensor) -> Tensor:
    """Return Pearson's correlation over the last axis where ``there``, 0 where one side is constant.

    Examples
    --------
    >>> a, there = torch.tensor([[1.0, 2.0, 9.0]]), torch.tensor([[True, True, False]])
    >>> [round(x, 4) for x in correlation(a, -a, there).tolist()]
    [-1.0]
    """
    count = there.sum(-1, keepdim=True).clamp_min(1)
    centred = [torch.where(there, one - (one * there).sum(-1, keepdim=True) / count, 0) for one in (first, second)]
    squares = centred[0].square().sum(-1) * centred[1].square().sum(-1)
    varies = squares > 1e-12
    length = torch.where(varies, squares, torch.ones_like(squares)).sqrt()
    return (centred[0] * centred[1]).sum(-1) / length * varies


def real_tokens(batch: Batch, rows: int, longest: int, device: torch.device) -> Tensor:
    """Return which tokens of padded texts are real, ``(rows, longest)``.

    Examples
    --------
    >>> real_tokens(Batch((0, 0), extra={"lengths": torch.tensor([1, 2])}), 2, 2, torch.device("cpu")).tolist()
    [[True, False], [True, True]]
    """
    lengths = batch.extra.get("lengths")
    if lengths is None:
        return torch.ones(rows, longest, dtype=torch.bool, device=device)
    return torch.arange(longest, device=device)[None, :] < torch.as_tensor(lengths, device=device)[:, None]
