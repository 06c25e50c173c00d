"""The documentation strings of Python's standard library as a folder of Markdown: real text that every machine has."""

from __future__ import annotations

import ast
import inspect
import os
import re
import sysconfig
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from isogloss.errors import CorpusError, UsageError
from isogloss.protocols import Progress
from isogloss.workflows.folder_search import refresh

if TYPE_CHECKING:
    from isogloss.collection.results import AddReport, SearchResult

QUESTIONS = (
    "unpack a compressed archive into a folder",
    "break a long paragraph into lines of equal width",
    "count how often each element occurs in a list",
)
"""What the demonstration asks."""

_LEFT_OUT = {"test", "tests", "idlelib", "idle_test", "lib2to3", "site-packages", "dist-packages", "__pycache__",
             "turtledemo", "ensurepip", "encodings", "pydoc_data", "config"}  # fmt: skip
_FEWEST_MODULES = 50
_MARK = ".isogloss-demo"

_Definition: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@dataclass(slots=True)
class DocsReport:
    """What was exported.

    Attributes
    ----------
    folder
        Where the files lie.
    files
        Markdown files written: one a module, a public class (with its methods) or a function.
    entries
        Documentation strings in them: modules, classes, functions and methods.
    """

    folder: str
    files: int
    entries: int

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain data."""
        return asdict(self)


def prepare_folder(folder: str | Path) -> None:
    """Make the folder of the demonstration, and make sure that it is its own.

    Parameters
    ----------
    folder
        A folder that does not exist, is empty, or was made by an earlier demonstration.

    Raises
    ------
    UsageError
        Where the folder holds something else, which must not be mixed with or written over.
    """
    target = Path(folder)
    if target.exists() and not (target / _MARK).is_file() and (not target.is_dir() or any(target.iterdir())):
        raise UsageError(
            f"the demonstration does not write into {target}",
            "there is something else in it",
            "name a new folder: --out DIR",
        )
    target.mkdir(parents=True, exist_ok=True)
    (target / _MARK).touch()


def export_docs(folder: str | Path, *, library: str | Path | None = None) -> DocsReport:
    """Write the documentation strings of the standard library to Markdown files.

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
    pages: dict[str, str] = {}
    used: Counter[str] = Counter()  # by lower case: some file systems take Lock and lock for the same name
    modules = 0
    for name, path in _modules(root):
        found = _pages(name, path)
        modules += bool(found)
        for title, text in found:
            used[title.lower()] += 1
            number = used[title.lower()]
            pages[f"{title}.md" if number == 1 else f"{title}-{number}.md"] = text
    if modules < _FEWEST_MODULES and library is None:
        raise CorpusError(
            f"the sources of Python's standard library are not in {root}",
            f"{modules} documented modules were found there",
            "use a Python with its library's sources, or add a folder of your own: isogloss add DIR",
        )
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    for file, text in pages.items():
        path = target / file
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
    entries = sum(len(re.findall(r"(?m)^#+ ", text)) for text in pages.values())
    return DocsReport(str(target), len(pages), entries)


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


def _pages(name: str, path: Path) -> list[tuple[str, str]]:
    """Return title and Markdown of a module and of each documented class and function in it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # old escapes in the library's own strings
            tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError, OSError):
        return []  # a template or a broken file is no module
    own = ast.get_docstring(tree)
    pages = [(name, f"# {name}\n\n{_body(own)}\n")] if own else []
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, _Definition) and not node.name.startswith("_"):
            sections = list(_sections(node, name, 1))
            if sections:
                pages.append((f"{name}.{node.name}", "\n".join(sections)))
    return pages


def _sections(node: _Definition, owner: str, level: int) -> Iterator[str]:
    """Yield the documented parts of a definition, each under a heading: itself, then what a class holds."""
    text = ast.get_docstring(node)
    if text:
        yield f"{'#' * level} `{owner}.{node.name}{_signature(node)}`\n\n{_body(text)}\n"
    if isinstance(node, ast.ClassDef):
        for part in node.body:
            if isinstance(part, _Definition) and not part.name.startswith("_"):
                yield from _sections(part, f"{owner}.{node.name}", min(level + 1, 6))


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

    report = refresh(index, docs, threads=threads, progress=progress)
    with Collection.open(index, threads=threads) as collection:
        return report, collection.search(list(QUESTIONS), k)
