"""Vectors and hidden words from one pass: what each part sees, their sum, and that both are learned."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from isogloss.nn.heads import MaskedHead, TokenPredictor  # noqa: E402
from isogloss.nn.packing import pack  # noqa: E402
from isogloss.nn.sentence import SentenceModel  # noqa: E402
from isogloss.nn.transformer import Transformer, TransformerConfig  # noqa: E402
from isogloss.objectives.contract import Batch  # noqa: E402
from isogloss.objectives.in_batch import InBatchSoftmax  # noqa: E402
from isogloss.objectives.masked import MaskedLanguageModelling  # noqa: E402
from isogloss.objectives.token_targets import predict_judged  # noqa: E402
from isogloss.objectives.with_masked_words import WithMaskedWords, vectors_and_words  # noqa: E402

ANCHORS = pack([np.array([1, 4, 6, 2]), np.array([1, 7, 2])])
SPANS = pack([np.array([1, 5, 2]), np.array([1, 8, 9, 2])])
TARGETS = pack([np.array([-100, 5, -100, -100]), np.array([-100, -100, -100])])


def predictor():
    torch.manual_seed(0)
    sizes = {"vocabulary": 12, "width": 16, "layers": 1, "heads": 2, "inner": 32, "positions": 12, "dropout": 0.0}
    return TokenPredictor(Transformer(TransformerConfig(**sizes)), MaskedHead(12, 16))


def batch():
    return Batch((ANCHORS, SPANS), keys=torch.arange(4).view(2, 2), extra={"targets": TARGETS})


def test_one_pass_gives_what_two_passes_give():
    model = predictor()
    first, second, logits = vectors_and_words(model, batch())
    encoder = SentenceModel(model.body, normalise=False)
    assert torch.allclose(first, encoder(ANCHORS), atol=1e-5)
    assert torch.allclose(second, encoder(SPANS), atol=1e-5)
    assert torch.allclose(logits, predict_judged(model, batch()), atol=1e-5)


@pytest.mark.parametrize("weight", [0.0, 0.5, 1.0])
def test_the_loss_is_the_sum_of_both(weight):
    outputs = vectors_and_words(predictor(), batch())
    whole = WithMaskedWords(vectors=InBatchSoftmax(temperature=1.0), weight=weight)(outputs, batch())
    told = MaskedLanguageModelling()(outputs[2], batch()).mean()
    near = InBatchSoftmax(temperature=1.0)(outputs[:2], Batch((ANCHORS, SPANS))).mean()
    assert whole.mean().item() == pytest.approx((near + weight * told).item(), rel=1e-5)
    assert whole.unit == "batch"
    assert float(whole.parts["words"]) == pytest.approx(told.item())


def test_every_weight_learns_and_both_losses_fall():
    model, objective = predictor(), WithMaskedWords(vectors=InBatchSoftmax(temperature=1.0))
    moving = torch.optim.Adam(model.parameters(), lr=1e-2)
    before = objective(vectors_and_words(model, batch()), batch())
    before.mean().backward()
    silent = [name for name, one in model.named_parameters() if one.grad is None or not one.grad.abs().sum()]
    assert [name for name in silent if "key.bias" not in name] == []
    for _ in range(30):
        moving.zero_grad()
        objective(vectors_and_words(model, batch()), batch()).mean().backward()
        moving.step()
    after = objective(vectors_and_words(model, batch()), batch())
    assert all(after.parts[name] < before.parts[name] for name in ("vectors", "words"))
