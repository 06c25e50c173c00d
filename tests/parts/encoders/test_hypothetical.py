"""A query's vector is the plain mean of its own and its documents'; documents and plain texts stay as they are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isogloss.encoders import hypothetical
from isogloss.encoders.hypothetical import DocumentsAtHand, HypotheticalDocumentEncoder
from isogloss.encoders.lexical import WordEncoder
from isogloss.encoders.static import bundled_static
from isogloss.errors import UsageError
from isogloss.protocols import EncodeReport

ASKED = "who built the bridge?"
WRITTEN = ["An engineer built it.", "The bridge was built of steel.", "It was finished in 1890."]


class Counting:
    """A writer that notes what it is asked."""

    identity = "counting"

    def __init__(self, texts=WRITTEN):
        self.asked, self.texts = [], texts

    def __call__(self, questions, count):
        self.asked += questions
        return [list(self.texts)[:count] for _ in questions]


@pytest.fixture(scope="module")
def base():
    return bundled_static()


@pytest.mark.parametrize("include", [True, False])
@pytest.mark.parametrize("count", [1, 3])
def test_a_query_is_the_mean_of_its_texts(base, count, include):
    encoder = HypotheticalDocumentEncoder(base, Counting(), count=count, include_query=include)
    texts = WRITTEN[:count] + [ASKED] * include
    wanted = np.mean([base.encode([text])[0].astype(np.float64) for text in texts], axis=0)
    np.testing.assert_allclose(encoder.encode(ASKED, role="query")[0], wanted, atol=1e-6)


def test_the_mean_by_hand():
    class Letters:
        name, modality, identity, dimensions, similarity = "letters", "text", "letters", 2, "dot"

        def encode(self, inputs, *, role=None, instruction=None, report=None):
            assert role in ("query", "document")
            sign = -1 if role == "query" else 1
            return np.array([[sign * text.count("a"), text.count("b")] for text in inputs], np.float32)

    encoder = HypotheticalDocumentEncoder(Letters(), DocumentsAtHand({"ab": ["aaa", "bb"]}), count=2)
    assert encoder.encode(["ab"], role="query").tolist() == [[pytest.approx(2 / 3), 1.0]]


@given(st.lists(st.sampled_from(["a wing", "heat", "", "tea", "  "]), max_size=6))
def test_company_does_not_matter(texts):
    encoder = HypotheticalDocumentEncoder(bundled_static(), Counting(), count=2)
    together = encoder.encode(texts, role="query")
    assert together.shape == (len(texts), encoder.dimensions)
    for row, text in zip(together, texts, strict=True):
        np.testing.assert_allclose(row, encoder.encode([text], role="query")[0], atol=1e-6)


def test_documents_and_plain_texts_are_not_asked_about(base):
    writer = Counting()
    encoder = HypotheticalDocumentEncoder(base, writer)
    for role in (None, "document"):
        np.testing.assert_array_equal(encoder.encode([ASKED], role=role), base.encode([ASKED], role=role))
    assert writer.asked == []


def test_a_question_is_asked_once_and_a_blank_one_never(base, monkeypatch):
    writer = Counting()
    encoder = HypotheticalDocumentEncoder(base, writer, count=1)
    vectors = encoder.encode([ASKED, " ", ASKED], role="query")
    encoder.encode([ASKED], role="query")
    assert writer.asked == [ASKED]
    np.testing.assert_array_equal(vectors[1], base.encode([" "], role="query")[0])
    monkeypatch.setattr(hypothetical, "REMEMBERED", 1)
    encoder.encode(["another"], role="query")
    encoder.encode([ASKED], role="query")
    assert writer.asked == [ASKED, "another", ASKED]


def test_what_is_written_counts_in_the_report(base):
    report, own = EncodeReport(), EncodeReport()
    HypotheticalDocumentEncoder(base, Counting(), count=2).encode([ASKED], role="query", report=report)
    base.encode([ASKED], report=own)
    base.encode(WRITTEN[:2], report=own)
    assert (report.texts, report.tokens) == (1, own.tokens)


@pytest.mark.parametrize(
    ("texts", "said"), [(WRITTEN[:1], "1 of 2"), (["good", " "], "1 of 2"), ([], "0 of 2"), ([*WRITTEN, ""], "too few")]
)
def test_too_few_documents_are_an_error(base, texts, said):
    class Fixed:
        identity = "fixed"

        def __call__(self, questions, count):
            return [texts for _ in questions]

    with pytest.raises(UsageError, match=said):
        HypotheticalDocumentEncoder(base, Fixed(), count=2).encode([ASKED], role="query")


def test_what_cannot_be_done_is_said(base):
    with pytest.raises(UsageError, match="0 documents"):
        HypotheticalDocumentEncoder(base, Counting(), count=0)
    with pytest.raises(UsageError, match="dense"):
        HypotheticalDocumentEncoder(WordEncoder(), Counting()).encode([ASKED], role="query")
    with pytest.raises(UsageError, match="1 of 1"):
        DocumentsAtHand({})([ASKED], 1)


def test_identity_follows_what_is_at_hand():
    one, other = DocumentsAtHand({"a": ["b"]}), DocumentsAtHand({"a": ["c"]})
    assert one.identity == DocumentsAtHand({"a": ("b",)}).identity != other.identity
