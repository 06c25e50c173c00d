"""Bitext mining: whether the nearest text in another language is the translation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import Dense, Vectors
from isogloss.corpus.examples import ParallelTexts
from isogloss.errors import IsoglossError, UsageError
from isogloss.evaluation.metrics.classification import labels
from isogloss.evaluation.ranking import fitting_index
from isogloss.evaluation.results import TaskResult
from isogloss.evaluation.sample import Sample
from isogloss.evaluation.tasks.encode import Encoding
from isogloss.protocols import Encoder, Progress, Silent

Margin = Literal["none", "ratio", "distance"]

_BLOCK = 512  # source texts compared at a time


def run(
    encoder: Encoder,
    data: ParallelTexts,
    *,
    name: str,
    seed: int = 0,
    progress: Progress | None = None,
    margin: Margin = "none",
    neighbours: int = 4,
) -> TaskResult:
    """Measure an encoder on parallel texts: each source text looks for its nearest target text, as in MTEB.

    Parameters
    ----------
    encoder, name, seed, progress
        As for :func:`isogloss.evaluation.tasks.sts.run`; nothing is random.
    data
        Texts and translations, line by line. Of equally near targets the first counts.
    margin
        ``"none"``: the encoder's similarity, which is MTEB's protocol. ``"ratio"`` and ``"distance"`` divide by, or
        take off, the mean similarity of the nearest ``neighbours`` on both sides, which makes up for texts that are
        near to everything (Artetxe and Schwenk, "Margin-based parallel corpus mining",
        https://aclanthology.org/P19-1309); dense vectors only.
    neighbours
        Of the margin.

    Returns
    -------
    TaskResult
        ``f1`` (which counts), ``precision``, ``recall``, each weighted over the target texts, and ``accuracy``.

    Raises
    ------
    IsoglossError
        Where there are no texts, or not equally many.

    Examples
    --------
    >>> from isogloss.encoders.lexical import WordEncoder
    >>> texts = ParallelTexts(["Oslo 1911", "Rome 1938"], ["i Roma 1938", "Oslo i 1911"], ("en", "no"))
    >>> run(WordEncoder(), texts, name="swapped").scores()["accuracy"]
    0.0
    """
    if not data.source or len(data.source) != len(data.target):
        why = f"{len(data.source)} source texts, {len(data.target)} target texts"
        raise IsoglossError("parallel texts do not pair up", why, "give one translation a line")
    encoding = Encoding(encoder, progress or Silent())
    encoding.need([data.source, data.target])
    source, target = encoding.of(data.source), encoding.of(data.target)
    if margin == "none":
        nearest = _nearest(encoder, source, target)
    else:
        nearest = _nearest_by_margin(encoder, source, target, margin, neighbours)
    measured = labels(nearest, np.arange(len(data.source)))
    samples = {"f1": measured["f1_weighted"], "precision": measured["precision_weighted"]}
    samples |= {"recall": measured["recall_weighted"], "accuracy": measured["accuracy"]}
    samples = {key: Sample(one.items, one.groups, one.aggregate, key) for key, one in samples.items()}
    details = {
        "pairs": len(data.source),
        "repeated targets": len(data.target) - len(set(data.target)),
        "languages": list(data.languages),
        "margin": margin if margin == "none" else f"{margin}, {neighbours} neighbours",
        **encoding.details(),
    }
    return TaskResult(name, "bitext", "f1", samples, details, encoding.seconds)


def _nearest(encoder: Encoder, source: Vectors, target: Vectors) -> NDArray[np.int64]:
    """Return the nearest target of each source text, -1 where none shares anything with it."""
    index = fitting_index(encoder, target)
    index.add(np.arange(len(target)), target)
    return np.asarray(index.search(source, 1).rows[:, 0], np.int64)


def _nearest_by_margin(
    encoder: Encoder, source: Vectors, target: Vectors, margin: Margin, neighbours: int
) -> NDArray[np.int64]:
    if margin not in ("ratio", "distance") or neighbours < 1:
        raise UsageError("there is no such margin", f"{margin}, {neighbours} neighbours", "none, ratio or distance")
    if not isinstance(source, np.ndarray) or not isinstance(target, np.ndarray):
        raise UsageError("margins need dense vectors", f"these are {type(source).__name__}", "leave the margin out")
    around = [_around(encoder, a, b, neighbours) for a, b in ((source, target), (target, source))]
    found = []
    for start, block in _blocks(encoder, source, target):
        middle = (around[0][start : start + len(block), None] + around[1]) / 2
        scores = block / np.maximum(middle, 1e-12) if margin == "ratio" else block - middle
        found.append(scores.argmax(1))
    return np.concatenate(found).astype(np.int64)


def _around(encoder: Encoder, a: Dense, b: Dense, neighbours: int) -> NDArray[np.float64]:
    """Return the mean similarity of each text to its nearest ones on the other side."""
    few = min(neighbours, len(b))
    return np.concatenate([np.partition(block, -few, axis=1)[:, -few:].mean(1) for _, block in _blocks(encoder, a, b)])


def _blocks(encoder: Encoder, a: Dense, b: Dense) -> Iterator[tuple[int, NDArray[np.float64]]]:
    for start in range(0, len(a), _BLOCK):
        yield start, encoder.similarity(a[start : start + _BLOCK], b).astype(np.float64)
