"""Tokens as the tokenizers package gives them, cut by us and counted."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from isogloss.encoders.tokenizer_file import TokenizerFile
from isogloss.errors import ModelError, UsageError

TEXTS = ["", "a", "The quick brown fox jumps over the lazy dog. " * 20, "naïve café", "東京は日本の首都です。", "\0 🙂"]


@pytest.mark.parametrize("limit", [3, 8, 200])
def test_the_cut_equals_the_package_own(minilm, limit) -> None:
    rival = Tokenizer.from_file(str(minilm / "tokenizer.json"))
    rival.no_padding()
    rival.enable_truncation(limit)
    found = TokenizerFile(minilm, max_length=limit)(TEXTS, spans=True)
    for text, ids, spans in zip(TEXTS, found.ids, found.spans, strict=True):
        right = rival.encode(text)
        assert ids.tolist() == right.ids
        assert [tuple(span) for span in spans.tolist()] == right.offsets
    rival.no_truncation()
    assert found.full.tolist() == [len(rival.encode(text).ids) for text in TEXTS]


def test_the_left_can_be_cut(minilm) -> None:
    whole = TokenizerFile(minilm, max_length=99)(["one two three four"]).ids[0].tolist()
    cut = TokenizerFile(minilm, max_length=4, side="left")(["one two three four"]).ids[0].tolist()
    assert cut == [whole[0], *whole[-3:]]


@given(st.text(max_size=60), st.integers(3, 12))
def test_any_text_has_tokens_within_the_limit(minilm, text, limit) -> None:
    tokens = TokenizerFile(minilm, max_length=limit)([text, "x"])
    assert 2 <= len(tokens.ids[0]) <= limit
    assert tokens.full[0] >= len(tokens.ids[0])


def test_half_a_surrogate_pair_is_one_replacement_character(minilm) -> None:
    tokenizer = TokenizerFile(minilm, max_length=20)
    broken, mended = tokenizer(["a \ud83d b", "a \ufffd b"]).ids
    np.testing.assert_array_equal(broken, mended)


def test_no_room_no_file_no_json(minilm, tmp_path) -> None:
    with pytest.raises(UsageError, match="2 special tokens"):
        TokenizerFile(minilm, max_length=2)
    (tmp_path / "tokenizer.json").write_text("{")
    with pytest.raises(ModelError, match="cannot be read"):
        TokenizerFile(tmp_path, max_length=9)


def test_lower_case_is_added_where_it_is_missing(tiny_model) -> None:
    folder = tiny_model(lower=False)
    plain, lowered = TokenizerFile(folder, max_length=9), TokenizerFile(folder, max_length=9, lower_case=True)
    assert plain(["The HEAT"]).ids[0].tolist() != lowered(["The HEAT"]).ids[0].tolist()
    assert lowered(["The HEAT"]).ids[0].tolist() == lowered(["the heat"]).ids[0].tolist()


def test_the_canonical_form_ignores_truncation_and_padding_only(minilm, tmp_path) -> None:
    content = json.loads((minilm / "tokenizer.json").read_text("utf-8"))
    own = TokenizerFile(minilm, max_length=9).canonical()

    def canonical(changed: dict) -> str:
        (tmp_path / "tokenizer.json").write_text(json.dumps(changed))
        return TokenizerFile(tmp_path, max_length=9).canonical()

    assert canonical({**content, "truncation": None, "padding": None}) == own
    assert canonical({**content, "normalizer": {**content["normalizer"], "lowercase": False}}) != own
