"""Files of word vectors: what gensim writes is read as gensim reads it, and what is broken is said with its place."""

from __future__ import annotations

import gzip
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isogloss.encoders.fasttext_file import read_fasttext
from isogloss.encoders.names import load_encoder
from isogloss.encoders.pruned_words import open_words
from isogloss.encoders.word_conversion import convert
from isogloss.encoders.word_files import format_of
from isogloss.encoders.word_store import WordStore
from isogloss.errors import ModelError, UnsupportedModelError, UsageError

WORDS = ["the", "naïve", "猫", ". . .", "New_York", "😀"]
ROWS = np.random.default_rng(0).standard_normal((len(WORDS), 5)).astype(np.float32)
SENTENCES = ["the cat sat on the mat", "a naïve猫 dog ran", "dogs and cats running naïvely"] * 4


def opened(path, folder, **settings):
    return WordStore.load(convert(path, folder, **settings))


def words_of(store):
    return [store.word(row) for row in range(len(store))]


def as_text(words, rows, header=False):
    head = f"{len(words)} {rows.shape[1]}\n" if header else ""
    return head + "".join(f"{w} {' '.join(map(repr, map(float, r)))}\n" for w, r in zip(words, rows, strict=True))


def as_binary(words, rows, after=b""):
    body = b"".join(w.encode() + b" " + r.astype("<f4").tobytes() + after for w, r in zip(words, rows, strict=True))
    return f"{len(words)} {rows.shape[1]}\n".encode() + body


@pytest.mark.parametrize("header", [True, False])
@pytest.mark.parametrize("name", ["a.txt", "a.vec", "a.txt.gz"])
def test_text_with_spaces_in_words_is_read_bit_for_bit(tmp_path, header, name):
    content = as_text(WORDS, ROWS, header).encode()
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    store = opened(tmp_path / name, tmp_path / "store")
    assert words_of(store) == WORDS
    np.testing.assert_array_equal(store.vectors(WORDS), ROWS)


@pytest.mark.parametrize("after", [b"", b"\n"])
def test_binary_is_read_bit_for_bit(tmp_path, after):
    words = [word for word in WORDS if " " not in word]
    (tmp_path / "a.bin").write_bytes(as_binary(words, ROWS[: len(words)], after))
    store = opened(tmp_path / "a.bin", tmp_path / "store")
    assert words_of(store) == words
    np.testing.assert_array_equal(store.vectors(words), ROWS[: len(words)])


@pytest.mark.parametrize("binary", [True, False])
def test_gensim_and_we_read_the_same(tmp_path, binary):
    gensim = pytest.importorskip("gensim.models")
    vectors = gensim.KeyedVectors(7)
    words = [f"w{i}é" for i in range(3000)]
    vectors.add_vectors(words, np.random.default_rng(1).standard_normal((3000, 7)).astype(np.float32))
    path = tmp_path / ("a.bin" if binary else "a.txt")
    vectors.save_word2vec_format(str(path), binary=binary)
    theirs = gensim.KeyedVectors.load_word2vec_format(str(path), binary=binary)
    store = opened(path, tmp_path / "store")
    assert words_of(store) == theirs.index_to_key
    np.testing.assert_array_equal(store.vectors(words), theirs.vectors)
    assert [word for word, _ in store.nearest("w5é", 5)] == [word for word, _ in theirs.most_similar("w5é", topn=5)]


@pytest.fixture(scope="module")
def model():
    return pytest.importorskip("gensim.models").FastText(
        [line.split() for line in SENTENCES],
        vector_size=8,
        min_count=1,
        epochs=2,
        bucket=50,
        min_n=2,
        max_n=4,
        workers=1,
    )


@pytest.fixture(scope="module")
def written(model, tmp_path_factory):
    from gensim.models.fasttext import save_facebook_model

    path = tmp_path_factory.mktemp("fasttext") / "a.bin"
    save_facebook_model(model, str(path))
    return path


def test_fasttext_gives_known_and_unknown_words_as_gensim_does(written, tmp_path):
    from gensim.models.fasttext import load_facebook_vectors

    theirs, store = load_facebook_vectors(str(written)), opened(written, tmp_path / "store")
    assert words_of(store) == theirs.index_to_key
    np.testing.assert_allclose(store.vectors(theirs.index_to_key), theirs.vectors, atol=1e-6)
    unknown = ["catlike", "naïf", "猫猫", "q", "doggies", "😀at"]
    np.testing.assert_allclose(store.of_letters(unknown), np.stack([theirs[word] for word in unknown]), atol=1e-6)
    assert store.arrays["counts"].tolist() == [theirs.get_vecattr(word, "count") for word in theirs.index_to_key]


