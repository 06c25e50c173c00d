"""How good an encoder is on rows that were held out, and on questions that have nothing to do with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np

from isogloss.corpus.examples import LabelledPairs, LabelledTexts, ScoredPairs, Splits
from isogloss.corpus.judgements import TestCollection
from isogloss.errors import UsageError
from isogloss.evaluation.general_questions import general_questions
from isogloss.evaluation.sample import Sample
from isogloss.evaluation.statistics.comparison import compare
from isogloss.protocols import Encoder, Progress, Record
from isogloss.seeding import generator
from isogloss.workflows.training.data import TrainingData
from isogloss.workflows.training.split import Parts
from isogloss.workflows.training.writing import Measured

DISTRACTORS = {"choose": 300, "prove": 1500}
"""Texts of the training rows that held-out questions are searched among, besides their own: few where many candidates
are looked at, more where the result is proved."""


@dataclass(frozen=True, slots=True)
class Exam:
    """Held-out rows as a task.

    Attributes
    ----------
    kind
        Module of :mod:`isogloss.evaluation.tasks` that judges.
    data
        What it takes.
    metric
        The metric that counts; empty for the task's own.
    about
        What is asked, in a sentence.
    """

    kind: str
    data: Any
    metric: str
    about: str

    def sample(self, encoder: Encoder, progress: Progress | None = None) -> Sample:
        """Return what the encoder reached, item by item."""
        task = import_module(f"isogloss.evaluation.tasks.{self.kind}")
        run = task.run_neighbours if self.kind == "classification" else task.run
        found = run(encoder, self.data, name="held-out rows", progress=progress)
        sample: Sample = found.samples[self.metric or found.main]
        return sample


def exam(parts: Parts, which: str, seed: int = 0) -> Exam:
    """Make the task of a held-out part.

    Parameters
    ----------
    parts
        The split rows.
    which
        ``choose`` or ``prove``.
    seed
        Of the distractors.

    Raises
    ------
    UsageError
        Where nothing was held out.
    """
    rows: TrainingData | None = getattr(parts, which)
    if rows is None:
        raise UsageError("nothing was held out to measure on", parts.note, "give more rows")
    if rows.kind == "pairs":
        data = _collection(rows, parts.train, DISTRACTORS[which], seed)
        about = f"{len(data.queries):,} held-out texts look for theirs among {len(data.documents):,}"
        return Exam("retrieval", data, "ndcg@10", about)
    columns, targets = rows.columns, rows.targets
    assert targets is not None
    if rows.kind == "scored pairs":
        scored = ScoredPairs(columns[0], columns[1], targets.astype(np.float64), rows.groups)
        return Exam("sts", scored, "spearman", f"{len(rows):,} held-out pairs with a score")
    if rows.kind == "labelled pairs":
        labelled = LabelledPairs(columns[0], columns[1], targets.astype(np.int64), rows.groups)
        return Exam("pair_classification", labelled, "", f"{len(rows):,} held-out pairs with a label")
    train = parts.train
    names = [str(i) for i in range(int(max(targets.max(), _targets(train).max())) + 1)]
    both = {
        "train": LabelledTexts(train.columns[0], _targets(train).astype(np.int64), names),
        "test": LabelledTexts(columns[0], targets.astype(np.int64), names),
    }
    return Exam(
        "classification", Splits(both), "accuracy", f"labels of {len(rows):,} held-out texts by their neighbours"
    )


def general_exam() -> Exam:
    """Return the general probe set of the package as a task."""
    data = general_questions()
    return Exam("retrieval", data, "ndcg@10", f"{len(data.queries)} everyday questions, kept in the package")


def _targets(rows: TrainingData) -> Any:
    assert rows.targets is not None
    return rows.targets


def _collection(rows: TrainingData, train: TrainingData, most: int, seed: int) -> TestCollection:
    """Return held-out pairs as questions over the texts that belong to any of them, and texts of the training rows."""
    own = [text for column in rows.columns[1:] for text in column]
    others = list(dict.fromkeys(train.columns[1]))
    picked = generator(seed, "distractors").permutation(len(others))[:most]
    texts = list(dict.fromkeys([*own, *(others[i] for i in np.sort(picked))]))
    ids = {text: f"d{i}" for i, text in enumerate(texts)}
    queries = {text: f"q{i}" for i, text in enumerate(dict.fromkeys(rows.columns[0]))}
    qrels: dict[str, dict[str, float]] = {query: {} for query in queries.values()}
    for anchor, positive in zip(rows.columns[0], rows.columns[1], strict=True):
        qrels[queries[anchor]][ids[positive]] = 1.0
    documents = [Record(id, text) for text, id in ids.items()]
    return TestCollection(documents, {id: text for text, id in queries.items()}, qrels, "held-out rows")


def measured(
    exam: Exam, name: str, encoders: Mapping[str, Encoder], *, model: str, seed: int = 0,
    progress: Progress | None = None,
) -> Measured:  # fmt: skip
    """Compare encoders on the same items, paired, with intervals.

    Parameters
    ----------
    exam
        What is asked.
    name
        Of the questions, for tables.
    encoders
        By their names; the first other than ``model`` is what it is compared with.
    model
        Which of them the result is about.
    seed, progress
        Of the bootstrap; told about the encoding.
    """
    samples = {label: exam.sample(encoder, progress) for label, encoder in encoders.items()}
    base = next((label for label in encoders if label != model), "")
    return Measured(name, exam.kind, compare(samples, seed=seed), model, samples[model], base)
