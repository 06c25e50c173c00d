"""Questions from documents: every way of making them, filtered, balanced, weighted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial

from isogloss.corpus.dedup import normalise_text
from isogloss.corpus.judgements import distinct
from isogloss.errors import CorpusError, UsageError
from isogloss.mining.questions.collect import Chosen, Maker, collect
from isogloss.mining.questions.definitions import definition_questions
from isogloss.mining.questions.draft import without
from isogloss.mining.questions.filters import REASONS, near_copies
from isogloss.mining.questions.headings import heading_questions
from isogloss.mining.questions.held_out import sentence_questions
from isogloss.mining.questions.keyphrases import keyphrase_questions
from isogloss.mining.questions.leads import lead_questions
from isogloss.mining.questions.overlap import real_mix_weights
from isogloss.mining.questions.question import Question, QuestionSet
from isogloss.mining.questions.related import related_documents
from isogloss.mining.questions.titles import title_questions
from isogloss.mining.questions.vocabulary import Vocabulary
from isogloss.mining.questions.written import Ask, written_questions
from isogloss.protocols import Progress, Record, Silent

COUNT = 300
MAKERS: Mapping[str, Maker] = {
    "title": title_questions,
    "lead": lead_questions,
    "heading": heading_questions,
    "sentence": sentence_questions,
    "keyphrase": keyphrase_questions,
    "definition": definition_questions,
}
"""The ways of making questions by name; ``definition`` gives questions of the kinds ``definition`` and ``term``."""


def make_questions(
    records: Sequence[Record],
    *,
    count: int = COUNT,
    seed: int = 0,
    kinds: Sequence[str] | None = None,
    endpoint: Ask | None = None,
    progress: Progress | None = None,
    filtered: bool = True,
    weighted: bool = True,
) -> QuestionSet:
    """Make questions from documents, and hold out of the documents what the questions were made from.

    Parameters
    ----------
    records
        The documents; ids are distinct. Empty ones are left out and counted in the notes.
    count
        How many questions are wanted; fewer come where the documents do not give them, and a note says so.
    seed
        Of the choice of documents and questions.
    kinds
        Names of ``MAKERS`` (and ``written``); ``None`` for all.
    endpoint
        A function that answers a prompt, such as ``isogloss.generation.endpoint.Chat``: adds the kind ``written``.
    progress
        Is told of the documents read.
    filtered, weighted
        Whether copies and ambiguous questions are left out, and overlap is re-weighted; for measuring what that does.

    Raises
    ------
    CorpusError
        Fewer than two different documents, ids that repeat, or no question at all.
    UsageError
        A kind that does not exist, or a count below 1.

    Examples
    --------
    >>> one = "Composite slabs conduct heat badly across layers. Thin layers of resin part the metal sheets there."
    >>> two = "Swept wings delay the rise of drag near sonic speed. Their tips stall early unless the wing is twisted."
    >>> made = make_questions([Record("a", one), Record("b", two)], count=2, kinds=["sentence"])
    >>> len(made), sorted(made.held_out)
    (2, ['a', 'b'])
    """
    names = _checked(kinds, endpoint, count)
    told = progress or Silent()
    kept, notes = _usable(records)
    texts = [f"{record.title} {record.text}".strip() for record in kept]
    vocabulary = Vocabulary(texts)
    copies = near_copies(texts) if filtered else set()
    makers = {name: MAKERS[name] for name in names if name in MAKERS}
    if endpoint is not None:
        makers["written"] = partial(written_questions, ask=endpoint, seed=seed)
    chosen = collect(kept, vocabulary, makers, copies, count=count, seed=seed, filtered=filtered, progress=told)
    if not chosen.taken:
        why = _reasons(chosen.refused) or "none has a sentence of four words that say something"
        raise CorpusError(
            "no question can be made from these documents",
            f"{len(kept)} documents; {why}",
            "give longer documents, or your own questions",
        )
    return _finished(kept, vocabulary, chosen, notes, (count, seed, weighted))


def _checked(kinds: Sequence[str] | None, endpoint: Ask | None, count: int) -> list[str]:
    known = [*MAKERS, "written"]
    names = list(MAKERS) if kinds is None else list(kinds)
    strange = [name for name in names if name not in known]
    if strange or not names:
        raise UsageError("there is no such way of making questions", f"{strange or names}", f"choose from {known}")
    if "written" in names and endpoint is None:
        raise UsageError("questions cannot be written", "no endpoint is named", "name one, or leave the kind out")
    if count < 1:
        raise UsageError("there must be at least one question", f"{count} were asked for", "ask for 300")
    return names


def _usable(records: Sequence[Record]) -> tuple[list[Record], list[str]]:
    """Return the documents with a text, and a note on those without."""
    distinct([record.id for record in records], "document")
    kept = [record for record in records if record.text.strip()]
    notes = [f"{len(records) - len(kept)} of {len(records)} documents have no text"] if len(kept) < len(records) else []
    if len({normalise_text(record.text) for record in kept}) < 2:
        raise CorpusError(
            "questions need at least two different documents",
            f"{len(records)} documents, {len(kept)} with a text" + (", all equal" if len(kept) > 1 else ""),
            "add more documents",
        )
    return kept, notes


def _reasons(refused: Mapping[str, int]) -> str:
    return "; ".join(f"{number} left out: {REASONS[reason]}" for reason, number in sorted(refused.items()))


def _finished(
    kept: Sequence[Record], vocabulary: Vocabulary, chosen: Chosen, notes: list[str], settings: tuple[int, int, bool]
) -> QuestionSet:
    """Cut the documents, measure overlap with what is left, and weight."""
    count, seed, weighted = settings
    held_out, titles = {}, {}
    for position, drafts in chosen.taken.items():
        cuts = [cut for draft in drafts for cut in draft.cuts]
        if cuts:
            held_out[kept[position].id] = without(kept[position].text, cuts)
        if any(draft.title for draft in drafts):
            titles[kept[position].id] = ""
    pairs = [(position, draft) for position, drafts in sorted(chosen.taken.items()) for draft in drafts]
    overlaps = []
    for position, draft in pairs:
        record = kept[position]
        left = f"{titles.get(record.id, record.title)} {held_out.get(record.id, record.text)}"
        overlaps.append(vocabulary.overlap(draft.text, left))
    weights = real_mix_weights(overlaps).tolist() if weighted else [1.0] * len(pairs)
    texts = [f"{record.title} {record.text}".strip() for record in kept]
    questions = []
    for number, ((position, draft), overlap, weight) in enumerate(zip(pairs, overlaps, weights, strict=True), 1):
        near = related_documents(vocabulary, texts, position, draft.text)
        related = tuple(kept[other].id for other in near)
        name, document = f"{draft.kind}-{number}", kept[position].id
        questions.append(Question(name, draft.text, document, draft.kind, draft.span, overlap, weight, related))
    if len(questions) < count:
        notes.append(f"only {len(questions)} of {count} questions could be made from {len(kept)} documents")
    if chosen.refused:
        notes.append(_reasons(chosen.refused))
    counts = Counter(question.kind for question in questions)
    made = ", ".join(f"{number} {kind}" for kind, number in counts.most_common())
    notes.append(f"{len(questions)} questions about {len(chosen.taken)} documents: {made}")
    return QuestionSet(questions, held_out, titles, notes, seed)
