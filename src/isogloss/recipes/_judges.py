"""Judges made from data: each turns an artifact into a sample over the same items, by what the artifact can do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np

from isogloss.corpus import examples as kinds
from isogloss.corpus.judgements import TestCollection
from isogloss.encoders.static import bundled_static
from isogloss.errors import UsageError
from isogloss.evaluation.sample import Sample
from isogloss.protocols import Record
from isogloss.recipes._language_judge import bits_of_language_model
from isogloss.recipes._selector_judge import bits_of_selection
from isogloss.recipes._tokenizer_judge import installed, is_tokenizer

TASKS: dict[type, str] = {
    kinds.ScoredPairs: "sts",
    kinds.LabelledPairs: "pair_classification",
    kinds.LabelledTexts: "clustering",
    kinds.ScoredTexts: "regression",
    kinds.ParallelTexts: "bitext",
    kinds.Candidates: "reranking",
    kinds.Analogies: "analogies",
    kinds.TaggedSentences: "tagging",
    kinds.Summaries: "summarisation",
    TestCollection: "retrieval",
    kinds.Splits: "classification",
}
"""Which task judges an encoder, by the kind of the data; ``task=`` of the judge chooses another."""

BITS = "bits per byte"
"""The metric that judges what is both encoder and language model as the latter, on any data that has texts."""


@dataclass(slots=True)
class LabJudge:
    """Judges artifacts on the data of one role.

    Attributes
    ----------
    name
        For tables.
    examples
        Gives the data; it is asked once.
    metric
        Name of the metric, or None for the task's main one.
    name_of_data
        For results.
    task
        What the data card says the data is for, or an empty string.
    options
        Parameters of the task; ``task=NAME`` chooses another task.
    """

    name: str
    examples: Callable[[], Any]
    metric: str | None = None
    name_of_data: str = ""
    task: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    _data: Any = None

    @property
    def data(self) -> Any:
        """Return the data, read once."""
        if self._data is None:
            self._data = self.examples()
        return self._data

    def __call__(self, artifact: Any) -> Sample:
        """Return the artifact's sample.

        Raises
        ------
        UsageError
            Where nothing that the artifact can do is judged here, or the metric is unknown.
        """
        options = dict(self.options)
        if hasattr(artifact, "search") and hasattr(artifact, "score_all"):
            return recall_of_index(artifact, **options)
        if "pool" in options:
            return bits_of_selection(artifact, self.data, **options)
        if hasattr(artifact, "nll") and (self.metric == BITS or _is_text(self.data)):
            return bits_of_language_model(artifact, self.data, **options)
        if is_tokenizer(artifact):
            return self._task(installed(artifact, options.pop("frozen", None) or bundled_static()), options)
        if hasattr(artifact, "encode"):
            return self._task(artifact, options)
        if hasattr(artifact, "predict"):
            return accuracy_of_predictor(artifact, self.data)
        if hasattr(artifact, "score"):
            return ndcg_of_reranker(artifact, self.data, **options)
        raise UsageError(
            f"{self.name} cannot judge a {type(artifact).__name__}",
            "it can none of encode, search, predict, score, nll",
            "pass your own function from the artifact to a Sample",
        )  # fmt: skip

    def _task(self, encoder: Any, options: dict[str, Any]) -> Sample:
        task = task_module(str(options.pop("task", "")) or self.task, self.data)
        run = import_module(f"isogloss.evaluation.tasks.{task}").run
        result = run(encoder, self.data, name=self.name_of_data, **options)
        name = self.metric or result.main
        if name not in result.samples:
            known = ", ".join(sorted(result.samples))
            raise UsageError(f"the task {task} has no metric {name!r}", f"it measures {known}")
        sample: Sample = result.samples[name]
        return sample


def task_module(asked: str, data: Any) -> str:
    """Return the module of the task that judges encoders on some data: the one asked for, else by the data's kind.

    Raises
    ------
    UsageError
        Where no task judges such data.

    Examples
    --------
    >>> task_module("retrieval", None), task_module("", kinds.ParallelTexts([], [], ("de", "en")))
    ('retrieval', 'bitext')
    """
    name = asked.replace("-", "_")
    if name and find_spec(f"isogloss.evaluation.tasks.{name}") is not None:
        return name
    by_kind = TASKS.get(type(data))
    if by_kind is None:
        raise UsageError(
            f"no task judges an encoder on {type(data).__name__}", f"asked for {asked or 'none'}", "give task=NAME"
        )
    return by_kind


def _is_text(data: Any) -> bool:
    """Say whether data is plain text: nothing but language models is judged on it."""
    return isinstance(data, list) and bool(data) and all(isinstance(one, str | Record) for one in data)


def recall_of_index(index: Any, *, queries: Any, k: int = 10, effort: float = 0.5) -> Sample:
    """Return for each query the share of the exact best ``k`` (by ``score_all``) that ``search`` finds.

    Parameters
    ----------
    index
        An index with ``search`` and ``score_all``.
    queries
        Vectors of the queries.
    k, effort
        Of the search.
    """
    from isogloss.arrays import top_k

    found = index.search(queries, k, effort=effort).rows
    shares = []
    for number in range(len(queries)):
        one = queries.take(np.array([number])) if hasattr(queries, "take") and hasattr(queries, "indices") else None
        rows, scores = index.score_all(queries[number : number + 1] if one is None else one)
        best = rows[top_k(scores, k)]
        shares.append(len(np.intersect1d(best, found[number])) / max(1, len(best)))
    return Sample.of(shares, name=f"recall@{k}")


def accuracy_of_predictor(predictor: Any, data: Any) -> Sample:
    """Return for each labelled text whether ``predict(texts)`` gives its label (its number or its name)."""
    part = data["test"] if isinstance(data, kinds.Splits) else data
    if not isinstance(part, kinds.LabelledTexts):
        raise UsageError("a predictor is judged on labelled texts", f"the data is {type(part).__name__}")
    names = np.array(part.names, dtype=object)
    answers = [names[one] if isinstance(one, int | np.integer) else one for one in predictor.predict(part.texts)]
    right = [float(a == b) for a, b in zip(answers, names[part.labels], strict=True)]
    return Sample.of(right, name="accuracy")


def ndcg_of_reranker(reranker: Any, data: Any, *, k: int = 10) -> Sample:
    """Return nDCG@k of each question's fixed candidates in the order of ``score(query, documents)``."""
    if not isinstance(data, kinds.Candidates):
        raise UsageError("a reranker is judged on fixed candidates", f"the data is {type(data).__name__}")
    values = []
    discounts = 1 / np.log2(np.arange(2, k + 2))
    for query, texts, grades in zip(data.queries, data.texts, data.grades, strict=True):
        order = np.argsort(-np.asarray(reranker.score(query, texts), np.float64), kind="stable")[:k]
        ideal = np.sort(grades)[::-1][:k]
        best = float((np.maximum(ideal, 0) * discounts[: len(ideal)]).sum())
        got = float((np.maximum(grades[order], 0) * discounts[: len(order)]).sum())
        values.append(got / best if best else 0.0)
    return Sample.of(values, name=f"ndcg@{k}")
