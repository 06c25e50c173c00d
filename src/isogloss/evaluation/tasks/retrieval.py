"""Retrieval: whether the documents that people judged relevant stand first."""

from __future__ import annotations

from collections.abc import Sequence

from isogloss.corpus.judgements import TestCollection
from isogloss.evaluation.metrics.ranking import judge, measure
from isogloss.evaluation.ranking import JOINED, retrieve
from isogloss.evaluation.results import TaskResult
from isogloss.evaluation.tasks.encode import Encoding
from isogloss.protocols import Encoder, Progress, Silent

DEPTHS = (1, 3, 5, 10, 20, 100, 1000)
"""Depths at which MTEB measures."""

METRICS = (
    *("ndcg@10", "map", "mrr"),
    *(f"{kind}@{depth}" for kind in ("ndcg", "map", "recall", "precision", "mrr", "hits") for depth in DEPTHS),
    *("rprec", "bpref", "judged@10"),
)
"""The metrics of retrieval tasks; the first one counts."""


def run(
    encoder: Encoder,
    data: TestCollection,
    *,
    name: str,
    seed: int = 0,
    progress: Progress | None = None,
    k: int = 1000,
    metrics: Sequence[str] = METRICS,
) -> TaskResult:
    """Measure an encoder on a test collection, as MTEB's retrieval tasks do.

    Parameters
    ----------
    encoder, name, seed, progress
        As for :func:`isogloss.evaluation.tasks.sts.run`; nothing is random. Counts of words are ranked by BM25.
    data
        Documents, questions, judgements. A judged question without a relevant document is left out.
    k
        Answers a question.
    metrics
        Names as :func:`isogloss.evaluation.metrics.ranking.measure` takes them; the first one counts.

    Returns
    -------
    TaskResult
        One sample a metric with an item a question, in the order of the judgements.

    Raises
    ------
    IsoglossError
        As :func:`isogloss.evaluation.ranking.rank` and :func:`isogloss.evaluation.metrics.ranking.judge`.

    Examples
    --------
    >>> from isogloss.encoders.lexical import WordEncoder
    >>> from isogloss.protocols import Record
    >>> documents = [Record("a", "heat flows"), Record("b", "cold water")]
    >>> data = TestCollection(documents, {"q": "cold"}, {"q": {"b": 1.0}})
    >>> run(WordEncoder(), data, name="two documents").scores()["ndcg@10"]
    1.0
    """
    encoding = Encoding(encoder, progress or Silent())
    found = retrieve(encoding, data, k=k)
    judged = judge(found, data.qrels)
    samples = measure(judged, names=metrics)
    details = {
        "documents": len(data.documents),
        "questions": len(judged.queries),
        "left out": {"questions without a relevant document": len(data.qrels) - len(judged.queries), **data.unknown},
        "k": k,
        "document text": JOINED,
        **encoding.details(),
    }
    return TaskResult(name, "retrieval", next(iter(samples)), samples, details, encoding.seconds)
