"""What ``isogloss mine`` mines on: a test collection, a file of pairs, or documents with questions made from them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from isogloss.arrays import Rows
from isogloss.corpus.examples import TextPairs
from isogloss.corpus.judgements import TestCollection
from isogloss.errors import CorpusError, UsageError
from isogloss.mining.candidates import Source
from isogloss.mining.hard_negatives import Pairs
from isogloss.protocols import Progress, Record
from isogloss.workflows.passages import cutter, passages_of

BUDGET = 240
"""Tokens of a passage where documents are cut, as an index cuts them."""


@dataclass(slots=True, kw_only=True)
class Material:
    """Queries, documents and what is known of them.

    Attributes
    ----------
    name
        For reports.
    queries, corpus
        A query a pair, and the distinct rows that negatives come from.
    answers
        For each pair the rows that may stand for its right answer: one, or the passages of the right document.
    groups
        A name a row (its document), or None.
    right, wrong, topics
        For some pairs rows that are labelled as right, labelled as not, or about the same topic.
    labels
        What the labels are, in words; empty where there are none.
    notes
        What was done, in sentences with counts.
    """

    name: str
    queries: list[str]
    corpus: list[str]
    answers: list[list[int]]
    groups: list[str] | None = None
    right: dict[int, list[int]] = field(default_factory=dict)
    wrong: dict[int, list[int]] = field(default_factory=dict)
    topics: dict[int, list[int]] = field(default_factory=dict)
    labels: str = ""
    notes: list[str] = field(default_factory=list)

    def pairs(self, source: Source) -> Pairs:
        """Return the pairs; where several passages may be the right answer, the one that ``source`` scores highest."""
        counts = [len(rows) for rows in self.answers]
        number = np.repeat(np.arange(len(counts), dtype=np.int64), counts)
        rows: Rows = np.array([row for some in self.answers for row in some], np.int64)
        if len(rows) > len(counts):
            order = np.lexsort((rows, -source.scores(number, rows), number))
            first = np.concatenate([[0], np.cumsum(counts)[:-1]]).astype(np.int64)
            rows = rows[order][first]
        own = {i: {int(row), *self.answers[i]} for i, row in enumerate(rows)}
        others = {i: [row for row in some if row not in own[i]] for i, some in self.right.items()}
        return Pairs(
            queries=self.queries, positives=rows, corpus=self.corpus, groups=self.groups,
            labelled={i: some for i, some in others.items() if some}, topics=self.topics,
        )  # fmt: skip


def open_material(place: str, *, split: str, questions: int, seed: int, progress: Progress) -> Material:
    """Read what to mine on.

    Parameters
    ----------
    place
        A folder in BEIR layout, the name of a data set with a card, a file of pairs (``query pos``, ``anchor
        positive``), or a folder (or file) of documents: questions are then made from them.
    split
        Which judgements or part.
    questions
        How many questions to make.
    seed
        Of the questions.
    progress
        Told about reading.

    Raises
    ------
    CorpusError
        Where there is nothing, nothing can be read, or no pair is left.
    UsageError
        Where the data have no such part, or are no pairs.
    """
    path = Path(place).expanduser()
    if path.is_dir() and (path / "qrels").is_dir():
        from isogloss.corpus.test_collections.beir import read_beir, splits

        if split not in splits(path):
            raise _no_part(path.name, split, splits(path))
        return _usable(of_collection(read_beir(path, split), f"{path.name} ({split})"))
    if path.is_file():
        from isogloss.corpus.test_collections.training_pairs import holds_training_pairs, read_training_pairs

        if holds_training_pairs(path):
            found = read_training_pairs(path)
            return _usable(of_pairs(path.name, found.anchors, found.positives, found.negatives, found.groups))
    if path.exists():
        return _usable(_of_documents(path, questions, seed, progress))
    return _usable(_known(place, split))


def _known(name: str, split: str) -> Material:
    from isogloss.evaluation.datasets.card import card, names
    from isogloss.evaluation.datasets.load import load

    if name not in names() or os.sep in name:
        fix = "give a BEIR folder, a file of pairs (query, pos), or a folder of documents"
        raise CorpusError(f"there is nothing to mine on at {name}", "it is no file, folder or data set", fix)
    parts = [part for view in card(name).views for part in view.parts]
    if split not in parts:
        raise _no_part(name, split, parts)
    examples: Any = load(name, part=split)
    if isinstance(examples, TestCollection):
        return of_collection(examples, f"{name} ({split})")
    if isinstance(examples, TextPairs):
        negatives = [[text] for text in examples.negatives] or [[] for _ in examples.queries]
        return of_pairs(f"{name} ({split})", examples.queries, examples.positives, negatives, [])
    raise UsageError(f"{name} has no pairs to mine for", f"it holds {type(examples).__name__}", "take another data set")


def _no_part(name: str, split: str, parts: Sequence[str]) -> UsageError:
    return UsageError(
        f"{name} has no part {split}", f"it has {', '.join(dict.fromkeys(parts)) or 'none'}",
        "name one with --split; whatever is trained on can no longer be measured on",
    )  # fmt: skip


def of_collection(collection: TestCollection, name: str) -> Material:
    """Return the judged pairs of a test collection; every document is a candidate.

    Examples
    --------
    >>> documents = [Record("a", "heat"), Record("b", "warmth"), Record("c", "tide")]
    >>> made = of_collection(TestCollection(documents, {"q": "hot?"}, {"q": {"a": 1, "b": 1, "c": 0}}), "demo")
    >>> made.queries, made.answers, made.right[0], made.wrong[0]
    (['hot?', 'hot?'], [[0], [1]], [0, 1], [2])
    """
    row = {document.id: number for number, document in enumerate(collection.documents)}
    corpus = [f"{document.title} {document.text}".strip() for document in collection.documents]
    made = Material(name=name, queries=[], corpus=corpus, answers=[])
    several = 0
    for query, judged in collection.qrels.items():
        right = [row[document] for document, grade in judged.items() if grade > 0]
        wrong = [row[document] for document, grade in judged.items() if grade <= 0]
        several += len(right) > 1
        for answer in right:
            number = len(made.queries)
            made.queries.append(collection.queries[query])
            made.answers.append([answer])
            if len(right) > 1 or wrong:
                made.right[number] = right
            if wrong:
                made.wrong[number] = wrong
    if several or made.wrong:
        count = len({row for some in made.wrong.values() for row in some})
        none = "none is labelled as wrong" if not count else f"{count:,} documents are labelled as wrong"
        made.labels = f"{several:,} queries have several right answers, {none}"
    return made


def of_pairs(
    name: str, queries: Sequence[str], positives: Sequence[str], negatives: Sequence[Sequence[str]],
    groups: Sequence[str],
) -> Material:  # fmt: skip
    """Return pairs of a file; its right answers and its negatives are the corpus.

    Examples
    --------
    >>> made = of_pairs("demo", ["a", "a", "b"], ["x", "y", "x"], [[], [], ["z"]], [])
    >>> made.corpus, made.answers, made.right
    (['x', 'y', 'z'], [[0], [1], [0]], {0: [0, 1], 1: [0, 1]})
    """
    texts = list(dict.fromkeys([*positives, *(text for some in negatives for text in some)]))
    row = {text: number for number, text in enumerate(texts)}
    answers: dict[str, list[int]] = {}
    for query, positive in zip(queries, positives, strict=True):
        answers.setdefault(query, []).append(row[positive])
    right = {i: answers[query] for i, query in enumerate(queries) if len(set(answers[query])) > 1}
    made = Material(name=name, queries=list(queries), corpus=texts, answers=[[row[text]] for text in positives])
    made.right = right
    if right:
        several = len({queries[i] for i in right})
        made.labels = f"{several:,} queries have several right answers, none is labelled as wrong"
    if groups:
        named = dict(zip(positives, groups, strict=True))
        made.groups = [f"group {named[text]}" if text in named else f"row {i}" for i, text in enumerate(texts)]
    return made


def _of_documents(path: Path, questions: int, seed: int, progress: Progress) -> Material:
    from isogloss.corpus.read import read
    from isogloss.mining.questions.make import make_questions

    progress.start("read documents", None, "documents")
    records = [one for one in read(path) if isinstance(one, Record)]
    progress.finish()
    if not records:
        raise CorpusError(f"no document can be read in {path}", "", "give a folder of documents, or a file of pairs")
    made = make_questions(records, count=questions, seed=seed, progress=progress)
    passages = passages_of(made.searched(records), cutter(BUDGET))
    rows: dict[str, list[int]] = {}
    for row, owner in enumerate(passages.owners.tolist()):
        rows.setdefault(passages.documents[owner], []).append(row)
    kept = [question for question in made.questions if question.document in rows]
    found = Material(
        name=path.name, queries=[question.text for question in kept], corpus=passages.fresh_texts,
        answers=[rows[question.document] for question in kept],
        groups=[passages.documents[owner] for owner in passages.owners.tolist()],
    )  # fmt: skip
    found.topics = _rows_of({i: question.related for i, question in enumerate(kept)}, rows)
    found.notes = [
        f"{len(kept):,} questions made from {len(records):,} documents ({len(passages.fresh_texts):,} passages); "
        "the passage of the right document that scores highest stands for it",
        *made.notes,
    ]
    return found


def _rows_of(documents: Mapping[int, Sequence[str]], rows: Mapping[str, list[int]]) -> dict[int, list[int]]:
    found = {i: [row for name in names for row in rows.get(name, [])] for i, names in documents.items()}
    return {i: some for i, some in found.items() if some}


def _usable(material: Material) -> Material:
    """Leave out pairs with an empty side, and say how many.

    Raises
    ------
    CorpusError
        Where no pair is left, or there is nothing but the right answers' own text.
    """
    kept = [
        i for i, query in enumerate(material.queries)
        if query.strip() and any(material.corpus[row].strip() for row in material.answers[i])
    ]  # fmt: skip
    lost = len(material.queries) - len(kept)
    if lost:
        material.notes.append(f"{lost:,} of {len(material.queries):,} pairs have an empty side and were left out")
        place = {old: new for new, old in enumerate(kept)}
        material.queries = [material.queries[i] for i in kept]
        material.answers = [material.answers[i] for i in kept]
        for name in ("right", "wrong", "topics"):
            listed = getattr(material, name)
            setattr(material, name, {place[i]: rows for i, rows in listed.items() if i in place})
    if not material.queries or len(set(material.corpus)) < 2:
        why = f"{len(material.queries):,} pairs, {len(set(material.corpus)):,} different documents"
        raise CorpusError(f"there is nothing to mine in {material.name}", why, "give pairs over at least two documents")
    return material
