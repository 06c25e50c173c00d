"""Sub-models of one encoder: prefixes of the layers' mean states, from one pass."""

from __future__ import annotations

import numpy as np
import pytest

from isogloss.encoders.layers import LayerEncoder
from isogloss.encoders.sub_models import SubModelEncoder, sub_models
from isogloss.encoders.transformer import TransformerEncoder
from isogloss.errors import UsageError

TEXTS = ["the wing", "heat", "an archive of heat"]


@pytest.fixture
def base(tiny_model):
    return TransformerEncoder(tiny_model(), threads=1)


def test_a_rung_is_a_prefix_of_its_layer(base):
    for (layer, width), rung in sub_models(base, [(1, 3), (1, 8), (2, 5)]).items():
        whole = LayerEncoder(base, layers=(layer,)).encode(TEXTS)
        np.testing.assert_array_equal(rung.encode(TEXTS), whole[:, :width])
        assert rung.dimensions == width


def test_all_rungs_take_one_pass(base, monkeypatch):
    passes = []
    states = base.states
    monkeypatch.setattr(base, "states", lambda texts, layers: passes.append(layers) or states(texts, layers))
    for rung in sub_models(base, [(1, 3), (2, 5), (2, 8)]).values():
        rung.encode(TEXTS)
    assert passes == [[1, 2]]


def test_no_rung_is_wider_than_its_layer(base):
    with pytest.raises(UsageError, match="a width of 999"):
        SubModelEncoder(base, layer=1, width=999).encode(TEXTS)
