"""Calibration: scikit-learn's curves and scores, hand arithmetic, and proof on other questions."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss

from isogloss.errors import CorpusError, UsageError
from isogloss.evaluation import calibration
from isogloss.evaluation.calibration import ScoreCurve, calibrate, fit, prove
from isogloss.evaluation.calibration_curves import isotonic, logistic, values_of


def pairs(count=3000, *, slope=2.0, state=0, step=False):
    """Scores, truth and questions whose P is known: a logistic curve, or a step that no logistic curve follows."""
    rng = np.random.default_rng(state)
    scores = rng.normal(size=count)
    p = (
        np.where(np.abs(scores) < 0.4, 0.5, np.where(scores > 0, 0.6, 0.05))
        if step
        else 1 / (1 + np.exp(-slope * scores))
    )
    return scores, rng.random(count) < p, np.arange(count) // 10


@given(
    st.lists(st.tuples(st.integers(-5, 5), st.booleans(), st.integers(1, 4)), min_size=2, max_size=40),
)  # fmt: skip
def test_isotonic_equals_scikit_learn(rows):
    x, y, w = (np.array(column, float) for column in zip(*rows, strict=True))
    theirs = IsotonicRegression(out_of_bounds="clip").fit(x, y, sample_weight=w)
    asked = np.linspace(-6, 6, 50)
    assert values_of("isotonic", isotonic(x, y, w), asked) == pytest.approx(theirs.predict(asked), abs=1e-6)


def test_logistic_equals_scikit_learn_on_platts_targets():
    x, y, _ = pairs(400)
    w = np.random.default_rng(1).integers(1, 4, 400).astype(float)
    # a pair of target t is one of weight t that is relevant and one of weight 1 - t that is not
    positive, negative = (w * y).sum(), (w * ~y).sum()
    targets = np.where(y, (positive + 1) / (positive + 2), 1 / (negative + 2))
    model = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000)
    model.fit(np.tile(x, 2)[:, None], np.repeat([1, 0], 400), np.concatenate([w * targets, w * (1 - targets)]))
    assert logistic(x, y.astype(float), w) == pytest.approx(
        [model.coef_[0, 0], model.intercept_[0]], rel=1e-4, abs=1e-5
    )


def test_logistic_stays_finite_where_a_score_parts_the_classes():
    slope, intercept = logistic(np.array([0.0, 1.0, 2.0, 3.0]), np.array([0.0, 0.0, 1.0, 1.0]), np.ones(4))
    assert 0 < slope < 10
    assert -intercept / slope == pytest.approx(1.5)
    far = logistic(np.array([1e6, 1e6 + 1, 1e6 + 2, 1e6 + 3]), np.array([0.0, 0.0, 1.0, 1.0]), np.ones(4))
    assert far[0] == pytest.approx(slope, rel=1e-6)


@pytest.mark.parametrize(("step", "kind"), [(False, "logistic"), (True, "isotonic")])
def test_the_curve_that_fits_is_chosen_and_found(step, kind):
    curve = fit(*pairs(6000, step=step), draws=100)
    assert curve.kind == kind
    asked = np.array([-1.0, 0.0, 1.0])
    truth = [0.05, 0.5, 0.6] if step else 1 / (1 + np.exp(-2 * asked))
    assert curve.probability(asked) == pytest.approx(truth, abs=0.06)
    low, high = curve.interval(asked)
    assert (low <= curve.probability(asked)).all()
    assert (curve.probability(asked) <= high).all()
    assert (high - low < 0.25).all()


def test_proof_equals_scikit_learn():
    x, y, questions = pairs(1000)
    curve = ScoreCurve("logistic", [1.0, 0.3], [-1.0, 1.0], [0.0, 0.0], [1.0, 1.0], 0.95)
    found = prove(curve, x, y, questions, draws=300)
    p = curve.probability(x)
    observed, predicted = calibration_curve(y, p, n_bins=10, strategy="quantile")
    assert [one.observed for one in found.bins] == pytest.approx(observed.tolist())
    assert [one.predicted for one in found.bins] == pytest.approx(predicted.tolist())
    assert found.brier == pytest.approx(brier_score_loss(y, p))
    counts = np.array([one.count for one in found.bins])
    assert counts.sum() == 1000
    assert found.error == pytest.approx((counts * np.abs(observed - predicted)).sum() / 1000)
    assert found.brier_interval.low < found.brier < found.brier_interval.high
    assert found.base == pytest.approx(y.mean() * (1 - y.mean()))
    assert all(one.interval.low <= one.observed <= one.interval.high for one in found.bins)


def test_a_wrong_curve_is_shown_to_be_wrong():
    x, y, questions = pairs(4000)
    right, wrong = (ScoreCurve("logistic", [2.0, shift], [-1.0], [0.0], [1.0], 0.95) for shift in (0.0, 1.5))
    assert prove(right, x, y, questions, draws=300).error < 0.04
    bad = prove(wrong, x, y, questions, draws=300)
    assert bad.error_interval.low > 0.15
    outside = [not one.interval.low <= one.predicted <= one.interval.high for one in bad.bins]
    assert np.mean(outside) > 0.5


def test_what_is_proved_was_not_seen(monkeypatch):
    seen = {}
    monkeypatch.setattr(calibration, "fit", lambda *a, **k: (seen.update(fit=a[0]), fit(*a, **k, draws=20))[1])
    monkeypatch.setattr(calibration, "prove", lambda c, *a, **k: (seen.update(prove=a[0]), prove(c, *a, **k))[1])
    x, y, questions = pairs(2000)
    curve, proof = calibrate(x, y, questions)
    assert len(seen["fit"]) + len(seen["prove"]) == 2000
    assert not set(seen["fit"]) & set(seen["prove"])
    assert not set(questions[np.isin(x, seen["fit"])]) & set(questions[np.isin(x, seen["prove"])])
    assert (curve.questions, proof.questions) == (100, 100)


def test_random_pairs_say_what_chance_gives(tmp_path):
    null = np.random.default_rng(4).normal(-1, 1, 5000)
    curve = fit(*pairs(500), null=null, draws=20)
    assert curve.chance([-1.0])[0] == pytest.approx(0.5, abs=0.02)
    assert curve.chance([99.0])[0] == 1 / 5001
    curve.save(tmp_path / "curve.json")
    again = ScoreCurve.load(tmp_path / "curve.json")
    assert again == curve
    assert np.array_equal(again.probability([0.3]), curve.probability([0.3]))
    with pytest.raises(UsageError, match="knows no random pairs"):
        fit(*pairs(500), draws=20).chance([0.0])


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": "other"}', '{"format": "isogloss.curve/1", "x": 1}'])
def test_a_broken_file_is_an_error(tmp_path, text):
    path = tmp_path / "curve.json"
    path.write_text(text)
    with pytest.raises(CorpusError, match="holds no calibration"):
        ScoreCurve.load(path)


def test_the_same_seed_gives_the_same_file(tmp_path):
    for name in "ab":
        fit(*pairs(500), draws=30, seed=3).save(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert json.loads((tmp_path / "a").read_text())["kind"] in ("isotonic", "logistic")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x, y, q: (x, np.ones(len(y)), q), "one class only"),
        (lambda x, y, q: (x, np.arange(len(y)) < 19, q), "19 relevant and 481 irrelevant"),
        (lambda x, y, q: (np.full(len(x), 2.0), y, q), "all scores are equal"),
        (lambda x, y, q: (x, y, np.zeros(len(x))), "one question"),
        (lambda x, y, q: (np.where(x == x[0], np.nan, x), y, q), "1 of 500 scores NaN"),
        (lambda x, y, q: (x, y + 1, q), "other judgements"),
        (lambda x, y, q: (x[1:], y, q), "499 scores, 500 judgements"),
    ],
)  # fmt: skip
def test_what_cannot_be_fitted_is_an_error(change, message):
    with pytest.raises((CorpusError, UsageError), match=message):
        fit(*change(*pairs(500)))
