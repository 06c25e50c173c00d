"""The word encoder: contract of an encoder, identity, and quality on known collections."""

from __future__ import annotations

import gzip
import json

import numpy as np
import pytest

from isogloss.arrays import CSR
from isogloss.encoders.lexical import WordEncoder
from isogloss.errors import UsageError
from isogloss.index.inverted import Inverted
from isogloss.protocols import Encoder, EncodeReport


def test_it_is_an_encoder_of_sparse_counts():
    encoder = WordEncoder()
    assert isinstance(encoder, Encoder)
    vectors = encoder.encode("heat of heat")
    assert isinstance(vectors, CSR)
    assert vectors.shape == (1, encoder.dimensions) == (1, 2**63 - 1)
    assert sorted(vectors.values.tolist()) == [1, 2]
    assert (encoder.kind, encoder.name, encoder.window, encoder.languages) == ("words", "words", 0, None)
    assert WordEncoder(language="en").name == "words:en"
    assert len(encoder.probes) == 8
    assert len(encoder.encode([])) == 0
    query, document = encoder.encode_query("heat"), encoder.encode_document("heat")
    assert (query.indices == document.indices).all()


def test_one_by_one_equals_a_batch():
    texts = ["", "a", "Köln 大熊猫 \0 \u200f مرحبا", "x" * 10_000, "\ud800", "the end"]
    batch = WordEncoder().encode(texts)
    for i, text in enumerate(texts):
        alone = WordEncoder().encode(text)
        np.testing.assert_array_equal(batch.row(i)[0], alone.indices)
        np.testing.assert_array_equal(batch.row(i)[1], alone.values)


def test_identity_follows_the_words_and_nothing_else():
    base = WordEncoder()
    assert base.identity == WordEncoder(k1=2, b=0.1, variant="robertson").identity
    others = [
        WordEncoder(language="en"),
        WordEncoder(language="de"),
        WordEncoder(fold_accents=False),
        WordEncoder(language="en", stop_words=True),
    ]
    assert len({base.identity, *(other.identity for other in others)}) == 5


def test_words_for_snippets_are_those_that_are_searched():
    encoder = WordEncoder(language="en", stop_words=True)
    text = "The connections – naïve ones – were lost."
    assert encoder.words(text) == [("connect", 4, 15), ("naiv", 18, 23), ("one", 24, 28), ("lost", 36, 40)]


def test_the_report_counts_words_and_cuts_nothing():
    report = EncodeReport()
    WordEncoder().encode(["one two two", ""], report=report)
    assert report.to_dict() == {"texts": 2, "tokens": 3, "cut": 0, "lost": 0, "window": 0}


def test_what_is_not_text_is_an_error():
    with pytest.raises(UsageError, match="item 1"):
        WordEncoder().encode(["a", 2])
    with pytest.raises(UsageError, match="xx"):
        WordEncoder(language="xx")


def _ndcg(folder, encoder):
    """Return the mean nDCG@10 of a BEIR folder's test questions, titles in front of texts."""
    with gzip.open(folder / "corpus.jsonl.gz", "rt", encoding="utf-8") as lines:
        documents = [json.loads(line) for line in lines]
    with gzip.open(folder / "queries.jsonl.gz", "rt", encoding="utf-8") as lines:
        questions = {row["_id"]: row["text"] for row in map(json.loads, lines)}
    gains: dict[str, dict[str, float]] = {}
    for line in (folder / "qrels" / "test.tsv").read_text().splitlines()[1:]:
        question, document, score = line.split("\t")[:3]
        gains.setdefault(question, {})[document] = float(score)
    index = Inverted(variant=encoder.variant, k1=encoder.k1, b=encoder.b)
    texts = [f"{document.get('title', '')} {document['text']}" for document in documents]
    index.add(np.arange(len(texts)), encoder.encode_document(texts))
    hits = index.search(encoder.encode_query([questions[question] for question in gains]), 10)
    discount = 1 / np.log2(np.arange(2, 12))
    means = []
    for (_, judged), rows in zip(gains.items(), hits.rows.tolist(), strict=True):
        got = [judged.get(documents[row]["_id"], 0) if row >= 0 else 0 for row in rows]
        ideal = sorted(judged.values(), reverse=True)[:10]
        means.append(np.dot(got, discount) / np.dot(ideal, discount[: len(ideal)]))
    return float(np.mean(means))


def test_scifact_is_as_published(data):
    # Thakur et al., "BEIR" (2021): .665 with Lucene's stemming and stop words and k1 .9, b .4
    folder = data("scifact")
    assert _ndcg(folder, WordEncoder()) == pytest.approx(0.662, abs=0.004)
    assert _ndcg(folder, WordEncoder(language="en", stop_words=True)) == pytest.approx(0.677, abs=0.004)


def test_cranfield_and_chinese_questions(data):
    assert _ndcg(data("cranfield"), WordEncoder(language="en", stop_words=True)) == pytest.approx(0.422, abs=0.01)
    assert _ndcg(data("drcd"), WordEncoder()) == pytest.approx(0.970, abs=0.004)
