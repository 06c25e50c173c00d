"""The reports that the renderers' tests use, and a real Chromium."""

from __future__ import annotations

import shutil
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

_REPORTS = Path(__file__).parent.parent / "parts" / "evaluation" / "report" / "conftest.py"
_spec = spec_from_file_location("report_fixtures", _REPORTS)
_module = module_from_spec(_spec)
_spec.loader.exec_module(_module)
ordinary, hostile = _module.ordinary, _module.hostile


@pytest.fixture(scope="session")
def chromium():
    """Return a running Chromium; skip where playwright or the browser is missing."""
    sync = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    place = shutil.which("chromium") or shutil.which("chromium-browser")
    if place is None:
        pytest.skip("there is no Chromium on this machine")
    with sync.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=place, args=["--no-sandbox"])
        yield browser
        browser.close()