def test_the_end_of_sentence_has_no_letters(tmp_path):
    rows = np.arange(8, dtype=np.float32).reshape(4, 2)  # two words, two buckets
    path = tmp_path / "a.bin"
    path.write_bytes(fasttext_bytes(["</s>", "a"], rows, buckets=2))
    store = opened(path, tmp_path / "store")
    assert store.vector("</s>").tolist() == [0.0, 1.0]
    assert store.vector("a").tolist() != [2.0, 3.0]


def fasttext_bytes(words, rows, *, buckets, pruned=None, quantised=b"", version=12):
    args = (rows.shape[1], 5, 5, 1, 5, 1, 1, 2, buckets, 2, 3, 100)
    dictionary = b"".join(word.encode() + b"\0" + struct.pack("<qb", 3, 0) for word in words)
    head = struct.pack("<2i", 793712314, version) + struct.pack("<12id", *args, 1e-4)
    sizes = struct.pack("<iiiqq", len(words), len(words), 0, 30, -1 if pruned is None else len(pruned))
    dictionary += b"".join(struct.pack("<2i", *pair) for pair in pruned or ())
    plain = struct.pack("<2q", *rows.shape) + rows.astype("<f4").tobytes()
    return head + sizes + dictionary + bytes([bool(quantised)]) + (quantised or plain)


def test_quantised_rows_by_hand(tmp_path):
    # three components in two parts, of two and of one; each row's length is coded apart
    first, last, norms = np.zeros((256, 2)), np.zeros((256, 1)), np.zeros((256, 1))
    first[3], last[7], norms[1], norms[2] = [1, 2], [3], [10], [0.5]
    codes = np.array([[3, 7], [3, 0], [0, 7]], np.uint8)
    product = struct.pack("<4i", 3, 2, 2, 1) + np.concatenate([first.ravel(), last.ravel()]).astype("<f4").tobytes()
    lengths = bytes([1, 2, 1]) + struct.pack("<4i", 1, 1, 1, 1) + norms.astype("<f4").tobytes()
    body = b"\1" + struct.pack("<2qi", 3, 3, 6) + codes.tobytes() + product + lengths
    path = tmp_path / "a.ftz"
    path.write_bytes(fasttext_bytes(["a", "b"], np.zeros((3, 3), np.float32), buckets=1, quantised=body))
    np.testing.assert_allclose(read_fasttext(path).rows, [[10, 20, 30], [0.5, 1, 0], [0, 0, 30]])


def _broken():
    good = as_text(WORDS[:3], ROWS[:3], header=True)
    lines = good.splitlines(keepends=True)
    binary = as_binary(WORDS[:3], ROWS[:3])
    model = fasttext_bytes(["a", "b"], np.zeros((4, 2), np.float32), buckets=2)
    nan = ROWS[:3].copy()
    nan[1, 2] = np.nan
    return {
        "empty.txt": (b"", "empty"),
        "promise.txt": ("".join(lines[:-1]).encode(), "3 words, 2 lines"),
        "short.txt": ((lines[0] + lines[1] + "cat 1 2\n" + lines[3]).encode(), "line 3 holds 2 numbers, 5"),
        "word.txt": ((lines[0] + lines[1] + "cat 1 2 x 4 5\n" + lines[3]).encode(), "line 3 has b'x'"),
        "gap.txt": ((lines[0] + lines[1] + "\n" + lines[3]).encode(), "line 3"),
        "nan.txt": (as_text(WORDS[:3], nan).encode(), "line 2"),
        "prose.txt": (b"Hello.\nThis is no file of vectors.\n", "first line has 1 fields"),
        "latin.txt": ((lines[0] + lines[1]).encode() + lines[2].encode("latin-1") + lines[3].encode(), "line 3"),
        "twice.txt": ((lines[0] + lines[1] * 2 + lines[3]).encode(), "word 1 and word 2 of 3"),
        "cut.bin": (binary[:-3], "word 3 of 3, which begins at byte"),
        "long.bin": (binary + b"more", "end at byte"),
        "nan.bin": (as_binary(WORDS[:3], nan), "word 2"),
        "cut-model.bin": (model[:-4], "matrix of rows begins at byte"),
        "cut-words.bin": (model[:95], "entry 1"),
        "pickle.bin": (b"\x80\x04\x95", "pickle"),
        "archive.bin": (b"PK\x03\x04", "zip"),
    }


