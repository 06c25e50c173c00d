"""Metrics of labels, scores, clusters and numbers equal scikit-learn's and MTEB's, as they are and re-weighted."""

from __future__ import annotations

import gzip
import json
from functools import partial

import numpy as np
import pytest
import sklearn.metrics as sk
from hypothesis import given
from hypothesis import strategies as st

from isogloss.errors import IsoglossError, IsoglossWarning
from isogloss.evaluation.metrics.classification import labels, scores
from isogloss.evaluation.metrics.clustering import clusters
from isogloss.evaluation.metrics.regression import errors

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:sklearn")

LABELS = {"accuracy": sk.accuracy_score, "f1_micro": partial(sk.f1_score, average="micro", zero_division=0)}
for short, metric in (("f1", sk.f1_score), ("precision", sk.precision_score), ("recall", sk.recall_score)):
    LABELS[short] = partial(metric, average="macro", zero_division=0)
    LABELS[f"{short}_weighted"] = partial(metric, average="weighted", zero_division=0)
CLUSTERS = {
    "v_measure": sk.v_measure_score,
    "homogeneity": sk.homogeneity_score,
    "completeness": sk.completeness_score,
    "nmi": sk.normalized_mutual_info_score,
    "ari": sk.adjusted_rand_score,
}
NUMBERS = {
    "mae": sk.mean_absolute_error,
    "mse": sk.mean_squared_error,
    "rmse": sk.root_mean_squared_error,
    "r2": sk.r2_score,
}


@pytest.fixture(scope="module")
def intents(data):
    """True labels of real questions, and the label of the question before that shares the most words."""
    lines = gzip.decompress((data("banking77") / "test.jsonl.gz").read_bytes()).decode().splitlines()
    rows = [json.loads(line) for line in lines][::8]
    words = [set(row["text"].lower().split()) for row in rows]
    names = sorted({row["label"] for row in rows})
    true = np.array([names.index(row["label"]) for row in rows])
    shared = np.array([[len(one & other) for other in words] for one in words])
    np.fill_diagonal(shared, -1)
    near = shared.argmax(1)
    return true[near], true


@pytest.mark.parametrize("name", list(LABELS))
def test_labels_equal_scikit_learn(name, intents, agree):
    predicted, true = intents
    agree(labels(predicted, true)[name], lambda p, t: LABELS[name](t, p), predicted, true, draws=8)


@pytest.mark.parametrize("name", list(CLUSTERS))
def test_clusters_equal_scikit_learn(name, intents, agree):
    found, true = intents
    agree(clusters(found % 20, true)[name], lambda f, t: CLUSTERS[name](t, f), found % 20, true, draws=8)


def test_purity_equals_the_count_of_the_greatest(intents, agree):
    found, true = intents

    def purity(f, t):
        return sum(np.bincount(t[f == cluster]).max() for cluster in np.unique(f)) / len(f)

    agree(clusters(found % 20, true)["purity"], purity, found % 20, true, draws=8)


@pytest.mark.parametrize("name", list(NUMBERS))
def test_errors_equal_scikit_learn(name, intents, agree):
    predicted, true = (np.asarray(column, float) for column in intents)
    agree(errors(predicted, true)[name], lambda p, t: NUMBERS[name](t, p), predicted, true, draws=8)


@pytest.fixture(scope="module")
def duplicates(data):
    """Real pairs: the share of common words, and whether they are duplicates."""
    lines = gzip.decompress((data("quora-pairs") / "dev.jsonl.gz").read_bytes()).decode().splitlines()[:500]
    rows = [json.loads(line) for line in lines]
    pairs = [(set(row["a"].lower().split()), set(row["b"].lower().split())) for row in rows]
    return np.array([len(a & b) / len(a | b) for a, b in pairs]), np.array([int(row["label"]) for row in rows])


