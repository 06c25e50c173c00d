"""Tuning under a head: lengths are kept, the head begins alone and moves faster, with one rate it is plain tuning."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from isogloss.errors import UsageError  # noqa: E402
from isogloss.objectives.pairs import PairClassification  # noqa: E402
from isogloss.training.fine_tuning import fine_tune  # noqa: E402
from isogloss.training.head_tuning import class_scores, tune_with_head, unscaled  # noqa: E402
from isogloss.training.models import load_trainable  # noqa: E402
from isogloss.training.randomness import seeded  # noqa: E402
from isogloss.training.trained_encoder import TrainedEncoder  # noqa: E402

LEFT = [a + b for a in "abcdefgh" for b in "abcdefgh"]
RIGHT = [text[0] if place % 2 else chr(105 + place % 7) for place, text in enumerate(LEFT)]
SAME = np.arange(len(LEFT)) % 2


@pytest.fixture
def base(tiny_folder):
    return lambda: TrainedEncoder.of(load_trainable(tiny_folder()))


def moved(before, after):
    """The longest way that a number of the encoder went, in float64 bits."""
    pairs = zip(before.model.state_dict().values(), after.model.state_dict().values(), strict=True)
    return max(float((one - other).abs().max()) for one, other in pairs)


def test_lengths_are_kept_and_directions_are_the_same(base):
    scaled = base()
    plain = unscaled(scaled)
    long, short = plain.encode(LEFT[:9]), scaled.encode(LEFT[:9])
    lengths = np.linalg.norm(long, axis=1)
    assert np.allclose(np.linalg.norm(short, axis=1), 1, atol=1e-5)
    assert np.abs(lengths - 1).max() > 0.1
    assert np.allclose(long, short * lengths[:, None], atol=1e-4)
    assert plain.model.transformer is scaled.model.transformer
    assert plain.identity != scaled.identity
    assert unscaled(plain).identity == plain.identity


def head(base, classes=2, **options):
    with seeded(5):
        return PairClassification(width=base.dimensions, classes=classes, **options)


def test_with_one_rate_and_no_lead_it_is_fine_tuning(base):
    how = {"labels": SAME, "steps": 4, "learning_rate": 1e-3, "batch_size": 16, "seed": 5}
    found = tune_with_head(base(), [LEFT, RIGHT], head(base()), head_rate=1e-3, **how)
    wanted = fine_tune(unscaled(base()), [LEFT, RIGHT], head(base()), **how)
    assert moved(wanted, found) == 0
    assert moved(base(), found) > 1e-4


def test_one_step_of_adam_goes_as_far_as_each_rate_says(base):
    how = {"labels": SAME, "steps": 1, "batch_size": 64, "head_rate": 1e-2, "seed": 3}
    heads = [head(base()) for _ in range(3)]
    still = tune_with_head(base(), [LEFT, RIGHT], heads[0], learning_rate=0.0, **how)
    found = tune_with_head(base(), [LEFT, RIGHT], heads[1], learning_rate=1e-4, **how)
    assert moved(base(), still) == 0
    # the first step of Adam is the sign of the gradient; decay adds a hundredth of the rate times the number itself
    assert 0.9e-4 < moved(base(), found) < 1.1e-4
    ways = (heads[1].head.bias - heads[2].head.bias).abs()
    assert torch.allclose(ways, torch.full((2,), 1e-2), rtol=1e-3)
    assert torch.equal(heads[0].head.weight, heads[1].head.weight)


def test_a_head_that_begins_alone_leaves_the_encoder_as_it_was(base):
    alone, objective = {"labels": SAME, "steps": 1, "learning_rate": 0.0}, head(base())
    made = tune_with_head(base(), [LEFT, RIGHT], objective, head_steps=150, head_rate=3e-2, **alone)
    assert moved(base(), made) == 0
    assert all(one.requires_grad for one in made.model.parameters())
    said = class_scores(made, objective, [LEFT, RIGHT])
    assert (said.argmax(1) == SAME).mean() > 0.75
    u, v = made.encode(LEFT[:3]), made.encode(RIGHT[:3])
    weight, bias = objective.head.weight.detach().numpy(), objective.head.bias.detach().numpy()
    assert np.allclose(np.hstack([u, v, abs(u - v)]) @ weight.T + bias, said[:3], atol=1e-4)


def test_the_difference_can_be_left_out_and_a_head_cannot(base):
    objective = head(base(), classes=3, difference=False)
    made = tune_with_head(base(), [LEFT, RIGHT], objective, labels=SAME, steps=1)
    assert class_scores(made, objective, [LEFT[:4], RIGHT[:4]]).shape == (4, 3)
    with pytest.raises(UsageError, match="no head to tune with"):
        tune_with_head(base(), [LEFT, RIGHT], torch.nn.Identity(), labels=SAME, steps=1)