@pytest.mark.parametrize("name", sorted(_broken()))
def test_a_broken_file_is_refused_with_its_place(tmp_path, name):
    content, said = _broken()[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ModelError, match=said):
        convert(tmp_path / name, tmp_path / "store")
    assert not (tmp_path / "store").exists()
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_what_is_not_supported_is_said(tmp_path):
    (tmp_path / "a.bin").write_bytes(fasttext_bytes(["a"], np.zeros((3, 2), np.float32), buckets=2, version=13))
    with pytest.raises(UnsupportedModelError, match="13"):
        convert(tmp_path / "a.bin", tmp_path / "store")


def grams_by_hand(word, shortest, longest, buckets):
    """fastText's n-grams of ``<word>`` as bucket numbers, letter by letter."""
    letters, found = f"<{word}>", []
    for start in range(len(letters)):
        for stop in range(start + shortest, min(start + longest, len(letters)) + 1):
            value = 2166136261
            for byte in letters[start:stop].encode():
                signed = byte - 256 if byte > 127 else byte
                value = ((value ^ (signed & 0xFFFFFFFF)) * 16777619) & 0xFFFFFFFF
            found.append(value % buckets)
    return found


def pruned_file(path, *, buckets=40, seed=0):
    """A pruned model: half of the n-grams have rows, in mixed order; returns its words, rows and pairs."""
    draw = np.random.default_rng(seed)
    words, kept = ["cat", "naïve", "猫猫", "</s>"], draw.permutation(buckets)[: buckets // 2]
    pairs = list(zip(kept.tolist(), draw.permutation(len(kept)).tolist(), strict=True))
    rows = draw.standard_normal((len(words) + len(kept), 4)).astype(np.float32)
    path.write_bytes(fasttext_bytes(words, rows, buckets=buckets, pruned=pairs))
    return words, rows, dict(pairs)


def by_hand(word, words, rows, pairs, *, buckets=40):
    """The mean of a word's own row and of the rows that its n-grams have kept; zeros where there is none."""
    of_grams = [] if word == "</s>" else [pairs[one] for one in grams_by_hand(word, 2, 3, buckets) if one in pairs]
    own = [rows[words.index(word)]] if word in words else []
    taken = own + [rows[len(words) + one] for one in of_grams]
    return np.mean(taken, axis=0) if taken else np.zeros(rows.shape[1])


@pytest.mark.parametrize("seed", range(3))
def test_a_pruned_model_forgets_the_ngrams_that_it_lost(tmp_path, seed):
    words, rows, pairs = pruned_file(tmp_path / "a.ftz", seed=seed)
    store = open_words(convert(tmp_path / "a.ftz", tmp_path / "store")).store
    asked = [*words, "cats", "naïv", "猫", "z", "doggies"]
    expected = np.stack([by_hand(word, words, rows, pairs) for word in asked])
    np.testing.assert_allclose(store.vectors(asked, unknown="letters"), expected, atol=1e-6)
    every = {one: 0 for one in range(40)}  # who counted those that are gone would divide by too many
    assert any(
        by_hand(word, words, rows, every).tolist() != by_hand(word, words, rows, pairs).tolist() for word in asked
    )


def test_a_pruned_model_is_an_encoder_of_its_own_identity(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    words, rows, pairs = pruned_file(tmp_path / "a.ftz")
    encoder = load_encoder(str(tmp_path / "a.ftz"))
    assert (encoder.unknown, encoder.dimensions) == ("letters", 4)
    meant = np.mean([by_hand(word, words, rows, pairs) for word in ("cat", "dog")], axis=0)
    np.testing.assert_allclose(encoder.encode(["cat dog"])[0], meant / np.linalg.norm(meant), atol=1e-6)
    folder = convert(tmp_path / "a.ftz", tmp_path / "store", encoder={"unknown": "skip", "sif": 1e-3})
    other = load_encoder(str(folder))
    assert (other.unknown, other.weights is None) == ("skip", False)
    swapped = {b: pairs[a] for a, b in zip(pairs, list(pairs)[1:] + list(pairs)[:1], strict=True)}
    (tmp_path / "b.ftz").write_bytes(fasttext_bytes(words, rows, buckets=40, pruned=list(swapped.items())))
    assert load_encoder(str(tmp_path / "b.ftz")).identity != encoder.identity
    with pytest.raises(ModelError, match="pruned-1"):
        WordStore.load(folder)


def test_a_model_pruned_to_its_words_has_no_letters(tmp_path):
    (tmp_path / "a.ftz").write_bytes(fasttext_bytes(["a", "b"], ROWS[:2], buckets=9, pruned=[]))
    store = opened(tmp_path / "a.ftz", tmp_path / "store")
    np.testing.assert_array_equal(store.vectors(["a", "b"]), ROWS[:2])
    assert not store.has_letters


@pytest.mark.parametrize("pairs", [[(0, 0), (9, 1)], [(0, 0), (1, 2)], [(3, 0), (3, 1)], [(-1, 0), (1, 1)]])
def test_a_pruned_model_that_contradicts_itself_is_refused(tmp_path, pairs):
    (tmp_path / "a.ftz").write_bytes(fasttext_bytes(["a"], ROWS[:3], buckets=9, pruned=pairs))
    with pytest.raises(ModelError, match="contradicts itself"):
        convert(tmp_path / "a.ftz", tmp_path / "store")


def test_the_first_of_a_repeated_word_may_count(tmp_path):
    (tmp_path / "a.txt").write_text("a 1 2\nb 3 4\na 5 6\n", "utf-8")
    store = opened(tmp_path / "a.txt", tmp_path / "store", repeated="first")
    assert store.vector("a").tolist() == [1.0, 2.0]


def test_formats_are_told_apart(tmp_path, written):
    (tmp_path / "a.bin").write_bytes(as_binary(["a"], ROWS[:1]))
    (tmp_path / "b.bin").write_text(as_text(["a"], ROWS[:1], header=True))
    assert [format_of(path) for path in (tmp_path / "a.bin", tmp_path / "b.bin", written)] == [
        "word2vec binary", "text", "fastText"
    ]  # fmt: skip


def test_a_file_is_an_encoder_by_its_path_and_converted_once(tmp_path, monkeypatch, written):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    encoder = load_encoder(str(written))
    assert (encoder.name, encoder.dimensions, encoder.unknown) == ("a", 8, "letters")
    stamps = {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*.safetensors")}
    again = load_encoder(str(written))
    assert again.identity == encoder.identity
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*.safetensors")} == stamps
    assert len(stamps) == 1
    np.testing.assert_array_equal(again.encode(["a cat"]), encoder.encode(["a cat"]))


def test_a_changed_file_is_converted_anew(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    path = tmp_path / "a.txt"
    path.write_text("cat 1 0\ndog 0 1\n", "utf-8")
    first = load_encoder(str(path)).encode(["cat"])
    path.write_text("cat 0 1\ndog 1 0 \n", "utf-8")
    assert first.tolist() == [[1.0, 0.0]]
    assert load_encoder(str(path)).encode(["cat"]).tolist() == [[0.0, 1.0]]
    assert len(list((tmp_path / "cache").rglob("config.json"))) == 1


def test_a_converted_folder_is_an_encoder_with_its_settings(tmp_path):
    (tmp_path / "a.txt").write_text(as_text(["cat", "dog"], ROWS[:2]), "utf-8")
    folder = convert(tmp_path / "a.txt", tmp_path / "store", encoder={"unknown": "random", "sif": 1e-3})
    encoder = load_encoder(str(folder))
    assert encoder.unknown == "random"
    assert encoder.weights[0] < encoder.weights[1] < 1
    convert(tmp_path / "a.txt", tmp_path / "other", encoder={"colour": "red"})
    with pytest.raises(UsageError, match="colour"):
        load_encoder(str(tmp_path / "other"))


def test_the_folder_is_a_sound_safetensors_file(tmp_path):
    from safetensors.numpy import load_file

    (tmp_path / "a.txt").write_text(as_text(["cat", "dog"], ROWS[:2]), "utf-8")
    folder = convert(tmp_path / "a.txt", tmp_path / "store")
    found = load_file(folder / "model.safetensors")
    np.testing.assert_array_equal(found["embeddings"], ROWS[:2])
    with pytest.raises(ModelError, match="there already"):
        convert(tmp_path / "a.txt", folder)


@settings(max_examples=10, deadline=None)
@given(
    st.lists(st.text(st.characters(exclude_categories=["Zs", "Zl", "Zp", "Cc", "Cs"]), min_size=1, max_size=6),
             min_size=1, max_size=12, unique=True),
    st.integers(2, 6), st.integers(0, 99),
)  # fmt: skip
def test_text_and_binary_hold_the_same(tmp_path_factory, words, dimensions, seed):
    home = tmp_path_factory.mktemp("both")
    rows = np.random.default_rng(seed).standard_normal((len(words), dimensions)).astype(np.float32)
    (home / "a.txt").write_text(as_text(words, rows, header=True), "utf-8")
    (home / "a.bin").write_bytes(as_binary(words, rows))
    text, binary = opened(home / "a.txt", home / "text"), opened(home / "a.bin", home / "binary")
    assert words_of(text) == words_of(binary) == words
    assert text.identity == binary.identity
    np.testing.assert_array_equal(text.vectors(words), binary.vectors(words))
