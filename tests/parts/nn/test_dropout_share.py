"""Dropout set after a model was made: as if it had been made so, by share, and off in use."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from hypothesis import given  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from isogloss.errors import UsageError  # noqa: E402
from isogloss.nn.dropout_share import set_dropout  # noqa: E402
from isogloss.nn.packing import pack  # noqa: E402
from isogloss.nn.sentence import SentenceModel  # noqa: E402
from isogloss.nn.transformer import Transformer, TransformerConfig  # noqa: E402

SIZES = {"vocabulary": 20, "width": 16, "layers": 2, "heads": 2, "inner": 32, "positions": 16}
TEXTS = pack([np.arange(1, 8), np.arange(3, 5)])


def model(share):
    torch.manual_seed(0)
    return SentenceModel(Transformer(TransformerConfig(**SIZES, dropout=share))).train()


@given(st.floats(0, 0.9))
def test_it_is_the_model_that_was_made_with_that_share(share):
    later, first = set_dropout(model(0.0), share), model(share)
    made = []
    for one in (later, first):
        torch.manual_seed(1)
        made.append(one(TEXTS))
    assert torch.equal(*made)


def test_two_readings_differ_in_training_alone():
    one = model(0.0)
    assert torch.equal(one(TEXTS), one(TEXTS))
    set_dropout(one, 0.3)
    assert not torch.allclose(one(TEXTS), one(TEXTS))
    assert torch.equal(one.eval()(TEXTS), model(0.0).eval()(TEXTS))
    set_dropout(one.train(), 0.0)
    assert torch.equal(one(TEXTS), one(TEXTS))


def test_attention_is_dropped_as_well():
    one = set_dropout(model(0.0), 0.3)
    for part in one.modules():
        if hasattr(part, "share"):
            part.share = 0.0
    assert not torch.allclose(one(TEXTS), one(TEXTS))


def test_what_cannot_be_set_is_refused():
    with pytest.raises(UsageError, match="less than 1"):
        set_dropout(model(0.0), 1.0)
    with pytest.raises(UsageError, match="Linear"):
        set_dropout(torch.nn.Linear(2, 2), 0.1)
