"""Public names are typed and documented; the main ones show an example that runs."""

from __future__ import annotations

import ast

import pytest

MAIN = {
    "isogloss.arrays": ["CSR", "normalise", "Similarity", "top_k", "counting"],
    "isogloss.seeding": ["derive", "generator"],
    "isogloss.compiled": ["kernel"],
    "isogloss.protobuf": ["model"],
    "isogloss.index.exact": ["Exact"],
    "isogloss.index.fusion": ["reciprocal_rank", "weighted"],
    "isogloss.transforms.quantization": ["Int8Quantizer"],
}
"""Names that a newcomer meets; a class may show its example in the docstring of one of its methods."""


def _public(body):
    kinds = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    return [node for node in body if isinstance(node, kinds) and not node.name.startswith("_")]


def _overloaded(node):
    return any(ast.unparse(one).endswith("overload") for one in getattr(node, "decorator_list", []))


def public_names(module):
    """Public classes, functions and methods, with their dotted names."""
    for node in _public(module.tree.body):
        yield node.name, node
        if isinstance(node, ast.ClassDef):
            yield from ((f"{node.name}.{one.name}", one) for one in _public(node.body))


def undocumented(modules):
    found = [f"{module.name}: no docstring" for module in modules if not ast.get_docstring(module.tree)]
    for module in modules:
        for name, node in public_names(module):
            if not ast.get_docstring(node) and not _overloaded(node):
                found.append(f"{module.name}:{node.lineno}: {name} has no docstring")
    return found


def untyped(modules):
    found = []
    for module in modules:
        for name, node in public_names(module):
            if isinstance(node, ast.ClassDef):
                inits = [one for one in node.body if isinstance(one, ast.FunctionDef) and one.name == "__init__"]
                parts = [(f"{name}.__init__", one) for one in inits]
            else:
                parts = [(name, node)]
            for full, function in parts:
                if _bare(function):
                    found.append(
                        f"{module.name}:{function.lineno}: {full} lacks types for {', '.join(_bare(function))}"
                    )
    return found


def _bare(function):
    arguments = function.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
    bare = [one.arg for one in every if one and one.annotation is None and one.arg not in ("self", "cls")]
    return bare + ([] if function.returns is not None else ["its result"])


def without_example(modules, main):
    by_name = {module.name: module for module in modules}
    found = []
    for name, wanted in main.items():
        names = dict(public_names(by_name[name])) if name in by_name else {}
        for one in wanted:
            nodes = [node for full, node in names.items() if full == one or full.startswith(f"{one}.")]
            if not any(">>>" in (ast.get_docstring(node) or "") for node in nodes):
                found.append(f"{name}: {one} has no example")
    return found


@pytest.mark.parametrize("rule", [undocumented, untyped], ids=lambda rule: rule.__name__)
def test_public_names_are_documented_and_typed(house, rule):
    assert "\n".join(rule(house)) == ""


def test_the_main_names_show_an_example(house):
    assert "\n".join(without_example(house, MAIN)) == ""


DOC = '"""Doc."""\n'


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        (undocumented, "x = 1"),
        (undocumented, DOC + "def f():\n    return 1"),
        (undocumented, DOC + "class A:\n    x = 1"),
        (undocumented, DOC + f"class A:\n    {DOC}    def f(self):\n        return 1"),
        (untyped, DOC + "def f(x) -> int:\n    return 1"),
        (untyped, DOC + "def f(x: int):\n    return 1"),
        (untyped, DOC + "def f(*, x) -> int:\n    return 1"),
        (untyped, DOC + "def f(**x) -> int:\n    return 1"),
        (untyped, DOC + "class A:\n    def __init__(self, x) -> None:\n        pass"),
        (untyped, DOC + "class A:\n    async def f(self, x) -> None:\n        pass"),
    ],
)
def test_a_planted_fault_is_found(plant, rule, text):
    assert len(rule(plant({"text/a.py": text}))) == 1


def test_private_names_are_free(plant):
    text = DOC + "def _f(x):\n    return 1\nclass _A:\n    def f(self):\n        return 1\n"
    modules = plant({"text/a.py": text})
    assert undocumented(modules) + untyped(modules) == []


def test_a_missing_example_is_found(plant):
    modules = plant({"text/a.py": DOC + f"def f():\n    {DOC}    return 1\n"})
    assert without_example(modules, {"isogloss.text.a": ["f", "g"], "isogloss.text.b": ["h"]}) == [
        "isogloss.text.a: f has no example",
        "isogloss.text.a: g has no example",
        "isogloss.text.b: h has no example",
    ]
