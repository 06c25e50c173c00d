"""Ranking of collections: equal to brute force, with trec_eval's ties at the last place too."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isogloss.arrays import Ragged, Similarity
from isogloss.corpus.judgements import RankedRun, TestCollection
from isogloss.corpus.test_collections.beir import read_beir
from isogloss.encoders.lexical import WordEncoder
from isogloss.encoders.names import load_encoder
from isogloss.errors import CorpusError, IsoglossError, UsageError
from isogloss.evaluation.ranking import document_text, rank
from isogloss.protocols import EncodeReport, Record


class Lengths:
    """Gives a text the vector of its length, so that many documents tie."""

    similarity = Similarity.DOT
    modality = "text"
    name = "lengths"

    def encode(self, inputs, *, role=None, instruction=None, report=None):
        return np.array([[float(len(text))] for text in inputs], np.float32)


@given(st.dictionaries(st.text("abc", min_size=1, max_size=3), st.integers(1, 3), min_size=1), st.integers(1, 12))
def test_equals_the_order_of_trec_eval(lengths, k):
    collection = TestCollection([Record(id, "x" * length) for id, length in lengths.items()], {"q": "y"}, {})
    run = rank(Lengths(), collection, k=k)
    whole = RankedRun.from_scores({"q": {id: float(length) for id, length in lengths.items()}})
    assert run.documents == [whole.documents[0][:k]]
    assert run.scores[0].tolist() == whole.scores[0].tolist()[:k]
    assert (run.queries, run.name) == (["q"], "lengths")


@pytest.mark.parametrize("name", ["static", "words"])
def test_equals_brute_force_on_real_texts(name, data):
    collection, encoder = read_beir(data("cranfield")), load_encoder(name)
    report = EncodeReport()
    run = rank(encoder, collection, k=25, report=report)
    assert run.queries == list(collection.qrels)
    assert report.texts == len(collection.documents) - repeated(collection) + len(collection.qrels)
    if name == "words":
        assert all(len(found) == 25 for found in run.documents)
        assert all((np.diff(scores) <= 0).all() for scores in run.scores)
        return
    texts = [f"{record.title} {record.text}".strip() for record in collection.documents]
    vectors = encoder.encode(texts, role="document").astype(np.float64)
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-30)
    ids = [record.id for record in collection.documents]
    for query, found in zip(run.queries[:20], run.documents, strict=False):
        asked = encoder.encode(collection.queries[query], role="query")[0].astype(np.float64)
        scores = dict(zip(ids, vectors @ (asked / np.linalg.norm(asked)), strict=True))
        assert scores[found[-1]] == pytest.approx(sorted(scores.values())[-25], abs=1e-5)
        assert all(scores[a] >= scores[b] - 1e-5 for a, b in pairwise(found))


def repeated(collection):
    texts = [document_text(record) for record in collection.documents]
    return len(texts) - len(set(texts))


def test_sets_of_vectors_are_ranked_by_maxsim():
    class Letters:
        similarity = Similarity.MAXSIM
        modality = "text"

        def encode(self, inputs, *, role=None, instruction=None, report=None):
            parts = [np.eye(3, dtype=np.float32)[["abc".index(letter) for letter in text]] for text in inputs]
            return Ragged.from_list(parts)

    documents = [Record("1", "ab"), Record("2", "cc"), Record("3", "a")]
    run = rank(Letters(), TestCollection(documents, {"q": "abb"}, {"q": {"1": 1.0}}))
    assert run.documents == [["1", "3", "2"]]
    assert run.scores[0].tolist() == [3.0, 1.0, 0.0]


def test_learned_sparse_vectors_are_not_ranked_by_bm25():
    encoder = WordEncoder()
    encoder.kind = "sparse"
    with pytest.raises(UsageError, match="learned sparse"):
        rank(encoder, TestCollection([Record("a", "heat")], {"q": "heat"}, {}))


def test_bad_collections_are_errors():
    encoder, one = WordEncoder(), [Record("a", "heat")]
    with pytest.raises(CorpusError, match="has no documents"):
        rank(encoder, TestCollection([], {"q": "heat"}, {}, name="none"))
    with pytest.raises(CorpusError, match="no question to rank for"):
        rank(encoder, TestCollection(one, {}, {}))
    with pytest.raises(CorpusError, match="1 document ids occur more than once"):
        rank(encoder, TestCollection(one * 2, {"q": "heat"}, {}))
    with pytest.raises(IsoglossError, match="1 of 1 have no text, the first is r"):
        rank(encoder, TestCollection(one, {"q": "heat"}, {"r": {"a": 1.0}}))
    with pytest.raises(CorpusError, match="none above 0"):
        rank(encoder, TestCollection(one, {"q": "heat"}, {"q": {"a": 0.0}}))
