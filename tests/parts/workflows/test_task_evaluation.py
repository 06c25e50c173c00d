"""Models on data sets by name: what a name means, what models are compared by, what is said about odd figures."""

from __future__ import annotations

import numpy as np
import pytest

from isogloss.errors import UsageError
from isogloss.evaluation.results import Comparison, Interval, Score, TaskResult
from isogloss.evaluation.sample import Sample
from isogloss.workflows.evaluating import evaluate
from isogloss.workflows.requests import Request
from isogloss.workflows.task_evaluation import _main, _odd, choose


def result(**widths):
    """A result with one sample a metric, its items of the given width."""
    samples = {name: Sample.of(np.zeros((4, width)), name=name) for name, width in widths.items()}
    return TaskResult("task", "kind", next(iter(samples)), samples)


def test_a_name_chooses_data_kind_and_part():
    assert choose("sts-b").view.kind == "sts"
    assert choose("banking77:clustering").view.kind == "clustering"
    assert choose("banking77:classification/test").part == "test"
    for wrong in ("nonesuch", "sts-b:clustering", "cifar10-sample", "sts-b/nonesuch"):
        with pytest.raises(UsageError):
            choose(wrong)


def test_models_are_compared_by_a_metric_that_all_measured_alike():
    same = {"a": result(best=6, own=2), "b": result(best=6, own=2)}
    assert _main(same)["a"].name == "best"
    differing = {"a": result(best=6, own=2), "b": result(best=4, own=2)}
    assert _main(differing)["b"].name == "own"
    with pytest.raises(UsageError, match="cannot be compared"):
        _main({"a": result(best=6), "b": result(best=4)})


def test_an_interval_that_does_not_hold_its_score_is_said():
    score = Score("a", 0.74, Interval(0.746, 0.762), 10, 10)
    said = _odd([Comparison("t v_measure", [score], [], [["a"]], 99, 0)])
    assert len(said) == 1
    assert "does not hold the score 0.740" in said[0]
    fine = Score("a", 0.75, Interval(0.746, 0.762), 10, 10)
    assert _odd([Comparison("t v_measure", [fine], [], [["a"]], 99, 0)]) == []


def test_real_tasks_of_every_sort(data):
    names, probed = ("sts-b", "er-beer", "medline"), ("cr", "query-wellformedness")
    for name in (*names, *probed):
        data(name)
    alone = evaluate(Request(kind="tasks", systems=("static",), tasks=probed, draws=99))
    assert [one.result.kind for one in alone.report.tasks] == ["classification", "regression"]
    assert alone.report.comparisons == []
    request = Request(kind="tasks", systems=("static", "words"), tasks=names, draws=99, baseline="words")
    found = evaluate(request)
    from scipy.stats import spearmanr

    from isogloss.arrays import normalise
    from isogloss.encoders.static import bundled_static
    from isogloss.evaluation.datasets.load import load

    assert found.report.baseline == "words"
    assert len(found.report.tasks) == 2 * len(names)
    assert {one.metric.split(" ")[0] for one in found.judged()} == set(names)
    assert "er-beer: compared by" in " ".join(found.report.notes)
    pairs = load("sts-b")
    left, right = (normalise(bundled_static().encode(texts)) for texts in (pairs.left, pairs.right))
    expected = spearmanr((left * right).sum(1), pairs.scores).statistic
    scored = next(one for one in found.judged() if one.metric.startswith("sts-b"))
    assert scored.score("static").value == pytest.approx(expected, abs=1e-6)
