"""Discovery: every class of the package that obeys a protocol is held to its contract, built as ``parts.py`` says.

A test asks for ``encoder``, ``transform``, ``index``, ``searcher`` or ``reader`` and runs once for each part.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import pkgutil
import sys
from pathlib import Path

import pytest

import isogloss
from isogloss.corpus.formats import formats

HERE = Path(__file__).parent
SHAPES = {
    "encoder": {"encode", "identity", "probes", "heads"},
    "transform": {"fit", "transform", "get_params", "set_params"},
    "index": {"add", "remove", "search", "score_all", "__len__"},
    "searcher": {"search"},
}


def _load(path, name):
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


parts = _load(HERE / "parts.py", "contract_parts")


def built(kind):
    """The builders of a kind, by part."""
    return getattr(parts, "indexes" if kind == "index" else f"{kind}s")


def obeys(kind, candidate):
    """Whether a class has the shape of a protocol; a searcher's first parameter is texts, not vectors."""
    if getattr(candidate, "_is_protocol", False) or inspect.isabstract(candidate):
        return False
    if not all(hasattr(candidate, name) for name in SHAPES[kind]):
        return False
    return kind != "searcher" or list(inspect.signature(candidate.search).parameters)[1:5] == [
        "texts",
        "k",
        "where",
        "effort",
    ]


def discover(kind, modules):
    """Names of the classes of ``modules`` that obey a protocol, as ``module.Class`` below the package."""
    found = set()
    for module in modules:
        for name, candidate in inspect.getmembers(module, inspect.isclass):
            if candidate.__module__ == module.__name__ and obeys(kind, candidate):
                found.add(f"{module.__name__.removeprefix('isogloss.')}.{name}")
    return found


def package_modules():
    names = (one.name for one in pkgutil.walk_packages(isogloss.__path__, "isogloss."))
    return [importlib.import_module(name) for name in names if not name.endswith("__main__")]


@pytest.fixture(scope="session")
def discovered():
    """All parts of the package by kind."""
    modules = package_modules()
    return {kind: discover(kind, modules) for kind in SHAPES} | {"reader": set(formats())}


@pytest.fixture(scope="session")
def finder():
    """The discovery itself, so that it can be tested."""
    return discover


@pytest.fixture(scope="session")
def builders():
    """What ``parts.py`` builds, by kind, and what it leaves out with a reason."""
    return {kind: built(kind) for kind in (*SHAPES, "reader")} | {"left_out": parts.left_out}


@pytest.fixture(scope="session")
def parts_sound():
    """``parts.sound``: the content of a sound file of a format."""
    return parts.sound


@pytest.fixture(scope="session")
def parts_file():
    """Path of ``parts.py``, for a new process."""
    return HERE / "parts.py"


def pytest_generate_tests(metafunc):
    for kind in (*SHAPES, "reader"):
        if kind in metafunc.fixturenames:
            metafunc.parametrize(kind, sorted(built(kind)), indirect=True, scope="session")


@pytest.fixture(scope="session")
def encoder(request, tmp_path_factory):
    """One encoder as ``parts.Made``: the encoder, and others with one setting changed each."""
    return parts.encoders[request.param](tmp_path_factory.mktemp("encoder"))


@pytest.fixture(scope="session")
def transform(request):
    """A function that makes one transform, not fitted."""
    return parts.transforms[request.param]


@pytest.fixture(scope="session")
def index(request):
    """One index as ``parts.IndexPart``: how to make it, and vectors for it."""
    return parts.indexes[request.param]


@pytest.fixture(scope="session")
def searcher(request, tmp_path_factory):
    """One searcher over the documents of ``parts.DOCUMENTS``."""
    made = parts.searchers[request.param](tmp_path_factory.mktemp("searcher"))
    yield made
    getattr(made, "close", lambda: None)()


@pytest.fixture(scope="session")
def reader(request):
    """One format as ``parts.ReaderPart``: its name, a sound file of three documents and broken ones."""
    return parts.readers[request.param]
