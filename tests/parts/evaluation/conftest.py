"""Data for evaluations, and mteb's tasks over it."""

from __future__ import annotations

import gzip
import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest


@pytest.fixture(scope="session")
def rows(data):
    """Return the rows of a JSON Lines file of the data, gzipped or not."""

    def read(name: str, file: str, count: int | None = None) -> list[dict[str, Any]]:
        path = data(name) / file
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        return [json.loads(line) for line in content.decode("utf-8").splitlines()[:count]]

    return read


@pytest.fixture(scope="session")
def local_mteb() -> ModuleType:
    """Return the benchmarks' module that makes mteb's tasks of local data."""
    pytest.importorskip("mteb")
    path = Path(__file__).parents[3] / "benchmarks" / "local_mteb.py"
    spec = importlib.util.spec_from_file_location("local_mteb", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
