"""Vectors of sentences for a frozen language model: what is told is heard, what is found is written again."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from isogloss.errors import UsageError  # noqa: E402
from isogloss.nn.heads import CausalHead, TokenPredictor  # noqa: E402
from isogloss.nn.injection import injected_logits  # noqa: E402
from isogloss.nn.packing import pack  # noqa: E402
from isogloss.nn.transformer import Transformer, TransformerConfig  # noqa: E402
from isogloss.training.sentence_inversion import SentenceInversion, token_accuracy  # noqa: E402

SENTENCES = [np.array(ids) for ids in ([3, 4, 5], [6, 7], [5, 4, 3, 8])]


@pytest.fixture(scope="module")
def model():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = TransformerConfig(
            vocabulary=12, width=16, layers=2, heads=2, inner=32, positions=16, types=0, causal=True, norm_first=True,
            dropout=0.0,
        )  # fmt: skip
        predictor = TokenPredictor(Transformer(config), CausalHead(16, bias=12)).eval()
    for weights in predictor.parameters():
        if weights.ndim > 1:
            weights.data.mul_(10)
    return SimpleNamespace(predictor=predictor, begin=0, end=1)


def weights_of(model):
    return torch.cat([weights.detach().ravel() for weights in model.predictor.parameters()])


def test_a_vector_in_the_embeddings_is_added_by_hand(model):
    packed, told = pack(SENTENCES), torch.randn(3, 16, generator=torch.Generator().manual_seed(1))
    body = model.predictor.body
    kept = body.embeddings.forward
    body.embeddings.forward = lambda packed, vectors=None: kept(packed, vectors) + told[packed.texts()]  # (T, 16)
    try:
        expected = model.predictor(packed)
    finally:
        body.embeddings.forward = kept
    torch.testing.assert_close(injected_logits(model.predictor, packed, told, "embedding"), expected)


@pytest.mark.parametrize("where", ["embedding", "layers"])
def test_zeros_change_nothing_and_others_are_not_heard(model, where):
    packed, zeros = pack(SENTENCES), torch.zeros(3, 16)
    torch.testing.assert_close(injected_logits(model.predictor, packed, zeros, where), model.predictor(packed))
    told = zeros.clone()
    told[1] = torch.linspace(-1, 1, 16)  # not the same everywhere: a norm takes a constant away
    changed = (injected_logits(model.predictor, packed, told, where) - model.predictor(packed)).abs().amax(1) > 1e-4
    assert changed.tolist() == [False] * 3 + [True] * 2 + [False] * 4


def nats(model, vectors):
    """The cost of the sentences, end included, one position at a time."""
    total = 0.0
    for sentence, vector in zip(SENTENCES, vectors, strict=True):
        for at, token in enumerate([*sentence.tolist(), model.end]):
            packed = pack([np.array([model.begin, *sentence[:at]])])
            logits = injected_logits(model.predictor, packed, torch.from_numpy(vector)[None])[-1]  # (T, V) -> (V,)
            total -= float(torch.log_softmax(logits, 0)[token].detach())
    return total


def test_the_search_makes_the_sentences_likely_and_the_model_stays(model):
    before = weights_of(model)
    search = SentenceInversion(steps=100, rate=0.1)
    vectors = search.fit(model, SENTENCES)
    cost = nats(model, vectors)
    assert cost < 0.7 * nats(model, np.zeros_like(vectors))
    assert cost < nats(model, np.roll(vectors, 1, axis=0))
    assert (weights_of(model) == before).all()
    assert all(weights.grad is None for weights in model.predictor.parameters())
    np.testing.assert_array_equal(search.fit(model, SENTENCES), vectors)


def test_the_likeliest_token_is_written_until_the_end(model):
    search, vectors = SentenceInversion(), np.random.default_rng(0).standard_normal((3, 16)).astype(np.float32)
    written = search.decode(model, vectors, 5)
    for vector, tokens in zip(vectors, written, strict=True):
        told, sequence = torch.from_numpy(vector)[None], [model.begin]
        for _ in range(5):
            packed = pack([np.array(sequence)])
            token = int(injected_logits(model.predictor, packed, told)[-1].argmax())  # (T, V) -> (V,)
            if token == model.end:
                break
            sequence.append(token)
        assert tokens == sequence[1:]


def test_narrow_vectors_lie_in_a_narrow_space(model):
    found = SentenceInversion(dimensions=2, steps=20).fit(model, SENTENCES)
    assert np.linalg.matrix_rank(found, tol=1e-5) == 2


def test_what_cannot_be_searched_for_is_said(model):
    with pytest.raises(UsageError, match="searched"):
        SentenceInversion(dimensions=17).fit(model, SENTENCES)
    with pytest.raises(UsageError, match="searched"):
        SentenceInversion().fit(model, [])


def test_token_accuracy_by_hand():
    assert token_accuracy([[3, 9, 5], [], [5, 4, 3, 8, 1]], SENTENCES).tolist() == [2 / 3, 0, 1]
