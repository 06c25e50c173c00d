"""Reproducing: the exit codes, and that nothing is sent or run that the user did not ask for."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

from isogloss.errors import CheckFailed, IncompatibleError, UsageError
from isogloss.evaluation.run_file import DataHash, RunFile, SystemSettings
from isogloss.workflows.reproduction import compared, reproduce

RUN = RunFile(
    "runs", ["eval"], [DataHash("qrels", "d1", 10, "q.trec")], [SystemSettings("a"), SystemSettings("b")], {},
    {"ndcg@10": {"a": [0.4, 0.3, 0.5], "b": [0.5, 0.4, 0.6]}},
    options={"request": {"kind": "runs", "runs": ["a.run", "b.run"], "qrels": "q.trec", "seed": 0}},
)  # fmt: skip


def again_with(run, asked=None):
    """What runs a request: notes it and gives ``run``."""

    def again(request, *, threads=None, progress=None):
        if asked is not None:
            asked.append(request)
        return SimpleNamespace(report=SimpleNamespace(run=run))

    return again


def test_the_recorded_request_is_what_runs():
    asked = []
    found = reproduce(RUN, folder="kept", again=again_with(RUN, asked))
    assert (asked[0].kind, asked[0].runs, asked[0].qrels) == ("runs", ("kept/a.run", "kept/b.run"), "kept/q.trec")
    assert found.failure() is None
    assert found.to_dict()["came_back"] is True


def test_a_changed_score_is_a_failed_check_that_names_the_cause():
    other = replace(RUN, scores={"ndcg@10": {"a": [0.4, 0.3, 0.5], "b": [0.52, 0.4, 0.6]}}, versions={"numpy": "0"})
    failure = reproduce(RUN, again=again_with(other)).failure()
    assert isinstance(failure, CheckFailed)
    assert failure.exit_code == 3
    assert "1 of 2" in failure.what
    assert "+0.0200: ndcg@10 of b" in failure.why
    assert "version: numpy" in failure.fix


def test_other_data_and_models_are_incompatible_even_where_scores_agree():
    data = replace(RUN, data=[DataHash("qrels", "d2", 10, "q.trec")])
    model = replace(RUN, systems=[replace(RUN.systems[0], identity="x"), RUN.systems[1]])
    for other, name in ((data, "data: qrels"), (model, "a: identity")):
        failure = reproduce(RUN, again=again_with(other)).failure()
        assert failure is not None
        assert failure.exit_code == 4
        assert name in failure.why


def test_a_score_that_is_gone_is_a_failed_check():
    other = replace(RUN, scores={"ndcg@10": {"a": [0.4, 0.3, 0.5]}})
    failure = compared(RUN, other).failure()
    assert isinstance(failure, CheckFailed)
    assert "such as b" in failure.why


def test_intervals_alone_are_called_intervals():
    other = replace(RUN, scores={"ndcg@10": {"a": [0.4, 0.31, 0.5], "b": [0.5, 0.4, 0.6]}}, seed=1)
    failure = compared(RUN, other).failure()
    assert failure is not None
    assert "intervals do not" in failure.why
    assert "seed" in failure.fix


def test_a_record_without_scores_proves_nothing():
    empty = replace(RUN, scores={})
    assert isinstance(compared(empty, empty).failure(), IncompatibleError)


@pytest.mark.parametrize(("kind", "option"), [("endpoint", "endpoint"), ("questions", "writer")])
def test_a_server_in_a_record_is_not_asked_unless_the_user_says_so(kind, option):
    asked = []
    request = {"kind": kind, option: "http://somewhere.example/v1", "qrels": "q.trec"}
    run = replace(RUN, options={"request": request})
    with pytest.raises(UsageError, match="somewhere"):
        reproduce(run, again=again_with(run, asked))
    assert asked == []
    reproduce(run, allow_network=True, again=again_with(run, asked))
    assert getattr(asked[0], option) == "http://somewhere.example/v1"


@pytest.mark.parametrize("options", [{}, {"request": 3}, {"request": {"kind": "runs", "unheard": 1}}, {"request": {}}])
def test_a_record_that_does_not_say_how_is_refused(options):
    with pytest.raises((IncompatibleError, UsageError)):
        reproduce(replace(RUN, options=options), again=again_with(RUN))
