"""The Lab says ``holds`` of nothing, and of what is there: a small count of the simulation in ``benchmarks``."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def simulation():
    spec = importlib.util.spec_from_file_location("lab_simulation", REPOSITORY / "benchmarks" / "lab_simulation.py")
    module = sys.modules["lab_simulation"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.nightly
@pytest.mark.parametrize("share", [0.0, 0.5, 0.8])
def test_nothing_holds_without_an_effect(simulation, share):
    """One in a hundred at most: 8 or more of 300 would come less than once in a hundred such tests."""
    found = [
        simulation.check(simulation.Scenario(200, error, share, 0.0), i) for error in (0.6, 1.2) for i in range(150)
    ]
    assert found.count("holds") < 8


@pytest.mark.nightly
@pytest.mark.parametrize("share", [0.0, 0.5, 0.8])
def test_twice_the_margin_holds(simulation, share):
    found = [simulation.check(simulation.Scenario(200, 0.3, share, 2.0), i) for i in range(60)]
    assert found.count("holds") >= 48


def test_the_simulation_runs(simulation):
    scenario = simulation.Scenario(200, 0.3, 0.5, 2.0)
    assert [simulation.check(scenario, i) for i in range(3)].count("holds") >= 2


def test_the_committed_simulation_shows_it():
    result = json.loads((REPOSITORY / "benchmarks" / "results" / "lab_simulation.json").read_text())
    assert result["holds without effect, all"] <= 0.01
    assert result["holds at twice the margin, worst scenario"] >= 0.8
    assert {one["items"] for one in result["scenarios"]} == {200, 600, 2000}
