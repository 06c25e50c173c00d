"""Torch's random numbers, drawn from a seed for a while."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Draw torch's random numbers from ``seed`` inside, and give the caller's random state back.

    Examples
    --------
    >>> def draw():
    ...     with seeded(3):
    ...         return float(torch.rand(()))
    >>> draw() == draw()
    True
    """
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield
