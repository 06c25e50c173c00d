"""What rows and a base give to a recipe's make: names, scores as shares, steps of one pass, and clear refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from isogloss.errors import UsageError
from isogloss.protocols import Silent
from isogloss.workflows.training.data import TrainingData
from isogloss.workflows.training.recipe_arguments import arguments


def rows(kind="scored pairs", targets=(1.0, 3.0, 5.0)):
    left, right = ["a", "b", "c"], ["d", "e", "f"]
    given = None if targets is None else np.asarray(targets)
    return TrainingData("mine", kind, (left, right), np.arange(3), given)


def given(make, data, chosen=None, **more):
    return arguments("planted", make, data, "static", chosen or {}, seed=3, progress=Silent(), **more)


def tuned(columns, scores=None, *, weight=1.0, seed=0, **training: Any):
    raise AssertionError("nothing is made here")


def test_scores_become_shares_of_their_range_and_labels_stay():
    assert given(tuned, rows())["scores"].tolist() == [0.0, 0.5, 1.0]
    assert given(tuned, rows("labelled pairs", (0, 2, 1)))["scores"].tolist() == [0, 2, 1]
    assert "scores" not in given(tuned, rows("pairs", None))


@pytest.mark.parametrize(
    ("chosen", "steps"),
    [({}, 1), ({"batch_size": 2}, 2), ({"batch_size": 1, "epochs": 2.5}, 8), ({"steps": 40}, 40)],
)
def test_a_training_gets_the_steps_of_one_pass_or_what_was_chosen(chosen, steps):
    found = given(tuned, rows(), chosen)
    assert found["steps"] == steps
    assert "epochs" not in found
    assert set(found) >= {"columns", "seed", "progress", "batch_size"}


def test_settings_of_the_recipe_and_of_the_training_are_handed_on():
    found = given(tuned, rows(), {"weight": 2.0, "learning_rate": 1e-3})
    assert (found["weight"], found["learning_rate"], found["seed"]) == (2.0, 1e-3, 3)
    assert "progress" not in given(lambda columns: None, rows())


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        ({"wieght": 1}, "no setting 'wieght'"), ({"training": 1}, "no setting 'training'"),
        ({"steps": 2, "epochs": 1}, "not both"), ({"epochs": 0}, "above 0"),
    ],
)  # fmt: skip
def test_wrong_settings_are_refused(chosen, said):
    with pytest.raises(UsageError, match=said):
        given(tuned, rows(), chosen)


def test_a_training_setting_is_unknown_to_a_make_without_a_training():
    with pytest.raises(UsageError, match="no setting 'steps'"):
        given(lambda texts, size=3: None, rows(), {"steps": 2})


def test_what_rows_cannot_give_is_named():
    def make(teacher, texts, *, size=3):
        raise AssertionError("nothing is made here")

    with pytest.raises(UsageError, match="cannot be made of scored pairs alone") as refused:
        given(make, rows())
    assert "teacher" in str(refused.value.why)
    with pytest.raises(UsageError, match="takes no time budget"):
        given(tuned, rows(), budget=5.0)


def test_a_base_comes_in_the_form_that_make_declares(minilm):
    pytest.importorskip("torch")
    from isogloss.training.masked_model import MaskedModel
    from isogloss.training.trained_encoder import TrainedEncoder

    def trained(base: TrainedEncoder, texts):
        raise AssertionError("nothing is made here")

    def masked(base: MaskedModel, texts):
        raise AssertionError("nothing is made here")

    found = arguments("planted", trained, rows(), str(minilm), {}, seed=0, progress=Silent())
    assert isinstance(found["base"](), TrainedEncoder)
    with pytest.raises(UsageError, match="does not start from an encoder's folder"):
        arguments("planted", masked, rows(), str(minilm), {}, seed=0, progress=Silent())
