"""What an arm of a check is given: seed, fold, size and budget."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias


@dataclass(frozen=True, slots=True)
class Run:
    """One repetition of an arm; arms of one check get the same runs.

    Attributes
    ----------
    seed
        Seed of every random draw of the arm.
    fold
        Number of the repetition, from 0: which resampling of the fitting data (deterministic methods resample data).
    size
        The step of a ladder where the finding is a trend (dimensions, cells, documents), else None.
    budget
        Number of steps or trials that each arm may use, the same for all, else None.
    """

    seed: int
    fold: int = 0
    size: float | None = None
    budget: int | None = None


Arm: TypeAlias = Callable[[Run], Any]
"""Makes an artifact: an encoder, index, transform, tokenizer, language model, selector, reranker or plain data."""
