"""Documents of a question's topic: by brute force over words, never by the words that are asked."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isogloss.mining.questions.make import make_questions
from isogloss.mining.questions.question import QuestionSet
from isogloss.mining.questions.related import related_documents
from isogloss.mining.questions.vocabulary import Vocabulary
from isogloss.protocols import Record

WORDS = [f"word{letter}" for letter in "abcdefghijklmnop"]


def brute(texts, position, question):
    """Cosine of rarity-weighted word sets, the question's words left out of the source."""
    vocabulary = Vocabulary(texts)
    sets = [set(vocabulary.content(text)) for text in texts]
    asked = set(vocabulary.rules.terms(question))
    scores = []
    for other, words in enumerate(sets):
        both = (sets[position] - asked) & words
        length = sqrt(sum(vocabulary.rarity(word) ** 2 for word in words))
        score = sum(vocabulary.rarity(word) ** 2 for word in both) / (length + 1e-9)
        scores.append(0.0 if other == position else score)
    order = sorted(range(len(texts)), key=lambda i: (-scores[i], i))
    return [i for i in order[:10] if scores[i] > 0], scores


@given(st.lists(st.lists(st.sampled_from(WORDS), max_size=6), min_size=2, max_size=14), st.data())
def test_equal_to_brute_force(bags, data):
    texts = [" ".join(bag) for bag in bags]
    position = data.draw(st.integers(0, len(texts) - 1))
    question = " ".join(data.draw(st.lists(st.sampled_from(WORDS), max_size=3)))
    found = related_documents(Vocabulary(texts), texts, position, question)
    expected, scores = brute(texts, position, question)
    assert position not in found
    assert [scores[i] for i in found] == pytest.approx([scores[i] for i in expected])


def test_sharing_only_what_is_asked_makes_nobody_related():
    texts = ["fever aspirin dose", "fever storms", "aspirin dose tablets"]
    assert related_documents(Vocabulary(texts), texts, 0, "fever") == [2]
    assert related_documents(Vocabulary(texts), texts, 0, "aspirin dose fever") == []


def test_judgements_count_the_topic_only_where_it_is_wanted(tmp_path):
    topics = {"b": "boiler steam pressure valve", "w": "wing lift drag airflow"}
    records = []
    for name in (f"{letter}{i}" for i in range(6) for letter in topics):
        text = (
            f"Report{name} of{name} case{name} unit{name}. The {topics[name[0]]} failed{name} in test{name} run{name}."
        )
        records.append(Record(name, text))
    made = make_questions(records, count=6, kinds=["sentence"])
    for question in made.questions:
        assert question.document not in question.related
        assert made.qrels()[question.id] == {question.document: 1.0}
        assert set(made.qrels(topic=True)[question.id]) == {question.document, *question.related}
    first = [q for q in made.questions if q.text.startswith("Report")]
    assert first
    for question in first:  # the rest of the report is about the topic, and so are the reports that share it
        assert {document[0] for document in question.related[:5]} == {question.document[0]}
    made.save(tmp_path / "q.jsonl")
    assert QuestionSet.load(tmp_path / "q.jsonl") == made
    assert np.mean([len(question.related) for question in made.questions]) > 0
