"""Judges of selections: the same learner on equally many bytes of what is kept, by bits per byte of held-out text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isogloss.errors import UsageError
from isogloss.evaluation.sample import Sample
from isogloss.learners.kneser_ney import KneserNey
from isogloss.recipes._language_judge import bits_of_language_model
from isogloss.seeding import generator

ORDER = 6
"""Bytes of the longest n-grams of the learner that is taken where none is given."""


@dataclass(frozen=True, slots=True)
class KnowsNothing:
    """The language model of someone who was given nothing to learn from: every byte is as likely as any other."""

    def nll(self, texts: Sequence[str]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Return 8 bits a byte, in nats, and the bytes of each text."""
        sizes = np.array([len(text.encode("utf-8", "surrogatepass")) for text in texts], np.int64)
        return sizes * np.log(256.0), sizes


def bits_of_selection(
    chosen: Any,
    data: Any,
    *,
    pool: Sequence[str],
    size: int,
    learner: Any = None,
    seed: int = 0,
    most: int | None = None,
) -> Sample:
    """Return how well a learner does that was trained on what is kept, with a minus sign: higher is better.

    Every selection is learned from in the same order of the pool and up to the same number of bytes. A selection that
    keeps nothing teaches nothing: 8 bits a byte.

    Parameters
    ----------
    chosen
        A ``Selector``, or the ``Selection`` that one made of the pool.
    data
        Held-out texts, or examples that have texts.
    pool
        The texts that were selected from.
    size
        Bytes that the learner gets.
    learner
        ``fit(texts) -> LanguageModel``; None: byte n-grams with Kneser-Ney smoothing.
    seed
        Of the order.
    most
        Only the first so many held-out texts.

    Raises
    ------
    UsageError
        Where something is kept, but less than ``size``: selections could not be compared at equal size.
    """
    made = chosen.select(pool) if hasattr(chosen, "select") else chosen
    keep = np.asarray(made.keep, bool)
    if len(keep) != len(pool):
        raise UsageError("a selection decides about every text", f"{len(keep)} decisions for {len(pool)} texts")
    model: Any = KnowsNothing()
    if keep.any():
        order = generator(seed, "order").permutation(len(pool))
        model = (learner or KneserNey(order=ORDER)).fit(_first([pool[i] for i in order if keep[i]], size))
    return bits_of_language_model(model, data, most=most)


def _first(texts: Sequence[str], size: int) -> list[str]:
    """Return the first texts that hold ``size`` bytes together; the last one is cut."""
    taken, left = [], size
    for text in texts:
        raw = text.encode("utf-8", "surrogatepass")
        taken.append(raw[:left].decode("utf-8", "ignore"))
        left -= len(raw)
        if left <= 0:
            return taken
    raise UsageError(
        "selections cannot be compared at equal size", f"{size - left:,} bytes are kept, {size:,} are asked for",
        "ask for fewer bytes, or keep more",
    )  # fmt: skip
