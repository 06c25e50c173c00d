"""Conditions on scores: read, decided by value or by interval, refused where they make no sense."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isogloss.errors import CheckFailed, UsageError
from isogloss.evaluation.results import Comparison, Difference, Interval, Score
from isogloss.workflows.gates import check, judge, parse_gate


def comparisons(better=0.5, worse=0.4, low=-0.02, high=0.22):
    scores = [
        Score("hybrid", better, Interval(better - 0.05, better + 0.05), 100, 100),
        Score("words", worse, Interval(worse - 0.05, worse + 0.05), 100, 100),
    ]
    pair = Difference("hybrid", "words", better - worse, Interval(low, high), 0.1, 0.1, 0.1)
    return [Comparison("ndcg@10", scores, [pair], [["hybrid", "words"]], 100, 0)]


SYSTEMS = ["words", "hybrid"]


@pytest.mark.parametrize(
    ("text", "failed"),
    [
        ("ndcg@10 < words.ndcg@10", False),
        ("words.ndcg@10 < hybrid.ndcg@10", True),
        ("words.ndcg@10 < hybrid.ndcg@10 - 0.2", False),
        ("ndcg@10 < words.ndcg@10 + .2", True),
        ("ndcg@10<0.6", True),
        ("ndcg@10 <= 0.5", True),
        ("ndcg@10 < 0.5", False),
        ("ndcg@10 > 0.45", True),
        ("0.45 >= words.ndcg@10", True),
        ("bm25.ndcg@10 < hybrid.ndcg@10", True),
    ],
)
def test_the_value_decides(text, failed):
    assert judge(parse_gate(text), comparisons(), SYSTEMS).failed is failed


def test_sure_needs_the_whole_interval():
    text = "words.ndcg@10 < hybrid.ndcg@10"
    assert not judge(parse_gate(text, sure=True), comparisons(), SYSTEMS).failed
    assert judge(parse_gate(text, sure=True), comparisons(low=0.01), SYSTEMS).failed
    assert judge(parse_gate("ndcg@10 < 0.56", sure=True), comparisons(), SYSTEMS).failed
    assert not judge(parse_gate("ndcg@10 < 0.54", sure=True), comparisons(), SYSTEMS).failed
    assert judge(parse_gate("ndcg@10 > 0.44", sure=True), comparisons(), SYSTEMS).failed


def test_the_last_named_system_is_meant_where_none_is():
    assert "words.ndcg@10 is 0.4000" in judge(parse_gate("ndcg@10 < 1"), comparisons(), ["hybrid", "words"]).found


def test_the_sentence_has_both_values_and_the_interval_the_right_way_round():
    found = judge(parse_gate("words.ndcg@10 < hybrid.ndcg@10"), comparisons(), SYSTEMS).found
    assert found == ("words.ndcg@10 is 0.4000, hybrid.ndcg@10 is 0.5000; difference -0.1000 [-0.2200, +0.0200]")


def test_the_error_names_what_failed_and_exits_with_3():
    gates = [parse_gate("ndcg@10 < 0.9"), parse_gate("ndcg@10 < 0.1")]
    verdicts, error = check(gates, comparisons(), SYSTEMS)
    assert [verdict.failed for verdict in verdicts] == [True, False]
    assert isinstance(error, CheckFailed)
    assert error.exit_code == 3
    assert "1 of 2" in error.what
    assert check(gates[1:], comparisons(), SYSTEMS)[1] is None


@pytest.mark.parametrize("text", ["ndcg@10", "ndcg@10 = 3", "< 3", "ndcg@10 <", "ndcg@10 < nan", "ndcg@10 < inf", ""])
def test_what_cannot_be_read(text):
    with pytest.raises(UsageError, match="cannot be read"):
        parse_gate(text)


def test_unknown_metrics_and_systems_are_usage_errors():
    for text, said in (("map < 1", "--metric map"), ("static.ndcg@10 < 1", "add it to --compare")):
        with pytest.raises(UsageError) as error:
            judge(parse_gate(text), comparisons(), SYSTEMS)
        assert said in error.value.fix


def test_nan_fails_rather_than_passes():
    with pytest.raises(CheckFailed, match="cannot be decided"):
        judge(parse_gate("words.ndcg@10 < 0.1"), comparisons(worse=float("nan")), SYSTEMS)


@given(st.floats(0, 1), st.floats(0, 1), st.sampled_from(["<", "<=", ">", ">="]))
def test_a_gate_agrees_with_python(a, b, sign):
    verdict = judge(parse_gate(f"hybrid.ndcg@10 {sign} words.ndcg@10"), comparisons(a, b), SYSTEMS)
    assert verdict.failed is {"<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b}[sign]
