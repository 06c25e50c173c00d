"""WordPiece: hand values, and all three paths token for token against the ``tokenizers`` package."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isogloss.arrays import counting
from isogloss.compiled import numba_available
from isogloss.errors import ModelError
from isogloss.vocabulary.pooling import pooling_of
from isogloss.vocabulary.tokenizer_pieces import TokenizerPieces
from isogloss.vocabulary.wordpiece import WordPiece, bundled, unlike_bert

VOCABULARY = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "[MASK]",
    "snow",
    "##man",
    "##m",
    "##a",
    "s",
    "##n",
    "!",
    "[",
    "]",
    "日",
    "e",
]
TRICKY = [
    "",
    "   ",
    "\x00\x01\x1f\x7f",
    "a\x00b\tc\x0bd\x85e\xa0f\u2028g",
    "The [SEP] token, [sep], [MASK][CLS] and [ MASK ]",
    "x" * 100,
    "x" * 101,
    "y" * 99 + "é" + " tail",
    "é" * 100 + " " + "é" * 101,
    "Ünïcödé naïve Ångström İstanbul ǅ ß ﬁ K Ω ≠ ≮ \u037e \u1fef",
    "日本語とかな 中文，标点。한국어 \uf900 \U0002f800 𠀀",
    "ไทยภาษา हिन्दी क़ मराठी தமிழ் عربى עִבְרִית",
    "a\u0301\u0323b \u0301 \u1b44\u302e \u302e\u1b44 c\u302e\u1b44d \U0001d165\U0001d16e \U00016ff0\u302e",
    "emoji 👩‍👩‍👧 🇩🇪 ™ ½ ² ﷺ \ufeff \u200b \u200d \ufffd \U000e0001 \U0010fffd",
    "don't stop-over e.g. 3.14 $5 50% a_b `c` ~d^ {e}|",
]


@pytest.fixture(scope="module")
def oracle():
    """The tokenizer of the bundled model as ``tokenizers`` reads it, by the file alone."""
    tokenizers = pytest.importorskip("tokenizers")
    from isogloss.encoders.static import bundled_static

    file = os.path.join(
        os.path.dirname(sys.modules[type(bundled_static()).__module__].__file__), "assets/isogloss-static"
    )
    return tokenizers.Tokenizer.from_file(os.path.join(file, "tokenizer.json"))


def theirs(oracle, texts):
    return [found.ids for found in oracle.encode_batch(texts, add_special_tokens=False)]


def ours(texts, threads=1):
    return [row.tolist() for row in bundled()._compiled_ids(texts, threads)]


@pytest.fixture
def small():
    return WordPiece(VOCABULARY)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("Snowman!", "snow ##man !"),
        ("SNOWMAMA", "snow ##m ##a ##m ##a"),
        ("snowx", "[UNK]"),  # a word whose rest is unknown is unknown as a whole
        ("s[SEP]s [sep]", "s [SEP] s [ [UNK] ]"),
        ("日é", "日 e"),
        (" \x07 ", ""),
    ],
)
def test_hand_values(small, text, tokens):
    expected = [VOCABULARY.index(token) for token in tokens.split()]
    assert small.ids([text])[0].tolist() == expected
    assert list(small._exact([text])[0]) == expected
    if numba_available():
        assert small._compiled_ids([text], 1)[0].tolist() == expected


@pytest.mark.skipif(not numba_available(), reason="Numba is not there or switched off")
class TestKernel:
    def test_tricky_texts(self, oracle):
        assert ours(TRICKY) == theirs(oracle, TRICKY)

    @pytest.mark.parametrize(
        "pages",
        [range(0, 0x110000 >> 8, 29), pytest.param(range(0x110000 >> 8), marks=pytest.mark.slow)],
        ids=["some", "all"],
    )
    def test_every_character(self, oracle, pages):
        valid = [chr(c) for page in pages for c in range(page << 8, page + 1 << 8) if not 0xD800 <= c <= 0xDFFF]
        texts = ["a" + "a".join(valid[i : i + 64]) + "a b" for i in range(0, len(valid), 64)]
        assert ours(texts) == theirs(oracle, texts)

    @given(st.lists(st.text(), max_size=5))
    def test_any_text(self, oracle, texts):
        assert ours(texts) == theirs(oracle, texts)

    @given(st.lists(st.text(alphabet="aAbẹ́́क़्᭄〮日!. [SEP]\x00\t", max_size=30), max_size=5))
    def test_marks_and_added_tokens(self, oracle, texts):
        assert ours(texts) == theirs(oracle, texts)

    @given(st.lists(st.text(alphabet="snowma! []PU日é\u0301", max_size=40), min_size=1, max_size=4))
    def test_small_vocabulary(self, texts):
        small = WordPiece(VOCABULARY)
        assert [row.tolist() for row in small._compiled_ids(texts, 1)] == [list(row) for row in small._exact(texts)]

    def test_marks_that_change_places(self):
        """U+302E has the higher combining class, so canonical order puts U+1B44 before it."""
        pieces = WordPiece(["[UNK]", "a", "##\u1b44", "##\u302e"])
        texts = ["a\u302e\u1b44", "a\u1b44\u302e"]
        found = [row.tolist() for row in pieces._compiled_ids(texts, 1)]
        assert found == [list(row) for row in pieces._exact(texts)] == [[1, 2, 3], [1, 2, 3]]

    def test_equal_hashes_are_not_equal_words(self):
        """A slot of the hash table that another word's hash points to must not give its token away."""
        from isogloss.vocabulary.buffers import fnv1a

        pieces = WordPiece(VOCABULARY)
        slots = pieces._hash[0]
        for word in ("zzzz", "sno"):  # as long as the token, and the beginning of it
            key = fnv1a(word.encode())
            slots[(key ^ key >> 32) & (len(slots) // 2 - 1)] = key >> 32 << 32 | VOCABULARY.index("snow") + 1
        assert pieces._compiled_ids(["zzzz sno"], 1)[0].tolist() == [1, 1]

    def test_threads_give_the_same(self, oracle):
        texts = [f"{i} Übung macht {'sehr ' * (i % 50)}den Meister \u302e\u1b44" for i in range(4000)]
        assert ours(texts, threads=3) == ours(texts) == theirs(oracle, texts)

    def test_half_a_pair_is_dropped(self):
        assert ours(["a\ud800b \udfffc"]) == ours(["ab c"]) == [list(x) for x in bundled()._plain(["a\ud800b \udfffc"])]


@given(st.lists(st.text(alphabet=st.characters(max_codepoint=127)), max_size=4))
def test_plain_python_equals_tokenizers(oracle, texts):
    assert [list(row) for row in bundled()._plain(texts)] == theirs(oracle, texts)


def test_plain_python_on_long_words(oracle):
    texts = [letter * length + tail for letter in "xa0" for length in (99, 100, 101, 300) for tail in ("", " b", "!")]
    assert [bundled()._ascii(text) for text in texts] == theirs(oracle, texts)


def test_real_texts(data, oracle):
    with gzip.open(data("udhr") / "udhr.jsonl.gz", "rt", encoding="utf-8") as lines:
        texts = [json.loads(line)["text"][:4000] for line in lines]
    for file in sorted(data("tatoeba").glob("*.tsv.gz"))[::6]:
        with gzip.open(file, "rt", encoding="utf-8") as lines:
            texts += [part for line in lines for part in line.rstrip("\n").split("\t")]
    assert len(texts) > 10_000
    pieces = bundled()
    assert [row.tolist() for row in pieces.ids(texts)] == theirs(oracle, texts)
    assert pieces.counts(texts).tolist() == [len(row) for row in theirs(oracle, texts)]


def test_bundled_cuts_as_minilm_does(minilm, oracle):
    """Dropping unreachable tokens changes numbers, never the cut."""
    tokenizers = pytest.importorskip("tokenizers")
    teacher = tokenizers.Tokenizer.from_file(str(minilm / "tokenizer.json"))
    teacher.no_truncation()
    teacher.no_padding()
    texts = [*TRICKY, " ".join(teacher.get_vocab()), "".join(teacher.get_vocab())]
    cut = [[bundled().tokens[i] for i in row] for row in ours(texts)] if numba_available() else None
    expected = [found.tokens for found in teacher.encode_batch(texts, add_special_tokens=False)]
    assert cut is None or cut == expected
    assert [found.tokens for found in oracle.encode_batch(texts, add_special_tokens=False)] == expected


@pytest.mark.parametrize("finish", ["sum", "mean", "unit"])
@pytest.mark.parametrize("skip", [True, False])
@pytest.mark.parametrize("kind", [np.int8, np.float32])
def test_pooling_twins(finish, skip, kind):
    rng = np.random.default_rng(0)
    pieces = WordPiece(VOCABULARY)
    rows = rng.integers(-127, 128, (len(VOCABULARY), 24)).astype(kind)
    weights = rng.random(len(VOCABULARY), np.float32)
    texts = ["snowman!", "", "unknown words", "s s s e", "日é [SEP]", "\u302e\u1b44 snow"] * 3
    plain = pieces._exact(texts)
    expected = np.zeros((len(texts), 24))
    for i, row in enumerate(plain):
        kept = [t for t in row if not (skip and t == pieces.unknown)]
        for token in kept:
            expected[i] += weights[token].astype(float) * rows[token]
        if kept and finish != "sum":
            expected[i] /= len(kept) if finish == "mean" else np.linalg.norm(expected[i])
    for _ in range(2):  # without Numba, then with
        vectors, counts = pieces.pool(texts, pooling_of(rows, weights, pieces.unknown if skip else -1, finish))
        np.testing.assert_allclose(vectors, expected, atol=2e-4, rtol=2e-5)
        assert vectors.dtype == np.float32
        assert counts.tolist() == [len(row) for row in plain]
        if numba_available():
            import numba  # noqa: F401 - once it is loaded the kernel takes over


def test_costs_are_counted():
    pieces = WordPiece(VOCABULARY)
    with counting() as ledger:
        rows, weights = np.ones((len(VOCABULARY), 8), np.int8), np.ones(len(VOCABULARY), np.float32)
        pieces.pool(["snowman!", "e"], pooling_of(rows, weights))
    assert ledger.multiply_adds == 4 * 8
    assert ledger.random_reads == 4


def test_nothing_heavy_is_imported_for_a_query():
    code = (
        "import sys; from isogloss.vocabulary.wordpiece import bundled; bundled().ids(['how do I read one file'])\n"
        "print([m for m in ('numba', 'scipy', 'tokenizers') if m in sys.modules])"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_switched_off_numba_gives_the_same(oracle):
    code = (
        "import json, sys; from isogloss.vocabulary.wordpiece import bundled\n"
        "texts = json.load(sys.stdin); print(json.dumps([r.tolist() for r in bundled().ids(texts)]))\n"
        "assert 'numba' not in sys.modules"
    )
    texts = TRICKY * 20 + ["word " * 100_000]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "ISOGLOSS_NO_NUMBA": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=json.dumps(texts),
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == theirs(oracle, texts)


def test_files(tmp_path, small):
    (tmp_path / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n", encoding="utf-8")
    assert WordPiece.load(tmp_path).tokens == tuple(VOCABULARY)
    (tmp_path / "tokenizer.json").write_text(small.to_json(), encoding="utf-8")
    again = WordPiece.load(tmp_path)
    assert (again.tokens, again.identity) == (small.tokens, small.identity)
    assert WordPiece(VOCABULARY[::-1]).identity != small.identity


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"normalizer": {"type": "NFC"}}, "normalizer"),
        ({"pre_tokenizer": {"type": "Whitespace"}}, "pre-tokenizer"),
        ({"added_tokens": [{"id": 1, "content": "[UNK]", "lstrip": True}]}, r"added token \[UNK\]"),
        ({"added_tokens": [{"id": 5, "content": "snow"}]}, "added token snow"),
    ],
)
def test_other_tokenizers_are_refused(small, change, reason):
    plan = {**json.loads(small.to_json()), **change}
    assert not unlike_bert(json.loads(small.to_json()))
    with pytest.raises(ModelError, match=reason):
        WordPiece.from_plan(plan)


