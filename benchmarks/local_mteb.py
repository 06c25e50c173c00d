"""Tasks of the mteb package over data that is already here: nothing is downloaded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

SOURCE = {"path": "local/data", "revision": "1"}


def metadata(name: str, kind: str, main: str) -> Any:
    """Return the metadata that mteb wants of a task."""
    from mteb.abstasks.task_metadata import TaskMetadata

    return TaskMetadata(
        name=name, description=name, reference="https://example.org/local", dataset=SOURCE, type=kind,
        category="t2t", modalities=["text"], eval_splits=["test"], eval_langs=["eng-Latn"], main_score=main,
        date=("2000-01-01", "2000-12-31"), domains=["Written"], task_subtypes=[], license="not specified",
        annotations_creators="human-annotated", dialect=[], sample_creation="found", bibtex_citation="",
    )  # fmt: skip


def task(base: type, name: str, kind: str, main: str, dataset: Any, **settings: Any) -> Any:
    """Return an mteb task of class ``base`` whose data is ``dataset``; ``settings`` are class attributes."""

    def load_data(self: Any, **_: Any) -> None:
        self.dataset, self.data_loaded = dataset, True

    content = {"metadata": metadata(name, kind, main), "load_data": load_data, **settings}
    return type(name, (base,), content)()


def columns(splits: Mapping[str, Mapping[str, Sequence[Any]]]) -> Any:
    """Return splits of columns as mteb's ``DatasetDict``."""
    from datasets import Dataset, DatasetDict

    return DatasetDict({name: Dataset.from_dict(dict(split)) for name, split in splits.items()})


def sts(name: str, left: list[str], right: list[str], scores: Sequence[float]) -> Any:
    """Return an STS task."""
    from mteb.abstasks.sts import AbsTaskSTS

    data = columns({"test": {"sentence1": left, "sentence2": right, "score": list(scores)}})
    return task(AbsTaskSTS, name, "STS", "cosine_spearman", data)


def classification(name: str, train: tuple[list[str], list[int]], test: tuple[list[str], list[int]]) -> Any:
    """Return a classification task with mteb's defaults."""
    from mteb.abstasks.classification import AbsTaskClassification

    data = columns({"train": {"text": train[0], "label": train[1]}, "test": {"text": test[0], "label": test[1]}})
    return task(AbsTaskClassification, name, "Classification", "accuracy", data)


def retrieval(
    name: str,
    documents: Mapping[str, tuple[str, str]],
    queries: Mapping[str, str],
    qrels: Mapping[str, Mapping[str, int]],
    top_ranked: Mapping[str, list[str]] | None = None,
) -> Any:
    """Return a retrieval task over ``documents[id] = (title, text)``; a reranking task with ``top_ranked``."""
    from datasets import Dataset
    from mteb.abstasks.retrieval import AbsTaskRetrieval

    rows = [{"id": id, "title": title, "text": text} for id, (title, text) in documents.items()]
    split = {
        "corpus": Dataset.from_list(rows),
        "queries": Dataset.from_list([{"id": id, "text": text} for id, text in queries.items()]),
        "relevant_docs": {query: dict(judged) for query, judged in qrels.items()},
        "top_ranked": None if top_ranked is None else dict(top_ranked),
    }
    kind, main = ("Retrieval", "ndcg_at_10") if top_ranked is None else ("Reranking", "map_at_1000")
    return task(AbsTaskRetrieval, name, kind, main, {"default": {"test": split}})


def evaluate(model: Any, task: Any) -> dict[str, Any]:
    """Return the scores of a model on a task's test split."""
    import mteb

    result = mteb.evaluate(
        model, task, cache=None, co2_tracker=False, show_progress_bar=False, overwrite_strategy="always"
    )
    scores: dict[str, Any] = result.task_results[0].scores["test"][0]
    return scores
