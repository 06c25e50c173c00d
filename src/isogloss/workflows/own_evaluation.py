"""How good is the search on documents without labels: questions are made from them, and what was asked is held out."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from isogloss.errors import UsageError
from isogloss.evaluation.report.content import Questions
from isogloss.evaluation.report.wording import counted
from isogloss.evaluation.results import Comparison
from isogloss.evaluation.run_file import hash_questions, interval_scores
from isogloss.evaluation.sample import Sample
from isogloss.generation.endpoint import KEY_VARIABLE, Chat, open_chat
from isogloss.mining.questions.decide import Verdict, decide_words_against_meaning
from isogloss.mining.questions.make import make_questions
from isogloss.mining.questions.question import QuestionSet
from isogloss.protocols import Progress, Record
from isogloss.workflows import kept_questions
from isogloss.workflows.bench import Bench, Models
from isogloss.workflows.judged_evaluation import BUDGET, Source, opened, plans_of, rank_all
from isogloss.workflows.passages import Passages, cutter, passages_of, passages_of_index
from isogloss.workflows.requests import Evaluated, Request
from isogloss.workflows.scoring import Judgement, asked, score
from isogloss.workflows.systems import FusionPlan, SystemPlan

SHOWN = 5
"""Questions that a report shows."""
USUAL_MODEL = "default"
"""Name of the chat model where none is given; servers with a single model mostly do not read it."""
TOPIC = " by topic"
"""Follows the names of metrics that count the documents of a question's topic as right answers, too."""
TOPIC_MEANS = "Right answers are the question's document and ten about its topic, found by their other words."
MEASURED = (
    "Of pairs that were so decided, people's own questions ordered 556 of 584 the same way on four collections, 66 of "
    "90 on the worst (docs/questions.md)"
)
"""What ``benchmarks/label_free.py`` found, all systems taken together."""
KINDS = {
    "title": "titles", "heading": "headings", "sentence": "held-out sentences", "lead": "first sentences",
    "keyphrase": "key phrases", "definition": "definitions", "term": "defined terms", "written": "a language model",
}  # fmt: skip
"""What questions of each kind are made from, in words."""


@dataclass(slots=True)
class Own:
    """Made questions, the documents without what was asked, and what to say about them.

    Attributes
    ----------
    judged
        Questions and judgements.
    records
        The documents as they are searched.
    changed
        Ids of the documents from which something was held out.
    path
        Where the questions lie.
    about
        How they were made, in sentences.
    made
        The questions as they were made.
    """

    judged: Judgement
    records: list[Record]
    changed: set[str]
    path: str
    about: list[str]
    made: QuestionSet


def run(request: Request, threads: int | None, progress: Progress) -> Evaluated:
    """Make questions, hold their sources out, and let every system answer them."""
    with opened(request) as source:
        plans = plans_of(request, source)
        own = own_questions(request, source, progress)
        bench = Bench(searched(source, own), Models(threads, source.stored), progress)
        title = f"{source.name}: {len(own.judged.queries):,} questions made from {len(own.records):,} documents"
        found = rank_all(bench, plans, own.judged, request, title)
        found.about = own.about
        return with_topics(
            found,
            own,
            request,
            {plan.label for plan in plans if _lexical(plan)},
            {plan.label for plan in plans if isinstance(plan, FusionPlan)},
        )


def _lexical(plan: SystemPlan) -> bool:
    """Say whether a system matches words and nothing else."""
    return all(part.name.split(":")[0] == "words" for part in plan.encoders)


