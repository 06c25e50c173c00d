"""The documentation strings of Python's standard library as a folder of Markdown: real text that every machine has."""

from __future__ import annotations

import ast
import inspect
import os
import re
import sysconfig
import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from isogloss.errors import CorpusError
from isogloss.protocols import Progress, Silent

if TYPE_CHECKING:
    from isogloss.collection.results import AddReport, SearchResult

QUESTIONS = (
    "how do I read one file out of an archive",
    "run a function again after some seconds",
    "find the lines that differ between two texts",
)
"""What the demonstration asks."""

_LEFT_OUT = {"test", "tests", "idlelib", "idle_test", "lib2to3", "site-packages", "dist-packages", "__pycache__",
             "turtledemo", "ensurepip", "encodings", "pydoc_data", "config"}  # fmt: skip
_FEWEST_MODULES = 50

_Definition: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@dataclass(slots=True)
class DocsReport:
    """What was exported.

    Attributes
    ----------
    folder
        Where the files lie.
    files
        Markdown files written, one a module.
    entries
        Documentation strings in them: modules, classes, functions and methods.
    """

    folder: str
    files: int
    entries: int

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain data."""
        return asdict(self)


def export_docs(folder: str | Path, *, library: str | Path | None = None) -> DocsReport:
    """Write the documentation strings of the standard library to one Markdown file a module.

    The sources are parsed, never imported, so nothing runs; private names and test code are left out. The same
    Python gives the same files, and files that are right already are not touched.

    Parameters
    ----------
    folder
        Where to write; made where it does not exist.
    library
        Folder of the sources; None for the running Python's own standard library.

    Raises
    ------
    CorpusError
        Where fewer than 50 documented modules are found: this Python came without its sources.
    """
    root = Path(library or sysconfig.get_paths()["stdlib"])
    pages = {name: page for name, path in _modules(root) if (page := _page(name, path))}
    if len(pages) < _FEWEST_MODULES and library is None:
        raise CorpusError(
            f"the sources of Python's standard library are not in {root}",
            f"{len(pages)} documented modules were found there",
            "use a Python with its library's sources, or add a folder of your own: isogloss add DIR",
        )
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    for name, (text, _) in pages.items():
        path = target / f"{name}.md"
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
    return DocsReport(str(target), len(pages), sum(entries for _, entries in pages.values()))


def _modules(root: Path) -> Iterator[tuple[str, Path]]:
    """Yield the dotted name and path of each public module, in alphabetical order."""
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if name not in _LEFT_OUT and not name.startswith(("_", "config-")))
        for file in sorted(files):
            if file.endswith(".py") and (file == "__init__.py" or not file.startswith("_")):
                path = Path(folder, file)
                parts = list(path.relative_to(root).with_suffix("").parts)
                if parts[-1] == "__init__":
                    parts.pop()
                if parts:
                    yield ".".join(parts), path


def _page(name: str, path: Path) -> tuple[str, int] | None:
    """Return the Markdown of one module and its number of entries; None where nothing is documented."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # old escapes in the library's own strings
            tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError, OSError):
        return None  # a template or a broken file is no module
    sections = list(_sections(tree, name))
    own = ast.get_docstring(tree)
    if not sections and not own:
        return None
    head = f"# {name}\n\n{_body(own)}\n" if own else f"# {name}\n"
    return "\n".join([head, *sections]), len(sections) + bool(own)


def _sections(tree: ast.AST, owner: str, level: int = 2) -> Iterator[str]:
    for node in ast.iter_child_nodes(tree):
        if not isinstance(node, _Definition) or node.name.startswith("_"):
            continue
        text = ast.get_docstring(node)
        if text:
            yield f"{'#' * level} {owner}.{node.name}{_signature(node)}\n\n{_body(text)}\n"
        if isinstance(node, ast.ClassDef):
            yield from _sections(node, f"{owner}.{node.name}", min(level + 1, 6))


def _signature(node: _Definition) -> str:
    if isinstance(node, ast.ClassDef):
        return ""
    arguments = ast.unparse(node.args)
    return f"({arguments})" if len(arguments) <= 60 else "(...)"


def _body(text: str) -> str:
    """Return a documentation string as Markdown: a line that would be read as a heading is not."""
    cleaned = inspect.cleandoc(text).encode("utf-8", "replace").decode("utf-8")
    return re.sub(r"(?m)^(#|={3,}\s*$|-{3,}\s*$)", r"\\\1", cleaned)


def index_docs(
    docs: str | Path, index: str | Path, *, k: int = 3, threads: int | None = None, progress: Progress | None = None
) -> tuple[AddReport, list[SearchResult]]:
    """Bring the index of the exported files up to date and ask ``QUESTIONS``.

    Parameters
    ----------
    docs
        The folder that ``export_docs`` wrote.
    index
        Where the index lies, or shall lie.
    k
        Documents for each question.
    threads
        Threads to use; None for all processors.
    progress
        Where to report to; None for nowhere.

    Returns
    -------
    tuple
        What ``add`` did, and the answers in the order of ``QUESTIONS``.
    """
    from isogloss.collection.collection import Collection

    exists = Collection.exists(index)
    collection = (
        Collection.open(index, write=True, threads=threads) if exists else Collection.create(index, threads=threads)
    )
    with collection:
        # another Python has other modules: its files may replace more than a fifth of those of before
        report = collection.add(docs, yes=True, progress=progress or Silent())
        return report, collection.search(list(QUESTIONS), k)
