"""The share of the peak by hand arithmetic: what the linear layers of a token cost, and parts that add up."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest


@pytest.fixture
def peak(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parents[2] / "benchmarks"))
    yield importlib.import_module("encoding_peak")
    sys.modules.pop("encoding_peak")


def test_a_token_costs_its_multiplications_at_the_speed_of_each_shape(peak) -> None:
    even = dict.fromkeys(peak.SHAPES, 1.0)  # a billion operations a second
    assert peak.seconds_a_token(even) == pytest.approx(6 * 2 * (384 * 1152 + 384 * 384 + 2 * 384 * 1536) / 1e9)
    slow = {**even, "down": 0.5}
    assert peak.seconds_a_token(slow) - peak.seconds_a_token(even) == pytest.approx(6 * 2 * 384 * 1536 / 1e9)


def test_parts_are_taken_out_of_what_holds_them_and_add_up(peak) -> None:
    clocks = {
        "linear layers": 5.0,
        "attention": 2.0,
        "layer norms": 0.5,
        "_states": 8.0,
        "_pooled": 8.25,
        "tokens": 1.0,
    }
    found = peak.parts_of(clocks, 10.0)
    assert found == {
        "linear layers": 0.5, "attention": 0.2, "layer norms": 0.05, "embeddings and their norm": 0.05,
        "pooling": 0.025, "tokens": 0.1, "batching and copies": 0.075,
    }  # fmt: skip
    assert sum(found.values()) == pytest.approx(1)


def test_a_clock_counts_what_runs_inside(peak) -> None:
    clocks = {"part": 0.0}
    assert peak.timed(clocks, "part", sum)(range(200_000)) == 199_999 * 100_000
    assert clocks["part"] > 0
