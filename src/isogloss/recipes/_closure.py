"""What a recipe's evidence depends on: the definitions that it reaches among our own files, and their hash.

Definition by definition rather than file by file: a new function beside an old one, a docstring or a comment changes
nothing that a check has measured, and must not make its evidence stale.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from pathlib import Path

from isogloss.recipes._symbols import PACKAGE, Module, Need, module_of

LAB_VERSION = 2
"""Raised by hand when a change of the Lab changes what it measures or says; its files are no part of the closure, or
every repair of a message would make all evidence stale."""


def closure(path: Path) -> list[Path]:
    """Return the module and every module of ours that it reaches, directly or not; the Lab's own files apart.

    Imports inside functions and under ``TYPE_CHECKING`` count where what they stand in is reached.

    Examples
    --------
    >>> [file.name for file in closure(PACKAGE / "seeding.py")]
    ['seeding.py']
    """
    return sorted(reached(path))


def reached(path: Path) -> dict[Path, set[int]]:
    """Return the numbers of the statements that count in each file: all of ``path``, in others what is used of them.

    A statement at a module's top counts where it binds a name that is used, or binds none; methods count with their
    class. Names are compared as they stand, so one that only looks like a definition adds it: too much, never too
    little. What is chosen by a text at run time (``getattr`` with a made-up name) is not seen.
    """
    found: defaultdict[Path, set[int]] = defaultdict(set)
    waiting: list[Need] = [(path.resolve(), None)]
    done: set[Need] = set()
    while waiting:
        need = waiting.pop()
        file, name = need
        if need in done or (file != path.resolve() and _is_lab(file)):
            continue
        done.add(need)
        module = module_of(file)
        numbers = _asked(module, name) | module.effects
        if name is None:
            waiting += module.imported.values()
        elif name in module.imported and name not in module.defined:
            waiting.append(module.imported[name])  # handed on from elsewhere
        for number in numbers - found[file]:
            waiting += _wanted(module, number, file)
        found[file] |= numbers
    return dict(found)


def _asked(module: Module, name: str | None) -> set[int]:
    return set(range(len(module.statements))) if name is None else set(module.defined.get(name, ()))


def _wanted(module: Module, number: int, file: Path) -> list[Need]:
    """Return what a statement needs: definitions beside it, and what it imports or what imports above it bind."""
    statement = module.statements[number]
    found = list(statement.needs)
    for name, attribute in statement.uses:
        if name in module.defined:
            found.append((file, name))
        elif name in module.imported:
            source, inside = module.imported[name]
            found.append((source, attribute if inside is None else inside))
    return found


def digest(path: Path, version: int = LAB_VERSION) -> str:
    """Return a hash of every definition that a module reaches, with its place, and of the Lab's version."""
    whole = hashlib.sha256(f"lab {version}".encode())
    for file, numbers in sorted(reached(path).items()):
        name = str(file.relative_to(PACKAGE)) if file.is_relative_to(PACKAGE) else file.name
        whole.update(name.encode() + b"\0")
        for number in sorted(numbers):
            whole.update(hashlib.sha256(module_of(file).statements[number].text.encode()).digest())
    return whole.hexdigest()[:16]


def _is_lab(file: Path) -> bool:
    return file.parent == PACKAGE / "recipes"
