"""A model that remembers its passes: the same answers, and each batch computed once."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from isogloss.errors import UsageError  # noqa: E402
from isogloss.nn.packing import pack  # noqa: E402
from isogloss.training.causal_models import Wanted  # noqa: E402
from isogloss.training.causal_prompts import ONE_WORD, PLAIN  # noqa: E402
from isogloss.training.causal_readings import RoutingReading, StateReading, SummedReading  # noqa: E402
from isogloss.training.prompted_encoder import PromptedEncoder  # noqa: E402
from isogloss.training.remembered_passes import RememberingCausal  # noqa: E402

TEXTS = ["red dogs run", "blue cats", "", "sleep is unusual"]


@pytest.fixture
def both(model_of):
    """A plain model, one that remembers over the same weights, and how often the body has run."""
    plain = model_of("lab-experts")
    runs = []
    hook = plain.body.register_forward_pre_hook(lambda *_: runs.append("forward"))
    states = plain.body.states
    plain.body.states = lambda *args, **named: (runs.append("states"), states(*args, **named))[1]
    yield plain, RememberingCausal(plain.predictor, plain.tokenizer, begin=0, window=48), runs
    hook.remove()
    del plain.body.states


def test_readings_are_equal_and_cost_one_pass(both):
    plain, remembering, runs = both
    readings = [StateReading(), RoutingReading(), SummedReading(), SummedReading(scaled=False), StateReading("mean")]
    found = [PromptedEncoder(remembering, ONE_WORD, reading=one).encode(TEXTS) for one in readings]
    assert len(runs) == 1
    for vectors, one in zip(found, readings, strict=True):
        np.testing.assert_array_equal(vectors, PromptedEncoder(plain, ONE_WORD, reading=one).encode(TEXTS))
    assert remembering.identity == plain.identity


def test_other_texts_other_cuts_and_other_wishes_are_passes_of_their_own(both):
    plain, remembering, runs = both
    PromptedEncoder(remembering, PLAIN).encode(TEXTS)
    PromptedEncoder(remembering, PLAIN).encode(TEXTS[:2])
    assert len(runs) == 2
    same = np.array([0, 5, 6, 7])  # the same tokens as one text or as two
    one, two = remembering(pack([same]), Wanted(layers=(-1,))), remembering(pack([same[:2], same[2:]]), Wanted())
    assert len(runs) == 4
    assert not torch.equal(one.states[-1], two.states[-1])
    for wanted in (Wanted(layers=(0,)), Wanted(logits=True), Wanted(layers=(-1,), bidirectional=True)):
        passed, own = remembering(pack([same]), wanted), plain(pack([same]), wanted)
        assert all(torch.equal(passed.states[layer], own.states[layer]) for layer in wanted.layers)
        assert passed.logits is own.logits or torch.equal(passed.logits, own.logits)


def test_a_dense_model_remembers_its_states_and_has_no_router(model_of):
    dense = model_of("lab")
    remembering = RememberingCausal(dense.predictor, dense.tokenizer, begin=0, window=48)
    vectors = PromptedEncoder(remembering).encode(TEXTS)
    np.testing.assert_array_equal(vectors, PromptedEncoder(dense).encode(TEXTS))
    with pytest.raises(UsageError, match="no router"):
        PromptedEncoder(remembering, reading=RoutingReading())
