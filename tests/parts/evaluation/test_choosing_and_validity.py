"""EvalRank, choosing on a development set, and the validity of metrics: hand values, SciPy, properties."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isogloss.arrays import Similarity
from isogloss.corpus.examples import ScoredPairs
from isogloss.errors import IsoglossError
from isogloss.evaluation.metric_validity import metric_validity
from isogloss.evaluation.sample import Sample
from isogloss.evaluation.selection import choose
from isogloss.evaluation.tasks.eval_rank import RankedPositives, ranked_positives, run


class Angles:
    """A text is a number of degrees on the circle."""

    modality, similarity, identity, heads = "text", Similarity.COSINE, "angles", {}
    probes = np.zeros((0, 2))

    def encode(self, inputs, *, role=None, instruction=None, report=None):
        turned = np.deg2rad([float(text) for text in inputs])
        return np.stack([np.cos(turned), np.sin(turned)], axis=1).astype(np.float32)


class Constant(Angles):
    def encode(self, inputs, **_):
        return np.ones((len(list(inputs)), 2), np.float32)


def test_exact_ranks_of_six_items():
    # from 0: 10 20 30 40 90; the partner 30 is third; from 90: 40 30 20 10 0; the partner 40 is first
    data = RankedPositives(["0", "90"], ["30", "40"], ["10", "20"])
    found = run(Angles(), data, name="hand")
    assert found.samples["mrr"].items.tolist() == [1 / 3, 1.0]
    assert found.samples["hits@1"].items.tolist() == [0.0, 1.0]
    assert found.samples["hits@3"].value() == 1.0
    assert found.details["pool"] == 6


def test_other_partners_are_no_mistakes_and_ties_share_their_rank():
    # 5 and 30 are both right for 0: 5 does not stand in the way of 30
    data = RankedPositives(["0", "0"], ["5", "30"], ["90", "180"])
    assert run(Angles(), data, name="two").samples["mrr"].items.tolist() == [1.0, 1.0]
    # five others, all alike: the mean rank of 1..5 is 3
    data = RankedPositives(["0"], ["30"], ["1", "2", "3", "4"])
    assert run(Constant(), data, name="constant").samples["mrr"].items.tolist() == [1 / 3]


@given(st.lists(st.integers(0, 359), min_size=3, max_size=40, unique=True), st.integers(1, 30))
def test_ranks_are_brute_force_and_a_greater_background_never_helps(angles, more):
    texts = [str(angle) for angle in angles]
    data = RankedPositives(texts[:1], texts[1:2], texts[2:])
    found = run(Angles(), data, name="few").samples["mrr"].items[0]
    rows = Angles().encode(texts)
    scores = Similarity.COSINE(rows[:1], rows)[0]
    above, same = (scores[2:] > scores[1]).sum(), (scores[2:] == scores[1]).sum()
    assert found == pytest.approx(1 / (1 + above + same / 2))
    wider = RankedPositives(texts[:1], texts[1:2], [*texts[2:], *(f"{n}.5" for n in range(more))])
    assert run(Angles(), wider, name="many").samples["mrr"].items[0] <= found


def test_positives_are_cleaned():
    pairs = ScoredPairs(["A dog.", "a dog", "x"], ["A hound", "A DOG!", "y"], np.array([4.0, 5.0, 3.9]), np.arange(3))
    data = ranked_positives(pairs, ["a hound!", "rain", "Rain.", "x"])
    assert (data.left, data.right, data.background) == (["A dog."], ["A hound"], ["rain", "x"])
    with pytest.raises(IsoglossError, match="no positive pair"):
        ranked_positives(pairs, [], at_least=6)


def test_the_best_is_chosen_and_every_score_is_kept():
    found = choose({3: 0.1, 1: 0.7, 2: 0.7}, lambda made: Sample.of([made]))
    assert (found.best, found.scores) == (1, {3: 0.1, 1: 0.7, 2: 0.7})
    with pytest.raises(IsoglossError, match="1 of 2 have no score"):
        choose({0: 0.1, 1: np.nan}, lambda made: Sample.of([made]))
    with pytest.raises(IsoglossError, match="nothing to choose"):
        choose({}, lambda made: Sample.of([made]))


@given(st.integers(0, 1000), st.integers(3, 30))
def test_validity_is_scipys_correlation_and_knows_its_models(seed, models):
    stats = pytest.importorskip("scipy.stats")
    a, b = np.random.default_rng(seed).standard_normal((2, models))
    found = metric_validity(a, b)
    assert found.value() == pytest.approx(stats.spearmanr(a, b)[0])
    assert metric_validity(a, b, kind="kendall").value() == pytest.approx(stats.kendalltau(a, b)[0])
    assert metric_validity(np.exp(a), b).value() == pytest.approx(found.value())
    assert metric_validity(a, b, groups=np.arange(models) // 2).groups.max() == (models - 1) // 2


def test_validity_refuses_what_cannot_be_judged():
    for wrong in (([1, 2], [1, 2]), ([1, 2, 3], [1, 2]), ([1, 2, np.nan], [1, 2, 3])):
        with pytest.raises(IsoglossError):
            metric_validity(*wrong)
    with pytest.raises(IsoglossError, match="no correlation"):
        metric_validity([1, 2, 3], [1, 2, 3], kind="best")
