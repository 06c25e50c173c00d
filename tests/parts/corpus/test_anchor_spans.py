"""Anchors and the spans around them: over draws, against the Beta distribution, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isogloss.corpus.anchor_spans import anchor_spans
from isogloss.errors import UsageError

DOCUMENTS = [" ".join(f"{name}{i}" for i in range(size)) for name, size in (("a", 90), ("b", 200), ("c", 64))]


def test_by_hand_where_nothing_is_free():
    """A document as long as its spans: anchor and positives are the document."""
    made = anchor_spans(["short", "one two three"], 2, anchors=1, positives=2, shortest=3, longest=3)
    assert made.columns == [["one two three"] * 2] * 3
    assert made.documents.tolist() == [1, 1]
    assert made.anchors.tolist() == [[0, 3]] * 2


@settings(max_examples=40)
@given(
    st.integers(1, 20), st.integers(0, 44), st.integers(1, 3), st.integers(1, 3), st.integers(1, 7), st.integers(0, 9)
)
def test_every_positive_overlaps_or_touches_its_anchor(short, more, anchors, positives, documents, seed):
    made = anchor_spans(
        DOCUMENTS, documents, anchors=anchors, positives=positives, shortest=short, longest=short + more, seed=seed
    )
    assert made.anchors.shape == (documents * anchors, 2)
    assert made.positives.shape == (documents * anchors, positives, 2)
    begin, end = made.anchors[:, None, 0], made.anchors[:, None, 1]
    first, last = made.positives[..., 0], made.positives[..., 1]
    assert (first <= end).all()
    assert (last >= begin).all()
    spans = np.concatenate([made.anchors[:, None], made.positives], 1)  # (n, 1 + p, 2)
    sizes = spans[..., 1] - spans[..., 0]
    assert sizes.min() >= short
    assert sizes.max() <= short + more
    assert spans.min() >= 0
    words = [text.split() for text in DOCUMENTS]
    for number, column in enumerate(made.columns):
        for document, (a, b), text in zip(made.documents, spans[:, number].tolist(), column, strict=True):
            assert text.split() == words[document][a:b]


def test_lengths_are_those_of_their_beta_distributions():
    """Over 10,000 anchors the means are within 3 % of the expectations, and shares of each third are right."""
    made = anchor_spans(DOCUMENTS[1:2], 5000, positives=2, shortest=10, longest=70, seed=1)
    long, short = np.diff(made.anchors, axis=1), np.diff(made.positives, axis=2)
    assert long.mean() == pytest.approx(10 + 60 * 4 / 6, rel=0.03)
    assert short.mean() == pytest.approx(10 + 60 * 2 / 6, rel=0.03)
    assert long.mean() > short.mean()
    deviation = 60 * np.sqrt(4 * 2 / (6**2 * 7))
    assert long.std() == pytest.approx(deviation, rel=0.05)
    assert short.std() == pytest.approx(deviation, rel=0.05)
    even = anchor_spans(DOCUMENTS[1:2], 5000, shortest=10, longest=70, anchor_shape=(1, 1), seed=1)
    assert np.diff(even.anchors, axis=1).mean() == pytest.approx(40, rel=0.03)


def test_a_positive_may_begin_anywhere_between_touching_and_touching():
    """Of one length and far from the ends every beginning is as likely: 2 l + 1 of them."""
    made = anchor_spans(DOCUMENTS[1:2], 8000, anchors=1, positives=1, shortest=4, longest=4, seed=2)
    inner = (made.anchors[:, 0] >= 4) & (made.anchors[:, 1] <= 196)
    away = (made.positives[:, 0, 0] - made.anchors[:, 0])[inner]
    counts = np.bincount(away + 4, minlength=9)
    assert len(counts) == 9
    assert counts == pytest.approx(np.full(9, inner.sum() / 9), rel=0.15)


def test_documents_take_turns_and_a_seed_repeats():
    one, again, other = (anchor_spans(DOCUMENTS, 6, anchors=1, longest=60, seed=seed) for seed in (0, 0, 1))
    assert sorted(one.documents.tolist()) == [0, 0, 1, 1, 2, 2]
    assert one.columns == again.columns
    assert one.columns != other.columns


@pytest.mark.parametrize(
    ("settings", "why"),
    [({"longest": 300}, "none of 3 has 300 words"), ({"shortest": 0}, "above 0"), ({"positives": 0}, "above 0"),
     ({"shortest": 9, "longest": 8}, "above 0"), ({"anchor_shape": (0, 1)}, "above 0")],
)  # fmt: skip
def test_what_cannot_be_drawn_is_refused(settings, why):
    with pytest.raises(UsageError, match=why):
        anchor_spans(DOCUMENTS, **{"documents": 2, "longest": 60} | settings)
