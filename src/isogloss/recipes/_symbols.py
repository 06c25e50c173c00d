"""A module of ours as its statements: what each defines, which names it uses, what it imports, and its bare text."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]
Need = tuple[Path, str | None]
"""A definition in a file by name; None: the whole file."""


@dataclass(slots=True)
class Statement:
    """A statement at a module's top.

    Attributes
    ----------
    text
        Its lines without docstrings, comments of their own and empty lines.
    uses
        Names that it reads, each with the attribute read from it where nothing else is done with the name.
    needs
        What it imports inside functions or conditions.
    """

    text: str
    uses: set[tuple[str, str | None]]
    needs: set[Need]


@dataclass(slots=True)
class Module:
    """A parsed file.

    Attributes
    ----------
    statements
        All but the docstring and imports of names.
    defined
        Numbers of the statements that bind a name.
    imported
        What a name that an import binds stands for.
    effects
        Numbers of the statements that bind nothing, and of imports of whole modules: they count for every importer.
    """

    statements: list[Statement] = field(default_factory=list)
    defined: defaultdict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    imported: dict[str, Need] = field(default_factory=dict)
    effects: set[int] = field(default_factory=set)


def module_of(file: Path) -> Module:
    """Return a file's statements; parsed once as long as the file does not change.

    Examples
    --------
    >>> "PACKAGE" in module_of(PACKAGE / "recipes" / "_symbols.py").defined
    True
    """
    return _parsed(file, file.stat().st_mtime_ns)


@cache
def _parsed(file: Path, changed: int) -> Module:
    source = file.read_text(encoding="utf-8")
    lines, found = source.splitlines(), Module()
    for node in ast.parse(source).body:
        if isinstance(node, ast.ImportFrom):
            found.imported.update(_bound(node, file))
            continue
        if _is_text(node):
            continue  # the module's docstring, and those of its constants
        number = len(found.statements)
        found.statements.append(Statement(_bare(node, lines), set(_uses(node)), set(_needs(node, file))))
        names = set(_binds(node))
        if isinstance(node, ast.Import):  # read as a.b.c: who uses what of it is not followed
            found.effects.add(number)
            continue
        for name in names:
            found.defined[name].add(number)
        if not names:
            found.effects.add(number)
    return found


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _binds(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name
        return
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        yield node.id
    elif isinstance(node, ast.Assign | ast.AugAssign):  # TABLE["x"] = y changes TABLE
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        yield from (name for target in targets for name, _ in _uses(target))
    elif isinstance(node, ast.Import | ast.ImportFrom):
        yield from (alias.asname or alias.name.split(".")[0] for alias in node.names)
    if not isinstance(node, ast.comprehension):  # its variable is its own
        for child in ast.iter_child_nodes(node):
            yield from _binds(child)


def _uses(node: ast.AST) -> Iterator[tuple[str, str | None]]:
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        yield node.value.id, node.attr
        return
    if isinstance(node, ast.Name):
        yield node.id, None
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.isidentifier():
        yield node.value, None  # an annotation in quotes, or a name for getattr
    for child in ast.iter_child_nodes(node):
        yield from _uses(child)


def _needs(node: ast.AST, file: Path) -> Iterator[Need]:
    for inner in ast.walk(node):
        if isinstance(inner, ast.Import | ast.ImportFrom):
            yield from _bound(inner, file).values()
        elif isinstance(inner, ast.Call) and _loads(inner):
            place = _file_of(str(ast.literal_eval(inner.args[0])))
            if place:
                yield place, None


def _loads(call: ast.Call) -> bool:
    named = getattr(call.func, "id", getattr(call.func, "attr", "")) == "import_module"
    return named and bool(call.args) and isinstance(call.args[0], ast.Constant)


def _bound(node: ast.Import | ast.ImportFrom, file: Path) -> dict[str, Need]:
    """Return the names that an import binds to something of ours."""
    source = "" if isinstance(node, ast.Import) else _absolute(node, file)
    found: dict[str, Need] = {}
    for alias in node.names:
        whole = _file_of(f"{source}.{alias.name}" if source else alias.name)
        inside = _file_of(source) if source else None
        if whole:
            found[alias.asname or alias.name] = (whole, None)
        elif inside:
            found[alias.asname or alias.name] = (inside, alias.name)
    return found


def _absolute(node: ast.ImportFrom, file: Path) -> str:
    if not node.level:
        return node.module or ""
    if not file.is_relative_to(PACKAGE):
        return ""
    parts = ["isogloss", *file.relative_to(PACKAGE).with_suffix("").parts]
    return ".".join([*parts[: len(parts) - node.level], *([node.module] if node.module else [])])


def _file_of(name: str) -> Path | None:
    """Return the module's file, or None for what is not ours, a name inside a module, or an empty package."""
    first, *rest = name.split(".")
    file = PACKAGE.joinpath(*rest).with_suffix(".py")
    return file if first == "isogloss" and rest and file.is_file() else None


def _bare(node: ast.stmt, lines: list[str]) -> str:
    """Return a statement's lines without what a machine passes over; texts of several lines stay as they are."""
    first = min([node.lineno, *(one.lineno for one in getattr(node, "decorator_list", []))])
    dropped: set[int] = set()
    kept: set[int] = set()
    for inner in ast.walk(node):
        body = getattr(inner, "body", None)
        for one in body if isinstance(body, list) else ():
            if _is_text(one):
                dropped.update(range(one.lineno, (one.end_lineno or one.lineno) + 1))
        if isinstance(inner, ast.Constant | ast.JoinedStr):
            kept.update(range(inner.lineno, (inner.end_lineno or inner.lineno) + 1))
    chosen = []
    for number in range(first, (node.end_lineno or node.lineno) + 1):
        line = lines[number - 1].rstrip()
        blank = not line or line.lstrip().startswith("#")
        if number not in dropped and (number in kept or not blank):
            chosen.append(line)
    return "\n".join(chosen)
