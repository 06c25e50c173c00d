"""Tuning of any body: words at rest, states by hand, it learns, and what it read is what it encodes."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from isogloss.errors import UsageError  # noqa: E402
from isogloss.nn.backbones import Backbone  # noqa: E402
from isogloss.nn.fixed_words import FixedWords  # noqa: E402
from isogloss.nn.packing import pack  # noqa: E402
from isogloss.nn.recurrent import RecurrentLayers  # noqa: E402
from isogloss.objectives.pair_heads import HeadClasses, PairHead  # noqa: E402
from isogloss.training.body_encoder import BodyEncoder  # noqa: E402
from isogloss.training.body_tuning import BodyTokens, recurrent_encoder, tune_body, word_table  # noqa: E402
from isogloss.training.models import load_trainable  # noqa: E402
from isogloss.training.trained_encoder import TrainedEncoder  # noqa: E402
from isogloss.vocabulary.wordpiece import WordPiece  # noqa: E402

WORDS = ["[UNK]", "[CLS]", "[SEP]", *"abcdefgh"]
LEFT = [f"{one} {two}" for one in "abcdefgh" for two in "abcdefgh"]
RIGHT = [text[0] for text in LEFT[8:]] + [text[0] for text in LEFT[:8]]
SAME = np.array([int(right in left.split()) for left, right in zip(LEFT, RIGHT, strict=True)])


def encoder(window=8):
    torch.manual_seed(0)
    body = Backbone(FixedWords(torch.randn(len(WORDS), 6), width=16), [RecurrentLayers(16, ways="both")])
    return BodyEncoder(body, WordPiece(WORDS), before=[1], after=[2], window=window, pooling=["max"])


def test_zeros_behind_the_words_are_no_part_of_the_function():
    torch.manual_seed(0)
    wide = RecurrentLayers(6, ways="both")
    narrow = torch.nn.LSTM(4, 3, batch_first=True, bidirectional=True)
    with torch.no_grad():
        for name, weights in narrow.named_parameters():
            whole = dict(wide.ahead.named_parameters())[name]
            weights.copy_(whole[:, :4] if "weight_ih" in name else whole)
    words = FixedWords(torch.randn(9, 4), width=6)
    rows = pack([np.array([3, 1, 7])])
    states = Backbone(words, [wide])(rows)
    torch.testing.assert_close(states, narrow(words.word(rows.ids)[None])[0][0])
    with pytest.raises(UsageError, match="cannot read 4 numbers"):
        FixedWords(torch.zeros(9, 4), width=3)


def test_it_learns_and_its_words_stay():
    base = encoder()
    before = base.encode(["a b"])
    torch.manual_seed(1)
    head = PairHead(16, 2, hidden=16)
    tuned = tune_body(base, [LEFT, RIGHT], HeadClasses(head), labels=SAME, steps=120, learning_rate=0.02, batch_size=32)
    said = head.read(tuned.encode(LEFT), tuned.encode(RIGHT)).argmax(1)
    assert (said == SAME).mean() > 0.9 > max(SAME.mean(), 1 - SAME.mean())
    assert np.array_equal(base.encode(["a b"]), before)
    assert torch.equal(tuned.body.embeddings.word.weight, base.body.embeddings.word.weight)
    assert tuned.identity != base.identity
    states, last = tuned.body.layers[0].ahead.state_dict(), base.body.layers[0].ahead.state_dict()
    assert any(not torch.equal(states[name], last[name]) for name in states)


def test_the_same_seed_gives_the_same_bits():
    def vectors(seed):
        torch.manual_seed(1)
        objective = HeadClasses(PairHead(16, 2, hidden=4))
        return tune_body(encoder(), [LEFT, RIGHT], objective, labels=SAME, steps=3, seed=seed).encode(LEFT[:9])

    assert np.array_equal(vectors(0), vectors(0))
    assert not np.array_equal(vectors(0), vectors(1))


def test_what_is_read_in_training_is_what_is_encoded():
    own = encoder(window=4)
    tokens = BodyTokens(own)(["a b c d", "", "b"])
    assert [row.tolist() for row in tokens.ids] == [[1, 3, 4, 2], [1, 2], [1, 4, 2]]
    assert tokens.full.tolist() == [6, 2, 3]
    direct = own.body(pack(tokens.ids))
    assert own.encode(["b"])[0] == pytest.approx(direct[-3:].detach().numpy().max(0), abs=1e-6)


def test_words_of_a_transformer(minilm):
    words = TrainedEncoder.of(load_trainable(minilm))
    table = word_table(words, 5).numpy()
    assert table.std() == pytest.approx(1, abs=1e-4)
    assert np.abs(np.corrcoef(table.T) - np.eye(5)).max() < 1e-3  # principal directions
    assert np.all(np.diff(table.var(0)) <= 0)
    plain = recurrent_encoder(words, dimensions=5, width=8, layers=0, pooling="mean")
    rows = words.tokenizer(["a small dog"]).ids[0]
    assert plain.encode(["a small dog"])[0, :5] == pytest.approx(table[rows].mean(0), abs=1e-5)
    one, other = (recurrent_encoder(words, dimensions=5, width=8, seed=seed).encode(["a dog"]) for seed in (0, 1))
    assert one.shape == (1, 8)
    assert not np.array_equal(one, other)
