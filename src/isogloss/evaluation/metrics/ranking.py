"""Metrics of ranked answers against judgements, by trec_eval's definitions, over all questions at once."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isogloss.corpus.judgements import Qrels, RankedRun, judged_queries
from isogloss.errors import IsoglossError, IsoglossWarning, UsageError
from isogloss.evaluation.sample import Sample

Numbers = NDArray[np.float64]

STANDARD = ("ndcg@10", "map", "mrr@10", "recall@100", "precision@10", "hits@1")
"""Metrics that a retrieval task gives unless told otherwise; the first one counts."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A run beside its judgements: one row a judged question.

    Attributes
    ----------
    queries
        Ids of the questions that have a relevant document, in the order of the judgements.
    grades
        ``(n, depth)`` grade of each answer, best first; NaN where it is not judged, or there is none.
    lengths
        ``(n,)`` number of answers.
    ideal
        ``(n, m)`` the positive grades of each question, falling, then zeros.
    relevant, irrelevant
        ``(n,)`` number of documents judged relevant (above 0), and judged not relevant (0). As in trec_eval a grade
        below 0 counts as no judgement.
    """

    queries: list[str]
    grades: Numbers
    lengths: NDArray[np.int64]
    ideal: Numbers
    relevant: Numbers
    irrelevant: Numbers

    @property
    def hit(self) -> Numbers:
        """One where an answer is relevant, else zero: ``(n, depth)``."""
        return np.asarray(self.grades > 0, np.float64)  # NaN > 0 is false


def judge(run: RankedRun, qrels: Qrels) -> Judged:
    """Put the answers of a run beside their judgements.

    Answers count in trec_eval's order: by falling score as a 32-bit float, which is what trec_eval reads, equal ones
    by falling document id. Questions that have judgements but no relevant document are left out, as are questions
    without judgements; a judged question that the run lacks has no answers, and so counts zero everywhere.

    Raises
    ------
    IsoglossError
        Where no judgement is relevant, a grade or score is not finite, the run answers none of the judged questions,
        or a document is given twice for one question.

    Warns
    -----
    IsoglossWarning
        Where the run lacks judged questions, or all scores of the run are the same; with counts.

    Examples
    --------
    >>> run = RankedRun.from_scores({"q": {"a": 3.0, "b": 2.0, "c": 1.0}})
    >>> judge(run, {"q": {"a": 1.0, "c": 0.0}}).grades.tolist()
    [[1.0, nan, 0.0]]
    """
    queries = judged_queries(qrels)
    _check_grades(qrels, queries)
    places = _check_run(run, queries)
    rows = [places.get(query) for query in queries]
    answers = [_ordered(run, row) for row in rows]
    lengths = np.array([len(documents) for documents in answers], np.int64)
    grades = np.full((len(queries), int(lengths.max(initial=0))), np.nan)
    filled = np.arange(grades.shape[1]) < lengths[:, None]
    looked = (
        grade for query, found in zip(queries, answers, strict=True)
        for grade in map(qrels[query].get, found, repeat(np.nan))
    )  # fmt: skip
    grades[filled] = np.fromiter(looked, np.float64, int(lengths.sum()))
    judged = [np.fromiter(qrels[query].values(), np.float64, len(qrels[query])) for query in queries]
    relevant = np.array([int((found > 0).sum()) for found in judged], np.float64)
    ideal = np.zeros((len(queries), int(relevant.max(initial=0))))
    for row, found in zip(ideal, judged, strict=True):
        best = -np.sort(-found[found > 0])
        row[: len(best)] = best
    irrelevant = np.array([int((found == 0).sum()) for found in judged], np.float64)
    return Judged(queries, grades, lengths, ideal, relevant, irrelevant)


def measure(
    run: RankedRun | Judged,
    qrels: Qrels | None = None,
    names: Sequence[str] = STANDARD,
    *,
    groups: Mapping[str, int] | None = None,
) -> dict[str, Sample]:
    """Measure a run by several metrics: one sample each, an item a judged question, so that systems can be paired.

    Parameters
    ----------
    run
        Ranked answers, or what :func:`judge` made of them.
    qrels
        Judgements; not needed with a ``Judged``.
    names
        ``ndcg``, ``ndcg@K``, ``map``, ``map@K``, ``mrr``, ``mrr@K``, ``recall@K``, ``precision@K``, ``hits@K``,
        ``rprec``, ``bpref``, ``judged@K``, or the names that trec_eval and MTEB give them (see :func:`canonical`).
        ``judged@K`` is the share of the first K answers (of fewer where there are fewer) that are judged at all,
        0 where there is no answer.
    groups
        The unit that the bootstrap draws for each question, such as the number of its source; each question on its
        own where None.

    Returns
    -------
    dict
        ``Sample`` by canonical name, in the order of ``names``.

    Raises
    ------
    UsageError
        Where a name is unknown.
    IsoglossError
        As :func:`judge`.

    Examples
    --------
    >>> run = RankedRun.from_scores({"q": {"a": 3.0, "b": 2.0}, "r": {"a": 1.0}})
    >>> found = measure(run, {"q": {"b": 1.0}, "r": {"a": 2.0}}, ["mrr", "P_1"])
    >>> {name: sample.value() for name, sample in found.items()}
    {'mrr': 0.75, 'precision@1': 0.5}
    """
    wanted = [canonical(name) for name in names]
    judged = run if isinstance(run, Judged) else judge(run, qrels or {})
    drawn = None if groups is None else [groups[query] for query in judged.queries]
    out = {}
    for name in wanted:
        kind, _, depth = name.partition("@")
        out[name] = Sample.of(METRICS[kind](judged, int(depth) if depth else None), groups=drawn, name=name)
    return out


def canonical(name: str) -> str:
    """Return the display name of a metric: ``ndcg_cut_10``, ``ndcg_at_10`` and ``NDCG@10`` are ``ndcg@10``.

    Raises
    ------
    UsageError
        Where there is no such metric, or it needs (or takes) no depth.

    Examples
    --------
    >>> [canonical(name) for name in ("ndcg_cut_10", "recip_rank", "P_5", "success@1", "map_at_100")]
    ['ndcg@10', 'mrr', 'precision@5', 'hits@1', 'map@100']
    """
    match = re.fullmatch(r"([a-z][a-z_-]*?)(?:(?:@|_cut_|_at_|_cut\.|_|\.)([1-9]\d*))?", name.strip().lower())
    kind = _ALIASES.get(match[1], match[1]) if match else ""
    if not match or kind not in METRICS:
        known = ", ".join(f"{kind}@K" if kind in NEEDS_DEPTH else kind for kind in METRICS)
        raise UsageError(f"there is no ranking metric {name!r}", f"there are {known}", "name one of these")
    if (match[2] is None) == (kind in NEEDS_DEPTH) and kind not in BOTH:
        said = "a depth, such as" if kind in NEEDS_DEPTH else "no depth:"
        raise UsageError(f"the metric {name!r} takes {said} {kind + ('@10' if kind in NEEDS_DEPTH else '')}")
    return kind + (f"@{match[2]}" if match[2] else "")


def ndcg(judged: Judged, depth: int | None = None) -> Numbers:
    """Normalised discounted cumulative gain of each question: gain is the grade, discount ``log2(rank + 1)``.

    Järvelin and Kekäläinen, "Cumulated gain-based evaluation of IR techniques",
    https://doi.org/10.1145/582415.582418, with linear gains as in trec_eval.

    Examples
    --------
    >>> judged = judge(RankedRun.from_scores({"q": {"a": 2.0, "b": 1.0}}), {"q": {"b": 1.0}})
    >>> ndcg(judged, 10).round(3).tolist()
    [0.631]
    """
    gains = np.where(judged.grades > 0, judged.grades, 0.0)[:, :depth]
    ideal = judged.ideal[:, :depth]
    return _discounted(gains) / _discounted(ideal)


def average_precision(judged: Judged, depth: int | None = None) -> Numbers:
    """Sum of the precisions at the ranks of relevant answers over the number of relevant documents.

    Examples
    --------
    >>> judged = judge(RankedRun.from_scores({"q": {"a": 2.0, "b": 1.0}}), {"q": {"b": 1.0}})
    >>> average_precision(judged).tolist()
    [0.5]
    """
    hit = judged.hit[:, :depth]
    precisions = hit * np.cumsum(hit, axis=1) / np.arange(1, hit.shape[1] + 1)
    return np.asarray(precisions.sum(1) / judged.relevant, np.float64)


def reciprocal_rank(judged: Judged, depth: int | None = None) -> Numbers:
    """One over the rank of the first relevant answer, 0 where there is none."""
    hit = judged.hit[:, :depth]
    return np.asarray((hit / np.arange(1, hit.shape[1] + 1)).max(1, initial=0.0), np.float64)


def recall(judged: Judged, depth: int | None = None) -> Numbers:
    """Share of the relevant documents among the first ``depth`` answers."""
    return np.asarray(judged.hit[:, :depth].sum(1) / judged.relevant, np.float64)


def precision(judged: Judged, depth: int | None = None) -> Numbers:
    """Relevant documents among the first ``depth`` answers over ``depth``, however few the answers."""
    return np.asarray(judged.hit[:, :depth].sum(1) / (depth or 1), np.float64)


def hits(judged: Judged, depth: int | None = None) -> Numbers:
    """One where a relevant document is among the first ``depth`` answers (trec_eval's ``success``)."""
    return np.asarray(judged.hit[:, :depth].max(1, initial=0.0), np.float64)


def r_precision(judged: Judged, depth: int | None = None) -> Numbers:
    """Precision among as many answers as there are relevant documents."""
    within = np.arange(judged.grades.shape[1]) < judged.relevant[:, None]
    return np.asarray((judged.hit * within).sum(1) / judged.relevant, np.float64)


def bpref(judged: Judged, depth: int | None = None) -> Numbers:
    """How seldom documents judged not relevant stand above relevant ones; unjudged answers are passed over.

    Buckley and Voorhees, "Retrieval evaluation with incomplete information",
    https://doi.org/10.1145/1008992.1009000, as bounded in trec_eval.
    """
    above = np.cumsum(judged.grades == 0, axis=1)
    most = judged.relevant[:, None]
    bound = np.maximum(np.minimum(judged.irrelevant, judged.relevant), 1.0)[:, None]
    return np.asarray((judged.hit * (1 - np.minimum(above, most) / bound)).sum(1) / judged.relevant, np.float64)


def judged_share(judged: Judged, depth: int | None = None) -> Numbers:
    """Share of the first ``depth`` answers that are judged at all, 0 where there is no answer."""
    known = (judged.grades[:, :depth] >= 0).sum(1)
    there = np.minimum(judged.lengths, depth or judged.grades.shape[1])
    return np.asarray(known / np.maximum(there, 1), np.float64)


METRICS: dict[str, Callable[[Judged, int | None], Numbers]] = {
    "ndcg": ndcg,
    "map": average_precision,
    "mrr": reciprocal_rank,
    "recall": recall,
    "precision": precision,
    "hits": hits,
    "rprec": r_precision,
    "bpref": bpref,
    "judged": judged_share,
}
NEEDS_DEPTH = frozenset({"recall", "precision", "hits", "judged"})
BOTH = frozenset({"ndcg", "map", "mrr"})
_ALIASES = {
    "p": "precision",
    "success": "hits",
    "hit_rate": "hits",
    "hit": "hits",
    "recip_rank": "mrr",
    "rr": "mrr",
    "ap": "map",
    "r-precision": "rprec",
    "r_precision": "rprec",
}


def _discounted(gains: Numbers) -> Numbers:
    return np.asarray(gains @ (1 / np.log2(np.arange(2, gains.shape[1] + 2))), np.float64)


def _check_grades(qrels: Qrels, queries: Sequence[str]) -> None:
    if not queries:
        why = f"{sum(map(len, qrels.values()))} judgements of {len(qrels)} questions, none of them above 0"
        raise IsoglossError("there is nothing to measure against", why, "check the judgements")
    for query, judged in qrels.items():
        for document, grade in judged.items():
            if not np.isfinite(grade):
                raise IsoglossError("a grade is not finite", f"question {query}, document {document}: {grade}")


def _check_run(run: RankedRun, queries: Sequence[str]) -> dict[str, int]:
    """Return the place of each question in the run, or say what is wrong with it."""
    places = {query: place for place, query in enumerate(run.queries)}
    name = f"the run {run.name}".rstrip()
    if len(places) != len(run.queries):
        why = f"{len(run.queries) - len(places)} question ids occur again"
        raise IsoglossError(f"{name} gives a question twice", why, "merge the answers")
    missing = [query for query in queries if query not in places]
    if len(missing) == len(queries):
        why = f"it has {len(places)}, such as {next(iter(places), 'none')}; judged are such as {queries[0]}"
        raise IsoglossError(f"{name} answers none of the {len(queries)} judged questions", why, "check the ids")
    if missing:
        said = f"{name} lacks {len(missing)} of {len(queries)} judged questions, which count 0; the first: {missing[0]}"
        warnings.warn(said, IsoglossWarning, stacklevel=4)
    for query, documents, scores in zip(run.queries, run.documents, run.scores, strict=True):
        if len(set(documents)) != len(documents) or len(scores) != len(documents):
            why = f"{len(documents)} answers, {len(set(documents))} documents, {len(scores)} scores"
            raise IsoglossError(f"{name} is broken at question {query}", why, "give each document once, with a score")
    _check_scores(run, name)
    return places


def _check_scores(run: RankedRun, name: str) -> None:
    flat = np.concatenate([*run.scores, np.zeros(0)])
    bad = int((~np.isfinite(flat)).sum())
    if bad:
        first = next(query for query, scores in zip(run.queries, run.scores, strict=True) if not _finite(scores))
        why = f"{bad} of {len(flat)} are NaN or infinite, the first of question {first}"
        raise IsoglossError(f"{name} holds scores that are no numbers", why, "repair the system that wrote them")
    if len(flat) > len(run.scores) and all(len(s) == 0 or s.min() == s.max() for s in run.scores):
        said = f"{name} gives all answers of each of {len(run)} questions one score: their order is that of their ids"
        warnings.warn(said, IsoglossWarning, stacklevel=5)


def _finite(scores: NDArray[Any]) -> bool:
    return bool(np.isfinite(scores).all())


def _ordered(run: RankedRun, place: int | None) -> list[str]:
    """Return a question's answers in trec_eval's order, which compares scores as 32-bit floats."""
    if place is None:
        return []
    documents = run.documents[place]
    with np.errstate(over="ignore"):
        scores = np.asarray(run.scores[place], np.float64).astype(np.float32)
    steps = scores[1:] >= scores[:-1]
    # most runs are in order; only where neighbours tie (or rise) do ids have a say
    if not any(scores[i + 1] > scores[i] or documents[i + 1] > documents[i] for i in np.flatnonzero(steps)):
        return documents
    ranked = sorted(range(len(documents)), key=documents.__getitem__, reverse=True)
    ranked.sort(key=(-scores).__getitem__)
    return [documents[i] for i in ranked]
