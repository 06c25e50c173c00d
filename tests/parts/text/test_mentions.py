"""Mentions of names: by hand, and that no mention remains."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isogloss.text.mentions import replace_mentions


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        ("Oslo grew. In Oslo, Oslo's port grew.", "Oslo", "It grew. In it, its port grew."),
        ("the New  York of new york", "New York", "It of it"),
        ("Mercury is hot", "Mercury (planet)", "It is hot"),
        ("Xerxes’ army met Xerxes.", "Xerxes", "Its army met it."),
        ("a cat, scatter, cat-like", "cat", "a it, scatter, it-like"),
        ("C++ and c++.", "C++", "It and it."),
        ("nothing here", "Oslo", "nothing here"),
        ("as it is", "", "as it is"),
        ("", "Oslo", ""),
    ],
)
def test_by_hand(text, name, expected):
    assert replace_mentions(text, name) == expected


@given(st.lists(st.sampled_from(["Oslo", "oslo's", "the", "port", "grew.", "Osloer"]), max_size=12))
def test_no_mention_remains_and_nothing_else_changes(words):
    found = replace_mentions(" ".join(words), "Oslo", pronoun="zz", possessive="zz")
    assert not re.search(r"\boslo\b", found, re.IGNORECASE)
    kept = [word for word in words if word in ("port", "grew.", "Osloer")]
    assert [word for word in found.split() if word in ("port", "grew.", "Osloer")] == kept
