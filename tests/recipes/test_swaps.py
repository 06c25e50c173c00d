"""Noise and constants of the same shape, for every kind of artifact."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isogloss.arrays import CSR, Hits, Ragged
from isogloss.corpus.examples import Candidates, LabelledTexts, TaggedSentences, TextPairs
from isogloss.corpus.judgements import RankedRun, TestCollection
from isogloss.encoders.lexical import WordEncoder
from isogloss.index.exact import Exact
from isogloss.protocols import Record
from isogloss.recipes._swaps import Unswappable, constant, noisy, shuffled_labels, shuffled_texts


class Words:
    """A dense encoder: counts of letters."""

    modality, similarity, calls = "text", None, 0

    def encode(self, inputs, **options):
        self.calls += 1
        return np.array([[text.count(letter) + 0.5 for letter in "abcdefgh"] for text in inputs], np.float32)


TEXTS = ["a bad cab", "egg", "head", "egg"]


def test_noise_keeps_shape_dtype_and_length():
    clean, made = Words().encode(TEXTS), noisy(Words(), 1.0, 3).encode(TEXTS)
    assert made.dtype == np.float32
    assert np.allclose(np.linalg.norm(made, axis=1), np.linalg.norm(clean, axis=1), rtol=1e-5)
    cosines = (made * clean).sum(1) / (np.linalg.norm(made, axis=1) * np.linalg.norm(clean, axis=1))
    assert cosines.max() < 0.9


def test_there_is_no_way_round_the_noise():
    class Batched(Words):
        def encode_batches(self, inputs, **options):
            yield np.arange(len(inputs)), self.encode(inputs)

    made = noisy(Batched(), 1.0, 3)
    assert not hasattr(made, "encode_batches")
    assert (made.encode(TEXTS) != Words().encode(TEXTS)).any()


def test_equal_texts_get_equal_noise_in_any_batch():
    one = noisy(Words(), 0.7, 3)
    together = one.encode(TEXTS)
    assert np.array_equal(together[1], together[3])
    assert np.array_equal(together[2], one.encode(["head"])[0])
    assert not np.array_equal(together, noisy(Words(), 0.7, 4).encode(TEXTS))


def test_clean_outputs_are_made_once():
    inner = Words()
    made = noisy(inner, 0.5, 0)
    made.encode(TEXTS)
    made.encode(TEXTS)
    assert inner.calls == 1


@given(st.floats(0, 1), st.floats(0, 1))
def test_more_noise_is_farther(first, second):
    clean = np.arange(1.0, 41.0).reshape(5, 8)
    less, more = (np.linalg.norm(noisy(clean, share, 1) - clean) for share in sorted((first, second)))
    assert less <= more + 1e-9
    assert np.array_equal(noisy(clean, 0.0, 1), clean)


@pytest.mark.parametrize(
    "artifact",
    [
        np.arange(12.0).reshape(3, 4),
        np.arange(5.0),
        np.arange(20),
        Ragged(np.arange(8.0, dtype=np.float32).reshape(4, 2), np.array([0, 1, 4])),
        Hits(np.arange(20).reshape(4, 5), np.ones((4, 5), np.float32)),
        RankedRun.from_scores({"q": {f"d{i}": float(i) for i in range(9)}}),
        {"scores": np.arange(6.0), "name": "x"},
        (1.0, 2.0, 3.0),
    ],
    ids=lambda artifact: type(artifact).__name__,
)
def test_every_artifact_is_replaced_in_its_own_shape(artifact):
    made = noisy(artifact, 1.0, 2)
    assert type(made) is type(artifact)
    assert repr(made) != repr(artifact)
    assert repr(noisy(artifact, 1.0, 2)) == repr(made)
    assert type(constant(artifact)) is type(artifact)


def test_sparse_encoders():
    clean = WordEncoder().encode(["red green blue", "green"])
    made = noisy(WordEncoder(), 1.0, 0).encode(["red green blue", "green"])
    assert isinstance(made, CSR)
    assert made.shape == clean.shape
    assert not np.intersect1d(made.indices, clean.indices).size
    flat = constant(WordEncoder()).encode(["red green blue", "green"])
    assert np.array_equal(flat.row(0)[0], flat.row(1)[0])


def test_an_index_answers_at_random_but_keeps_its_truth():
    draw = np.random.default_rng(0)
    vectors = draw.normal(size=(50, 4)).astype(np.float32)
    index = Exact()
    index.add(np.arange(50), vectors)
    made = noisy(index, 1.0, 0)
    assert not np.array_equal(made.search(vectors, 3).rows, index.search(vectors, 3).rows)
    assert np.array_equal(made.score_all(vectors[:1])[1], index.score_all(vectors[:1])[1])
    assert len(made) == 50
    assert len(np.unique(constant(index).search(vectors, 3).rows, axis=0)) == 1


def test_functions_dataclasses_and_predictors():
    @dataclass
    class Pair:
        values: np.ndarray
        label: str = "x"

    class Tagger:
        def predict(self, texts):
            return np.array([len(text) for text in texts])

    assert noisy(lambda x: x * 2.0, 1.0, 0)(np.ones(4)).shape == (4,)
    assert (noisy(Pair(np.ones(5)), 1.0, 0).values != 1).any()
    assert sorted(noisy(Tagger(), 1.0, 0).predict(TEXTS)) == sorted(Tagger().predict(TEXTS))
    assert len(set(constant(Tagger()).predict(TEXTS))) == 1
    assert noisy(2.0, 1.0, 0) != 2.0


def test_what_has_no_outputs_is_said():
    with pytest.raises(Unswappable, match="object"):
        noisy(object(), 1.0, 0)
    with pytest.raises(Unswappable, match="nothing in the mapping"):
        noisy({"a": object()}, 1.0, 0)
    with pytest.raises(Unswappable, match="constant already"):
        constant(1.0)


def test_labels_are_permuted_and_nothing_else():
    texts = LabelledTexts([f"t{i}" for i in range(30)], np.arange(30) % 3, ["a", "b", "c"])
    made, count = shuffled_labels(texts, 1)
    assert count == 30
    assert made.texts == texts.texts
    assert sorted(made.labels) == sorted(texts.labels)
    assert not np.array_equal(made.labels, texts.labels)


def test_pairs_get_other_partners():
    pairs = TextPairs([f"q{i}" for i in range(30)], [f"p{i}" for i in range(30)], [])
    made, count = shuffled_labels(pairs, 1)
    assert count == 30
    assert made.queries == pairs.queries
    assert sorted(made.positives) == sorted(pairs.positives)
    assert sum(a == b for a, b in zip(made.positives, pairs.positives, strict=True)) < 6


def test_judgements_go_to_other_questions():
    qrels = {f"q{i}": {f"d{i}": 1.0} for i in range(20)}
    documents = [Record(f"d{i}", "text") for i in range(20)]
    made, count = shuffled_labels(TestCollection(documents, {q: q for q in qrels}, qrels), 0)
    assert count == 20
    assert made.qrels != qrels
    assert sorted(map(str, made.qrels.values())) == sorted(map(str, qrels.values()))


def test_grades_and_tags_move_inside_their_question():
    grades = [np.array([1.0, 0, 0, 0, 0, 0, 0, 0, 0, 0])] * 4
    made, _ = shuffled_labels(Candidates(["q"] * 4, [["d"] * 10] * 4, grades), 0)
    assert all(one.sum() == 1 for one in made.grades)
    assert any(one[0] == 0 for one in made.grades)
    tags, _ = shuffled_labels(TaggedSentences([["a"] * 6], [["N", "V", "N", "A", "D", "P"]]), 0)
    assert sorted(tags.tags[0]) == ["A", "D", "N", "N", "P", "V"]


def test_rows_and_texts():
    rows = [{"text": str(i), "label": i} for i in range(20)]
    made, count = shuffled_labels(rows, 0)
    assert count == 20
    assert [row["text"] for row in made] == [str(i) for i in range(20)]
    assert [row["label"] for row in made] != list(range(20))
    assert shuffled_labels(["a", "b"], 0)[1] == 0
    assert shuffled_texts(["a b c", "d e f", "g h i"], 0) != ["a b c", "d e f", "g h i"]
