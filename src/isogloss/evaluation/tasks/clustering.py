"""Clustering of texts: whether clusters of vectors, found without labels, are the labels that people gave."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isogloss.corpus.examples import LabelledTexts
from isogloss.errors import IsoglossError
from isogloss.evaluation.metrics.clustering import AGGREGATES
from isogloss.evaluation.probes import dense
from isogloss.evaluation.results import TaskResult
from isogloss.evaluation.sample import Aggregate, Sample
from isogloss.evaluation.tasks.encode import Encoding
from isogloss.protocols import Encoder, Progress, Silent
from isogloss.seeding import derive, generator
from isogloss.transforms.kmeans import kmeans


def run(
    encoder: Encoder, data: LabelledTexts, *, name: str, seed: int = 0, progress: Progress | None = None,
    experiments: int = 10, most: int = 16_384,
) -> TaskResult:  # fmt: skip
    """Measure an encoder by k-means with as many clusters as labels, judged by V-measure, as MTEB's clustering does.

    It differs from MTEB's in two things: Lloyd's iterations to their end instead of mini-batches (which gives the
    same or somewhat higher scores and less noise between seeds), and all items in every experiment instead of draws
    with repetition.

    Parameters
    ----------
    encoder, name, progress
        As for :func:`isogloss.evaluation.tasks.sts.run`.
    data
        Texts with labels, at least two different ones.
    seed
        Of the starts of k-means, and of the draw where there are more than ``most`` texts.
    experiments
        How often clusters are sought.
    most
        So many texts are drawn where there are more.

    Returns
    -------
    TaskResult
        ``v_measure`` (counts), ``homogeneity``, ``completeness``, ``nmi``, ``ari``, ``purity``: means over the
        experiments, over texts as items; ``deviation`` in the details is that of ``v_measure`` between experiments.

    Raises
    ------
    IsoglossError
        Where all labels are the same.
    """
    rows = np.arange(len(data.texts))
    if len(rows) > most:
        rows = np.sort(generator(seed, "clustering", "draw").choice(len(rows), most, replace=False))
    true = data.labels[rows]
    k = len(np.unique(true))
    if k < 2:
        raise IsoglossError("clusters need two labels", f"all {len(true)} texts have one", "check the data set")
    encoding = Encoding(encoder, progress or Silent())
    vectors = dense(encoding.of([data.texts[row] for row in rows]), "k-means")
    found = [kmeans(vectors, k, seed=derive(seed, "clustering", trial))[0] for trial in range(experiments)]
    items = np.column_stack([true, *found])
    samples = {
        metric: Sample.of(items, aggregate=partial(mean_of, aggregate=aggregate), name=metric)
        for metric, aggregate in AGGREGATES.items()
    }
    one = np.ones((1, len(items)))
    each = [float(AGGREGATES["v_measure"](np.column_stack([column, true]), one)[0]) for column in found]
    details = {
        "texts": len(rows), "left_out": len(data.texts) - len(rows), "labels": k, "experiments": experiments,
        "deviation": float(np.std(each)), "seed": seed, **encoding.details(),
    }  # fmt: skip
    return TaskResult(name, "clustering", "v_measure", samples, details, encoding.seconds)


def mean_of(items: NDArray[Any], weights: NDArray[np.float64], *, aggregate: Aggregate) -> NDArray[np.float64]:
    """Mean over experiments of an aggregate of (found, true); ``items (n, 1 + e)``: true, then what was found.

    Examples
    --------
    >>> items = np.array([[0, 0, 1], [1, 1, 1]])
    >>> mean_of(items, np.ones((1, 2)), aggregate=AGGREGATES["purity"]).tolist()
    [0.75]
    """
    values = [aggregate(items[:, [column, 0]], weights) for column in range(1, items.shape[1])]
    return np.asarray(np.mean(values, axis=0), np.float64)
