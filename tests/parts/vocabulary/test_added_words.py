"""Words as tokens: whole words alone, old numbers unchanged, tokens of two cuts paired by where they end."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from isogloss.errors import UsageError
from isogloss.vocabulary.added_words import same_ends, split_words, with_words, word_pieces

PIECES = ["[UNK]", "[CLS]", "[SEP]", "flut", "##ter", "##ing", "wing", "a", "tur", "##bine", ",", "x", "-", "ray"]


@pytest.fixture(scope="module")
def old():
    made = Tokenizer(models.WordPiece({piece: i for i, piece in enumerate(PIECES)}, unk_token="[UNK]"))
    made.normalizer, made.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    made.post_processor = processors.BertProcessing(("[SEP]", 2), ("[CLS]", 1))
    return made


def test_a_word_is_one_token_where_it_stands_alone(old):
    new = with_words(old, ["flutter", "turbine"])
    assert new.encode("A Flutter, fluttering turbine").ids == [1, 7, 14, 10, 3, 4, 5, 15, 2]
    assert old.encode("flutter").ids == [1, 3, 4, 2]
    assert new.get_vocab_size() == old.get_vocab_size() + 2
    assert with_words(old, ["x-ray"]).encode("x-ray wing").ids == [1, 14, 6, 2]


def test_it_survives_writing_and_reading(old):
    new = with_words(old, ["flutter"])
    assert Tokenizer.from_str(new.to_str()).encode("flutter a").ids == new.encode("flutter a").ids


@pytest.mark.parametrize(
    ("words", "said"),
    [([], "0 words"), (["flutter", "flutter"], "1 distinct"), (["wing"], "one token already"),
     ([" flutter"], "not found"), (["Flutter", "flutter"], "not found")],
)  # fmt: skip
def test_words_that_cannot_be_added(old, words, said):
    with pytest.raises(UsageError, match=said):
        with_words(old, words)


def test_words_in_pieces_are_counted_once_a_text(old):
    texts = ["Flutter flutter wing", "turbine flutter", "turbine xx", "flutter1"]
    assert split_words(texts, old, rarest=2) == {"flutter": 2, "turbine": 2}
    assert split_words(texts, old, rarest=1, most=1) == {"flutter": 2}
    assert split_words(texts, old, rarest=1, pieces=3) == {}
    padded = Tokenizer.from_str(old.to_str())
    padded.enable_padding(length=8)
    assert [ids.tolist() for ids in word_pieces(padded, ["flutter", "wing"])] == [[3, 4], [6]]
    assert split_words(texts, padded, rarest=1, pieces=3) == {}
    assert with_words(padded, ["flutter"]).encode("flutter").ids[:3] == [1, 14, 2]


@given(st.lists(st.sampled_from(["flutter", "wing", "turbine", "a", ",", "fluttering"]), max_size=9))
def test_every_new_token_has_an_old_one_that_ends_with_it(words):
    old = Tokenizer(models.WordPiece({piece: i for i, piece in enumerate(PIECES)}, unk_token="[UNK]"))
    old.normalizer, old.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    old.post_processor = processors.BertProcessing(("[SEP]", 2), ("[CLS]", 1))
    first, second = old.encode(" ".join(words)), with_words(old, ["flutter", "turbine"]).encode(" ".join(words))
    spans = [np.array(one.offsets, np.int64).reshape(-1, 2) for one in (first, second)]
    before, after = same_ends(*spans)
    assert after.tolist() == list(range(len(second.ids)))
    assert (np.diff(before) > 0).all()
    for there, here in zip(before, after, strict=True):
        assert spans[0][there, 1] == spans[1][here, 1]
        assert second.ids[here] >= len(PIECES) or first.ids[there] == second.ids[here]


def test_of_several_tokens_at_one_character_the_last_counts():
    old = np.array([[0, 1], [0, 1], [1, 2]])  # a character in two bytes
    assert [one.tolist() for one in same_ends(old, old)] == [[1, 2], [1, 2]]
    assert [one.tolist() for one in same_ends(old[:2], np.array([[1, 2]]))] == [[], []]
