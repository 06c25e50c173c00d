"""Ranking by one written word: the logit by hand, windows of sentences, and a model that learns what is relevant."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from isogloss.errors import NonFiniteError, UsageError  # noqa: E402
from isogloss.nn.packing import pack  # noqa: E402
from isogloss.nn.seq2seq import Seq2Seq, Seq2SeqConfig  # noqa: E402
from isogloss.nn.transformer import TransformerConfig  # noqa: E402
from isogloss.objectives.contract import Batch  # noqa: E402
from isogloss.objectives.sequence import RelevanceToken  # noqa: E402
from isogloss.rerank.relevance_token import RelevanceTokenReranker, relevance_prompt, sentence_windows  # noqa: E402
from isogloss.training.loop import train  # noqa: E402
from isogloss.training.sequence_batches import SequenceBatches, sequence_logits  # noqa: E402
from isogloss.training.stage import Optimiser, Player, Stage  # noqa: E402
from isogloss.vocabulary.wordpiece import WordPiece  # noqa: E402

LETTERS = [chr(97 + i) for i in range(16)]
PIECES = WordPiece(["[UNK]", "[CLS]", "[SEP]", "true", "false", "query", "document", "relevant", ":", ".", *LETTERS])


def new_model(seed=0, **settings):
    torch.manual_seed(seed)
    sizes = TransformerConfig(vocabulary=len(PIECES), width=32, layers=1, heads=4, inner=64, positions=64, dropout=0.0)
    chosen = {"encoder": sizes, "layers": 1, "positions": 2, "start": 1, "end": 2} | settings
    return Seq2Seq(Seq2SeqConfig(**chosen)).eval()


def reranker(model, **settings):
    return RelevanceTokenReranker(model, PIECES, **({"longest": 40, "longest_query": 8} | settings))


def test_the_score_is_the_difference_of_two_logits_of_the_full_pass():
    model = new_model()
    prompt = relevance_prompt(PIECES, longest=40, longest_query=8)(query=["a b"], document=["c d e"])
    logits = model(pack(prompt), pack([np.array([0])])).detach()[0]
    score = reranker(model).score("a b", ["c d e"])
    assert score[0] == pytest.approx(float(logits[3] - logits[4]), abs=1e-6)
    chance = torch.softmax(logits[[3, 4]], 0)[0]
    assert float(torch.sigmoid(torch.tensor(score[0]))) == pytest.approx(float(chance), abs=1e-6)
    with torch.no_grad():
        model.bias[torch.tensor([3, 4])] += 7.0  # a constant to both, or anything to the other words, moves nothing
        model.bias[10:] -= 3.0
    assert reranker(model).score("a b", ["c d e"])[0] == pytest.approx(score[0], abs=1e-5)


def test_scores_do_not_depend_on_batch_order_or_company():
    model, texts = new_model(), ["a", "b c d e f", "c. d", "", "g h"]
    alone = [reranker(model).score("a b", [text])[0] for text in texts]
    assert np.allclose(reranker(model).score("a b", texts), alone, atol=1e-5)
    assert np.allclose(reranker(model, batch_size=2).score("a b", texts[::-1]), alone[::-1], atol=1e-5)
    assert reranker(model).score("a", []).shape == (0,)


def test_a_long_document_counts_by_its_best_window():
    model = new_model()
    text = " ".join(f"{letter.upper() * 3} {letter}{letter}." for letter in LETTERS[:9])
    windows = sentence_windows(text, 4, 2)
    assert len(windows) == 4
    best = reranker(model, window=0).score("a b", windows).max()
    assert reranker(model, window=4, stride=2).score("a b", [text])[0] == pytest.approx(best, abs=1e-6)


@given(st.integers(1, 40), st.integers(1, 12), st.integers(1, 12))
def test_windows_hold_every_sentence_and_overlap(count, window, stride):
    stride = min(stride, window)
    text = " ".join(f"Sentence {i} ends here." for i in range(count))
    windows = [[int(word) for word in one.split() if word.isdigit()] for one in sentence_windows(text, window, stride)]
    assert all(one == list(range(one[0], one[0] + len(one))) for one in windows)
    assert {number for one in windows for number in one} == set(range(count))
    assert [one[0] for one in windows] == list(range(0, stride * len(windows), stride))
    assert all(len(one) == window for one in windows[:-1])
    assert windows[-1][-1] == count - 1
    assert max(len(one) for one in windows) <= window


def test_a_model_learns_which_documents_are_relevant():
    draw = np.random.default_rng(0)
    queries, texts, labels = [], [], np.arange(256) % 2
    for label in labels:  # those that have an x among their words
        queries.append(LETTERS[int(draw.integers(8))])
        words = [LETTERS[i] for i in draw.integers(8, 15, size=3)]
        texts.append(" ".join([*words, LETTERS[15]] if label else [*words, LETTERS[14]]))
    prompts = relevance_prompt(PIECES, longest=40, longest_query=8)(query=queries, document=texts)
    targets = [np.array([4 - label]) for label in labels]
    model = new_model()
    player = Player(
        module=model, objective=RelevanceToken(true=3, false=4), forward=sequence_logits,
        optimiser=Optimiser(learning_rate=3e-3),
    )  # fmt: skip
    batches = SequenceBatches(prompts, targets, batch_size=64, seed=0, labels=labels)
    train(Stage(batches=batches, players=[player], steps=40), seed=0)
    found = reranker(model).logits(queries, texts)
    assert np.mean((found > 0) == (labels == 1)) > 0.95


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"words": ("true", "true")}, "two different"),
        ({"words": ("yes", "false")}, "'yes' is not one token"),
        ({"words": ("a b", "false")}, "2"),
        ({"window": 3, "stride": 4}, "3 sentences every 4"),
        ({"longest": 10}, "no room"),
    ],
)
def test_senseless_settings_are_refused(settings, says):
    with pytest.raises(UsageError, match=says):
        reranker(new_model(), **settings)


def test_models_that_cannot_say_the_words_or_say_nan_are_errors():
    with pytest.raises(UsageError, match="rows of their own"):
        reranker(new_model(shared=False, extra=4, start=0, end=-1))
    model = new_model()
    with torch.no_grad():
        model.bias.fill_(float("nan"))
    with pytest.raises(NonFiniteError, match="c d"):
        reranker(model).score("a", ["c d"])


def test_the_reranker_and_the_loss_agree_on_what_is_right():
    model = new_model()
    prompts = relevance_prompt(PIECES, longest=40, longest_query=8)(query=["a"], document=["b"])
    batch = Batch((pack(prompts), pack([np.array([3])])), torch.tensor([1]))
    loss = RelevanceToken(true=3, false=4, two_way=True)(sequence_logits(model, batch), batch)
    score = reranker(model).score("a", ["b"])[0]
    assert float(loss.values[0].detach()) == pytest.approx(float(np.log1p(np.exp(-score))), abs=1e-5)
