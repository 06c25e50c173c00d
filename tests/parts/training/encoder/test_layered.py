"""Fine-tuning of all layers: the layers are those of the encoder, it learns at every one, and repeats bit for bit."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from isogloss.encoders.sub_models import sub_models  # noqa: E402
from isogloss.nn.packing import pack  # noqa: E402
from isogloss.objectives.contract import Batch  # noqa: E402
from isogloss.objectives.pairs import CosineRegression  # noqa: E402
from isogloss.objectives.sub_models import FixedLadder, SubModels  # noqa: E402
from isogloss.training.layered import encode_layers, fine_tune_layers  # noqa: E402
from isogloss.training.models import load_trainable  # noqa: E402
from isogloss.training.trained_encoder import TrainedEncoder  # noqa: E402

LEFT = ["a wing", "heat", "the archive", "a wing of heat", "heated", "the the"] * 4
RIGHT = ["the wing", "archive", "an archive", "cold", "heat", "a a"] * 4
SCORES = [0.9, 0.1, 0.8, 0.3, 0.7, 0.2] * 4
LADDER = ((1, 8), (2, 16))


@pytest.fixture
def fresh(tiny_folder):
    folder = tiny_folder()
    return lambda: TrainedEncoder.of(load_trainable(folder))


def test_the_layers_are_those_of_the_encoder(fresh):
    base = fresh()
    columns = tuple(pack(base.tokenizer(texts).ids) for texts in (LEFT, RIGHT))
    with torch.no_grad():
        found = encode_layers(base.model.eval(), Batch(columns))
    assert sorted(found) == [0, 1, 2]
    whole = base.dimensions
    for (layer, _), encoder in sub_models(base, [(one, whole) for one in found]).items():
        vectors = encoder.encode(RIGHT)
        unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        np.testing.assert_allclose(found[layer][1].numpy(), unit, atol=1e-5)


def test_every_rung_learns_and_the_words_may_rest(fresh):
    objective = SubModels(CosineRegression(), FixedLadder(LADDER))
    settings = {"labels": SCORES, "steps": 60, "batch_size": 24, "learning_rate": 1e-2, "seed": 5}
    before, first, again = fresh(), fresh(), fresh()
    fine_tune_layers(first, [LEFT, RIGHT], objective, words=False, **settings)
    fine_tune_layers(again, [LEFT, RIGHT], objective, words=False, **settings)
    assert first.identity == again.identity
    for rung in LADDER:
        errors = []
        for encoder in (before, first):
            u, v = (sub_models(encoder, LADDER)[rung].encode(texts) for texts in (LEFT, RIGHT))
            cosines = (u * v).sum(1) / np.linalg.norm(u, axis=1) / np.linalg.norm(v, axis=1)
            errors.append(float(np.square(cosines - SCORES).mean()))
        assert errors[1] < 0.6 * errors[0]
    words = [one.model.transformer.embeddings.word.weight for one in (before, first)]
    assert torch.equal(*words)
    moving = fine_tune_layers(fresh(), [LEFT, RIGHT], objective, **settings)
    assert not torch.equal(words[0], moving.model.transformer.embeddings.word.weight)
