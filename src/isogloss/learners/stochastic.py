"""Passes over a corpus in pieces: a falling learning rate, one thread that repeats itself or several that race."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from isogloss.errors import UsageError
from isogloss.protocols import Progress, Silent
from isogloss.seeding import generator

PIECE = 10_000
"""Words of a piece: the learning rate is one inside, Ctrl-C and progress come between two."""
LEAST_RATE = 1e-4
"""The learning rate falls to this share of its start."""

Work: TypeAlias = Callable[[int, int, float, np.random.Generator], None]
"""Trains on the words ``start`` to ``stop`` with a learning rate and random numbers of its own."""


@dataclass(frozen=True, slots=True)
class Passes:
    """How often and how a corpus is gone through.

    Attributes
    ----------
    epochs
        Times that every word is trained on.
    rate
        Learning rate at the start; it falls evenly to a ten-thousandth of it.
    seed
        Of every random draw.
    threads
        With one, a run repeats bit for bit. With more, they change the same arrays without locks ("Hogwild!", Niu et
        al. 2011, https://arxiv.org/abs/1106.5730): faster, and a little different in each run.
    """

    epochs: int
    rate: float
    seed: int = 0
    threads: int = 1


def run_passes(
    work: Work, words: int, passes: Passes, progress: Progress | None = None, what: str = "learning"
) -> None:
    """Send every piece of a corpus of ``words`` words through ``work``, ``passes.epochs`` times.

    Raises
    ------
    UsageError
        Where epochs, threads or learning rate are not positive.
    """
    if passes.epochs < 1 or passes.threads < 1 or passes.rate <= 0:
        raise UsageError("epochs, threads and learning rate must be positive", f"they are {passes}")
    shown = progress or Silent()
    total = passes.epochs * words
    jobs = [
        (epoch, start, min(words, start + PIECE)) for epoch in range(passes.epochs) for start in range(0, words, PIECE)
    ]

    def one(job: tuple[int, int, int]) -> int:
        epoch, start, stop = job
        done = (epoch * words + start) / total
        rate = passes.rate * max(LEAST_RATE, 1 - done)
        work(start, stop, rate, generator(passes.seed, "passes", epoch, start))
        return stop - start

    shown.start(what, total, "words")
    try:
        if passes.threads == 1:
            for job in jobs:
                shown.advance(one(job))
        else:
            _race(one, jobs, passes.threads, shown)
    finally:
        shown.finish()


def _race(
    one: Callable[[tuple[int, int, int]], int], jobs: list[tuple[int, int, int]], threads: int, shown: Progress
) -> None:
    one_first, rest = jobs[0], jobs[1:]
    shown.advance(one(one_first))  # kernels compile in one thread
    pool = ThreadPoolExecutor(threads)
    try:
        for done in as_completed([pool.submit(one, job) for job in rest]):
            shown.advance(done.result())
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def affordable_epochs(work: Work, words: int, budget: float, *, threads: int = 1, most: int = 100) -> int:
    """Return how many epochs fit into ``budget`` seconds, after a few measured pieces.

    The pieces are trained on with a learning rate of 0, so that nothing moves; compiling is not counted.

    Parameters
    ----------
    work
        As for :func:`run_passes`.
    words
        Of the corpus.
    budget
        Seconds.
    threads
        Threads of the run; two are taken to be 1.7 times as fast, more in proportion.
    most
        Largest answer.

    Examples
    --------
    >>> affordable_epochs(lambda start, stop, rate, draw: time.sleep(0.001), 10_000, 0.0)
    1
    """
    work(0, min(words, 100), 0.0, generator(0, "pace"))
    begun, done = time.perf_counter(), 0
    for start in range(0, words, PIECE):
        stop = min(words, start + PIECE)
        work(start, stop, 0.0, generator(0, "pace", start))
        done += stop - start
        if time.perf_counter() - begun > min(1.0, budget / 20):
            break
    speed = done / max(time.perf_counter() - begun, 1e-9) * (1 if threads == 1 else 0.85 * threads)
    return int(np.clip(speed * budget / words, 1, most))
