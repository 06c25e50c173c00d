"""What the scores of an index mean: P(relevant) fitted on one half of the questions and proved on the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import Rows
from isogloss.collection.calibration import FUSED, Calibration, Curve, Meaning, key, question_lengths
from isogloss.corpus.judgements import RankedRun
from isogloss.errors import CorpusError, IndexNotFoundError, UsageError
from isogloss.evaluation.calibration import ScoreCurve, fit, prove
from isogloss.evaluation.report.content import Reliability, Report
from isogloss.evaluation.results import Interval
from isogloss.evaluation.sample import Sample
from isogloss.evaluation.statistics.bootstrap import interval
from isogloss.index.store.snapshot import Snapshot
from isogloss.index.store.store import Store
from isogloss.protocols import EncodeReport, Progress, Silent
from isogloss.seeding import generator
from isogloss.workflows.bench import Bench, Models
from isogloss.workflows.judged_evaluation import Source, hybrid_of, judgement, opened
from isogloss.workflows.own_evaluation import own_questions
from isogloss.workflows.passages import cutter, passages_of_index
from isogloss.workflows.requests import Request
from isogloss.workflows.scoring import Judgement
from isogloss.workflows.systems import EncoderPlan, SystemPlan

SHOWN = 20
"""Documents of each question that count as pairs: what somebody looks at."""
DEPTH = 100
"""Documents that each encoder of several proposes, as ``isogloss search`` asks them."""
LEAST = 20
"""With fewer questions nothing is fitted."""
NULL_QUESTIONS, NULL_DOCUMENTS = 60, 25
"""Random pairs: so many questions, each with so many random documents."""

Floats = NDArray[np.float64]


@dataclass(slots=True)
class Pairs:
    """Pairs of a question and a document: scores by encoder, whether relevant, and the question's group.

    Attributes
    ----------
    scores
        For each pair the score of the document's best chunk by encoder; an encoder that did not find it is missing.
    relevant
        ``(n,)`` bool.
    groups
        ``(n,)`` int64; pairs of a group are drawn together.
    """

    scores: list[dict[str, float]] = field(default_factory=list)
    relevant: list[bool] = field(default_factory=list)
    groups: list[int] = field(default_factory=list)


@dataclass(slots=True)
class Calibrated:
    """What ``isogloss calibrate`` made.

    Attributes
    ----------
    calibration
        What is kept beside the index.
    report
        Reliability tables, the questions, notes.
    """

    calibration: Calibration
    report: Report

    def to_dict(self) -> dict[str, Any]:
        """Return the report and the curves as plain data."""
        return {**self.report.to_dict(), "curves": asdict(self.calibration)}


def calibrate(
    request: Request, *, threads: int | None = None, progress: Progress | None = None, keep: bool = True
) -> Calibrated:
    """Fit score → P(relevant) for every encoder of an index, and for those that ``search`` joins by default.

    The questions are parted once by document: curves are fitted on one half and proved on the other. A pair is a
    question and one of the first documents found for it; documents without a judgement count as not relevant.

    Parameters
    ----------
    request
        Of kind ``index`` (with qrels) or ``questions`` (made from the documents); ``index`` names the folder.
    threads, progress
        As for ``evaluate``.
    keep
        Whether the calibration is written into the folder of the index.

    Raises
    ------
    CorpusError
        Where there are too few questions, or none finds a relevant document.
    """
    progress = progress or Silent()
    if not request.data and not Store.exists(request.index):
        raise IndexNotFoundError(
            f"there is no index at {request.index}", "the scores of an index are calibrated", "run: isogloss add DIR"
        )
    with opened(request) as source:
        snapshot = source.snapshot
        if snapshot is None:
            raise UsageError("an index is calibrated", "a folder of documents was given", "use --index DIR")
        judged, bench = _asked(request, source, snapshot, threads, progress)
        records = {record.name: record.identity for record in snapshot.encoders()}
        waiting = [name for name in records if len(snapshot.uncovered(name))]
        names = [name for name in records if name not in waiting]
        notes = [f"{name} has not seen every chunk and is left out: run isogloss add again" for name in waiting]
        joined = hybrid_of(snapshot)
        documents = len(source.ids())
        lengths = {name: _lengths(bench, name, judged) for name in names}
        runs = {name: bench.rank(EncoderPlan(name), judged.queries, DEPTH) for name in names}
        halves = _halves(judged, request.seed)
        null = _null(bench, lengths, judged, request.seed)
        plans: list[SystemPlan] = [*map(EncoderPlan, names), *([joined] if joined is not None else [])]
        fitted = _Fitted(judged, null, request.seed)
        for plan in plans:
            run = runs[plan.name] if isinstance(plan, EncoderPlan) else bench.rank(plan, judged.queries, SHOWN)
            parts = [part.name for part in plan.encoders]
            answers = {part: answers_of(runs[part], lengths[part]) for part in parts}
            answers |= {FUSED: answers_of(run, {})} if len(parts) > 1 else {}
            fitted.add(parts, [_pairs(run, answers, judged, half) for half in halves])
    if not fitted.systems:
        raise CorpusError("what a score means cannot be said", "; ".join(fitted.notes), "judge more questions")
    found = Calibration(
        {name: records[name] for name in names}, documents, judged.about.synthetic, len(judged.queries), fitted.systems
    )
    if keep:
        found.write(request.index)
    report = Report(
        f"What the scores of {source.name} mean", calibration=fitted.tables, questions=judged.about,
        notes=[*judged.notes, *notes, *fitted.notes, *_unjudged(runs, judged)],
    )  # fmt: skip
    return Calibrated(found, report)


@dataclass(slots=True)
class _Fitted:
    """The systems that are fitted so far; those of one encoder come before those that join them."""

    judged: Judgement
    null: Pairs
    seed: int
    systems: dict[str, Meaning] = field(default_factory=dict)
    curves: dict[str, Curve] = field(default_factory=dict)
    tables: list[Reliability] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, parts: Sequence[str], halves: Sequence[Pairs]) -> None:
        """Fit a system on the first half of the questions, and prove it on the second."""
        name = key(parts)
        if any(part not in self.curves for part in parts) and len(parts) > 1:
            self.notes.append(f"{name}: not fitted, because one of its encoders is not")
            return
        curves = {part: self.curves[part] for part in parts} if len(parts) > 1 else {}
        if curves:
            fused = [scores[FUSED] for scores in halves[0].scores]
            curves[FUSED] = self._logistic(fused, halves[0].relevant, halves[0].groups)
        # what joins several encoders is itself a score, whose meaning is fitted
        way = Meaning(Curve([0.0], [0.5], [0.0], [1.0]), curves)
        (x, y, groups), proving = (self._columns(way, half) for half in halves)
        random = [way.evidence(_only(scores, parts)) for scores in self.null.scores]
        try:
            curve = fit(x, y, groups, null=[value for value in random if np.isfinite(value)], seed=self.seed)
            proof = prove(curve, *proving, seed=self.seed)
            if len(parts) == 1:  # log-odds of a stepped curve would jump to no odds at all
                self.curves[parts[0]] = self._logistic(x, y, groups)
        except CorpusError as error:
            self.notes.append(f"{name}: not fitted: {error.what} ({error.why})")
            return
        self.systems[name] = Meaning(
            sampled(curve), way.parts, _value(proof.error, proof.error_interval),
            _value(proof.brier, proof.brier_interval), len(x), int(sum(y)),
        )  # fmt: skip
        self.tables.append(
            Reliability(
                name, proof.bins, proof.error, proof.brier, proof.error_interval, proof.brier_interval,
                self.judged.about.synthetic, _reached(curve),
            )
        )  # fmt: skip
        self.notes += _doubts(name, curve, proving, float(np.mean(y)), self.seed)

    def _logistic(self, x: Sequence[float], y: Sequence[bool], groups: Sequence[int]) -> Curve:
        return sampled(fit(x, y, groups, kind="logistic", draws=1, seed=self.seed))

    @staticmethod
    def _columns(way: Meaning, pairs: Pairs) -> tuple[list[float], list[bool], list[int]]:
        return [way.evidence(scores) for scores in pairs.scores], pairs.relevant, pairs.groups


def _only(scores: Mapping[str, float], parts: Sequence[str]) -> dict[str, float]:
    return {name: scores[name] for name in parts if name in scores}


def _value(value: float, bounds: Interval) -> list[float]:
    return [value, bounds.low, bounds.high]


def sampled(curve: ScoreCurve) -> Curve:
    """Return a fitted curve at the scores that its fit has seen; beyond them P stays level.

    Examples
    --------
    >>> made = ScoreCurve("isotonic", [0.0, 1.0, 0.2, 0.8], [0.0, 0.5, 1.0], [0.1, 0.4, 0.7], [0.3, 0.6, 0.9], 0.95)
    >>> sampled(made).at(0.25)
    (0.35, 0.25, 0.45)
    """
    low, high = curve.interval(curve.scores)
    return Curve(list(curve.scores), curve.probability(curve.scores).tolist(), low.tolist(), high.tolist())


def _reached(curve: ScoreCurve) -> list[str]:
    """Say how often random pairs reach a P of one half, or what the highest P is where none does."""
    p = curve.probability(curve.scores)
    if p.max() < 0.5:
        return [f"no score means P .5 or more; the highest P is {p.max():.2f}".replace("0.", ".")]
    if not curve.null:
        return []
    share = float(curve.chance([float(np.asarray(curve.scores)[p >= 0.5].min())])[0])
    return [f"P .5 and more is reached by at most {100 * share:.2g} % of random pairs"]


def _doubts(
    name: str, curve: ScoreCurve, proving: tuple[list[float], list[bool], list[int]], base: float, seed: int
) -> list[str]:
    """Warn of a P that says nothing.

    P must beat the share of relevant pairs of the fitted half, said of every pair, by Brier score on the other half.
    """
    x, relevant, groups = proving
    y = np.asarray(relevant, np.float64)
    gain = Sample.of((base - y) ** 2 - (curve.probability(x) - y) ** 2, groups=groups, name="gain")
    least = interval(gain, draws=2000, seed=seed).low
    if least > 0:
        return []
    return [
        f"{name}: P is not shown to be better than the share of relevant pairs, {base:.2f}, said of every pair "
        f"(Brier score better by {gain.value():.4f}, at least {least:.4f})"
    ]


def _unjudged(runs: Mapping[str, RankedRun], judged: Judgement) -> list[str]:
    """Say how many of the documents found nobody has judged: they count as not relevant."""
    if judged.about.synthetic:
        return ["only the document that a question was made from counts as relevant: P is low where others answer too"]
    asked = {
        (query, document) for run in runs.values()
        for query, documents in zip(run.queries, run.documents, strict=True) for document in documents[:SHOWN]
    }  # fmt: skip
    unknown = sum(document not in judged.qrels[query] for query, document in asked)
    if not unknown:
        return []
    return [
        f"{unknown:,} of {len(asked):,} pairs of a question and a document found are not judged; they count as wrong"
    ]


def _asked(
    request: Request, source: Source, snapshot: Snapshot, threads: int | None, progress: Progress
) -> tuple[Judgement, Bench]:
    """Return the questions, and what is searched: for made questions, the documents without what was asked."""
    if request.kind == "index":
        judged, passages = judgement(request, source), passages_of_index(snapshot)
    else:
        own = own_questions(request, source, progress)
        changed = [record for record in own.records if record.id in own.changed]
        texts = cutter(int(snapshot.settings["budget"]))(changed)
        left = {record.id: parts for record, parts in zip(changed, texts, strict=True)}
        judged, passages = own.judged, passages_of_index(snapshot, left)
    if len(judged.queries) < LEAST:
        raise CorpusError(
            f"{len(judged.queries)} questions are too few to say what a score means",
            f"at least {LEAST} are needed: one half is fitted, the other proves it",
            "judge more questions, or calibrate on made ones: isogloss calibrate without --qrels",
        )  # fmt: skip
    return judged, Bench(passages, Models(threads, source.stored), progress)


def _halves(judged: Judgement, seed: int) -> tuple[set[str], set[str]]:
    """Part the questions into one half to fit and one to prove; those of one document stay together."""
    groups = {query: judged.groups.get(query, number) for number, query in enumerate(judged.queries)}
    every = sorted(set(groups.values()))
    order = generator(seed, "calibrate").permutation(len(every))
    first = {every[i] for i in order[: len(every) // 2]}
    return (
        {query for query, group in groups.items() if group in first},
        {query for query, group in groups.items() if group not in first},
    )


def _lengths(bench: Bench, name: str, judged: Judgement) -> dict[str, float]:
    """Return for each question what its scores by an encoder are divided by."""
    encoder = bench.ready(EncoderPlan(name)).encoder
    if getattr(encoder, "kind", "dense") != "words":
        return {}
    vectors = encoder.encode(list(judged.queries.values()), role="query", report=EncodeReport())
    return dict(zip(judged.queries, question_lengths(vectors), strict=True))


def answers_of(run: RankedRun, lengths: Mapping[str, float]) -> dict[str, dict[str, float]]:
    """Return ``scores[question][document]`` of a run, divided by the length of the question (1 where not given).

    Examples
    --------
    >>> answers_of(RankedRun.from_scores({"q": {"a": 3.0, "b": 1.5}}), {"q": 3.0})
    {'q': {'a': 1.0, 'b': 0.5}}
    """
    return {
        query: dict(zip(documents, (scores / lengths.get(query, 1.0)).tolist(), strict=True))
        for query, documents, scores in zip(run.queries, run.documents, run.scores, strict=True)
    }


def _pairs(
    run: RankedRun, answers: Mapping[str, Mapping[str, Mapping[str, float]]], judged: Judgement, half: set[str]
) -> Pairs:
    """Return the pairs of some questions with the first documents that a system found for them."""
    found = Pairs()
    for number, (query, documents) in enumerate(zip(run.queries, run.documents, strict=True)):
        if query not in half:
            continue
        for document in documents[:SHOWN]:
            known = {name: scores[query][document] for name, scores in answers.items() if document in scores[query]}
            found.scores.append(known)
            found.relevant.append(judged.qrels[query].get(document, 0.0) > 0)
            found.groups.append(judged.groups.get(query, number))
    return found


def _null(bench: Bench, lengths: Mapping[str, Mapping[str, float]], judged: Judgement, seed: int) -> Pairs:
    """Return random pairs of a question and a document that nobody judged relevant to it: scores that mean nothing."""
    draws = generator(seed, "null")
    queries = list(judged.queries)
    asked = [queries[i] for i in sorted(draws.choice(len(queries), min(NULL_QUESTIONS, len(queries)), replace=False))]
    documents = bench.passages.documents
    found = Pairs()
    for number, query in enumerate(asked):
        drawn = draws.choice(len(documents), min(NULL_DOCUMENTS, len(documents)), replace=False).tolist()
        chosen = [i for i in drawn if judged.qrels[query].get(documents[i], 0.0) <= 0]
        best = {
            name: _all_scores(bench, name, judged.queries[query]) / by.get(query, 1.0) for name, by in lengths.items()
        }
        for i in chosen:
            found.scores.append({name: float(scores[i]) for name, scores in best.items() if np.isfinite(scores[i])})
            found.relevant.append(False)
            found.groups.append(number)
    return found


def _all_scores(bench: Bench, name: str, text: str) -> Floats:
    """Return the score of every document by its best passage: ``(documents,)``; -inf for those without a passage."""
    ready = bench.ready(EncoderPlan(name))
    vectors: Any = ready.encoder.encode([text], role="query", report=EncodeReport())
    rows: Rows
    rows, scores = ready.index.score_all(vectors)
    best = np.full(len(bench.passages.documents), -np.inf)
    np.maximum.at(best, bench.passages.owners[rows], scores)
    return best
