"""Probing: whether a property of sentences can be read off their vectors, beyond what any probe memorises."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from isogloss.corpus.examples import LabelledTexts, Splits
from isogloss.evaluation.metrics.classification import accurate, labels
from isogloss.evaluation.probes import LogisticProbe, dense, on_one_scale
from isogloss.evaluation.results import TaskResult
from isogloss.evaluation.sample import Sample
from isogloss.evaluation.tasks.classification import majority, parts_of
from isogloss.evaluation.tasks.encode import Encoding
from isogloss.protocols import Encoder, Progress, Silent
from isogloss.seeding import generator

Labels = NDArray[np.int64]


def run(
    encoder: Encoder, data: Splits[LabelledTexts], *, name: str, seed: int = 0, progress: Progress | None = None,
    controls: int = 5, probe: LogisticProbe | None = None,
) -> TaskResult:  # fmt: skip
    """Measure by a linear probe how much of a property vectors hold, and its selectivity against a control task.

    The control task has the same sentences and the same shares of labels, but the label of a sentence is drawn at
    random for its first word: nothing to understand, only words to remember. Selectivity is the accuracy on the
    property less that on the control (Hewitt and Liang, "Designing and interpreting probes with control tasks",
    https://aclanthology.org/D19-1275; they label each word of a sentence, we carry it over to whole sentences).

    Parameters
    ----------
    encoder, name, progress
        As for :func:`isogloss.evaluation.tasks.sts.run`.
    data
        The parts ``train`` and ``test``.
    seed
        Of the control's labels.
    controls
        How many control tasks are drawn; their mean is taken.
    probe
        What learns; a logistic probe where None. Vectors are brought on one scale first.

    Returns
    -------
    TaskResult
        ``accuracy`` (counts), ``f1`` and the others of labels, ``control_accuracy`` and ``selectivity``, over test
        sentences as items; the share of the most frequent label in the details, ``majority``.
    """
    train, test = parts_of(data)
    encoding = Encoding(encoder, progress or Silent())
    vectors = dense(encoding.of([*train.texts, *test.texts]))
    cut = len(train.texts)
    known, asked = on_one_scale(vectors[:cut], vectors[cut:])
    learner = probe or LogisticProbe()
    predicted = learner.fit(known, train.labels).predict(asked)
    samples = labels(predicted, test.labels)
    right = accurate(np.column_stack([predicted, test.labels]))
    kept = []
    for number in range(controls):
        false = control_labels([*train.texts, *test.texts], train.labels, seed, number)
        guessed = learner.fit(known, false[:cut]).predict(asked)
        kept.append(accurate(np.column_stack([guessed, false[cut:]])))
    if kept:
        control = np.mean(kept, axis=0)
        samples["control_accuracy"] = Sample.of(control, name="control_accuracy")
        samples["selectivity"] = Sample.of(right - control, name="selectivity")
    details: dict[str, Any] = {
        "labels": len(train.names), "training": cut, "majority": majority(test.labels), "controls": controls,
        "C": learner.C, "seed": seed, **encoding.details(),
    }  # fmt: skip
    return TaskResult(name, "probing", "accuracy", samples, details, encoding.seconds)


def control_labels(texts: list[str], true: Labels, seed: int, number: int) -> Labels:
    """Return a label for each text that its first word decides, drawn from ``true``; the same word, the same label.

    At least two labels occur as long as there are two different first words and two labels.

    Examples
    --------
    >>> found = control_labels(["the dog", "a cat", "the cat"], np.array([0, 1]), 0, 0)
    >>> bool(found[0] == found[2]), sorted(set(found.tolist()))
    (True, [0, 1])
    """
    words = [(text.split() or [""])[0].casefold() for text in texts]
    order = list(dict.fromkeys(words))
    random = generator(seed, "control task", number)
    drawn = random.choice(true, len(order))
    present = np.unique(true)
    if len(order) > 1 and len(present) > 1 and len(np.unique(drawn)) == 1:
        drawn[int(random.integers(len(order)))] = present[present != drawn[0]][0]
    by_word = dict(zip(order, drawn.tolist(), strict=True))
    return np.array([by_word[word] for word in words], np.int64)
