"""Long texts in windows: by hand, nothing lost at any size, memory that does not grow with the text."""

from __future__ import annotations

import tracemalloc
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isogloss.arrays import Similarity
from isogloss.encoders.lexical import WordEncoder
from isogloss.encoders.transformer import TransformerEncoder
from isogloss.encoders.windows import windowed
from isogloss.errors import TruncationWarning, UnsupportedModelError, UsageError
from isogloss.protocols import EncodeReport


class Encoding:
    """Words of letters are cut into tokens of at most four letters, as word pieces are."""

    size = 4

    def __init__(self, text, special):
        marks, place = [], 0
        for word in text.split(" "):
            ends = range(place, place + len(word), self.size)
            marks += [(i, min(i + self.size, place + len(word))) for i in ends]
            place += len(word) + 1
        self.offsets = [(0, 0), *marks, (0, 0)] if special else marks
        self.ids = self.offsets


class Pieces:
    """A base that remembers what it was given; a vector counts letters, so that sums can be done by hand."""

    kind, speed, modality, similarity, languages = "dense", "slow", "text", Similarity.COSINE, None
    dimensions, name, identity = 3, "pieces", "pieces"

    def __init__(self, window):
        self.window, self.seen, self.most = window, [], 0
        self.plan = SimpleNamespace(prompt=lambda role: "ask " if role == "query" else "")
        raw = SimpleNamespace(encode=lambda text, add_special_tokens=True: Encoding(text, add_special_tokens))
        self.tokenizer = lambda texts: SimpleNamespace(full=np.array([len(raw.encode(one).ids) for one in texts]))
        self.tokenizer.before, self.tokenizer.after, self.tokenizer.tokenizer = 1, 1, raw

    def encode(self, texts, role=None, instruction=None, report=None):
        prompt = self.plan.prompt(role) if instruction is None else instruction
        full = self.tokenizer([prompt + text for text in texts]).full
        report.add(texts=len(texts), tokens=int(full.sum()), cut=int((full > self.window).sum()))
        self.seen.extend(texts)
        self.most = max(self.most, len(texts))
        rows = [[text.count("a"), text.count("b"), text.count("c")] for text in texts]
        return np.array(rows, np.float32)


def test_by_hand() -> None:
    base = Pieces(4)  # two tokens a window beside the special ones
    encoder = windowed(base)
    found = encoder.encode(["aaaa bbbb cccc", "aa", ""])
    assert base.seen == ["aaaa bbbb", " cccc"[1:], "aa", ""]
    # windows (4, 4, 0) of two tokens and (0, 0, 4) of one: mean (8, 8, 4) / 3, as long as (2 * 32 ** .5 + 4) / 3
    mean = np.array([8, 8, 4]) / 12 * (2 * 32**0.5 + 4) / 3
    np.testing.assert_allclose(found, [mean, [2, 0, 0], [0, 0, 0]], rtol=1e-6)
    largest = np.array([4, 4, 4]) / 48**0.5 * (2 * 32**0.5 + 4) / 3
    np.testing.assert_allclose(windowed(base, combine="max").encode("aaaa bbbb cccc"), [largest], rtol=1e-6)


def test_windows_end_between_words_and_repeat_whole_words() -> None:
    base = Pieces(10)
    windowed(base, overlap=3).encode("aaaaaaaa bbbbbbbb cccccccc aaaaaaaaaaaaaaaa bb")
    # tokens: 2 2 2 4 1; eight fit, but six end with a word; of the last three the two of a whole word are repeated
    assert base.seen == ["aaaaaaaa bbbbbbbb cccccccc", "cccccccc aaaaaaaaaaaaaaaa bb"]
    base.seen.clear()
    windowed(base).encode("a" * 50)  # 13 tokens of one word
    assert base.seen == ["a" * 32, "a" * 18]


