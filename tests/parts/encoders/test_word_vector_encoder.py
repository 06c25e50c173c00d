"""Means of word vectors from a store, and what stands for words that it lacks."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isogloss.encoders.unknown_words import OWN_SHARE, edits, random_direction
from isogloss.encoders.word_conversion import convert
from isogloss.encoders.word_store import WordStore
from isogloss.encoders.word_vector_encoder import WordVectorEncoder, idf_weights, sif_weights
from isogloss.errors import UsageError

WORDS = ["the", "heat", "conduction", "New", "York", "well-known", "propeller", "propellers", "slipstream"]
ROWS = np.random.default_rng(3).standard_normal((len(WORDS), 16)).astype(np.float32)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    home = tmp_path_factory.mktemp("words")
    lines = [f"{word} {' '.join(map(repr, map(float, row)))}\n" for word, row in zip(WORDS, ROWS, strict=True)]
    (home / "a.txt").write_text("".join(lines), "utf-8")
    return WordStore.load(convert(home / "a.txt", home / "store"))


def unit(vector):
    return vector / np.linalg.norm(vector)


def test_a_mean_by_hand(store):
    encoder = WordVectorEncoder(store, finish="mean")
    found = encoder.encode(["The HEAT, unseen!", "", "New York is well-known", "conduction-slipstream"])
    expected = [ROWS[:2].mean(0), np.zeros(16), ROWS[3:6].mean(0), ROWS[[2, 8]].mean(0)]
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_weights_and_unit_words_by_hand(store):
    weights = np.arange(1, len(WORDS) + 1, dtype=np.float64)
    found = WordVectorEncoder(store, weights=weights, finish="mean").encode(["the heat"])
    np.testing.assert_allclose(found[0], (ROWS[0] + 2 * ROWS[1]) / 3, atol=1e-6)
    found = WordVectorEncoder(store, unit_words=True, finish="mean").encode(["the heat"])
    np.testing.assert_allclose(found[0], (unit(ROWS[0]) + unit(ROWS[1])) / 2, atol=1e-6)


def test_sif_and_idf_weights_by_hand(store):
    shares = 1 / (np.arange(len(WORDS)) + 2.7)
    np.testing.assert_allclose(sif_weights(store), 1e-3 / (1e-3 + shares / shares.sum()), rtol=1e-6)
    found = idf_weights(store, ["the heat of the", "the cold"])
    np.testing.assert_allclose(found[:3], [1, np.log(3 / 2) + 1, np.log(3) + 1], rtol=1e-6)


def test_a_misspelt_word_lies_near_the_meant_one(store):
    words = store.vectors(["conductoin", "propelers"], unknown="neighbours")
    assert store.nearest(words[0], 1)[0][0] == "conduction"
    assert {word for word, _ in store.nearest(words[1], 2)} == {"propeller", "propellers"}
    assert [word for word, _ in store.nearest("conductoin", 1)] == ["conduction"]


def test_the_mixture_by_hand(store):
    found = store.vectors(["heatz"], unknown="neighbours")[0]
    own, near = random_direction("heatz", 16), unit(ROWS[1])  # one word alone shares a letter n-gram
    expected = unit(OWN_SHARE * own + (1 - OWN_SHARE) * near) * np.median(np.linalg.norm(ROWS, axis=1))
    np.testing.assert_allclose(found, expected, atol=1e-5)
    np.testing.assert_allclose(store.nearest(ROWS[1], 1)[0][1], 1, atol=1e-6)


def test_a_word_like_none_has_its_own_direction(store):
    found = store.vectors(["xyzzyq"], unknown="neighbours")[0]
    np.testing.assert_allclose(unit(found), random_direction("xyzzyq", 16), atol=1e-6)


def test_another_process_draws_the_same_direction():
    code = "from isogloss.encoders.unknown_words import random_direction; print(random_direction('zyx', 5).tolist())"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60).stdout
    assert found.strip() == str(random_direction("zyx", 5).tolist())


@given(st.text("abc", max_size=6), st.text("abc", max_size=6))
def test_edits_are_a_distance(one, other):
    found = edits(one, other)
    assert found == edits(other, one)
    assert (found == 0) == (one == other)
    assert abs(len(one) - len(other)) <= found <= max(len(one), len(other))


def test_nearest_is_brute_force(store):
    cosines = np.array([unit(row) @ unit(ROWS[1]) for row in ROWS])
    cosines[1] = -1
    assert [word for word, _ in store.nearest("heat", 4)] == [WORDS[i] for i in np.argsort(-cosines)[:4]]


def test_what_the_store_lacks_is_said(store, tmp_path):
    (tmp_path / "a.txt").write_text("heat 1 2\nwing 3 4\n", "utf-8")
    bare = WordStore.load(convert(tmp_path / "a.txt", tmp_path / "store", neighbours=0))
    for lacking, manner in ((store, "letters"), (bare, "neighbours"), (bare, "colour")):
        with pytest.raises(UsageError, match="unknown words"):
            WordVectorEncoder(lacking, unknown=manner)
    with pytest.raises(UsageError, match="no vector"):
        bare.vector("cold")
    with pytest.raises(UsageError, match="do not belong together"):
        WordVectorEncoder(bare, weights=np.ones(3))
    with pytest.raises(UsageError, match="like spelling"):
        bare.vectors(["cold"], unknown="neighbours")


def test_an_index_is_built_from_a_file(tmp_path, monkeypatch, capsys):
    from isogloss.collection.collection import Collection

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "v.txt").write_text("cat 1 0 0\nkitten 0.9 0.1 0\ntax 0 1 0\nlaw 0 0.9 0.3\n", "utf-8")
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.txt").write_text("The kitten.", "utf-8")
    (tmp_path / "docs" / "b.txt").write_text("Tax law.", "utf-8")
    from isogloss.cli.main import main

    assert main(["add", "docs", "--index", "i", "--with", "words,v.txt"]) == 0
    monkeypatch.chdir("/")
    with Collection.open(tmp_path / "i") as opened:
        hits = opened.search("cat", k=1)
    assert "a.txt" in str(hits)
    capsys.readouterr()
