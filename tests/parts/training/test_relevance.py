"""Learning relevance over a frozen encoder: looked-up scores are the model's, words and head learn, the base stays."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from isogloss.errors import UsageError  # noqa: E402
from isogloss.nn.seq2seq import Seq2Seq, Seq2SeqConfig  # noqa: E402
from isogloss.nn.transformer import TransformerConfig  # noqa: E402
from isogloss.rerank.relevance_token import RelevanceTokenReranker, relevance_prompt  # noqa: E402
from isogloss.training.relevance import ReadPrompts  # noqa: E402
from isogloss.vocabulary.wordpiece import WordPiece  # noqa: E402

LETTERS = [chr(97 + i) for i in range(16)]
PIECES = WordPiece(["[UNK]", "[CLS]", "[SEP]", "true", "false", "query", "document", "relevant", ":", *LETTERS])
WORDS = (3, 4)


@pytest.fixture(scope="module")
def world():
    """Prompts that are relevant where the document has the letter p, and a model that knows nothing."""
    torch.manual_seed(0)
    sizes = TransformerConfig(vocabulary=len(PIECES), width=32, layers=1, heads=4, inner=64, positions=32, dropout=0.0)
    model = Seq2Seq(Seq2SeqConfig(encoder=sizes, layers=1, positions=2, start=1, end=2)).eval()
    draw, labels = np.random.default_rng(0), np.arange(96) % 2
    texts = [" ".join([LETTERS[i] for i in draw.integers(0, 15, 3)] + ["p" if label else "o"]) for label in labels]
    queries = [LETTERS[int(i)] for i in draw.integers(0, 8, 96)]
    return model, queries, texts, labels


@pytest.fixture(scope="module")
def read(world):
    model, queries, texts, _ = world
    return ReadPrompts(model, relevance_prompt(PIECES, longest=24, longest_query=4)(query=queries, document=texts))


def test_words_are_learned_and_looked_up_scores_are_the_rerankers(world, read):
    base, queries, texts, labels = world
    before = {name: value.clone() for name, value in base.state_dict().items()}
    model = read.learn_words(range(64), labels[:64], words=WORDS, steps=60, seed=0, learning_rate=5e-3)
    scores = read.word_scores(model, range(96), words=WORDS)
    assert np.mean((scores[64:] > 0) == (labels[64:] == 1)) > 0.9
    whole = RelevanceTokenReranker(model, PIECES, longest=24, longest_query=4).logits(queries, texts)
    assert np.allclose(scores, whole, atol=0.2)  # sources are kept from a pass in bfloat16
    assert np.corrcoef(scores, whole)[0, 1] > 0.999
    assert all(torch.equal(value, before[name]) for name, value in base.state_dict().items())
    assert torch.equal(model.encoder.layers[0].query.weight, base.encoder.layers[0].query.weight)


def test_words_the_wrong_way_round_turn_the_score(world, read):
    labels = world[3]
    model = read.learn_words(range(64), labels[:64], words=WORDS[::-1], steps=60, seed=0, learning_rate=5e-3)
    assert np.mean((read.word_scores(model, range(64, 96), words=WORDS[::-1]) > 0) == (labels[64:] == 1)) > 0.9
    turned = read.word_scores(model, range(64, 96), words=WORDS)
    assert np.allclose(turned, -read.word_scores(model, range(64, 96), words=WORDS[::-1]))


def test_a_head_reads_the_first_state(world):
    read = ReadPrompts(
        world[0], relevance_prompt(PIECES, longest=24, longest_query=4)(query=world[1], document=world[2])
    )
    read.sources.states = torch.randn(read.sources.states.shape, generator=torch.Generator().manual_seed(0))
    first = read.sources.states[[int(rows[0]) for rows in read.sources.rows]]
    labels = (first[:, 0] > first[:, 0].median()).long().numpy()
    head = read.learn_head(range(96), labels, steps=150, seed=0, learning_rate=0.05)
    scores = read.head_scores(head, range(96))
    logits = first @ head.weight.detach().T + head.bias.detach()
    assert np.allclose(scores, (logits[:, 1] - logits[:, 0]).numpy(), atol=1e-4)
    assert np.mean((scores > 0) == (labels == 1)) > 0.8


def test_the_same_seed_learns_the_same(world, read):
    labels = world[3][:16]
    one, two, three = (
        read.learn_words(range(16), labels, words=WORDS, steps=2, seed=seed, batch_size=8) for seed in (0, 0, 1)
    )
    assert torch.equal(one.bias, two.bias)
    assert not torch.equal(one.bias, three.bias)
    with pytest.raises(UsageError, match="3 prompts, 2 labels"):
        read.learn_words(range(3), labels[:2], words=WORDS, steps=1, seed=0)
