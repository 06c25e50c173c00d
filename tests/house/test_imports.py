"""What the runtime may import, and when: no torch, no network, no pickle, nothing heavy before it is needed."""

from __future__ import annotations

import ast
import json
import subprocess
import sys

import pytest

TORCH = {"torch", "transformers", "sentence_transformers", "accelerate", "torchvision", "tensorflow", "jax"}
WORKSHOP = {"nn", "objectives", "training", "generation", "mining", "rerank", "recipes"}
TORCH_ENGINES = {f"encoders/engines/{kind}_torch.py" for kind in ("packed", "device", "further")}
TORCH_ENGINES.add("encoders/engines/torch_loading.py")
"""The one engine of the encoders that the workshop brings along, on a processor and on a graphics card."""
NETWORK = {
    *("socket", "ssl", "http", "urllib", "urllib3", "ftplib", "smtplib", "xmlrpc", "asyncio"),
    *("requests", "httpx", "aiohttp", "huggingface_hub", "websockets", "grpc"),
}
HARMLESS = {
    "urllib.parse",
    "urllib.parse.quote",
    "urllib.parse.unquote",
    "urllib.parse.urlsplit",
    "urllib.parse.urlparse",
}
MAY_CALL_OUT = {"encoders/pull.py", "web.py"}
"""``isogloss pull``, and the one client of servers that the user names."""

UNSAFE = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
HEAVY = {
    *("numba", "scipy", "onnxruntime", "tokenizers", "safetensors", "pyarrow", "sqlite3", "sklearn", "pandas", "tqdm"),
    *("pypdf", "docx", "lxml", "selectolax", "docutils", "markdown_it", "charset_normalizer", "py3langid", "Stemmer"),
    *("snowballstemmer", "multiprocessing", "huggingface_hub", "email", "http", "urllib.request", "importlib.metadata"),
}


def _within(name, names):
    return any(name == one or name.startswith(f"{one}.") for one in names)


def _in_workshop(module):
    return module.path in TORCH_ENGINES or bool(WORKSHOP & set(module.name.split(".")[1:2]))


def torch_faults(modules):
    runtime = [module for module in modules if not _in_workshop(module)]
    return sorted(
        {f"{m.path}:{line}: imports torch's kin" for m in runtime for name, line in m.imports if _within(name, TORCH)}
    )


def network_faults(modules):
    found = set()
    for module in modules:
        for name, line in module.imports:
            if (
                _within(name, NETWORK)
                and not (name in HARMLESS or name == "urllib")
                and module.path not in MAY_CALL_OUT
            ):
                found.add(f"{module.path}:{line}: imports {name.split('.')[0]}")
    return sorted(found)


def unsafe_faults(modules):
    found = set()
    for module in modules:
        found |= {f"{module.path}:{line}: imports {name}" for name, line in module.imports if _within(name, UNSAFE)}
        for node in module.nodes:
            if isinstance(node, ast.Call):
                if isinstance(node.func, ast.Name) and node.func.id in ("eval", "exec"):
                    found.add(f"{module.path}:{node.lineno}: calls {node.func.id}")
                if any(one.arg == "allow_pickle" and ast.unparse(one.value) != "False" for one in node.keywords):
                    found.add(f"{module.path}:{node.lineno}: allows pickle")
    return sorted(found)


def print_faults(modules):
    calls = ((module, node) for module in modules for node in module.nodes if isinstance(node, ast.Call))
    return [f"{m.path}:{n.lineno}: prints" for m, n in calls if isinstance(n.func, ast.Name) and n.func.id == "print"]


def _at_once(body):
    """Statements that run when the module is imported (not those under ``if TYPE_CHECKING``)."""
    for node in body:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            yield from _at_once(node.orelse)
            continue
        yield node
        for name in ("body", "orelse", "finalbody", "handlers"):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield from _at_once(getattr(node, name, []))


def early_faults(modules):
    found = []
    for module in modules:
        for node in _at_once(module.tree.body):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
                bad = [name for name in names if _within(name, HEAVY)]
                found += [f"{module.path}:{node.lineno}: {name} is imported before it is needed" for name in bad]
    return found


