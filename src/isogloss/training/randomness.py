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
    # torch.manual_seed notes a stack trace a call for devices that nobody has used yet: a millisecond, and memory
    state, devices = torch.default_generator.get_state(), torch.cuda.is_initialized()
    device_states = torch.cuda.get_rng_state_all() if devices else []
    torch.default_generator.manual_seed(seed)
    if devices:
        torch.cuda.manual_seed_all(seed)
    try:
        yield
    finally:
        torch.default_generator.set_state(state)
        if devices:
            torch.cuda.set_rng_state_all(device_states)
