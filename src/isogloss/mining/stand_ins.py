"""What a knowing writer would write for a question, where none is at hand: what other people wrote."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isogloss.corpus.examples import Candidates
from isogloss.corpus.judgements import TestCollection
from isogloss.errors import CorpusError
from isogloss.mining.word_candidates import best_by_words
from isogloss.seeding import generator
from isogloss.text.sentences import sentences

_WORD = re.compile(r"\w+")
_SHORTEST = 30
"""Characters that a sentence has at least."""


@dataclass(frozen=True, slots=True)
class WrittenFor:
    """Questions with one right text each among those that are searched, and texts that were written for them.

    Attributes
    ----------
    questions
        Distinct.
    texts
        What is searched; nothing of ``written`` and ``wrong`` is among it.
    gold
        ``(questions,)`` number of the right text.
    written
        For each question texts of other people.
    wrong
        For each question texts that have its words and do not answer it; empty lists where none are known.
    """

    questions: list[str]
    texts: list[str]
    gold: NDArray[np.int64]
    written: list[list[str]]
    wrong: list[list[str]]


def other_answers(
    parts: Sequence[Candidates], *, searched: int | None = None, alike: float = 0.5, seed: int = 0
) -> WrittenFor:
    """Take one right candidate of each question for the text to be found, and its other right ones for what is written.

    Both answer the question, in the words of different people: candidates that share more than ``alike`` of their words
    (Jaccard's index) with the text to be found are left out. As many wrong candidates are held back beside. Questions
    without two such right candidates and a wrong one are left out.

    Parameters
    ----------
    parts
        Candidates of questions; parts with the same question are joined.
    searched
        How many texts are searched, the right ones among them; None for all that are left.
    alike
        Largest likeness of a text that was written to the one to be found.
    seed
        Of the choices.

    Raises
    ------
    CorpusError
        Where no question has two right candidates and a wrong one.

    Examples
    --------
    >>> grades = [np.array([1.0, 1.0, 0.0])]
    >>> found = other_answers([Candidates(["who?"], [["It was Ada.", "Lovelace wrote it.", "Who knows?"]], grades)])
    >>> found.wrong, sorted([found.texts[found.gold[0]], *found.written[0]])
    ([['Who knows?']], ['It was Ada.', 'Lovelace wrote it.'])
    """
    right, wrong = _candidates(parts)
    good = {text for texts in right.values() for text in texts}  # no other right answer is searched
    draw, chosen = generator(seed, "other answers"), []
    for question, texts in right.items():
        goal = texts[int(draw.integers(len(texts)))] if texts else ""
        unlike = [one for one in texts if one != goal and likeness(one, goal) <= alike]
        bad = [one for one in wrong[question] if one not in good]
        if unlike and bad:
            chosen.append((question, goal, unlike, [bad[i] for i in draw.permutation(len(bad))[: len(unlike)]]))
    if not chosen:
        raise CorpusError("no question has two answers", f"{len(right)} questions, at most {alike:g} alike")
    goals = list(dict.fromkeys(goal for _, goal, _, _ in chosen))
    held = good | {text for _, _, _, some in chosen for text in some}
    rest = [text for text in dict.fromkeys(one for some in wrong.values() for one in some) if text not in held]
    room = len(rest) if searched is None else max(0, searched - len(goals))
    texts = [*goals, *(rest[i] for i in draw.permutation(len(rest))[:room])]
    place = {text: number for number, text in enumerate(texts)}
    kept = [(one, place[goal], found, bad) for one, goal, some, bad in chosen
            if (found := [text for text in some if text not in place])]  # fmt: skip
    questions, gold, written, beside = (list(column) for column in zip(*kept, strict=True))
    return WrittenFor(questions, texts, np.array(gold, np.int64), written, beside)


def _candidates(parts: Sequence[Candidates]) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Return the right and the wrong candidates of each question."""
    right: dict[str, list[str]] = {}
    wrong: dict[str, list[str]] = {}
    for part in parts:
        for question, texts, grades in zip(part.queries, part.texts, part.grades, strict=True):
            for kind, is_kind in ((right, True), (wrong, False)):
                found = [text for text, grade in zip(texts, grades, strict=True) if (grade > 0) == is_kind]
                kind[question] = list(dict.fromkeys([*kind.get(question, ()), *found]))
    return right, wrong


def same_subject(
    collection: TestCollection, count: int, *, asked: int | None = None, share: float = 1 / 3, seed: int = 0
) -> WrittenFor:
    """Hold back a share of the passages of each subject; their sentences are what is written for questions on it.

    For each question the ``count`` sentences that have most to do with it, by BM25, filled up with others in their
    order. They are on the question's subject, and answer it only by accident.

    Parameters
    ----------
    collection
        Passages whose titles are their subjects, and questions.
    count
        Texts for each question.
    asked
        How many questions; None for all.
    share
        Of the passages, which are not searched.
    seed
        Of what is held back and asked.

    Raises
    ------
    CorpusError
        Where no question is left.
    """
    draw = generator(seed, "same subject")
    held = draw.permutation(len(collection.documents)) < share * len(collection.documents)
    known: dict[str, list[str]] = {}
    for document, back in zip(collection.documents, held, strict=True):
        if back:
            known.setdefault(document.title, []).extend(long_sentences(document.text))
    searched = [
        one for one, back in zip(collection.documents, held, strict=True)
        if not back and len(known.get(one.title, ())) >= count
    ]  # fmt: skip
    place = {one.id: number for number, one in enumerate(searched)}
    pairs = {
        collection.queries[key]: place[one] for key, row in collection.qrels.items() for one in row if one in place
    }
    if not pairs:
        raise CorpusError("no question is left", f"{len(searched)} passages are searched")
    questions = [list(pairs)[i] for i in draw.permutation(len(pairs))[:asked]]
    gold = np.array([pairs[one] for one in questions], np.int64)
    written: list[list[str]] = [[] for _ in questions]
    for title in dict.fromkeys(one.title for one in searched):
        mine = [i for i, number in enumerate(gold) if searched[number].title == title]
        for i, some in zip(mine, nearest([questions[i] for i in mine], known[title], count), strict=True):
            written[i] = some
    return WrittenFor(questions, [one.text for one in searched], gold, written, [[] for _ in questions])


def nearest(questions: Sequence[str], texts: Sequence[str], count: int) -> list[list[str]]:
    """Return for each question the ``count`` best texts by BM25, filled up with others in their order.

    Examples
    --------
    >>> nearest(["how hot?"], ["Some drink it cold.", "Tea is hot."], 1)
    [['Tea is hot.']]
    """
    found = []
    for rows in best_by_words(questions, texts, count) if questions else ():
        rest = (row for row in range(len(texts)) if row not in rows)
        found.append([texts[row] for row in [*rows, *rest][:count]])
    return found


def answering_sentences(collection: TestCollection) -> list[tuple[str, str]]:
    """Return each question with the sentence of its right document that shares most words with it.

    Questions whose right document has no sentence of 30 characters are left out.
    """
    texts = {one.id: long_sentences(one.text) for one in collection.documents}
    asked: dict[str, list[str]] = {}
    for key, row in collection.qrels.items():
        for one, grade in row.items():
            if grade > 0 and texts.get(one):
                asked.setdefault(one, []).append(collection.queries[key])
    found = [(questions, nearest(questions, texts[one], 1)) for one, questions in asked.items()]
    return [(question, some[0]) for questions, best in found for question, some in zip(questions, best, strict=True)]


def long_sentences(text: str) -> list[str]:
    """Return the sentences of a text that have at least 30 characters.

    Examples
    --------
    >>> long_sentences("It is hot. Some people drink their tea cold, with ice.")
    ['Some people drink their tea cold, with ice.']
    """
    cut = (text[start:end].strip() for start, end in sentences(text))
    return [one for one in cut if len(one) >= _SHORTEST]


def likeness(text: str, other: str) -> float:
    """Return the share of the words of two texts that both have, Jaccard's index.

    Examples
    --------
    >>> likeness("a cat sat", "A cat ran")
    0.5
    """
    first, second = ({word.lower() for word in _WORD.findall(one)} for one in (text, other))
    return len(first & second) / max(1, len(first | second))