def with_topics(found: Evaluated, own: Own, request: Request, lexical: set[str], fused: set[str]) -> Evaluated:
    """Judge the same rankings by topic, too, and say whether the questions can decide words against meaning.

    Conditions are judged by the first judgement, one right document a question.
    """
    first = next(iter(found.samples))
    one = decided(own.made, found.samples[first], lexical, fused)
    wide = by_topic(found, own, request)
    every = decided(own.made, wide[0][first], lexical, fused) if wide is not None else None
    report = found.report
    if wide is not None and report.run is not None:
        comparisons = [*report.comparisons, *wide[1]]
        named = {f"{name}{TOPIC}": f"{text} {TOPIC_MEANS}" for name, text in report.run.metrics.items()}
        run_file = replace(
            report.run, metrics={**report.run.metrics, **named}, scores=interval_scores(comparisons)
        )  # fmt: skip
        report = replace(report, comparisons=comparisons, run=run_file)
    if report.questions is not None:
        report = replace(report, questions=replace(report.questions, verdict=verdict_of(first, one, every)))
    found.report = report
    return found


def by_topic(
    found: Evaluated, own: Own, request: Request
) -> tuple[dict[str, dict[str, Sample]], list[Comparison]] | None:
    """Score the rankings with the related documents as right answers, too; None where no question has any."""
    if not any(question.related for question in own.made.questions):
        return None
    qrels = {name: grades for name, grades in own.made.qrels(topic=True).items() if name in own.judged.queries}
    samples, comparisons = score(found.runs, replace(own.judged, qrels=qrels), request)
    return samples, [replace(one, metric=f"{one.metric}{TOPIC}") for one in comparisons]


def decided(made: QuestionSet, samples: Mapping[str, Sample], lexical: set[str], fused: set[str]) -> Verdict | None:
    """Compare the best system of words with the best one of meaning; None where there is one sort only.

    Fusions stand on both sides, so they are looked at only where there is no system of meaning alone.
    """
    scores = {system: sample.items for system, sample in samples.items()}
    if any(system not in lexical and system not in fused for system in scores):
        scores = {system: items for system, items in scores.items() if system not in fused}
    return decide_words_against_meaning(made, scores, lexical)


def verdict_of(metric: str, one: Verdict | None, every: Verdict | None) -> str:
    """Say what the questions can decide: by one document a question, and whether the topic agrees.

    Parameters
    ----------
    metric
        That both were measured by.
    one
        By one right document a question.
    every
        By the documents of the topic; None where they were not judged.
    """
    if one is None:
        return "words against meaning was not compared: there are systems of one sort only"
    head = f"words against meaning, by {metric}"
    if every is None:
        return f"{head}: {one.reason}"
    both = f"finding one document, {_lead(one)}; finding all about a topic, {_lead(every)}"
    if one.whole.sign != every.whole.sign:
        return f"{head}: these questions cannot decide, for their two judgements disagree: {both}; real questions can"
    if not one.decided:
        return f"{head}: {one.reason}; finding all about a topic, {_lead(every)}"
    return (
        f"{head}: these questions can decide {one.system} against {one.control}: {both}; no part of them orders the "
        f"two the other way. {MEASURED}"
    )


def _lead(verdict: Verdict) -> str:
    """Say which of the two is ahead, and by how much."""
    whole = verdict.whole
    if not whole.sign:
        return (
            f"{verdict.system} and {verdict.control} cannot be told apart ({whole.value:+.3f}; the least that these "
            f"questions show is {verdict.visible:.3f})"
        )
    better, other = (verdict.system, verdict.control)[:: whole.sign]
    return f"{better} is ahead of {other} by {abs(whole.value):.3f}"


def searched(source: Source, own: Own) -> Passages:
    """Return what is searched: an index keeps its chunks, apart from documents with something held out."""
    if source.snapshot is None:
        return passages_of(own.records, cutter(BUDGET))
    changed = [record for record in own.records if record.id in own.changed]
    cut = cutter(int(source.snapshot.settings["budget"]))
    return passages_of_index(source.snapshot, dict(zip([one.id for one in changed], cut(changed), strict=True)))