def torch_at_import(modules):
    """Names of the modules that load torch when they are imported, directly or through another one."""
    needs = {module.name: set(_names_at_once(module)) for module in modules}
    found = {name for name, names in needs.items() if any(_within(one, TORCH) for one in names)}
    while more := {name for name, names in needs.items() if name not in found and names & found}:
        found |= more
    return found


def _names_at_once(module):
    for node in _at_once(module.tree.body):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (node.module, *(f"{node.module}.{alias.name}" for alias in node.names))


def warning_faults(modules):
    """Every warning names one of our categories, so that a caller can turn them off alone."""
    found = []
    for module in modules:
        for node in module.nodes:
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "warnings.warn":
                given = [
                    ast.unparse(one)
                    for one in [*node.args[1:2], *(k.value for k in node.keywords if k.arg == "category")]
                ]
                if not given or not given[0].endswith(("IsoglossWarning", "TruncationWarning", "EngineNote")):
                    found.append(f"{module.path}:{node.lineno}: warns without a category of ours")
    return found


RULES = [torch_faults, network_faults, unsafe_faults, print_faults, early_faults, warning_faults]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_runtime_is_clean(house, rule):
    assert "\n".join(rule(house)) == ""


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        (torch_faults, "def f():\n    import torch.nn"),
        (torch_faults, "from sentence_transformers import SentenceTransformer"),
        (network_faults, "def f():\n    from urllib.request import urlopen"),
        (network_faults, "import http.client"),
        (network_faults, "import socket"),
        (network_faults, "from urllib import request"),
        (unsafe_faults, "import pickle"),
        (unsafe_faults, "import numpy\nnumpy.load('x', allow_pickle=True)"),
        (unsafe_faults, "eval('1')"),
        (print_faults, "def f():\n    print(1)"),
        (early_faults, "import scipy.sparse"),
        (early_faults, "class A:\n    from numba import njit"),
        (early_faults, "try:\n    import sqlite3\nexcept ImportError:\n    pass"),
        (warning_faults, "import warnings\nwarnings.warn('x')"),
        (warning_faults, "import warnings\nwarnings.warn('x', UserWarning, stacklevel=2)"),
    ],
)
def test_a_planted_fault_is_found(plant, rule, text):
    assert len(set(rule(plant({"text/a.py": text})))) == 1


def test_what_is_allowed_passes(plant):
    text = """
import warnings
from typing import TYPE_CHECKING
from urllib.parse import quote
if TYPE_CHECKING:
    import scipy.sparse
def f():
    import numba
    pattern.match(print)
    warnings.warn("x", IsoglossWarning, stacklevel=2)
"""
    modules = plant(
        {"text/a.py": text, "encoders/pull.py": "def f():\n    import urllib.request", "nn/a.py": "import torch"}
    )
    assert [fault for rule in RULES for fault in rule(modules)] == []


def _python(program):
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


MEASURE = """
import json, sys, time
start = time.perf_counter()
import isogloss
seconds = time.perf_counter() - start
print(json.dumps([seconds, sorted({name.split(".")[0] for name in sys.modules})]))
"""


def test_importing_isogloss_is_fast_and_loads_nothing_heavy():
    runs = [_python(MEASURE) for _ in range(3)]
    assert min(seconds for seconds, _ in runs) <= 0.3
    assert not set(runs[0][1]) & (TORCH | HEAVY)


def test_importing_every_module_loads_nothing_heavy(house):
    workshop = torch_at_import(house)
    assert [module.path for module in house if module.name in workshop and not _in_workshop(module)] == []
    names = [m.name for m in house if m.name not in workshop and not m.name.endswith("__main__")]
    program = "import importlib, json, sys\n" + f"for name in {names!r}:\n    importlib.import_module(name)\n"
    loaded = set(_python(program + "print(json.dumps(sorted(sys.modules)))"))
    assert set(names) <= loaded
    light = {"multiprocessing", "email", "http", "importlib.metadata"}  # the standard library's own doing
    assert {name for name in loaded if name in (TORCH | HEAVY) - light} == set()


def test_warnings_are_errors_here(root):
    import tomllib

    options = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]
    assert options["filterwarnings"][0] == "error"
