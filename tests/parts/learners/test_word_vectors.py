"""Word vectors: neighbours by hand, the text format there and back, and through gensim."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from isogloss.errors import CorpusError, NonFiniteError, UsageError
from isogloss.learners.word_vectors import WordVectors, load_text


def table(rows, words="abcdef"):
    rows = np.asarray(rows, np.float32)
    return WordVectors(tuple(words[: len(rows)]), np.ones(len(rows), np.int64), rows)


def test_neighbours_by_hand():
    made = table([[1, 0], [2, 2], [0, 3], [-1, 0]])
    assert [word for word, _ in made.nearest("a", 9)] == ["b", "c", "d"]
    assert made.nearest("a", 1)[0][1] == pytest.approx(0.5**0.5)
    with pytest.raises(UsageError, match="has no vector"):
        made.vector("z")


FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)


@given(arrays(np.float32, st.tuples(st.integers(1, 5), st.integers(1, 4)), elements=FLOATS))
def test_the_text_format_keeps_every_bit(tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("text")
    for name in ("vectors.txt", "vectors.txt.gz"):
        table(rows).save_text(folder / name)
        back = load_text(folder / name)
        assert back.words == table(rows).words
        np.testing.assert_array_equal(back.vectors, rows)


def test_gensim_reads_it_and_glove_files_are_read(tmp_path):
    models = pytest.importorskip("gensim.models")
    made = table(np.random.default_rng(0).normal(size=(4, 3)))
    made.save_text(tmp_path / "v.txt")
    theirs = models.KeyedVectors.load_word2vec_format(str(tmp_path / "v.txt"))
    for word in made.words:
        np.testing.assert_array_equal(theirs[word], made.vector(word))
    (tmp_path / "glove.txt").write_text("the 1 2\nof 3 -4e-2\n", "utf-8")
    np.testing.assert_allclose(load_text(tmp_path / "glove.txt").vectors, [[1, 2], [3, -0.04]])


def test_broken_files_and_vectors_are_refused(tmp_path):
    for text, said in (("2 2\na 1 2\nb 1\n", "line 3 holds 1"), ("a x y\n", "line 1 holds 0"), ("", "no word vectors")):
        (tmp_path / "bad.txt").write_text(text, "utf-8")
        with pytest.raises(CorpusError) as raised:
            load_text(tmp_path / "bad.txt")
        assert said in str(raised.value)
    with pytest.raises(NonFiniteError, match="not finite"):
        table([[np.nan, 1]])