def test_the_prompt_stands_in_every_window_and_takes_its_room() -> None:
    base = Pieces(4)
    windowed(base).encode("aaaa bbbb", role="query")
    assert base.seen == ["aaaa", "bbbb"]
    with pytest.raises(UsageError, match="leaves 0"):
        windowed(base).encode("aaaa", instruction="one two ")


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.text("abc", min_size=1, max_size=30), max_size=60), st.integers(4, 20), st.integers(0, 5),
    st.sampled_from([1, 7, 10_000]),
)  # fmt: skip
def test_every_letter_is_read_and_nothing_is_cut(words, window, overlap, block) -> None:
    base, text = Pieces(window), " ".join(words)
    overlap = min(overlap, (window - 3) // 2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("isogloss.encoders.windows._BLOCK", block)
        report = EncodeReport()
        windowed(base, overlap=overlap).encode([text], report=report)
    joined = "".join(base.seen).replace(" ", "")
    letters = text.replace(" ", "")
    assert report.cut == 0
    if overlap == 0:
        assert joined == letters
    else:
        assert len(joined) >= len(letters)
        assert set(joined) == set(letters)
    if block == 10_000:
        assert report.tokens == len(Encoding(text, False).offsets)


def test_a_text_of_a_megabyte_is_read_in_bounded_memory(monkeypatch) -> None:
    monkeypatch.setattr(Encoding, "size", 8)
    rng = np.random.default_rng(0)
    text = " ".join(rng.choice(["a" * 3, "b" * 7, "c" * 16, "ab" * 6], 100_000).tolist())
    assert len(text) > 1_000_000
    base = Pieces(96)
    encoder = windowed(base, overlap=8)
    encoder.encode("warm")
    base.seen = SimpleNamespace(extend=lambda texts: None)
    tracemalloc.start()
    found, report = encoder.encode([text, "aa"]), EncodeReport()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert base.most == 1024
    assert peak < 12e6  # the windows of one call and the tokens of one block, whatever the text's size
    shares = np.array([text.count(sign) for sign in "abc"]) / np.linalg.norm([text.count(sign) for sign in "abc"])
    np.testing.assert_allclose(found[0] / np.linalg.norm(found[0]), shares, atol=0.01)
    encoder.encode([text[:100_000]], report=report)
    assert (report.cut, report.lost, report.window) == (0, 0, 0)


def test_on_a_transformer_windows_are_its_own_vectors(tiny_model) -> None:
    base = TransformerEncoder(tiny_model(), threads=1, max_length=12)
    encoder = windowed(base)
    words = ["the heat of the library", "was in the gauge and", "ships"]
    with warnings.catch_warnings():
        warnings.simplefilter("error", TruncationWarning)
        found = encoder.encode([" ".join(words * 3), "the heat"])
        np.testing.assert_array_equal(found[1], base.encode("the heat")[0])
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-6)
    tokens = base.tokenizer.bare([" ".join(words * 3)])[0]
    windows = [tokens[i : i + 10] for i in range(0, len(tokens), 10)]
    own = np.stack([_vector(base, one) for one in windows])
    mean = np.average(own, axis=0, weights=[len(one) for one in windows])
    np.testing.assert_allclose(found[0], mean / np.linalg.norm(mean), atol=1e-5)


def _vector(base, tokens):
    """The vector of some tokens between the two special ones, without the encoder's own text handling."""
    ids = np.array([[2, *tokens, 3]])
    states = base.engine.last(ids, np.array([ids.shape[1]]))[0]
    return states.mean(0) / np.linalg.norm(states.mean(0))


def test_what_has_no_window_is_refused() -> None:
    with pytest.raises(UnsupportedModelError, match="no window"):
        windowed(WordEncoder())
    with pytest.raises(UsageError, match="0 to 3"):
        windowed(Pieces(10), overlap=4)
    with pytest.raises(UsageError, match="mean, max"):
        windowed(Pieces(10), combine="sum")  # type: ignore[arg-type]
