"""How good is the search on documents without labels: questions are made from them, and what was asked is held out."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from isogloss.evaluation.report.content import Questions
from isogloss.evaluation.report.wording import counted
from isogloss.evaluation.run_file import hash_questions
from isogloss.mining.questions.decide import decide_words_against_meaning
from isogloss.mining.questions.make import make_questions
from isogloss.mining.questions.question import QuestionSet
from isogloss.protocols import Progress, Record
from isogloss.workflows import kept_questions
from isogloss.workflows.bench import Bench, Models
from isogloss.workflows.judged_evaluation import BUDGET, Source, opened, plans_of, rank_all
from isogloss.workflows.passages import Passages, cutter, passages_of, passages_of_index
from isogloss.workflows.requests import Evaluated, Request
from isogloss.workflows.scoring import Judgement, asked
from isogloss.workflows.systems import FusionPlan, SystemPlan

SHOWN = 5
"""Questions that a report shows."""
KINDS = {
    "title": "titles", "heading": "headings", "sentence": "held-out sentences", "lead": "first sentences",
    "keyphrase": "key phrases",
    "definition": "definitions", "term": "defined terms", "written": "a language model",
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
        return with_verdict(
            found,
            own,
            {plan.label for plan in plans if _lexical(plan)},
            {plan.label for plan in plans if isinstance(plan, FusionPlan)},
        )


def _lexical(plan: SystemPlan) -> bool:
    """Say whether a system matches words and nothing else."""
    return all(part.name.split(":")[0] == "words" for part in plan.encoders)


def with_verdict(found: Evaluated, own: Own, lexical: set[str], fused: set[str]) -> Evaluated:
    """Say in the report whether the questions can decide systems of words against systems of meaning.

    Fusions stand on both sides, so they are looked at only where there is no system of meaning alone.
    """
    metric = next(iter(found.samples))
    scores = {system: sample.items for system, sample in found.samples[metric].items()}
    if any(system not in lexical and system not in fused for system in scores):
        scores = {system: items for system, items in scores.items() if system not in fused}
    verdict = decide_words_against_meaning(own.made, scores, lexical)
    questions = found.report.questions
    if questions is not None:
        if verdict is None:
            said = "words against meaning was not compared: there are systems of one sort only"
        else:
            said = f"words against meaning, by {metric}: {verdict.reason}"
        found.report = replace(found.report, questions=replace(questions, verdict=said))
    found.about = own.about
    return found


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
        made = make_questions(records, count=request.questions, seed=request.seed, progress=progress)
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
