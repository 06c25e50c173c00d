"""Several encoders on the same pairs, as one score: the mean of their rank correlations."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isogloss.corpus.examples import ScoredPairs
from isogloss.errors import IsoglossError
from isogloss.evaluation.metrics.correlation import spearman
from isogloss.evaluation.sample import Sample
from isogloss.evaluation.tasks.sts import run


def mean_spearman(items: NDArray[Any], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean of Spearman's correlations of each column of ``items (n, k + 1)`` with the last one: an aggregate.

    Examples
    --------
    >>> items = np.array([[1.0, 3.0, 1.0], [2.0, 2.0, 2.0], [3.0, 1.0, 3.0]])
    >>> mean_spearman(items, np.ones((1, 3))).round(9).tolist()
    [0.0]
    """
    each = [spearman(items[:, [column, -1]], weights) for column in range(items.shape[1] - 1)]
    return np.asarray(np.mean(each, axis=0))  # (b,)


def spearman_over(encoders: Iterable[Any], pairs: ScoredPairs) -> Sample:
    """Measure encoders on the same pairs, each as :mod:`isogloss.evaluation.tasks.sts` does; the score is the mean.

    Parameters
    ----------
    encoders
        At least one.
    pairs
        With human scores; the bootstrap draws their groups, the same for all encoders.

    Raises
    ------
    IsoglossError
        Where there is no encoder.

    Examples
    --------
    >>> from isogloss.encoders.lexical import WordEncoder
    >>> pairs = ScoredPairs(["a dog", "a cat"], ["the dog", "two birds"], np.array([4.0, 1.0]), np.arange(2))
    >>> round(spearman_over([WordEncoder(), WordEncoder(fold_accents=False)], pairs).value(), 9)
    1.0
    """
    found = [run(encoder, pairs, name="pairs") for encoder in encoders]
    if not found:
        raise IsoglossError("a mean over encoders needs one", "there is none")
    samples = [one.samples[one.main] for one in found]
    columns = [sample.items[:, 0] for sample in samples]
    items = np.column_stack([*columns, samples[0].items[:, 1]])  # (n, k + 1)
    return Sample(items, samples[0].groups, mean_spearman, "mean spearman")
