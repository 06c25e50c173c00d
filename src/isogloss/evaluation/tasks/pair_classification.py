"""Classification of pairs: whether a threshold on the similarity tells pairs that mean the same from others."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isogloss.corpus.examples import LabelledPairs
from isogloss.evaluation.metrics.classification import SCORE_METRICS, scores
from isogloss.evaluation.results import TaskResult
from isogloss.evaluation.sample import Aggregate, Sample
from isogloss.evaluation.tasks.encode import Encoding
from isogloss.evaluation.tasks.pairwise import OWN, similarities
from isogloss.protocols import Encoder, Progress, Silent

_AT_BEST = ("ap", "f1", "precision", "recall", "accuracy")


def run(
    encoder: Encoder, data: LabelledPairs, *, name: str, seed: int = 0, progress: Progress | None = None
) -> TaskResult:
    """Measure an encoder on pairs that are the same or not, as MTEB's pair classification does.

    Parameters
    ----------
    encoder, name, seed, progress
        As for :func:`isogloss.evaluation.tasks.sts.run`; nothing is random.
    data
        Pairs with labels 1 and 0, both of which occur.

    Returns
    -------
    TaskResult
        ``ap``, ``auc``, and at the best threshold ``f1`` with its ``precision`` and ``recall``, and ``accuracy``:
        each after ``similarity_`` (the encoder's own), ``cosine_``, ``dot_``, ``manhattan_``, ``euclidean_`` as far
        as the vectors allow, and after ``max_``, the best of these as MTEB has it. ``max_ap`` counts; the best
        thresholds are seen on the very pairs that they are measured on, which flatters every system alike.

    Raises
    ------
    IsoglossError
        Where the labels are not 1 and 0, or one does not occur.

    Warns
    -----
    IsoglossWarning
        Where all pairs get the same similarity.

    Examples
    --------
    >>> from isogloss.encoders.lexical import WordEncoder
    >>> labels = np.array([1, 0])
    >>> pairs = LabelledPairs(["a dog", "a cat"], ["the dog", "two birds"], labels, np.arange(2))
    >>> run(WordEncoder(), pairs, name="two pairs").scores()["max_ap"]
    1.0
    """
    encoding = Encoding(encoder, progress or Silent())
    encoding.need([data.left, data.right])
    found = similarities(encoding.of(data.left), encoding.of(data.right), encoder.similarity)
    samples: dict[str, Sample] = {}
    warned = False
    for kind in (OWN, *(kind for kind in found if kind != OWN)):
        prefix = "similarity_" if kind == OWN else f"{kind}_"
        samples |= scores(found[kind], data.labels, groups=data.groups, prefix=prefix, warn=not warned)
        warned = warned or len(set(found[kind].tolist())) == 1
    table = np.column_stack([data.labels, *found.values()])
    for metric in _AT_BEST:
        aggregate = partial(_greatest, aggregate=SCORE_METRICS[metric])
        samples[f"max_{metric}"] = Sample.of(table, groups=data.groups, aggregate=aggregate, name=f"max_{metric}")
    positive = int(np.sum(data.labels))
    details = {"pairs": len(data.left), "positive": positive, "similarity": encoder.similarity.value}
    details |= encoding.details()
    return TaskResult(name, "pair_classification", "max_ap", samples, details, encoding.seconds)


def _greatest(items: NDArray[Any], weights: NDArray[np.float64], *, aggregate: Aggregate) -> NDArray[np.float64]:
    """Return the greatest value of a metric over the kinds of similarity: ``items`` are a label and m scores."""
    columns = [aggregate(items[:, [column, 0]], weights) for column in range(1, items.shape[1])]
    return np.asarray(np.max(columns, axis=0), np.float64)
