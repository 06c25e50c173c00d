"""Prompts as token ids: by hand, cut where it is said, and never longer than the window."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isogloss.errors import UsageError
from isogloss.vocabulary.templates import TokenTemplate
from isogloss.vocabulary.wordpiece import WordPiece

PIECES = WordPiece(["[UNK]", "[CLS]", "[SEP]", "q", ":", "d", "end", "a", "b"])
WORDS = st.lists(st.sampled_from("ab"), max_size=9).map(" ".join)


def template(text="q: {query} d: {document} end", longest=12, **settings):
    settings = {"most": {"query": 2}, "before": [1], "after": [2]} | settings
    return TokenTemplate(PIECES, text, longest=longest, **settings)


def test_a_prompt_by_hand():
    filled = template()(query=["a", "b b b"], document=["", "a b a b a b"])
    assert [row.tolist() for row in filled] == [[1, 3, 4, 7, 5, 4, 6, 2], [1, 3, 4, 8, 8, 5, 4, 7, 8, 7, 6, 2]]


@given(st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=4), st.integers(11, 30))
def test_a_prompt_fits_keeps_its_fixed_words_and_fills_the_room(pairs, longest):
    rows = template(longest=longest)(query=[one for one, _ in pairs], document=[two for _, two in pairs])
    for row, (query, document) in zip(rows, pairs, strict=True):
        tokens = [PIECES.tokens[token] for token in row]
        assert len(tokens) <= longest
        assert (tokens[:3], tokens[-2:]) == (["[CLS]", "q", ":"], ["end", "[SEP]"])
        middle = tokens.index("d")
        assert tokens[3:middle] == query.split()[:2]
        kept = tokens[middle + 2 : -2]
        room = longest - 7 - len(query.split()[:2])
        assert kept == document.split()[:room]


def test_the_last_field_without_a_bound_takes_the_room():
    rows = template("{query} q {document}", longest=5, most={}, before=[], after=[])(
        query=["a a a"], document=["b b b"]
    )
    assert rows[0].tolist() == [7, 7, 7, 3, 8]


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: template("q d"), "field"),
        (lambda: template("q {query}"), "field"),
        (lambda: template(longest=9), "no room for document"),
        (lambda: template()(query=["a"]), "query, document"),
        (lambda: template()(query=["a"], document=["a", "b"]), r"document \(2\), query \(1\)"),
    ],
)
def test_what_cannot_be_filled_is_refused(call, says):
    with pytest.raises(UsageError, match=says):
        call()
