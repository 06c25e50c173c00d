"""Summarisation: whether a machine summary near a human one is one that people rate well."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray

from isogloss.corpus.examples import Summaries
from isogloss.errors import IsoglossError, IsoglossWarning
from isogloss.evaluation.metrics.correlation import AGGREGATES, finite
from isogloss.evaluation.results import TaskResult
from isogloss.evaluation.sample import Sample
from isogloss.evaluation.tasks.encode import Encoding
from isogloss.evaluation.tasks.pairwise import OWN, similarities
from isogloss.protocols import Encoder, Progress, Silent

Numbers = NDArray[np.float64]


def run(encoder: Encoder, data: Summaries, *, name: str, seed: int = 0, progress: Progress | None = None) -> TaskResult:
    """Measure an encoder on rated machine summaries, as MTEB's summarisation tasks do.

    A machine summary scores the similarity to the nearest human one; within each text these scores are correlated
    with the ratings, and the correlations are averaged over the texts.

    Parameters
    ----------
    encoder, name, seed, progress
        As for :func:`isogloss.evaluation.tasks.sts.run`; nothing is random.
    data
        Human and rated machine summaries. Texts of which all ratings, or all scores, are the same are left out.

    Returns
    -------
    TaskResult
        ``pearson`` and ``spearman`` by the encoder's similarity, and after ``cosine_`` and ``dot_`` where the vectors
        allow them, an item a text; ``cosine_spearman`` counts (``spearman`` where there is no cosine).

    Raises
    ------
    IsoglossError
        Where ratings and summaries do not pair up, a rating is not finite, or no text is left.

    Warns
    -----
    IsoglossWarning
        Where texts are left out, with their number.

    Examples
    --------
    >>> from isogloss.encoders.lexical import WordEncoder
    >>> rated = Summaries([["heat flows to cold"]], [["heat flows", "heat", "a stone"]], [np.array([3.0, 2.0, 1.0])])
    >>> round(run(WordEncoder(), rated, name="one text").scores()["cosine_spearman"], 9)
    1.0
    """
    ratings = _ratings(data)
    encoding = Encoding(encoder, progress or Silent())
    encoding.need([*data.references, *data.machines])
    found = [
        _nearest(encoding, references, machines)
        for references, machines in zip(data.references, data.machines, strict=True)
    ]
    kept = [i for i, scored in enumerate(found) if _tells(ratings[i], scored)]
    left_out = len(found) - len(kept)
    if not kept:
        why = f"ratings or scores are the same throughout each of {len(found)} texts"
        raise IsoglossError("no text is left to correlate", why, "check the ratings, and the encoder")
    if left_out:
        said = f"{left_out} of {len(found)} texts are left out: their ratings or their scores are all the same"
        warnings.warn(said, IsoglossWarning, stacklevel=2)
    samples: dict[str, Sample] = {}
    for kind in (kind for kind in (OWN, "cosine", "dot") if kind in found[0]):
        for correlation in ("pearson", "spearman"):
            key = correlation if kind == OWN else f"{kind}_{correlation}"
            values = [_correlation(correlation, found[i][kind], ratings[i]) for i in kept]
            samples[key] = Sample.of(values, groups=kept, name=key)
    main = "cosine_spearman" if "cosine_spearman" in samples else "spearman"
    details = {"texts": len(found), "left out": left_out, "machine summaries": sum(map(len, data.machines))}
    details |= encoding.details()
    return TaskResult(name, "summarisation", main, samples, details, encoding.seconds)


def _ratings(data: Summaries) -> list[Numbers]:
    if not len(data.references) == len(data.machines) == len(data.scores):
        why = f"{len(data.references)} texts with human, {len(data.machines)} with machine summaries"
        raise IsoglossError("the summaries do not pair up", f"{why}, {len(data.scores)} with ratings")
    for i, (machines, scores) in enumerate(zip(data.machines, data.scores, strict=True)):
        if len(machines) != len(scores) or not data.references[i]:
            why = f"text {i}: {len(data.references[i])} human, {len(machines)} machine summaries, {len(scores)} ratings"
            raise IsoglossError("the summaries do not pair up", why, "give each machine summary a rating")
    return [finite(scores, "rated") for scores in data.scores]


def _nearest(encoding: Encoding, references: list[str], machines: list[str]) -> dict[str, Numbers]:
    """Return for each kind of similarity the greatest one of each machine summary to a human one."""
    left = [machine for machine in machines for _ in references]
    pairs = similarities(encoding.of(left), encoding.of(references * len(machines)), encoding.encoder.similarity)
    return {kind: scores.reshape(len(machines), len(references)).max(1) for kind, scores in pairs.items()}


def _tells(ratings: Numbers, scored: dict[str, Numbers]) -> bool:
    """Whether a correlation can be computed: neither ratings nor scores are all the same (in float32, as in MTEB)."""
    if len(np.unique(ratings)) < 2:
        return False
    watched = [scored[kind].astype(np.float32) for kind in ("cosine", "dot", OWN) if kind in scored]
    return all(len(np.unique(values)) > 1 for values in watched)


def _correlation(name: str, scored: Numbers, ratings: Numbers) -> float:
    return float(AGGREGATES[name](np.column_stack([scored, ratings]), np.ones((1, len(ratings))))[0])
