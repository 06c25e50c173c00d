"""Nats and bytes of texts, and what a model writes: against brute force over all texts and by hand."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from isogloss.errors import IsoglossWarning, UsageError  # noqa: E402
from isogloss.nn.heads import CausalHead, TokenPredictor  # noqa: E402
from isogloss.nn.packing import pack  # noqa: E402
from isogloss.nn.transformer import Transformer, TransformerConfig  # noqa: E402
from isogloss.training.language_model import TrainedLanguageModel, windows  # noqa: E402
from isogloss.vocabulary.wordpiece import WordPiece  # noqa: E402

WORDS = ["[UNK]", "[BOS]", "[EOS]", "snow", "falls", "softly"]
PIECES = WordPiece(WORDS)


class Speller:
    """Tokens of WORDS, and words from tokens."""

    def ids(self, texts):
        return PIECES.ids(texts)

    def decode(self, ids):
        return " ".join(WORDS[i] for i in ids)


def model(window=8, seed=0):
    torch.manual_seed(seed)
    config = TransformerConfig(
        vocabulary=len(WORDS), width=8, layers=1, heads=2, inner=16, positions=window, causal=True, norm_first=True
    )
    module = TokenPredictor(Transformer(config), CausalHead(8))
    for weights in module.parameters():
        weights.data.mul_(8)  # far from uniform
    return TrainedLanguageModel(module, Speller(), begin=1, end=2, window=window, unknown=0)


class Table(torch.nn.Module):
    """The next token depends on the last one only: falls after snow, else the end."""

    def forward(self, packed, at=None):
        logits = torch.full((len(packed.ids), len(WORDS)), -9.0)
        logits[:, 2] = 0.0
        logits[packed.ids == 3] = torch.tensor([-9.0, -9.0, -9.0, -9.0, 9.0, -9.0])
        return logits


def test_by_hand():
    lm = TrainedLanguageModel(Table(), Speller(), begin=1, end=2)
    nats, size = lm.nll(["snow falls", ""])
    surely = math.log(1 + 5 * math.exp(-18))
    assert nats[0] == pytest.approx(9 + surely + 2 * math.log(1 + 5 * math.exp(-9)), abs=1e-4)
    assert nats[1] == pytest.approx(math.log(1 + 5 * math.exp(-9)), abs=1e-4)
    assert size.tolist() == [10, 0]
    assert lm.generate(["snow", ""]) == ["falls", ""]


def test_the_probabilities_of_all_texts_of_one_length_sum_to_that_of_reaching_it():
    lm = model()
    words = [0, 3, 4, 5]
    two = [" ".join(WORDS[i] if i else "ice" for i in pair) for pair in itertools.product(words, repeat=2)]
    with pytest.warns(IsoglossWarning, match="unknown"):
        nats, _ = lm.nll(two)
    logits = lm.module(pack([np.array([1, a, b]) for a, b in itertools.product(range(6), repeat=2)])).detach()
    chances = torch.softmax(logits.double(), 1).view(36, 3, 6)
    total = 0.0
    for row, (a, b) in enumerate(itertools.product(range(6), repeat=2)):
        if a in words and b in words:
            total += (chances[row, 0, a] * chances[row, 1, b] * chances[row, 2, 2]).item()
    assert np.exp(-nats).sum() == pytest.approx(total, rel=1e-5)


def test_batches_do_not_matter():
    lm = model(window=16)
    texts = ["snow " * (i % 5) + "falls" for i in range(9)]
    together = lm.nll(texts)[0]
    assert together == pytest.approx(np.concatenate([lm.nll([text])[0] for text in texts]), abs=1e-5)


def test_windows_judge_every_token_once():
    for length in range(2, 30):
        pieces = list(windows(np.arange(length), 6))
        judged = [token for ids, fresh in pieces for token in ids[len(ids) - fresh :]]
        assert judged == list(range(1, length))
        assert all(len(ids) <= 6 for ids, _ in pieces)
    lm = model(window=6)
    long = "snow falls softly " * 6
    ids = np.array([1, *[3, 4, 5] * 6, 2])
    expected = 0.0
    for piece, fresh in windows(ids, 6):
        chances = torch.log_softmax(lm.module(pack([piece])).double(), 1)
        expected -= sum(chances[i - 1, piece[i]].item() for i in range(len(piece) - fresh, len(piece)))
    assert lm.nll([long])[0][0] == pytest.approx(expected, abs=1e-4)


def test_what_it_writes_obeys_seed_and_constraint():
    lm = model(seed=2)
    drawn = [lm.generate(["snow"] * 8, temperature=1.0, seed=seed, longest=5) for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert lm.generate([""], lambda made: [5] if len(made) < 3 else [2]) == ["softly softly softly"]
    with pytest.raises(UsageError, match="allows no token"):
        lm.generate([""], lambda made: [])
    with pytest.raises(UsageError, match="two tokens"):
        TrainedLanguageModel(Table(), Speller(), begin=1, end=2, window=1)