def own_questions(request: Request, source: Source, progress: Progress) -> Own:
    """Take the questions that an earlier run made from the same documents, or make them.

    Raises
    ------
    CorpusError
        Where the documents give no question, or the kept questions no longer fit.
    """
    progress.start("read documents", None, "documents")
    records, note = source.all_records()
    progress.finish()
    where = kept_questions.places(request, source)
    kept = kept_questions.load(where, records)
    if kept is None:
        made = make_questions(
            records, count=request.questions, seed=request.seed, endpoint=writer(request), progress=progress
        )
        kept = made, kept_questions.keep(made, where)
        reused = False
    else:
        reused = True
    made, path = kept
    left = made.searched(records)
    changed = {new.id for new, old in zip(left, records, strict=True) if new is not old}
    kept_queries, notes = asked(made.queries(), made.qrels())
    qrels = {query: judged for query, judged in made.qrels().items() if query in kept_queries}
    documents = {name: number for number, name in enumerate(dict.fromkeys(q.document for q in made.questions))}
    groups = {question.id: documents[question.document] for question in made.questions}
    told = _about(made, len(records))
    judged = Judgement(
        kept_queries, qrels, told, groups, [source.hash(), hash_questions(kept_queries)],
        [*_drafts(made.notes), *notes, *([note] if note else [])], made.weights(),
    )  # fmt: skip
    about = [_headline(made, changed, path, reused, request.index if source.snapshot is not None else "")]
    return Own(judged, left, changed, str(path), about, made)


def writer(request: Request) -> Chat | None:
    """Return the chat server that writes questions, with the key of the environment; None where none is named.

    Raises
    ------
    UsageError
        Where the address is none, or holds something that may be a secret: it is written into run.json.
    """
    if not request.writer:
        return None
    parts = urlsplit(request.writer)
    if parts.username is not None or parts.query or parts.fragment:
        raise UsageError(
            "the address of the chat server has more than a host and a path", "a key in it would be kept in run.json",
            f"give http://HOST:PORT/v1, and the key in the environment variable {KEY_VARIABLE}",
        )  # fmt: skip
    return open_chat(request.writer, model=request.writer_model or USUAL_MODEL)


def _drafts(notes: Sequence[str]) -> list[str]:
    """Return the notes of the making of questions, apart from the one that the report says in other words."""
    return [f"making questions: {note}" for note in notes if " questions about " not in note]


def _headline(made: QuestionSet, changed: set[str], path: Path, reused: bool, index: str) -> str:
    shown = os.path.relpath(path) if not os.path.relpath(path).startswith(os.pardir) else str(path)
    asked_again = f"asked the {counted(len(made), 'question')} of an earlier run again,"
    verb = asked_again if reused else f"made {counted(len(made), 'question')}"
    documents = counted(len({question.document for question in made.questions}), "document")
    see = f"isogloss show queries{kept_questions.index_words(index)} (kept in {shown})" if index else shown
    return f"{verb} from {documents}, held out of {len(changed):,}; see them: {see}"


def _about(made: QuestionSet, documents: int) -> Questions:
    counts: dict[str, int] = {}
    for question in made.questions:
        counts[question.kind] = counts.get(question.kind, 0) + 1
    ordered = sorted(counts, key=lambda kind: -counts[kind])
    overlap = sum(q.overlap * q.weight for q in made.questions) / max(1e-9, sum(q.weight for q in made.questions))
    how = (
        f"made from {', '.join(f'{KINDS.get(kind, kind)} ({counts[kind]})' for kind in ordered)}; "
        f"{overlap:.0%} of a question's words, weighted by rarity, are in the document that answers it"
    )
    weights = {question.weight for question in made.questions}
    if len(weights) > 1:
        how += "; averages are weighted towards the share of copied words that people's own questions have"
    examples = [question.text for question in made.questions[:: max(1, len(made) // SHOWN)][:SHOWN]]
    return Questions(len(made), documents, synthetic=True, how=how, by_kind=counts, examples=examples)
