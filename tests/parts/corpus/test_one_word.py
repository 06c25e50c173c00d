"""Texts with one word each: by hand, and on the data that recipes take them from."""

from __future__ import annotations

import re

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from isogloss.corpus.examples import LabelledTexts, TaggedSentences
from isogloss.corpus.one_word import defined, keyed, labelled, named, titled
from isogloss.evaluation.datasets.load import load
from isogloss.protocols import Record

WORDS = ["oslo", "trams", "city", "of", "red-brick", "x2", "station"]


def test_by_hand():
    texts = LabelledTexts(["a", "b", "c"], np.array([2, 0, 1]), ["bad", "so", "good"])
    assert labelled(texts, {"good": "praise", "bad": "blame"}) == [("a", "praise"), ("b", "blame")]
    rows = [
        {"definition": "a very small dog", "members": ["Toy", "toy dog", "lapdog", "pet"]},
        {"definition": "", "members": ["cat"]},
        {"definition": "a place", "members": ["New York"]},
    ]
    assert defined(rows) == [("a very small dog", "lapdog")]
    tagged = TaggedSentences([["He", "saw", "New", "York"], ["No", "name"]], [["O", "O", "B-LOC", "I-LOC"], ["O"] * 2])
    assert named(tagged) == [("He saw New York", "New")]


def test_titles_give_their_longest_word_that_the_first_sentence_has():
    one = Record("1", "The Oslo station is a station. Bergen is far.", title="Bergen, Oslo and station")
    other = Record("2", "It is a town. Bergen lies north.", title="Bergen")
    assert titled([one, other, Record("3", "", title="Empty")]) == [("The Oslo station is a station.", "station")]


def test_key_phrases_give_a_word_to_each_sentence_that_has_one():
    row = {"text": "Fast trees. Nothing here. We sort trees.\nSorting is old.", "keyphrases": ["of trees", "Sorting"]}
    assert keyed([row]) == [("Fast trees.", "trees"), ("We sort trees.", "trees"), ("Sorting is old.", "sorting")]


@given(st.lists(st.sampled_from(WORDS), max_size=8), st.lists(st.sampled_from(WORDS), max_size=4))
def test_words_of_titles_stand_in_their_texts(text, title):
    for first, word in titled([Record("1", " ".join(text), title=" ".join(title))]):
        there = re.findall(r"[a-z0-9]+", first)
        assert word in there
        assert word in re.findall(r"[a-z]+", " ".join(title))
        assert len(word) >= 4


def test_real_data_have_words_of_their_own(data):
    found = titled(load("wiki-passages", folder=data("wiki-passages")))
    assert len(found) > 4000
    assert all(word in text.lower() for text, word in found)
    pairs = dict(defined(load("wordnet", folder=data("wordnet"))))
    assert len(pairs) > 40_000
    assert pairs["move with or as if with a tremor"] == "shake"
