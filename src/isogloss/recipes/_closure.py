"""The import closure of a recipe among our own files, read with ``ast``, and its hash: what its evidence depends on."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]
LAB_VERSION = 2
"""Raised by hand when a change of the Lab changes what it measures or says; its files are no part of the closure, or
every repair of a message would make all evidence stale."""


def closure(path: Path) -> list[Path]:
    """Return the module and every module of ours that it imports, directly or not; the Lab's own files apart.

    Imports inside functions and under ``TYPE_CHECKING`` count.

    Examples
    --------
    >>> [file.name for file in closure(PACKAGE / "seeding.py")]
    ['seeding.py']
    """
    found, waiting = {path.resolve()}, [path.resolve()]
    while waiting:
        for file in _imported(waiting.pop()):
            if file not in found and not _is_lab(file):
                found.add(file)
                waiting.append(file)
    return sorted(found)


def digest(files: Iterable[Path], version: int = LAB_VERSION) -> str:
    """Return a hash of the files' names below the package and of their bytes, and of the Lab's version."""
    whole = hashlib.sha256(f"lab {version}".encode())
    for file in files:
        name = str(file.relative_to(PACKAGE)) if file.is_relative_to(PACKAGE) else file.name
        whole.update(name.encode() + b"\0" + hashlib.sha256(file.read_bytes()).digest())
    return whole.hexdigest()[:16]


def _is_lab(file: Path) -> bool:
    return file.parent == PACKAGE / "recipes"


def _imported(file: Path) -> tuple[Path, ...]:
    return _imports_of(file, file.stat().st_mtime_ns)


@cache
def _imports_of(file: Path, changed: int) -> tuple[Path, ...]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            source = _absolute(node, file)
            names.update([source, *(f"{source}.{alias.name}" for alias in node.names)])
        elif isinstance(node, ast.Call) and _imports(node):
            names.add(str(ast.literal_eval(node.args[0])))
    found = (_file_of(name) for name in names if name == "isogloss" or name.startswith("isogloss."))
    return tuple(sorted(one for one in found if one is not None))


def _imports(call: ast.Call) -> bool:
    named = getattr(call.func, "id", getattr(call.func, "attr", "")) == "import_module"
    return named and bool(call.args) and isinstance(call.args[0], ast.Constant)


def _absolute(node: ast.ImportFrom, file: Path) -> str:
    if not node.level:
        return node.module or ""
    if not file.is_relative_to(PACKAGE):
        return ""
    parts = ["isogloss", *file.relative_to(PACKAGE).with_suffix("").parts]
    kept = parts[: len(parts) - node.level]
    return ".".join([*kept, *([node.module] if node.module else [])])


def _file_of(name: str) -> Path | None:
    """Return the module's file, or None for a name inside a module or an empty package."""
    place = PACKAGE.joinpath(*name.split(".")[1:])
    module = place.with_suffix(".py")
    return module if module.is_file() else None
