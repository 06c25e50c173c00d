"""Classification of texts: what a simple model on top of the vectors learns from a few, or from all, examples."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import CSR
from isogloss.corpus.examples import LabelledTexts, Splits
from isogloss.errors import IsoglossError, UsageError
from isogloss.evaluation.metrics.classification import accurate, average_precision, f1, labels, precision, recall
from isogloss.evaluation.probes import LogisticProbe, dense, narrowed, vote_of_neighbours
from isogloss.evaluation.results import TaskResult
from isogloss.evaluation.sample import Aggregate, Sample
from isogloss.evaluation.tasks.clustering import mean_of
from isogloss.evaluation.tasks.encode import Encoding, joined, taken
from isogloss.protocols import Encoder, Progress, Silent

Labels = NDArray[np.int64]

MTEB_SEED = 42
"""Seed of MTEB's draws; its published scores hold for these draws only."""


def run(
    encoder: Encoder, data: Splits[LabelledTexts], *, name: str, seed: int = MTEB_SEED,
    progress: Progress | None = None, experiments: int = 10, per_label: int = 8, probe: LogisticProbe | None = None,
) -> TaskResult:  # fmt: skip
    """Measure an encoder by logistic probes that learn from a few texts of each label, as MTEB's classification does.

    Parameters
    ----------
    encoder, name, progress
        As for :func:`isogloss.evaluation.tasks.sts.run`.
    data
        The parts ``train`` and ``test``, with the same names of labels.
    seed
        Of the draws; MTEB's own by default, with which scores equal MTEB's for the same vectors.
    experiments, per_label
        How often training texts are drawn, and how many of each label (some tasks of MTEB have 16 or 32).
    probe
        What learns; logistic regression with MTEB's settings where None.

    Returns
    -------
    TaskResult
        ``accuracy`` (counts), ``f1``, ``precision``, ``recall`` (macro, and ``_weighted``), with two labels ``ap``
        (of the predicted labels, as in MTEB): each the mean over the experiments, over test texts as items.

    Raises
    ------
    IsoglossError
        Where a part is missing or empty, or a label of the test part has no training text.

    Warns
    -----
    IsoglossWarning
        Where a probe stopped before it had converged.
    """
    train, test = parts_of(data)
    draws = list(undersampled(train.labels, experiments, per_label, seed))
    encoding = Encoding(encoder, progress or Silent())
    chosen = np.unique(np.concatenate(draws))
    # together, so that sparse vectors keep the same columns
    vectors = dense(encoding.of([*(train.texts[place] for place in chosen), *test.texts]), "a probe")
    learned, asked = vectors[: len(chosen)], vectors[len(chosen) :]
    learner = probe or LogisticProbe()
    predictions = [
        learner.fit(learned[np.searchsorted(chosen, draw)], train.labels[draw]).predict(asked) for draw in draws
    ]
    details = {
        "labels": len(train.names), "experiments": experiments, "per_label": per_label, "seed": seed,
        "majority": majority(test.labels), **encoding.details(),
    }  # fmt: skip
    samples = over_experiments(np.column_stack(predictions), test.labels)
    return TaskResult(name, "classification", "accuracy", samples, details, encoding.seconds)


def run_full(
    encoder: Encoder, data: Splits[LabelledTexts], *, name: str, seed: int = 0, progress: Progress | None = None,
    probe: LogisticProbe | None = None,
) -> TaskResult:  # fmt: skip
    """Measure an encoder by one logistic probe that learns from all training texts; parameters as :func:`run`.

    Returns
    -------
    TaskResult
        ``accuracy`` (counts) and the others of :func:`isogloss.evaluation.metrics.classification.labels`.
    """
    learner = probe or LogisticProbe()

    def predict(x: Any, y: Labels, asked: Any) -> Labels:
        both = dense(joined([x, asked]))  # together, so that sparse vectors keep the same columns
        return learner.fit(both[: len(x)], y).predict(both[len(x) :])

    return _from_all(encoder, data, name, progress, predict, {"C": learner.C})


def run_neighbours(
    encoder: Encoder, data: Splits[LabelledTexts], *, name: str, seed: int = 0, progress: Progress | None = None,
    k: int = 5,
) -> TaskResult:  # fmt: skip
    """Measure an encoder by the vote of the ``k`` nearest training texts, by its own similarity; as :func:`run_full`.

    Unlike a probe this asks whether the distances themselves tell labels apart.
    """
    predict = partial(vote_of_neighbours, similarity=encoder.similarity, k=k)
    return _from_all(encoder, data, name, progress, predict, {"k": k, "similarity": encoder.similarity.value})


