"""Metrics of predicted labels and of scores of two classes, as aggregates that the bootstrap can re-weight.

Whole-number weights give the metric of the sample in which each item stands so often; without positive items (or
items of two classes) a metric that needs them is NaN.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from isogloss.errors import IsoglossError, IsoglossWarning
from isogloss.evaluation.metrics.correlation import finite
from isogloss.evaluation.sample import Aggregate, Sample

Numbers = NDArray[np.float64]
Average = Literal["macro", "weighted"]
Threshold = Literal["f1", "precision", "recall", "accuracy"]

_BLOCK = 4_000_000  # numbers of one intermediate array


def labels(
    predicted: Sequence[int] | NDArray[Any], true: Sequence[int] | NDArray[Any], *,
    groups: NDArray[np.int64] | None = None,
) -> dict[str, Sample]:  # fmt: skip
    """Measure predicted labels ``(n,)`` against true ones: accuracy and F1, precision and recall over the classes.

    Returns
    -------
    dict
        ``accuracy``, ``f1`` (macro, as MTEB calls it), ``f1_weighted``, ``f1_micro``, ``precision``, ``recall``
        (macro), ``precision_weighted``, ``recall_weighted``; scikit-learn's definitions with ``zero_division=0``.

    Raises
    ------
    IsoglossError
        Where there are no items, or not equally many labels.

    Examples
    --------
    >>> {name: round(sample.value(), 3) for name, sample in labels([0, 1, 1], [0, 1, 0]).items()}["f1"]
    0.667
    """
    items = np.column_stack([_column(predicted, "predicted"), _column(true, "true")])
    if not len(items):
        raise IsoglossError("no labels to measure", "the list is empty", "check the data")
    out = {"accuracy": Sample.of(accurate(items), groups=groups, name="accuracy")}
    for name, measure, average in _LABEL_METRICS:
        aggregate = partial(measure, average=average)
        out[name] = Sample.of(items, groups=groups, aggregate=aggregate, name=name)
    out["f1_micro"] = Sample.of(accurate(items), groups=groups, name="f1_micro")  # equal where each has one label
    return out


def accurate(items: NDArray[Any]) -> Numbers:
    """Return 1 for each row ``(predicted, true)`` of ``items (n, 2)`` where both are the same, else 0."""
    return np.asarray(items[:, 0] == items[:, 1], np.float64)


def f1(items: NDArray[Any], weights: Numbers, *, average: Average = "macro") -> Numbers:
    """F1 over the classes of ``items (n, 2)``, predicted and true, for each row of ``weights (b, n)``: ``(b,)``.

    Parameters
    ----------
    items, weights
        As for every aggregate.
    average
        ``"macro"``: the mean over the classes that occur, predicted or true; ``"weighted"``: by how often a class
        is true.

    Examples
    --------
    >>> f1(np.array([[0, 0], [1, 1], [1, 0]]), np.ones((1, 3))).round(3).tolist()
    [0.667]
    """
    return _over_classes(items, weights, average, lambda right, said, was: _share(2 * right, said + was))


def precision(items: NDArray[Any], weights: Numbers, *, average: Average = "macro") -> Numbers:
    """Precision over the classes; parameters as :func:`f1`."""
    return _over_classes(items, weights, average, lambda right, said, was: _share(right, said))


def recall(items: NDArray[Any], weights: Numbers, *, average: Average = "macro") -> Numbers:
    """Recall over the classes; parameters as :func:`f1`."""
    return _over_classes(items, weights, average, lambda right, said, was: _share(right, was))


_LABEL_METRICS: tuple[tuple[str, Callable[..., Numbers], Average], ...] = (
    ("f1", f1, "macro"),
    ("f1_weighted", f1, "weighted"),
    ("precision", precision, "macro"),
    ("precision_weighted", precision, "weighted"),
    ("recall", recall, "macro"),
    ("recall_weighted", recall, "weighted"),
)


def scores(
    scored: Sequence[float] | NDArray[Any], true: Sequence[int] | NDArray[Any], *,
    groups: NDArray[np.int64] | None = None, prefix: str = "", warn: bool = True,
) -> dict[str, Sample]:  # fmt: skip
    """Measure scores ``(n,)`` of which the positive items should have the greater ones, ``true (n,)`` is 1 or 0.

    Parameters
    ----------
    scored, true
        Finite numbers, and labels of which both occur.
    groups
        ``(n,)`` unit that the bootstrap draws; each item on its own where None.
    prefix
        Put before the names.
    warn
        Say it where all scores are the same; False where the caller has said so.

    Returns
    -------
    dict
        ``ap`` (average precision), ``auc``, and at the best threshold ``f1`` with its ``precision`` and ``recall``,
        and ``accuracy``, each after ``prefix``.

    Raises
    ------
    IsoglossError
        Where scores are not finite, a label is neither 0 nor 1, or one of the two does not occur.

    Warns
    -----
    IsoglossWarning
        Where all scores are the same.

    Examples
    --------
    >>> {name: round(sample.value(), 3) for name, sample in scores([0.9, 0.4, 0.5], [1, 1, 0]).items()}["ap"]
    0.833
    """
    items = np.column_stack([finite(scored, "scored"), _column(true, "true")])
    positive = int((items[:, 1] == 1).sum())
    if not np.isin(items[:, 1], (0, 1)).all() or positive in (0, len(items)):
        found = ", ".join(f"{int((items[:, 1] == label).sum())} of {label:g}" for label in np.unique(items[:, 1])[:4])
        raise IsoglossError("two classes are needed, 1 and 0", f"there are {found or 'none'}", "check the labels")
    if warn and (items[:, 0] == items[0, 0]).all():
        said = f"all {len(items)} scores are {items[0, 0]:g}: they tell nothing apart"
        warnings.warn(said, IsoglossWarning, stacklevel=2)
    return {
        prefix + name: Sample.of(items, groups=groups, aggregate=aggregate, name=prefix + name)
        for name, aggregate in SCORE_METRICS.items()
    }


def average_precision(items: NDArray[Any], weights: Numbers) -> Numbers:
    """Average precision of ``items (n, 2)``, score and label: precision at each threshold, by the recall gained there.

    Examples
    --------
    >>> average_precision(np.array([[0.9, 1], [0.4, 1], [0.5, 0]]), np.ones((1, 3))).round(3).tolist()
    [0.833]
    """

    def measure(right: Numbers, taken: Numbers) -> Numbers:
        gained = np.diff(right, axis=1, prepend=0.0)
        return _divided((gained * _share(right, taken)).sum(1), right[:, -1])

    return _over_thresholds(items, weights, measure)


def roc_auc(items: NDArray[Any], weights: Numbers) -> Numbers:
    """Chance that a positive item scores above a negative one, ties count half; ``items (n, 2)``, score and label.

    Examples
    --------
    >>> roc_auc(np.array([[0.9, 1], [0.4, 1], [0.5, 0]]), np.ones((1, 3))).tolist()
    [0.5]
    """

    def measure(right: Numbers, taken: Numbers) -> Numbers:
        wrong = taken - right
        gained = np.diff(right, axis=1, prepend=0.0)
        beaten = wrong[:, -1:] - wrong + np.diff(wrong, axis=1, prepend=0.0) / 2
        return _divided((gained * beaten).sum(1), right[:, -1] * wrong[:, -1])

    return _over_thresholds(items, weights, measure)


def best(items: NDArray[Any], weights: Numbers, *, metric: Threshold = "f1") -> Numbers:
    """Best F1 (or its precision or recall), or best accuracy, over all thresholds that cut between two scores.

    As in MTEB the threshold that takes every item is none; of equally good ones the highest counts.

    Examples
    --------
    >>> best(np.array([[0.9, 1], [0.4, 1], [0.5, 0]]), np.ones((1, 3))).round(3).tolist()
    [0.667]
    """

    def measure(right: Numbers, taken: Numbers) -> Numbers:
        inside = taken < taken[:, -1:]  # something stays below the threshold
        every = np.arange(len(right))
        if metric == "accuracy":
            positive, total = right[:, -1:], taken[:, -1:]
            good = right + (total - positive) - (taken - right)
            return _divided(np.where(inside, good, 0.0).max(1), total[:, 0])
        harmonic = np.where(inside, _share(2 * right, taken + right[:, -1:]), 0.0)
        chosen = harmonic.argmax(1)
        if metric == "f1":
            return np.asarray(harmonic[every, chosen], np.float64)
        bottom = taken if metric == "precision" else np.broadcast_to(right[:, -1:], right.shape)
        return np.where(harmonic[every, chosen] > 0, _share(right, bottom)[every, chosen], 0.0)

    return _over_thresholds(items, weights, measure)


SCORE_METRICS: dict[str, Aggregate] = {
    "ap": average_precision,
    "auc": roc_auc,
    "f1": best,
    "precision": partial(best, metric="precision"),
    "recall": partial(best, metric="recall"),
    "accuracy": partial(best, metric="accuracy"),
}


def _column(values: Sequence[int] | NDArray[Any], what: str) -> NDArray[np.int64]:
    array = np.asarray(values)
    if array.ndim != 1 or (not np.issubdtype(array.dtype, np.integer) and not np.issubdtype(array.dtype, np.bool_)):
        why = f"they are an array {array.shape} of {array.dtype}"
        raise IsoglossError(f"the {what} labels are no list of whole numbers", why, "number the labels")
    return array.astype(np.int64)


def _over_classes(
    items: NDArray[Any], weights: Numbers, average: Average, share: Callable[[Numbers, Numbers, Numbers], Numbers]
) -> Numbers:
    """Average ``share(right, predicted, true)`` of the classes, each ``(b, c)`` weights."""
    import scipy.sparse

    weights = np.asarray(weights, np.float64)
    names, numbers = np.unique(items, return_inverse=True)
    predicted, true = numbers.reshape(-1, 2).T
    here, classes = np.arange(len(items)), len(names)

    def counted(of: NDArray[np.intp], value: Numbers) -> Any:
        return scipy.sparse.csr_matrix((value, (of, here)), shape=(classes, len(items)))

    one = np.ones(len(items))
    tables = [counted(true, (predicted == true).astype(np.float64)), counted(predicted, one), counted(true, one)]
    out = np.empty(len(weights))
    size = max(1, _BLOCK // max(classes, len(items)))
    for start in range(0, len(weights), size):
        part = weights[start : start + size].T
        right, said, was = ((table @ part).T for table in tables)
        value = share(right, said, was)
        by = ((said + was) > 0).astype(np.float64) if average == "macro" else was
        out[start : start + size] = _divided((value * by).sum(1), by.sum(1))
    return out


def _over_thresholds(items: NDArray[Any], weights: Numbers, measure: Callable[[Numbers, Numbers], Numbers]) -> Numbers:
    """Give ``measure`` the positive weight and the weight at or above each distinct score, falling: ``(b, t)`` each."""
    order = np.argsort(-items[:, 0], kind="stable")
    ordered, true = items[order, 0], items[order, 1]
    ends = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True))
    weights = np.asarray(weights, np.float64)
    out = np.empty(len(weights))
    size = max(1, _BLOCK // max(1, len(items)))
    for start in range(0, len(weights), size):
        part = weights[start : start + size][:, order]
        right = np.cumsum(part * true, axis=1)[:, ends]
        out[start : start + size] = measure(right, np.cumsum(part, axis=1)[:, ends])
    return out


def _share(top: Numbers, bottom: Numbers) -> Numbers:
    """Divide, 0 where there is nothing to divide by."""
    return np.asarray(np.divide(top, bottom, out=np.zeros(np.shape(bottom)), where=bottom > 0), np.float64)


def _divided(top: Numbers, bottom: Numbers) -> Numbers:
    return np.asarray(np.divide(top, bottom, out=np.full(np.shape(bottom), np.nan), where=bottom > 0), np.float64)
