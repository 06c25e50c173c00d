"""A base model whose weights were drawn anew."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from isogloss.training.base_models._artifact import CausalBase  # noqa: E402
from isogloss.training.untrained import untrained  # noqa: E402


def test_sizes_and_tokens_stay_and_weights_are_new(model_of):
    lab = model_of("lab")
    base = CausalBase(lab.predictor, lab.tokenizer, begin=0, end=0, window=48)
    before = {name: one.clone() for name, one in lab.predictor.state_dict().items()}
    drawn = torch.random.get_rng_state()
    first, again, other = (untrained(base, seed).predictor.state_dict() for seed in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), drawn)  # nobody else's draws move
    assert {name: one.shape for name, one in first.items()} == {name: one.shape for name, one in before.items()}
    assert all(torch.equal(one, again[name]) for name, one in first.items())
    assert not torch.equal(first["body.embeddings.word.weight"], other["body.embeddings.word.weight"])
    assert not torch.equal(first["body.embeddings.word.weight"], before["body.embeddings.word.weight"])
    assert all(torch.equal(one, before[name]) for name, one in lab.predictor.state_dict().items())
    made = untrained(base, 1)
    assert made.tokenizer is base.tokenizer
    assert made.window == base.window
