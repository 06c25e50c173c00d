"""Heads: BERT's masked-word head beside ours, logits where they are asked for, tags, classes, replaced tokens."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch.nn import functional  # noqa: E402

from isogloss.nn.heads import (  # noqa: E402
    CausalHead,
    ClassificationHead,
    MaskedHead,
    ReplacedTokenHead,
    TaggingHead,
    TextClassifier,
    TokenPredictor,
)
from isogloss.nn.packing import pack  # noqa: E402
from isogloss.nn.transformer import Transformer, TransformerConfig  # noqa: E402

SIZES = {"vocabulary": 23, "width": 12, "layers": 2, "heads": 3, "inner": 20, "positions": 9}
TEXTS = pack([np.array([1, 5, 6, 7, 2]), np.array([1, 9, 2])])


def predictor(**settings):
    torch.manual_seed(0)
    config = TransformerConfig(**(SIZES | settings))
    head = MaskedHead(23, 12, size=config.embedding_width) if not config.causal else CausalHead(12)
    return TokenPredictor(Transformer(config), head).eval()


def test_the_masked_head_equals_berts():
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(1)
    config = transformers.BertConfig(
        vocab_size=23, hidden_size=12, num_hidden_layers=1, num_attention_heads=3, intermediate_size=20,
        max_position_embeddings=9,
    )  # fmt: skip
    theirs = transformers.BertForMaskedLM(config).eval()
    predictions = theirs.cls.predictions
    torch.nn.init.normal_(predictions.bias)
    ours = MaskedHead(23, 12)
    ours.load_state_dict(
        {
            "dense.weight": predictions.transform.dense.weight, "dense.bias": predictions.transform.dense.bias,
            "norm.weight": predictions.transform.LayerNorm.weight, "norm.bias": predictions.transform.LayerNorm.bias,
            "bias": predictions.bias,
        }
    )  # fmt: skip
    states = torch.randn(7, 12)
    table = theirs.bert.embeddings.word_embeddings.weight
    assert torch.allclose(ours(states, table), predictions(states), atol=1e-6)


def test_logits_are_those_of_the_places_asked_for():
    model, at = predictor(), torch.tensor([False, True, False, False, True, False, True, False])
    assert torch.allclose(model(TEXTS, at), model(TEXTS)[at], atol=1e-6)


def test_the_tied_table_learns_from_both_ends_and_is_stored_once():
    model = predictor()
    assert sum("word" in name for name in model.state_dict()) == 1
    model(TEXTS).logsumexp(1).sum().backward()
    assert model.body.embeddings.word.weight.grad[20].abs().sum() > 0  # token 20 is in no text: by the head alone


def test_factorised_embeddings_have_a_head_of_their_width():
    model = predictor(embedding_width=5)
    assert model(TEXTS).shape == (8, 23)
    assert model.head.dense.weight.shape == (5, 12)


@pytest.mark.parametrize("causal", [True, False])
def test_only_a_causal_model_does_not_see_what_comes(causal):
    model = predictor(causal=causal)
    later = pack([np.array([1, 5, 6, 11, 12]), np.array([1, 9, 2])])
    same = torch.isclose(model(TEXTS), model(later), atol=1e-6).all(1)
    assert same.tolist() == [causal, causal, causal, False, False, True, True, True]


def test_causal_head_by_hand():
    head = CausalHead(2, size=1, bias=3)
    head.project.weight.data = torch.tensor([[2.0, 1.0]])
    head.bias.data = torch.tensor([0.0, 0.5, -1.0])
    assert head(torch.tensor([[1.0, 3.0]]), torch.tensor([[1.0], [2.0], [0.0]])).tolist() == [[5.0, 10.5, -1.0]]


def test_classes_by_hand():
    head = ClassificationHead(1, 2, pooling=("mean", "max")).eval()
    head.out.weight.data, head.out.bias.data = torch.tensor([[1.0, 0.0], [0.0, 1.0]]), torch.tensor([0.0, 0.5])
    states = torch.arange(8.0)[:, None]
    assert head(states, TEXTS).tolist() == [[2.0, 4.5], [6.0, 7.5]]
    assert ClassificationHead(1, 4, hidden=3)(states, TEXTS).shape == (2, 4)


def test_a_classifier_does_not_mind_who_stands_beside():
    torch.manual_seed(3)
    model = TextClassifier(Transformer(TransformerConfig(**SIZES)), ClassificationHead(12, 3)).eval()
    assert torch.allclose(model(TEXTS)[1:], model(TEXTS.take(1, 2)), atol=1e-6)


def test_tags_and_replaced_tokens_are_told_token_by_token():
    states = torch.randn(8, 12)
    for head in (TaggingHead(12, 4).eval(), ReplacedTokenHead(12).eval()):
        assert torch.allclose(head(states)[3:5], head(states[3:5]), atol=1e-6)


def test_the_replaced_token_head_equals_electras():
    transformers = pytest.importorskip("transformers")
    config = transformers.ElectraConfig(
        vocab_size=23, hidden_size=12, embedding_size=12, num_hidden_layers=1, num_attention_heads=3,
        intermediate_size=20,
    )  # fmt: skip
    theirs, ours = transformers.ElectraForPreTraining(config).eval().discriminator_predictions, ReplacedTokenHead(12)
    for mine, other in ((ours.dense, theirs.dense), (ours.out, theirs.dense_prediction)):
        mine.load_state_dict(other.state_dict())
    states = torch.randn(1, 7, 12)
    assert torch.allclose(ours(states[0]), theirs(states)[0], atol=1e-6)
    assert functional.gelu(torch.ones(1)).item() == pytest.approx(0.8413, abs=1e-4)