@pytest.mark.parametrize(
    ("tokens", "reason"), [(["a"], r"\[UNK\] is missing"), (["[UNK]", "a", "a"], "twice")], ids=["unknown", "twice"]
)
def test_bad_vocabularies(tokens, reason):
    with pytest.raises(ModelError, match=reason):
        WordPiece(tokens)


def test_gaps_and_missing_files(tmp_path, small):
    plan = json.loads(small.to_json())
    plan["model"]["vocab"]["e"] = 99
    with pytest.raises(ModelError, match="numbering"):
        WordPiece.from_plan(plan)
    with pytest.raises(ModelError, match="no vocabulary"):
        WordPiece.load(tmp_path)


def test_any_other_tokenizer_through_tokenizers(small):
    other = TokenizerPieces(small.to_json())
    texts = ["Snowman!", "日é", "", "unknown"]
    assert [row.tolist() for row in other.ids(texts)] == [row.tolist() for row in small.ids(texts)]
    rows, weights = np.eye(len(VOCABULARY), dtype=np.float32), np.ones(len(VOCABULARY), np.float32)
    for skip in (True, False):
        pooling = pooling_of(rows, weights, small.unknown if skip else -1, "mean")
        a, b = (pieces.pool(texts, pooling) for pieces in (other, small))
        np.testing.assert_allclose(a[0], b[0], atol=1e-6)
        assert a[1].tolist() == b[1].tolist()
    assert len(other) == len(small)