def test_ranked_scores_equal_scikit_learn(duplicates, agree):
    scored, true = duplicates
    agree(scores(scored, true)["ap"], lambda s, t: sk.average_precision_score(t, s), scored, true)
    agree(scores(scored, true)["auc"], lambda s, t: sk.roc_auc_score(t, s), scored, true)


@pytest.mark.parametrize("name", ["f1", "precision", "recall", "accuracy", "ap"])
@pytest.mark.filterwarnings("ignore")
def test_best_thresholds_equal_mteb(name, duplicates, agree):
    Task = pytest.importorskip("mteb.abstasks.pair_classification").AbsTaskPairClassification

    class Bare(Task):
        def __init__(self):
            pass

    def theirs(s, t):
        return Bare()._compute_metrics_values(s.tolist(), t, True)[name]

    agree(scores(*duplicates)[name], theirs, *duplicates)


def test_hand_arithmetic():
    found = {name: sample.value() for name, sample in labels([0, 1, 1, 2], [0, 1, 2, 2]).items()}
    assert found["accuracy"] == 0.75
    assert found["f1"] == pytest.approx((1 + 2 / 3 + 2 / 3) / 3)
    best = {name: sample.value() for name, sample in scores([0.9, 0.8, 0.7, 0.1], [1, 0, 1, 0]).items()}
    assert best["ap"] == pytest.approx((1 + 2 / 3) / 2)
    assert best["auc"] == 0.75
    assert (best["f1"], best["precision"], best["recall"]) == pytest.approx((0.8, 2 / 3, 1.0))
    assert best["accuracy"] == 0.75
    upside_down = scores([0.9, 0.5], [0, 1])
    assert upside_down["f1"].value() == 0.0, "to take everything is no threshold"
    assert upside_down["accuracy"].value() == 0.0
    assert clusters([0, 0, 1, 1], [1, 1, 0, 0])["ari"].value() == 1.0
    assert errors([1.0, 2.0, 6.0], [1.0, 2.0, 3.0])["r2"].value() == pytest.approx(1 - 9 / 2)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=25), st.permutations(range(4)))
def test_names_of_clusters_do_not_matter(pairs, other):
    found, true = np.array(pairs).T
    for name, sample in clusters(found, true).items():
        value = sample.value()
        assert -0.5 <= value <= 1 + 1e-12
        assert clusters(np.array(other)[found], true)[name].value() == pytest.approx(value, abs=1e-9)
        assert clusters(true, true)[name].value() == pytest.approx(1.0)


@given(st.lists(st.tuples(st.integers(-4, 4), st.booleans()), min_size=2, max_size=25))
def test_only_the_order_of_scores_counts(pairs):
    scored, true = np.array(pairs, float).T
    if len(set(true)) < 2 or len(set(scored)) < 2:
        return
    before = {name: sample.value() for name, sample in scores(scored, true.astype(int)).items()}
    after = {name: sample.value() for name, sample in scores(np.exp(scored), true.astype(int)).items()}
    assert after == pytest.approx(before)
    turned = scores(-scored, true.astype(int))["auc"].value()
    assert turned == pytest.approx(1 - before["auc"])


def test_bad_input_is_an_error():
    with pytest.raises(IsoglossError, match="two classes are needed"):
        scores([0.1, 0.2], [1, 1])
    with pytest.raises(IsoglossError, match="1 of 2 are NaN"):
        scores([np.nan, 0.2], [1, 0])
    with pytest.raises(IsoglossError, match="no labels"):
        labels(np.zeros(0, int), np.zeros(0, int))
    with pytest.raises(IsoglossError, match="whole numbers"):
        labels(["a"], ["b"])
    with pytest.raises(IsoglossError, match="1 clusters, 2 labels"):
        clusters([0], [0, 1])
    with pytest.raises(IsoglossError, match="do not pair up"):
        errors([0.0], [0.0, 1.0])
    with pytest.warns(IsoglossWarning, match="all 2 scores are 1"):
        constant = scores([1.0, 1.0], [1, 0])
    assert constant["auc"].value() == 0.5
    assert constant["f1"].value() == 0.0
