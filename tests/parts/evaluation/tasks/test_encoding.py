"""Encoding for tasks, similarities of pairs, margins, and what happens to bad input."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isogloss.arrays import CSR, Ragged, Similarity
from isogloss.corpus.examples import Candidates, LabelledPairs, ParallelTexts, ScoredPairs, Summaries
from isogloss.encoders.lexical import WordEncoder
from isogloss.encoders.names import load_encoder
from isogloss.errors import IsoglossError, IsoglossWarning, NonFiniteError, UsageError
from isogloss.evaluation.tasks import bitext, candidate_ranking, pair_classification, reranking, sts, summarisation
from isogloss.evaluation.tasks.encode import Encoding, joined, taken
from isogloss.evaluation.tasks.pairwise import OWN, alike, similarities


class Fixed:
    """Gives the vector that a text is said to have, and counts."""

    similarity = Similarity.COSINE
    modality = "text"

    def __init__(self, vectors):
        self.vectors, self.asked = vectors, []

    def encode(self, inputs, *, role=None, instruction=None, report=None):
        self.asked += [(role, text) for text in inputs]
        if report is not None:
            report.add(texts=len(inputs), tokens=len(inputs))
        return np.array([self.vectors[text] for text in inputs], np.float32)


class Shown:
    """A progress that remembers."""

    def __init__(self):
        self.total, self.done, self.open = 0, 0, 0

    def start(self, what, total, unit):
        self.total += total
        self.open += 1

    def advance(self, amount):
        self.done += amount

    def finish(self):
        self.open -= 1


PLANE = {"x": [1, 0], "y": [0, 1], "xy": [1, 1], "long": [10, 0]}


def test_a_text_is_encoded_once_for_each_role():
    encoder, shown = Fixed(PLANE), Shown()
    encoding = Encoding(encoder, shown)
    encoding.need([["x", "y"], ["y", "x"]])
    assert encoding.of(["y", "x", "y"]).tolist() == [[0, 1], [1, 0], [0, 1]]
    assert encoding.of(["xy", "x"]).tolist() == [[1, 1], [1, 0]]
    encoding.of(["x"], "query")
    assert encoder.asked == [(None, "x"), (None, "y"), (None, "xy"), ("query", "x")]
    assert encoding.details()["encoding"]["encoded"] == 4
    assert encoding.details()["encoding"]["asked"] == 6
    assert (shown.total, shown.done, shown.open) == (4, 4, 0)
    assert encoding.seconds > 0


@pytest.mark.parametrize("name", ["words", "static"])
def test_what_it_gives_is_what_the_encoder_gives(name):
    encoder = load_encoder(name)
    texts = ["heat flows", "cold water", "", "heat flows", "a stone"]
    encoding = Encoding(encoder)
    encoding.of(texts[:2])
    found, wanted = encoding.of(texts), encoder.encode(texts)
    if isinstance(found, CSR):
        assert (found.tocsr() != wanted.tocsr()).nnz == 0
    else:
        np.testing.assert_allclose(found, wanted, atol=1e-6)


@given(st.lists(st.integers(0, 3), min_size=1, max_size=6), st.integers(0, 5))
def test_blocks_of_any_kind_are_joined_and_taken(lengths, cut):
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    values = np.arange(offsets[-1], dtype=np.float32)
    whole = [
        Ragged(np.column_stack([values, values]), offsets),
        CSR(offsets, values.astype(np.int64), values, 100),
        np.arange(len(lengths), dtype=np.float32)[:, None],
    ]
    rows = np.arange(len(lengths))[::-1]
    for vectors in whole:
        parts = [taken(vectors, part) for part in (rows[::-1][:cut], rows[::-1][cut:])]
        back = taken(joined(parts), rows)
        for i, row in enumerate(rows):
            one, other = (taken(v, np.array([place])) for v, place in ((back, i), (vectors, row)))
            assert np.array_equal(getattr(one, "values", one), getattr(other, "values", other))


def test_bad_vectors_are_errors():
    with pytest.raises(NonFiniteError, match="1 of 2, the first is that of 'y'"):
        Encoding(Fixed({"x": [1, 0], "y": [np.nan, 0]})).of(["x", "y"])
    with pytest.raises(IsoglossError, match="nothing to encode"):
        Encoding(Fixed(PLANE)).of([])
    short = Fixed(PLANE)
    short.encode = lambda inputs, **_: np.zeros((1, 2), np.float32)
    with pytest.raises(IsoglossError, match="2 texts gave 1 vectors"):
        Encoding(short).of(["x", "y"])


def test_similarities_by_hand():
    left, right = (np.array([PLANE[t] for t in texts], np.float32) for texts in (["x", "long", "x"], ["y", "x", "xy"]))
    found = similarities(left, right, Similarity.COSINE)
    np.testing.assert_allclose(found["cosine"], [0, 1, np.sqrt(0.5)], atol=1e-12)
    assert found["dot"].tolist() == [0, 10, 1]
    assert found["manhattan"].tolist() == [-2, -9, -1]
    np.testing.assert_allclose(found["euclidean"], [-np.sqrt(2), -9, -1])
    assert found[OWN] is found["cosine"]
    zero = np.zeros((1, 2), np.float32)
    assert similarities(zero, zero, Similarity.COSINE)["cosine"].tolist() == [0.0]


def test_sparse_and_ragged_similarities_equal_the_dense_ones(monkeypatch):
    numbers = np.random.default_rng(0)
    tables = numbers.integers(0, 3, (2, 9, 7)).astype(np.float32)
    import scipy.sparse

    sparse = [CSR.fromcsr(scipy.sparse.csr_matrix(table)) for table in tables]
    dense, found = similarities(*tables, Similarity.DOT), similarities(*sparse, Similarity.DOT)
    for kind in ("cosine", "dot", OWN):
        np.testing.assert_allclose(found[kind], dense[kind], atol=1e-12)
    offsets = np.arange(0, 10, 3)
    sets = [Ragged(table, offsets) for table in tables]
    wanted = [(a @ b.T).max(1).sum() for a, b in zip(*(list(one) for one in sets), strict=True)]
    np.testing.assert_allclose(alike(*sets, Similarity.MAXSIM), wanted)
    monkeypatch.setattr("isogloss.evaluation.tasks.pairwise._BLOCK", 2)
    for kind, scores in similarities(*tables, Similarity.DOT).items():
        np.testing.assert_array_equal(scores, dense[kind])
    np.testing.assert_allclose(alike(*sets, Similarity.MAXSIM), wanted)
    with pytest.raises(UsageError, match="9 on the left, 8 on the right"):
        alike(tables[0], tables[1][:8], Similarity.DOT)
    with pytest.raises(UsageError, match="cannot be compared"):
        similarities(tables[0], tables[1], Similarity.HAMMING)
    with pytest.raises(UsageError, match="cannot be compared"):
        similarities(tables[0], sparse[1], Similarity.DOT)


def test_margins_equal_their_formula():
    numbers = np.random.default_rng(1)
    names = [f"{side}{i}" for side in "st" for i in range(12)]
    vectors = dict(zip(names, numbers.normal(size=(24, 3)), strict=True))
    encoder, texts = Fixed(vectors), ParallelTexts(names[:12], names[12:], ("a", "b"))
    unit = {name: vector / np.linalg.norm(vector) for name, vector in vectors.items()}
    table = np.array([[unit[s] @ unit[t] for t in texts.target] for s in texts.source])
    rows = np.sort(table, axis=1)[:, -4:].mean(1)[:, None]
    columns = np.sort(table, axis=0)[-4:].mean(0)[None]
    wanted = {"none": table, "ratio": table / ((rows + columns) / 2), "distance": table - (rows + columns) / 2}
    for margin, scores in wanted.items():
        items = bitext.run(encoder, texts, name="made up", margin=margin).samples["accuracy"].items
        assert items.tolist() == (scores.argmax(1) == np.arange(12)).tolist(), margin
    assert len({tuple(scores.argmax(1)) for scores in wanted.values()}) > 1, "margins change something here"
    with pytest.raises(UsageError, match="dense vectors"):
        bitext.run(WordEncoder(), texts, name="made up", margin="ratio")
    with pytest.raises(UsageError, match="no such margin"):
        bitext.run(encoder, texts, name="made up", margin="loss")


def test_constant_similarities_are_said_and_give_no_number():
    encoder = Fixed({text: [1, 1] for text in "abcd"})
    pairs = ["a", "b"], ["c", "d"]
    with pytest.warns(IsoglossWarning, match="all 2 predicted numbers are 1"):
        result = sts.run(encoder, ScoredPairs(*pairs, np.array([1.0, 2.0]), np.arange(2)), name="x")
    assert np.isnan(result.scores()[result.main])
    with pytest.warns(IsoglossWarning, match="all 2 scores are 1"):
        result = pair_classification.run(encoder, LabelledPairs(*pairs, np.array([1, 0]), np.arange(2)), name="x")
    assert result.scores()["max_ap"] == 0.5
    with pytest.warns(IsoglossWarning, match="one score"):
        result = reranking.run(encoder, Candidates(["a"], [["b", "c"]], [np.array([1.0, 0.0])]), name="x")
    assert result.scores()["map@1000"] == 0.5, "the right one stands last"
    with pytest.raises(IsoglossError, match="no text is left"):
        summarisation.run(encoder, Summaries([["a"]], [["b", "c"]], [np.array([1.0, 2.0])]), name="x")


def test_data_that_do_not_fit_are_errors():
    encoder = Fixed(PLANE)
    with pytest.raises(IsoglossError, match="two classes"):
        pair_classification.run(encoder, LabelledPairs(["x"], ["y"], np.array([1]), np.arange(1)), name="x")
    with pytest.raises(IsoglossError, match="at least two items"):
        sts.run(encoder, ScoredPairs(["x"], ["y"], np.array([1.0]), np.arange(1)), name="x")
    pairs = ScoredPairs(["x", "x"], ["y", "xy"], np.array([1.0, np.nan]), np.arange(2))
    with pytest.raises(IsoglossError, match="the true numbers are not finite"):
        sts.run(encoder, pairs, name="x")
    with pytest.raises(IsoglossError, match="1 source texts, 2 target texts"):
        bitext.run(encoder, ParallelTexts(["x"], ["y", "x"], ("a", "b")), name="x")
    with pytest.raises(IsoglossError, match="2 candidates and 1 grades"):
        candidate_ranking.run(encoder, Candidates(["x"], [["x", "y"]], [np.ones(1)]), name="x")
    with pytest.raises(IsoglossError, match="nothing to rank"):
        reranking.run(encoder, Candidates([], [], []), name="x")
    with pytest.raises(IsoglossError, match="no question is left"):
        reranking.run(encoder, Candidates(["x"], [["x", "y"]], [np.ones(2)]), name="x")
    with pytest.raises(IsoglossError, match="1 human, 2 machine summaries, 1 ratings"):
        summarisation.run(encoder, Summaries([["x"]], [["x", "y"]], [np.ones(1)]), name="x")
