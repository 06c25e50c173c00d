"""What can go wrong in training, each as an error that says so and leaves the weights as they were."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

from isogloss.errors import IsoglossError, NonFiniteError, UsageError
from isogloss.objectives.contract import Batch
from isogloss.training.stage import Stage

_SIGNS = ("out of memory", "can't allocate memory", "not enough memory", "cannot allocate memory", "alloc_cpu")


class OutOfMemoryError(IsoglossError):
    """A step needs more memory than there is; nothing was learnt from it."""


@contextmanager
def watched(stage: Stage, step: int) -> Iterator[None]:
    """Turn a lack of memory inside into an error that says what to change.

    Raises
    ------
    OutOfMemoryError
        Where memory ran out; any other error passes.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not isinstance(error, MemoryError) and not any(sign in str(error).lower() for sign in _SIGNS):
            raise
        size = max(1, stage.batches(step * stage.accumulate).size)
        smaller = max(1, min(size, stage.chunk or size) // 4)
        raise OutOfMemoryError(
            "the memory is too small for a step",
            f"step {step} of {stage.name} with {size} items a batch"
            + (f" in pieces of {stage.chunk}" if stage.chunk else "")
            + f" ({str(error).splitlines()[0][:200] if str(error) else 'MemoryError'})",
            f"set chunk={smaller}: gradient caching gives the same gradient in less memory",
        ) from error


def check_batch(batch: Batch, stage: Stage) -> None:
    """Refuse a batch without items.

    Raises
    ------
    UsageError
        Where there is nothing in it.
    """
    if not batch.columns or not batch.size:
        raise UsageError(f"{stage.name} has nothing to learn from", "a batch has no items", "look at the training data")


def check_finite(loss: float, norm: float | None, who: str, where: str) -> None:
    """Refuse a loss or a gradient that is not a number; it is called before the weights move.

    Raises
    ------
    NonFiniteError
        Where one is NaN or infinite.
    """
    for what, value in (("loss", loss), ("gradient", norm)):
        if value is not None and not math.isfinite(value):
            raise NonFiniteError(
                f"the {what} of {who} is {value}", f"at {where}; the weights are those before it",
                "lower the learning rate, or look at the batch's texts and labels",
            )  # fmt: skip


def nothing_learnt(who: str, size: int, tried: int) -> UsageError:
    """Return the error for gradients that are all zero."""
    if size == 1:
        return UsageError(
            f"{who} cannot learn from one item", "its gradient is zero: there is nothing to compare the item with",
            "train on more items",
        )  # fmt: skip
    return UsageError(
        f"{who} learns nothing", f"every gradient of the first {tried} steps is zero, over {size} items a batch",
        "are all texts equal, or all items masked as duplicates?",
    )  # fmt: skip
