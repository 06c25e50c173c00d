"""The house as data: every module parsed once, and a way to build a small house with a planted fault."""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass
class Module:
    """One parsed file: its dotted name, path relative to the house, and text."""

    name: str
    path: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @cached_property
    def is_package(self) -> bool:
        return self.path.endswith("__init__.py")

    @cached_property
    def docstrings(self) -> set[int]:
        """Numbers of the lines that docstrings (and strings under a constant) take."""
        lines: set[int] = set()
        for node in ast.walk(self.tree):
            if (
                isinstance(node, ast.Expr)
                and isinstance(node.value, ast.Constant)
                and isinstance(node.value.value, str)
            ):
                lines.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
        return lines

    @cached_property
    def code(self) -> dict[int, str]:
        """The lines that hold code, by number, as their tokens with single spaces."""
        skip = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
        lines: dict[int, list[str]] = {}
        for token in tokenize.generate_tokens(io.StringIO(self.text).readline):
            if token.type not in skip:
                for number, part in enumerate(token.string.split("\n"), token.start[0]):
                    lines.setdefault(number, []).append(part.strip())
        return {number: " ".join(parts) for number, parts in lines.items() if number not in self.docstrings}

    @cached_property
    def nodes(self) -> list[ast.AST]:
        return list(ast.walk(self.tree))

    def functions(self) -> Iterator[Function]:
        """Every function and method, nested ones too."""
        return (node for node in self.nodes if isinstance(node, Function))

    @cached_property
    def imports(self) -> list[tuple[str, int]]:
        """Every module that is named in an import, wherever it stands, with its line."""
        return [(name, node.lineno) for node in self.nodes for name in self._named(node)]

    def _named(self, node: ast.AST) -> list[str]:
        if isinstance(node, ast.Import):
            return [alias.name for alias in node.names]
        if isinstance(node, ast.ImportFrom):
            source = self._absolute(node)
            return [source, *(f"{source}.{alias.name}" for alias in node.names)]
        if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            return [str(node.args[0].value)] if called in ("import_module", "__import__") else []
        return []

    def _absolute(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        parts = self.name.split(".")
        kept = parts[: len(parts) - node.level + (1 if self.is_package else 0)]
        return ".".join([*kept, *([node.module] if node.module else [])])


def load(folder: Path, name: str = "isogloss") -> list[Module]:
    """Parse every file below ``folder``, whose dotted name is ``name``."""
    modules = []
    for path in sorted(folder.rglob("*.py")):
        relative = path.relative_to(folder)
        parts = [name, *relative.with_suffix("").parts]
        dotted = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        modules.append(Module(dotted, str(relative), path.read_text(encoding="utf-8")))
    return modules


@pytest.fixture(scope="session")
def house() -> list[Module]:
    """The whole package."""
    return load(ROOT / "src" / "isogloss")


@pytest.fixture(scope="session")
def everything(house: list[Module]) -> list[Module]:
    """The package, the tests, the benchmarks and the scripts."""
    others = [one for name in ("tests", "benchmarks", "scripts") for one in load(ROOT / name, name)]
    return house + others


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository's folder."""
    return ROOT


@pytest.fixture
def plant(tmp_path: Path) -> Callable[[dict[str, str]], list[Module]]:
    """Build a small house from texts by path, and parse it."""

    def build(files: dict[str, str]) -> list[Module]:
        for name, text in files.items():
            path = tmp_path / "planted" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return load(tmp_path / "planted")

    return build
