"""Metrics of clusters against labels, as aggregates that the bootstrap can re-weight.

Items are ``(n, 2)``: the cluster and the label of each, whole numbers. Whole-number weights give the metric of the
sample in which each item stands so often.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isogloss.errors import IsoglossError
from isogloss.evaluation.sample import Aggregate, Sample

Numbers = NDArray[np.float64]

_BLOCK = 4_000_000  # numbers of one intermediate array


def clusters(
    found: Sequence[int] | NDArray[Any], true: Sequence[int] | NDArray[Any], *, groups: NDArray[np.int64] | None = None
) -> dict[str, Sample]:
    """Measure clusters ``(n,)`` against labels ``(n,)``.

    Returns
    -------
    dict
        ``v_measure``, ``homogeneity``, ``completeness``, ``nmi``, ``ari`` and ``purity``.

    Raises
    ------
    IsoglossError
        Where there are no items or not equally many.

    Examples
    --------
    >>> {name: round(sample.value(), 2) for name, sample in clusters([0, 0, 1, 1], [0, 0, 1, 2]).items()}
    {'v_measure': 0.8, 'homogeneity': 0.67, 'completeness': 1.0, 'nmi': 0.8, 'ari': 0.57, 'purity': 0.75}
    """
    if not len(found) or len(found) != len(true):
        raise IsoglossError("clusters cannot be measured", f"{len(found)} clusters, {len(true)} labels", "give as many")
    items = np.column_stack([np.asarray(found), np.asarray(true)])
    return {
        name: Sample.of(items, groups=groups, aggregate=aggregate, name=name) for name, aggregate in AGGREGATES.items()
    }


def homogeneity(items: NDArray[Any], weights: Numbers) -> Numbers:
    """Share of the entropy of the labels that the clusters explain; 1 where there is one label only.

    Rosenberg and Hirschberg, "V-Measure", https://aclanthology.org/D07-1043.
    """
    return _counted(items, weights, lambda both, found, true, _: _explained(both, found, true))


def completeness(items: NDArray[Any], weights: Numbers) -> Numbers:
    """Share of the entropy of the clusters that the labels explain; 1 where there is one cluster only."""
    return _counted(items, weights, lambda both, found, true, _: _explained(both, true, found))


def v_measure(items: NDArray[Any], weights: Numbers) -> Numbers:
    """Harmonic mean of homogeneity and completeness.

    Examples
    --------
    >>> v_measure(np.array([[0, 0], [0, 0], [1, 1], [1, 2]]), np.ones((1, 4))).round(2).tolist()
    [0.8]
    """

    def measure(both: Numbers, found: Numbers, true: Numbers, _: NDArray[np.intp]) -> Numbers:
        h, c = _explained(both, found, true), _explained(both, true, found)
        return _divided(2 * h * c, h + c, 0.0)

    return _counted(items, weights, measure)


def nmi(items: NDArray[Any], weights: Numbers) -> Numbers:
    """Mutual information over the mean of the two entropies; 1 where both are constant."""

    def measure(both: Numbers, found: Numbers, true: Numbers, _: NDArray[np.intp]) -> Numbers:
        h_found, h_true = _entropy(found), _entropy(true)
        information = h_found + h_true - _entropy(both)
        single = ((found > 0).sum(1) == 1) & ((true > 0).sum(1) == 1)
        share = _divided(np.maximum(information, 0.0), (h_found + h_true) / 2, 0.0)
        return np.where(single, 1.0, share)

    return _counted(items, weights, measure)


def ari(items: NDArray[Any], weights: Numbers) -> Numbers:
    """Rand index adjusted for chance: agreement about pairs beyond what equally large random clusters would have.

    Hubert and Arabie, "Comparing partitions", https://doi.org/10.1007/BF01908075.
    """

    def measure(both: Numbers, found: Numbers, true: Numbers, _: NDArray[np.intp]) -> Numbers:
        together, in_found, in_true = (_pairs(table) for table in (both, found, true))
        every = _pairs(both.sum(1, keepdims=True))
        expected = _divided(in_found * in_true, every, 0.0)
        most = (in_found + in_true) / 2
        return np.where(most == expected, 1.0, _divided(together - expected, most - expected, 1.0))

    return _counted(items, weights, measure)


def purity(items: NDArray[Any], weights: Numbers) -> Numbers:
    """Share of the items that have the most frequent label of their cluster.

    Examples
    --------
    >>> purity(np.array([[0, 0], [0, 0], [1, 1], [1, 2]]), np.ones((1, 4))).tolist()
    [0.75]
    """

    def measure(both: Numbers, found: Numbers, true: Numbers, starts: NDArray[np.intp]) -> Numbers:
        return _divided(np.maximum.reduceat(both, starts, axis=1).sum(1), both.sum(1), np.nan)

    return _counted(items, weights, measure)


AGGREGATES: dict[str, Aggregate] = {
    "v_measure": v_measure,
    "homogeneity": homogeneity,
    "completeness": completeness,
    "nmi": nmi,
    "ari": ari,
    "purity": purity,
}


def _counted(
    items: NDArray[Any],
    weights: Numbers,
    measure: Callable[[Numbers, Numbers, Numbers, NDArray[np.intp]], Numbers],
) -> Numbers:
    """Give ``measure`` the weights of pairs, clusters and labels, and where each cluster starts among the pairs."""
    import scipy.sparse

    weights = np.asarray(weights, np.float64)
    found, true = (np.unique(column, return_inverse=True)[1] for column in items.T)
    pairs, both = np.unique(found * (true.max() + 1) + true, return_inverse=True)
    starts = np.searchsorted(pairs // (true.max() + 1), np.arange(found.max() + 1))
    here = np.arange(len(items))
    tables = [
        scipy.sparse.csr_matrix((np.ones(len(items)), (column, here)), shape=(int(column.max()) + 1, len(items)))
        for column in (both, found, true)
    ]
    size = max(1, _BLOCK // len(items))
    out = np.empty(len(weights))
    for start in range(0, len(weights), size):
        part = weights[start : start + size].T
        pair, cluster, label = (np.asarray((table @ part).T, np.float64) for table in tables)
        out[start : start + size] = measure(pair, cluster, label, starts)
    return out


def _entropy(counts: Numbers) -> Numbers:
    """Entropy in nats of each row of weights."""
    total = counts.sum(1, keepdims=True)
    p = _divided(counts, np.broadcast_to(total, counts.shape), 0.0)
    return -np.asarray((p * np.log(np.where(p > 0, p, 1.0))).sum(1), np.float64)


def _explained(both: Numbers, by: Numbers, what: Numbers) -> Numbers:
    """Share of the entropy of ``what`` that knowing ``by`` takes away, 1 where it has none."""
    entropy = _entropy(what)
    left = _entropy(both) - _entropy(by)
    known = (what > 0).sum(1) > 1
    return np.where(known, np.clip(1 - _divided(left, entropy, 0.0), 0.0, 1.0), 1.0)


def _pairs(counts: Numbers) -> Numbers:
    """Pairs of items within the cells, of each row."""
    return np.asarray((counts * (counts - 1) / 2).sum(1), np.float64)


def _divided(top: Numbers, bottom: Numbers, otherwise: float) -> Numbers:
    return np.asarray(np.divide(top, bottom, out=np.full(np.shape(bottom), otherwise), where=bottom != 0), np.float64)
