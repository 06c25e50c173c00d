"""Preferences between two answers, without a reward model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from torch import Tensor
from torch.nn import functional

from isogloss.objectives.contract import Batch, Losses
from isogloss.objectives.similarity import need_columns


@dataclass(frozen=True, kw_only=True)
class DirectPreference:
    """The chosen answer gains more log likelihood over a reference model than the rejected one.

    Sources: Rafailov et al. 2023, "Direct Preference Optimization" (https://arxiv.org/abs/2305.18290); squared form:
    Azar et al. 2023, "A General Theoretical Paradigm to Understand Learning from Human Preferences"
    (https://arxiv.org/abs/2310.12036).

    Attributes
    ----------
    beta
        How tightly the reference is held.
    kind
        ``logistic`` (DPO) or ``squared`` (IPO).
    smoothing
        Share of preferences taken to be the wrong way round (``logistic`` only).

    Examples
    --------
    >>> import torch
    >>> zero = torch.zeros(1)
    >>> round(float(DirectPreference()((zero,) * 4, Batch((zero,))).mean()), 4)
    0.6931
    """

    beta: float = 0.1
    kind: Literal["logistic", "squared"] = "logistic"
    smoothing: float = 0.0

    cacheable: ClassVar[bool] = False

    def __call__(self, outputs: tuple[Tensor, ...], batch: Batch) -> Losses:
        """Return one loss an item for log likelihoods ``(size,)``: chosen, rejected, and both by the reference."""
        outputs = need_columns(outputs, 4, "a preference")
        chosen, rejected, chosen_before, rejected_before = outputs
        gain = (chosen - chosen_before) - (rejected - rejected_before)
        parts = {"preferred": (gain > 0).float().mean().detach() if len(gain) else 0.0}
        if self.kind == "squared":
            return Losses((gain - 1 / (2 * self.beta)).square(), batch.weights, "item", parts)
        right, wrong = functional.softplus(-self.beta * gain), functional.softplus(self.beta * gain)
        return Losses((1 - self.smoothing) * right + self.smoothing * wrong, batch.weights, "item", parts)
