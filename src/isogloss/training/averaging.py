"""Averages of weights over time: the one that is kept at the end, and the teacher that follows a student."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from isogloss.errors import UsageError


class Average:
    """Exponential moving average of weights.

    Parameters
    ----------
    weights
        Name to live tensor; they are copied.
    decay
        What an average keeps of itself at each step. At the first steps it is smaller, ``(1 + n) / (10 + n)``, so that
        the weights from before training do not weigh on a short run.

    Examples
    --------
    >>> weight = torch.zeros(1)
    >>> average = Average({"w": weight}, decay=0.1)
    >>> average.update({"w": weight + 10.0})
    >>> average.weights["w"].tolist()
    [9.0]
    """

    def __init__(self, weights: Mapping[str, Tensor], decay: float) -> None:
        if not 0 < decay < 1:
            raise UsageError("the decay of an average lies between 0 and 1", f"it is {decay}")
        self.decay, self.count = decay, 0
        self.weights = {name: weight.detach().clone() for name, weight in weights.items()}

    @torch.no_grad()
    def update(self, weights: Mapping[str, Tensor]) -> None:
        """Move the average towards the weights of now."""
        kept = min(self.decay, (1 + self.count) / (10 + self.count))
        _towards(list(self.weights.values()), [weights[name].detach() for name in self.weights], 1 - kept)
        self.count += 1

    @contextmanager
    def shown(self, weights: Mapping[str, Tensor]) -> Iterator[None]:
        """Hold the average in ``weights`` inside, and give them their own values back."""
        own = {name: weights[name].detach().clone() for name in self.weights}
        self.write(weights)
        try:
            yield
        finally:
            _copy(weights, own)

    def write(self, weights: Mapping[str, Tensor]) -> None:
        """Copy the average into ``weights``."""
        _copy(weights, self.weights)


def follow(teacher: nn.Module, student: nn.Module, decay: float) -> Callable[[int], None]:
    """Return what moves a teacher's parameters a little towards its student's: the ``what`` of a Refresh.

    Parameters
    ----------
    teacher
        A copy of the student; its parameters are frozen here. Give it to the Refresh as ``state``.
    student
        Who learns.
    decay
        What the teacher keeps of itself at each call; buffers are copied.

    References
    ----------
    Momentum Contrast for Unsupervised Visual Representation Learning: https://arxiv.org/abs/1911.05722

    Examples
    --------
    >>> teacher, student = torch.nn.Linear(1, 1), torch.nn.Linear(1, 1)
    >>> _ = torch.nn.init.zeros_(teacher.weight), torch.nn.init.ones_(student.weight)
    >>> follow(teacher, student, decay=0.75)(0)
    >>> float(teacher.weight)
    0.25
    """
    if not 0 <= decay <= 1:
        raise UsageError("a teacher's decay lies between 0 and 1", f"it is {decay}")
    names, theirs = dict(teacher.named_parameters()), dict(student.named_parameters())
    if {name: one.shape for name, one in names.items()} != {name: one.shape for name, one in theirs.items()}:
        raise UsageError("the teacher is not a copy of the student", "their parameters differ", "use copy.deepcopy")
    teacher.requires_grad_(False)

    @torch.no_grad()
    def what(_step: int) -> None:
        _towards([names[name].detach() for name in names], [theirs[name].detach() for name in names], 1 - decay)
        for mine, their in zip(teacher.buffers(), student.buffers(), strict=True):
            mine.copy_(their)

    return what


def _towards(here: list[Tensor], there: list[Tensor], share: float) -> None:
    there = [new.to(old.dtype) if new.dtype != old.dtype else new for old, new in zip(here, there, strict=True)]
    torch._foreach_lerp_(here, there, share)


@torch.no_grad()
def _copy(weights: Mapping[str, Tensor], values: Mapping[str, Tensor]) -> None:
    for name, value in values.items():
        weights[name].detach().copy_(value)
