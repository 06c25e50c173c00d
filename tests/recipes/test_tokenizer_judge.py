"""Tokenizers: installed in a frozen encoder, scrapped by noise, judged by a task."""

from __future__ import annotations

import numpy as np
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from isogloss.corpus.examples import ScoredPairs
from isogloss.errors import IsoglossError, UsageError
from isogloss.recipes._judges import LabJudge
from isogloss.recipes._swaps import constant, noisy
from isogloss.recipes._tokenizer_judge import installed, is_tokenizer

WORDS = ["[UNK]", *"abcdefghijklmnopqrstuvwxyz", *(f"##{one}" for one in "abcdefghijklmnopqrstuvwxyz")]
WORDS += ["red", "green", "house", "tree", "##s", "a"][:-1]


def pieces(words=WORDS):
    words = list(dict.fromkeys(words))
    made = Tokenizer(models.WordPiece({word: i for i, word in enumerate(words)}, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    return made


def pairs_of_bytes():
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=290, initial_alphabet=alphabet, show_progress=False)
    made.train_from_iterator(["red house green tree"] * 20, trainer)
    return made


class Letters:
    """One axis for each of four words (or a shared one), three for scraps by their first letter."""

    def __init__(self, more=None):
        self.axes = {"red": 0, "green": 1, "house": 2, "tree": 3} | (more or {})

    def encode(self, inputs):
        axes = self.axes
        out = np.zeros((len(inputs), 7), np.float32)
        for row, text in enumerate(inputs):
            out[row, axes.get(text.strip(), 4 + ord(text[0]) % 3)] = 1
        return out


PAIRS = ScoredPairs(
    ["red house", "red tree", "green house", "red house", "tree", "green"],
    ["red house", "red house", "green tree", "green tree", "house", "green"],
    np.array([5.0, 3.0, 3.0, 0.0, 0.5, 5.0]), np.arange(6),
)  # fmt: skip


def judge(**options):
    return LabJudge("judge", lambda: PAIRS, task="sts", options={"frozen": Letters(), **options})


def test_a_text_is_the_mean_of_its_tokens():
    found = installed(pieces(), Letters()).encode(["red house", "green"])
    assert np.allclose(found[0], [2**-0.5, 0, 2**-0.5, 0, 0, 0, 0], atol=1e-2)
    assert np.allclose(found[1], [0, 1, 0, 0, 0, 0, 0], atol=1e-2)


def test_words_are_worth_more_than_scraps():
    alike = ScoredPairs(
        ["red", "house", "red", "green", "red", "green"], ["green", "tree", "tree", "house", "house", "tree"],
        np.array([5.0, 5.0, 0.0, 0.0, 0.0, 0.0]), np.arange(6),
    )  # fmt: skip
    meant = LabJudge("judge", lambda: alike, task="sts", options={"frozen": Letters({"green": 0, "tree": 2})})
    whole, scraps = meant(pieces()), meant(constant(pieces()))
    assert whole.value() > 0.9
    assert scraps.value() < whole.value() - 0.2  # green and tree share more letters than house and tree
    assert is_tokenizer(pieces())


@pytest.mark.parametrize("make", [pieces, pairs_of_bytes])
def test_noise_takes_longer_tokens_away(make):
    whole = make()
    counts = [len(noisy(whole, share, 1).encode("red house green tree").tokens) for share in (0.0, 0.5, 1.0)]
    assert counts[0] == len(whole.encode("red house green tree").tokens)
    assert counts[0] <= counts[1] <= counts[2]
    assert counts[2] >= 17  # every letter for itself
    assert noisy(whole, 0.5, 1).to_str() == noisy(whole, 0.5, 1).to_str()


def test_the_bundled_encoder_is_the_default():
    sample = LabJudge("judge", lambda: PAIRS, task="sts")(pieces())
    assert np.isfinite(sample.value())


def test_what_cannot_be_installed_is_said():
    with pytest.raises(UsageError, match="empty tokenizer"):
        installed(Tokenizer(models.BPE()), Letters())
    with pytest.raises(IsoglossError, match="cannot be taken away"):
        noisy(Tokenizer(models.Unigram([("a", 0.0), ("b", -1.0)], 0)), 0.5, 0)
