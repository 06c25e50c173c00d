"""Imports go down the floors, sideways only along the listed arrows, and never in circles; names say something."""

from __future__ import annotations

import pytest

FLOORS = {
    1: "text corpus nn",
    2: "encoders learners objectives transforms index vocabulary",
    3: "training generation mining rerank evaluation",
    4: "collection applications",
    5: "recipes",
    6: "workflows",
    7: "cli serve",
}
FLOOR = {name: floor for floor, names in FLOORS.items() for name in names.split()}
GROUND = {"arrays", "errors", "protocols", "seeding", "compiled", "protobuf", "web"}
ARROWS = {("corpus", "text"), ("encoders", "vocabulary"), ("index", "transforms"), ("mining", "rerank")}
"""Where a package may import another of its floor; chunks end where sentences do, so corpus reads text."""
FORBIDDEN = {"utils", "util", "common", "misc", "helpers", "helper"}


def _place(name):
    """The part below ``isogloss`` that a dotted name lies in, and its floor (0: ground)."""
    parts = name.split(".")
    if len(parts) == 1:
        return "", 0
    if parts[1] == "__main__":
        return "cli", 7
    return (parts[1], FLOOR[parts[1]]) if parts[1] in FLOOR else ("", 0)


def _house(modules):
    """The modules without the door: ``isogloss/__init__.py`` names what newcomers use, and loads it when asked."""
    return [module for module in modules if module.path != "__init__.py"]


def unknown_parts(modules):
    found = []
    for module in modules:
        parts = module.name.split(".")
        if len(parts) > 1 and parts[1] not in FLOOR and parts[1] not in GROUND | {"__main__"}:
            found.append(f"{module.path}: {parts[1]} is on no floor")
    return found


def floor_faults(modules):
    found = set()
    for module in _house(modules):
        here, floor = _place(module.name)
        for target, line in module.imports:
            if target.split(".")[0] != "isogloss":
                continue
            there, below = _place(target)
            if below > floor or (below == floor and here != there and (here, there) not in ARROWS):
                found.add(f"{module.path}:{line}: {here or 'ground'} imports {there}")
    return sorted(found)


def circles(modules):
    modules = _house(modules)
    names = {module.name for module in modules}
    graph = {module.name: {t for t, _ in module.imports if t in names and t != module.name} for module in modules}
    for module in modules:  # "from package import module" names the package too, which runs nothing but a docstring
        graph[module.name] -= {other.name for other in modules if other.is_package}
    state, found = {}, []

    def visit(name, path):
        state[name] = "open"
        for target in sorted(graph[name]):
            if state.get(target) == "open":
                found.append(" -> ".join([*path[path.index(target) :], target]))
            elif target not in state:
                visit(target, [*path, target])
        state[name] = "done"

    for name in sorted(graph):
        if name not in state:
            visit(name, [name])
    return found


def name_faults(modules):
    found = []
    for module in modules:
        last = module.name.split(".")[-1]
        if FORBIDDEN & set(module.name.split(".")):
            found.append(f"{module.path}: the name says nothing")
        if last in ("base", "_base") and any(line for line in module.code.values()):
            found.append(f"{module.path}: a base module with code")
        if module.is_package and module.path != "__init__.py" and module.code:
            found.append(f"{module.path}: a package's __init__ holds its docstring only")
    return found


RULES = [unknown_parts, floor_faults, circles, name_faults]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_house_stands(house, rule):
    assert len(house) > 10
    assert "\n".join(rule(house)) == ""


@pytest.mark.parametrize(
    ("rule", "files"),
    [
        (unknown_parts, {"cellar/a.py": ""}),
        (unknown_parts, {"loose.py": ""}),
        (floor_faults, {"text/a.py": "from isogloss.encoders.b import c"}),
        (floor_faults, {"text/a.py": "def f():\n    import isogloss.cli.main"}),
        (
            floor_faults,
            {"text/a.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from isogloss import index"},
        ),
        (floor_faults, {"text/a.py": "from ..index.exact import Exact"}),
        (floor_faults, {"text/a.py": "from importlib import import_module\nimport_module('isogloss.index.exact')"}),
        (floor_faults, {"vocabulary/a.py": "from isogloss.encoders import b"}),
        (floor_faults, {"text/a.py": "from isogloss.corpus import b"}),
        (floor_faults, {"arrays.py": "from isogloss.text import b"}),
        (circles, {"text/a.py": "from isogloss.text.b import x", "text/b.py": "def f():\n    import isogloss.text.a"}),
        (
            circles,
            {
                "text/a.py": "from isogloss.text import b",
                "text/b.py": "from . import c",
                "text/c.py": "from .a import x",
            },
        ),
        (name_faults, {"text/utils.py": ""}),
        (name_faults, {"helpers/a.py": ""}),
        (name_faults, {"text/base.py": "x = 1"}),
        (name_faults, {"text/__init__.py": '"""Doc."""\nfrom isogloss.text.a import b'}),
    ],
    ids=lambda value: getattr(value, "__name__", "-"),
)
def test_a_planted_fault_is_found(plant, rule, files):
    assert len(rule(plant(files))) == 1


def test_what_is_allowed_passes(plant):
    modules = plant(
        {
            "__init__.py": '"""Doc."""\n__version__ = "1"',
            "text/__init__.py": '"""Doc."""',
            "text/a.py": "import numpy\nfrom isogloss.arrays import CSR\nfrom isogloss.text.b import c",
            "text/b.py": "",
            "arrays.py": "",
            "index/a.py": "from isogloss.transforms import b\nfrom isogloss.text import a",
            "encoders/a.py": "from isogloss.vocabulary import b",
            "__main__.py": "from isogloss.cli.main import main",
            "cli/main.py": "from isogloss.collection import x",
        }
    )
    assert [fault for rule in RULES for fault in rule(modules)] == []