def _from_all(
    encoder: Encoder, data: Splits[LabelledTexts], name: str, progress: Progress | None,
    predict: Callable[[Any, Labels, Any], Labels], settings: dict[str, Any],
) -> TaskResult:  # fmt: skip
    train, test = parts_of(data)
    encoding = Encoding(encoder, progress or Silent())
    both = encoding.of([*train.texts, *test.texts])
    if isinstance(both, CSR):
        both = narrowed(both)
    cut = len(train.texts)
    x, asked = taken(both, np.arange(cut)), taken(both, np.arange(cut, len(both)))
    predicted = predict(x, train.labels, asked)
    details = {
        "labels": len(train.names), "training": cut, "majority": majority(test.labels), **settings, **encoding.details()
    }  # fmt: skip
    return TaskResult(name, "classification", "accuracy", labels(predicted, test.labels), details, encoding.seconds)


def parts_of(data: Splits[Any]) -> tuple[Any, Any]:
    """Return the training and the test part.

    Raises
    ------
    UsageError
        Where one is missing.
    IsoglossError
        Where one is empty, or the test part has labels without a training text.
    """
    missing = [part for part in ("train", "test") if part not in data.parts]
    if missing:
        there = ", ".join(data.parts) or "none"
        raise UsageError(f"the task needs a part {missing[0]}", f"there are: {there}", "give both train and test")
    train, test = data["train"], data["test"]
    for part, found in (("train", train), ("test", test)):
        if not len(found.labels):
            raise IsoglossError(f"the part {part} is empty", "", "check the data set")
    unknown = np.setdiff1d(test.labels, train.labels)
    if len(unknown):
        said = ", ".join(test.names[label] for label in unknown[:5])
        raise IsoglossError(
            f"{len(unknown)} labels of the test part have no training text", f"such as {said}", "check the split"
        )
    return train, test


def majority(labels: Labels) -> float:
    """Return the share of the most frequent label: what an encoder that knows nothing reaches.

    Examples
    --------
    >>> majority(np.array([0, 1, 1, 1]))
    0.75
    """
    return float(np.unique(labels, return_counts=True)[1].max() / len(labels))


def undersampled(labels: Labels, experiments: int, per_label: int, seed: int) -> Iterator[Labels]:
    """Yield the training rows of each experiment, at most ``per_label`` of a label, drawn as MTEB draws them.

    The rows are shuffled by the old generator of NumPy with the same seed before each experiment, each time from
    the order that the last shuffle left; the first rows of each label are taken, in that order.

    Examples
    --------
    >>> [draw.tolist() for draw in undersampled(np.array([0, 0, 1, 1]), 2, 1, 42)]
    [[1, 3], [3, 1]]
    """
    order = list(range(len(labels)))
    for _ in range(experiments):
        np.random.RandomState(seed).shuffle(order)  # the generator that defines the protocol
        taken: dict[int, int] = {}
        rows = []
        for row in order:
            label = int(labels[row])
            if taken.get(label, 0) < per_label:
                taken[label] = taken.get(label, 0) + 1
                rows.append(row)
        yield np.array(rows, np.int64)


def over_experiments(predicted: Labels, true: Labels) -> dict[str, Sample]:
    """Measure the labels ``(n, e)`` that ``e`` experiments predicted: each metric is its mean over the experiments.

    Examples
    --------
    >>> found = over_experiments(np.array([[0, 1], [1, 1]]), np.array([0, 1]))
    >>> found["accuracy"].value()
    0.75
    """
    items = np.column_stack([true, predicted])
    right = np.mean([accurate(np.column_stack([column, true])) for column in predicted.T], axis=0)
    samples = {"accuracy": Sample.of(right, name="accuracy")}
    for metric, aggregate in _METRICS.items():
        samples[metric] = Sample.of(items, aggregate=partial(mean_of, aggregate=aggregate), name=metric)
    names, numbers = np.unique(true, return_inverse=True)
    if len(names) == 2:
        # MTEB scores the predicted labels themselves, so that there are two thresholds only
        table = np.column_stack([numbers, predicted])
        samples["ap"] = Sample.of(table, aggregate=partial(mean_of, aggregate=average_precision), name="ap")
    return samples


_METRICS: dict[str, Aggregate] = {
    "f1": f1,
    "f1_weighted": partial(f1, average="weighted"),
    "precision": precision,
    "precision_weighted": partial(precision, average="weighted"),
    "recall": recall,
    "recall_weighted": partial(recall, average="weighted"),
}
