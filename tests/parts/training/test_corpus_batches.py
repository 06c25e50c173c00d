"""Tokens made once, blocks and sentences, what is hidden and what comes next."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from hypothesis import given  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from isogloss.arrays import Ragged  # noqa: E402
from isogloss.errors import CorpusError, UsageError  # noqa: E402
from isogloss.training.corpus_batches import IGNORED, CausalBatches, Hiding, MaskedBatches, SequenceOrder  # noqa: E402
from isogloss.training.corpus_tokens import blocks, sentences, token_ids  # noqa: E402
from isogloss.vocabulary.wordpiece import WordPiece  # noqa: E402

PIECES = WordPiece(["[UNK]", "snow", "##man", "falls", "."])
HIDING = Hiding(mask=4, vocabulary=40, special=(0, 1, 2, 3))


def rows(*lengths, start=5):
    return Ragged.from_list([np.arange(start, start + length, dtype=np.int64) for length in lengths])


def test_tokens_are_those_of_either_kind_of_tokenizer():
    tokenizers = pytest.importorskip("tokenizers")
    theirs = tokenizers.Tokenizer(tokenizers.models.WordLevel({"[UNK]": 0, "snow": 1, "falls": 3}, unk_token="[UNK]"))
    theirs.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    for tokenizer in (PIECES, theirs):
        found = token_ids(["snow falls", "", "ice"], tokenizer)
        assert [row.tolist() for row in found] == [[1, 3], [], [0]]
        assert found.values.dtype == np.int64


def test_sentences_are_cut_and_short_ones_left_out():
    found = sentences(rows(1, 2, 9), 5, before=[1], after=[2], shortest=2)
    assert [row.tolist() for row in found] == [[1, 5, 6, 2], [1, 5, 6, 7, 2]]


@given(st.lists(st.integers(0, 9), min_size=1, max_size=9), st.integers(1, 5))
def test_blocks_hold_the_text_in_order(lengths, room):
    tokens = rows(*lengths)
    whole = [token for row in tokens for token in [*row.tolist(), 3]]
    if len(whole) < room:
        with pytest.raises(CorpusError, match="do not fill"):
            blocks(tokens, room + 2, before=[1], after=[2], between=[3])
        return
    found = blocks(tokens, room + 2, before=[1], after=[2], between=[3])
    assert [token for row in found for token in row[1:-1]] == whole[: len(whole) // room * room]
    assert all(row[0] == 1 and row[-1] == 2 and len(row) == room + 2 for row in found)


@given(st.lists(st.integers(1, 40), min_size=1, max_size=30), st.integers(1, 7), st.integers(0, 3))
def test_an_epoch_takes_each_sequence_once(lengths, size, seed):
    order = SequenceOrder(rows(*lengths), size, seed)
    for epoch in range(2):
        taken = [order(epoch * order.per_epoch + step) for step in range(order.per_epoch)]
        assert sorted(np.concatenate(taken).tolist()) == list(range(len(lengths)))


def test_any_step_can_be_asked_for_first():
    batches = MaskedBatches(rows(*range(3, 30)), HIDING, batch_size=4, seed=5)
    again = MaskedBatches(rows(*range(3, 30)), HIDING, batch_size=4, seed=5)
    later = batches(17)
    assert torch.equal(later.columns[0].ids, again(17).columns[0].ids)
    assert not torch.equal(batches(3).columns[0].ids, batches(3 + batches.per_epoch).columns[0].ids)


def test_like_lengths_stand_together():
    lengths = np.random.default_rng(0).integers(1, 100, 640)
    order = SequenceOrder(rows(*lengths), 8, 0)
    spread = [np.ptp(lengths[order(step)]) for step in range(order.per_epoch)]
    assert np.median(spread) < 8  # of 99 possible


@given(st.lists(st.integers(1, 60), min_size=1, max_size=12), st.integers(0, 9))
def test_the_share_of_each_text_is_hidden_exactly(lengths, seed):
    texts = rows(*lengths)
    hidden, targets = HIDING(texts.values, texts.offsets, np.random.default_rng(seed))
    judged = [int((targets[a:b] != IGNORED).sum()) for a, b in zip(texts.offsets, texts.offsets[1:], strict=False)]
    assert judged == [max(1, round(0.15 * length)) for length in lengths]
    assert (targets[targets != IGNORED] == texts.values[targets != IGNORED]).all()
    assert (hidden[targets == IGNORED] == texts.values[targets == IGNORED]).all()


def test_eighty_ten_ten():
    hiding = Hiding(mask=4, vocabulary=1000, special=(0, 1, 2, 3))
    ids = np.full(40_000, 7, np.int64)
    hidden, targets = hiding(ids, np.array([0, len(ids)]), np.random.default_rng(0))
    out = hidden[targets != IGNORED]
    assert len(out) == 6000
    assert np.mean(out == 4) == pytest.approx(0.8, abs=0.02)
    assert np.mean((out != 4) & (out != 7)) == pytest.approx(0.1, abs=0.015)
    assert out.min() >= 4  # no special token is drawn


def test_special_tokens_stay():
    ids = np.array([1, 9, 2] * 50, np.int64)
    hidden, targets = HIDING(ids, np.arange(0, 151, 3), np.random.default_rng(0))
    assert (hidden[ids < 4] == ids[ids < 4]).all()
    assert (targets != IGNORED).sum() == 50


def test_whole_words_go_together():
    ids = np.tile([1, 10, 11, 11, 12, 10, 11, 2], 40)  # 11 goes on with a word
    continues = np.arange(40) == 11
    hiding = Hiding(mask=4, vocabulary=40, special=(1, 2), unit="word", continues=continues, share=0.3)
    hidden, targets = hiding(ids, np.arange(0, len(ids) + 1, 8), np.random.default_rng(0))
    judged = (targets != IGNORED).reshape(40, 8)
    assert (judged[:, 1] == judged[:, 2]).all()
    assert (judged[:, 2] == judged[:, 3]).all()
    assert (judged[:, 5] == judged[:, 6]).all()
    assert judged.any(1).all()
    masks = (hidden == 4).reshape(40, 8)
    assert (masks[:, 1] == masks[:, 2]).all()  # and share one fate


def test_spans_are_neighbours():
    ids = np.full(6000, 7, np.int64)
    draws = {}
    for unit in ("token", "span"):
        hiding = Hiding(mask=4, vocabulary=40, unit=unit)
        judged = hiding(ids, np.array([0, len(ids)]), np.random.default_rng(1))[1] != IGNORED
        starts = judged & ~np.roll(judged, 1)
        draws[unit] = judged.sum() / starts.sum()
    assert draws["token"] == pytest.approx(1 / 0.85, abs=0.06)
    assert draws["span"] == pytest.approx(3.8 / 0.85, abs=0.6)


def test_next_tokens_end_with_their_text():
    batch = CausalBatches(rows(3, 2), batch_size=2, seed=0)(0)
    assert batch.columns[0].lengths.tolist() == [2, 3]
    assert batch.extra["targets"].ids.tolist() == [6, IGNORED, 6, 7, IGNORED]


def test_bad_input_is_refused():
    with pytest.raises(CorpusError, match="no sequence"):
        CausalBatches(Ragged.from_list([]), batch_size=1, seed=0)
    with pytest.raises(CorpusError, match="1 of 2"):
        CausalBatches(rows(0, 2), batch_size=1, seed=0)
    with pytest.raises(UsageError, match="no room"):
        blocks(rows(3), 2, before=[1], after=[2])
    with pytest.raises(UsageError, match="no room"):
        sentences(rows(3), 2, before=[1], after=[2])
    with pytest.raises(CorpusError, match="long enough"):
        sentences(rows(0, 0), 9)
    with pytest.raises(UsageError, match="continues is None"):
        Hiding(mask=4, vocabulary=40, unit="word")(np.arange(9), np.array([0, 9]), np.random.default_rng(0))
    with pytest.raises(UsageError, match="batch_size is 0"):
        CausalBatches(rows(3), batch_size=0, seed=0)
