"""Files of at most 400 lines, functions of at most 50 code lines and complexity 10 (kernels 80 and 15)."""

from __future__ import annotations

import ast

import pytest

FILE, FUNCTION, KERNEL = 400, (50, 10), (80, 15)


def _is_kernel(module, function):
    if "kernel" in module.path.rsplit("/", 1)[-1]:
        return True
    names = (one.func if isinstance(one, ast.Call) else one for one in function.decorator_list)
    return any(ast.unparse(name).split(".")[-1] in ("kernel", "inline") for name in names)


def complexity(function):
    """Cyclomatic complexity as ruff counts it: a point for each branch, loop, handler, case and inner function."""
    points = 1
    for node in ast.walk(function):
        if node is function:
            continue
        if isinstance(node, ast.If | ast.ExceptHandler | ast.FunctionDef | ast.AsyncFunctionDef):
            points += 1
        elif isinstance(node, ast.For | ast.AsyncFor | ast.While):
            points += 1 + bool(node.orelse)
        elif isinstance(node, ast.Try):
            points += bool(node.orelse)
        elif isinstance(node, ast.Match):
            wild = isinstance(node.cases[-1].pattern, ast.MatchAs) and node.cases[-1].pattern.pattern is None
            points += len(node.cases) - wild
    return points


def file_faults(modules):
    lengths = ((module, len(module.text.splitlines())) for module in modules)
    return [f"{module.name} ({module.path}): {length} lines" for module, length in lengths if length > FILE]


def function_faults(modules):
    found = []
    for module in modules:
        for function in module.functions():
            lines, points = KERNEL if _is_kernel(module, function) else FUNCTION
            end = function.end_lineno or function.lineno
            length = sum(number in module.code for number in range(function.lineno, end + 1))
            where = f"{module.name}:{function.lineno}: {function.name}"
            if length > lines:
                found.append(f"{where} has {length} code lines, {lines} are allowed")
            if complexity(function) > points:
                found.append(f"{where} has complexity {complexity(function)}, {points} is allowed")
    return found


def test_files_are_short(everything):
    assert "\n".join(file_faults(everything)) == ""


def test_functions_are_short_and_plain(everything):
    assert "\n".join(function_faults(everything)) == ""


def _function(lines, head="def f():", indent="    "):
    return "\n".join([head, *[f"{indent}x{i} = {i}" for i in range(lines - 1)]]) + "\n"


def _branches(count, head="def f(x):"):
    return head + "\n" + "".join(f"    if x == {i}:\n        return {i}\n" for i in range(count))


@pytest.mark.parametrize(
    ("rule", "bad", "good"),
    [
        (file_faults, "x = 1\n" * 401, "x = 1\n" * 400),
        (function_faults, _function(51), _function(50)),
        (function_faults, _function(81, "@kernel\ndef f():"), _function(80, "@kernel\ndef f():")),
        (
            function_faults,
            _function(51, "@other\ndef f():"),
            _function(80, "@compiled.inline(fastmath=True)\ndef f():"),
        ),
        (function_faults, _branches(10), _branches(9)),
        (function_faults, _branches(15, "@inline\ndef f(x):"), _branches(14, "@inline\ndef f(x):")),
        (
            function_faults,
            "class A:\n" + _function(51, "    async def f(self):", " " * 8),
            "class A:\n    x = 1\n" * 60,
        ),
    ],
)
def test_a_planted_fault_is_found(plant, rule, bad, good):
    assert len(rule(plant({"text/a.py": bad}))) == 1
    assert rule(plant({"text/a.py": good})) == []


def test_docstrings_comments_and_blank_lines_are_free(plant):
    body = '    """Doc\n' + "    more\n" * 60 + '    """\n' + "    # comment\n\n" * 60 + "    return 1\n"
    assert function_faults(plant({"text/a.py": "def f():\n" + body})) == []


def test_a_file_named_for_kernels_counts_as_kernels(plant):
    assert function_faults(plant({"text/word_kernels.py": _function(80)})) == []


def test_complexity_by_hand():
    source = """
def f(x):
    for a in x:
        while a:
            pass
        else:
            pass
    try:
        pass
    except ValueError:
        pass
    else:
        pass
    match x:
        case 1:
            pass
        case _:
            pass
    return [a for a in x if a and x or a]
"""
    assert complexity(ast.parse(source).body[0]) == 1 + 1 + 2 + 1 + 1 + 1
