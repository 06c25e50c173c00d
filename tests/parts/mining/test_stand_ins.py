"""Texts that other people wrote for a question: right, in other words, and never among what is searched."""

from __future__ import annotations

import numpy as np
import pytest

from isogloss.corpus.examples import Candidates
from isogloss.corpus.judgements import TestCollection
from isogloss.errors import CorpusError
from isogloss.mining.stand_ins import answering_sentences, likeness, nearest, other_answers, same_subject
from isogloss.protocols import Record

BRIDGE = ["Eiffel designed it.", "The engineer was Eiffel.", "Eiffel designed it", "Bridges are long.", "No one."]
PART = Candidates(
    ["who designed the bridge?", "who flew?", "where?"],
    [BRIDGE, ["Lindbergh flew.", "Nobody.", BRIDGE[1]], ["Here.", "There.", "Elsewhere it is."]],
    [np.array([1.0, 1, 1, 0, 0]), np.array([1.0, 0, 0]), np.array([1.0, 1.0, 1.0])],
)


@pytest.mark.parametrize("seed", range(8))
def test_the_right_text_is_searched_and_what_was_written_is_not(seed):
    found = other_answers([PART], alike=0.6, seed=seed)
    assert found.questions == PART.queries[:1]
    goal = found.texts[found.gold[0]]
    assert goal in BRIDGE[:3]
    assert found.written[0]
    assert all(likeness(one, goal) <= 0.6 for one in found.written[0])
    assert set(found.wrong[0]) <= set(BRIDGE[3:])
    assert not {*found.written[0], *found.wrong[0]} & set(found.texts)
    assert not {"Lindbergh flew.", "Here.", *BRIDGE[:3]} - {goal} & set(found.texts)


def test_parts_are_joined_and_the_number_of_texts_is_kept():
    halves = [
        Candidates(PART.queries, [some[:at] if at > 0 else some[at:] for some in PART.texts],
                   [some[:at] if at > 0 else some[at:] for some in PART.grades])
        for at in (2, -3)
    ]  # fmt: skip
    assert other_answers(halves, searched=2).questions == PART.queries[:1]
    assert len(other_answers([PART], searched=2).texts) == 2
    with pytest.raises(CorpusError, match="3 questions"):
        other_answers([PART], alike=0.0, seed=1)


def test_permuted_grades_change_who_is_right():
    grades = [np.array([0.0, 0, 0, 1, 1]), *PART.grades[1:]]
    found = other_answers([Candidates(PART.queries, PART.texts, grades)])
    assert found.texts[found.gold[0]] in BRIDGE[3:]


@pytest.fixture(scope="module")
def passages():
    """Two subjects of six passages, with a question on each passage."""
    words = {"tea": "leaf water cup", "iron": "ore furnace steel"}
    documents = [
        Record(f"{subject}{i}", f"The {word}{i} of {subject} is number {i} among its kind. It is so.", subject)
        for subject, some in words.items() for i, word in enumerate(some.split() * 2)
    ]  # fmt: skip
    queries = {f"q{one.id}": f"what number has {one.text.split()[1]}?" for one in documents}
    qrels = {f"q{one.id}": {one.id: 1.0} for one in documents}
    return TestCollection(documents, queries, qrels)


def test_sentences_of_held_back_passages_of_the_same_subject(passages):
    found = same_subject(passages, 1, seed=2)
    assert len(found.texts) == 8
    assert len(found.questions) == 8
    subjects = {one.text: one.title for one in passages.documents}
    for question, number, written in zip(found.questions, found.gold, found.written, strict=True):
        assert question.split()[-1][:-1] in found.texts[number]
        assert len(written) == 1
        assert f"of {subjects[found.texts[number]]} " in written[0]
        assert not any(written[0] in text for text in found.texts)
    assert same_subject(passages, 1, seed=2, asked=3).questions == found.questions[:3]
    with pytest.raises(CorpusError, match="0 passages"):
        same_subject(passages, 50)


def test_the_sentence_that_answers(passages):
    pairs = answering_sentences(passages)
    assert len(pairs) == 12
    assert all(question.split()[-1][:-1] in text and len(text) >= 30 for question, text in pairs)


def test_nearest_fills_up_in_order():
    assert nearest(["hot tea"], ["cold", "dry", "hot tea"], 2) == [["hot tea", "cold"]]
    assert nearest([], ["cold"], 2) == []
