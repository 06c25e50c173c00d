"""Several labelled tasks as one score of an encoder: linear probes whose strength is chosen on a development part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from isogloss.corpus.examples import LabelledTexts
from isogloss.errors import IsoglossError
from isogloss.evaluation.metrics.over_tasks import over_tasks
from isogloss.evaluation.probes import LogisticProbe, dense
from isogloss.evaluation.sample import Sample
from isogloss.protocols import Encoder

STRENGTHS = (0.003, 0.03)
"""Inverse penalties that are tried, the same for every encoder."""


@dataclass(frozen=True, slots=True)
class ProbedTask:
    """One task: what probes learn from, what chooses among them, what proves. Labels are compared by name."""

    train: LabelledTexts
    dev: LabelledTexts
    test: LabelledTexts


def split_task(
    train: LabelledTexts, test: LabelledTexts, *, draw: np.random.Generator, most: int = 2000, most_test: int = 1000
) -> ProbedTask:
    """Draw ``most`` training texts, a fifth of them as the development part; and the first test texts.

    Parameters
    ----------
    train, test
        The parts of the data set.
    draw
        Decides which training texts; texts of the test part do not depend on it.
    most, most_test
        At most so many texts.

    Examples
    --------
    >>> data = LabelledTexts(list("abcdefghij"), np.arange(10) % 2, ["no", "yes"])
    >>> task = split_task(data, data, draw=np.random.default_rng(0), most_test=3)
    >>> len(task.train.texts), len(task.dev.texts), task.test.texts
    (8, 2, ['a', 'b', 'c'])
    """
    rows = draw.permutation(len(train.texts))[:most]
    cut = len(rows) // 5
    if not cut or not len(test.texts):
        raise IsoglossError("a task needs five training texts and one test text", f"{len(rows)}, {len(test.texts)}")
    return ProbedTask(
        _rows(train, rows[cut:]), _rows(train, rows[:cut]), _rows(test, np.arange(len(test.texts))[:most_test])
    )


def _rows(part: LabelledTexts, rows: NDArray[np.int64]) -> LabelledTexts:
    return LabelledTexts([part.texts[i] for i in rows], part.labels[rows], part.names)


def probe_tasks(
    encoder: Encoder,
    tasks: Mapping[str, ProbedTask],
    *,
    on: Literal["dev", "test"] = "test",
    strengths: Sequence[float] = STRENGTHS,
) -> Sample:
    """Return the mean over tasks of the accuracy of logistic probes, over texts as items.

    Each component is brought to mean 0 and deviation 1 on the training part, so that no encoder gains by the scale of
    its vectors. ``on="dev"`` gives the development score, for choosing among encoders.

    Parameters
    ----------
    encoder
        Gives one vector a text.
    tasks
        By name.
    on
        The part that is scored.
    strengths
        Inverse penalties; the first best one on the development part is used, task by task.

    Raises
    ------
    IsoglossError
        Where there is no task or no strength.
    """
    if not tasks or not strengths:
        raise IsoglossError("there is nothing to probe", f"{len(tasks)} tasks, {len(strengths)} strengths")
    return over_tasks([_probed(encoder, task, on, strengths) for task in tasks.values()], name="accuracy")


def _probed(encoder: Encoder, task: ProbedTask, on: str, strengths: Sequence[float]) -> Sample:
    parts = {"train": task.train, "dev": task.dev, "test": task.test}
    used = parts if len(strengths) > 1 or on == "dev" else {"train": task.train, "test": task.test}
    vectors = dense(encoder.encode([text for part in used.values() for text in part.texts]))
    cuts = np.cumsum([len(part.texts) for part in used.values()])[:-1]
    split = dict(zip(used, np.split(vectors, cuts), strict=True))
    middle, spread = split["train"].mean(0), split["train"].std(0)
    spread = np.where(spread > 1e-12, spread, 1)
    split = {name: (rows - middle) / spread for name, rows in split.items()}
    names = {name: _names(part) for name, part in used.items()}
    _, classes = np.unique(names["train"], return_inverse=True)
    order = np.unique(names["train"])
    best: Any = None
    for strength in strengths:
        probe = LogisticProbe(C=strength, iterations=300).fit(split["train"], classes)
        right = {name: order[probe.predict(split[name])] == names[name] for name in used if name != "train"}
        score = float(np.mean(right["dev"])) if "dev" in right else 0.0
        if best is None or score > best[0]:
            best = score, right[on]
    return Sample.of(best[1].astype(float), name="accuracy")


def _names(part: LabelledTexts) -> NDArray[Any]:
    return np.asarray(part.names, dtype=str)[part.labels]
