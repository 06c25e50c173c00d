"""Which reader reads a file: each file in ``readers/`` names its suffixes, and nothing is imported to find it."""

from __future__ import annotations

import ast
import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from isogloss.corpus.options import ReadOptions, ReadReport
from isogloss.corpus.source import SkipFileError, Source
from isogloss.protocols import Record, Skip


@dataclass(frozen=True, slots=True)
class Format:
    """One reader, as its file's literals say.

    Attributes
    ----------
    name
        Name of the module in ``readers/``, and of the format.
    version
        Changes when the same file would give another text.
    suffixes
        File name endings, lower case, with the dot.
    needs
        Package that the extra ``files`` brings, or an empty string.
    """

    name: str
    version: str
    suffixes: tuple[str, ...]
    needs: str = ""

    @property
    def reader(self) -> str:
        """Return name and version, as records carry them."""
        return f"{self.name}/{self.version}"

    def __call__(self, path: str, name: str) -> Iterator[Record | Skip]:
        """Yield the records of one file, as the ``Reader`` protocol asks; ``name`` is its path relative to the root."""
        try:
            yield from self.read(Source(name, Path(path)), ReadOptions(), ReadReport())
        except SkipFileError as error:
            yield Skip(name, error.reason, error.detail)

    def read(self, source: Source, options: ReadOptions, report: ReadReport) -> Iterator[Record | Skip]:
        """Import the reader and read one source."""
        module = import_module(f"isogloss.corpus.readers.{self.name}")
        read_file: Callable[..., Iterator[Record | Skip]] = module.read_file
        return read_file(source, options, report)


@functools.cache
def formats() -> dict[str, Format]:
    """Return all formats by name, in alphabetical order.

    Examples
    --------
    >>> formats()["delimited"].suffixes
    ('.csv', '.tsv', '.tab')
    """
    found = {}
    for path in sorted((Path(__file__).parent / "readers").glob("[a-z]*.py")):
        values = _literals(path)
        if "SUFFIXES" in values:
            found[path.stem] = Format(path.stem, values["VERSION"], values["SUFFIXES"], values.get("NEEDS", ""))
    return found


def _literals(path: Path) -> dict[str, Any]:
    values = {}
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id.isupper():
            try:
                values[node.targets[0].id] = ast.literal_eval(node.value)
            except ValueError:
                continue
    return values


@functools.cache
def suffixes() -> dict[str, Format]:
    """Return the format of each known file name ending."""
    return {suffix: form for form in formats().values() for suffix in form.suffixes}


def format_of(name: str) -> Format | None:
    """Return the format of a file by its name, ``.gz`` put aside; None where it is not known.

    Examples
    --------
    >>> format_of("a/notes.TXT.gz").name
    'text'
    >>> format_of("photo.jpg") is None
    True
    """
    base = name.rsplit("/", 1)[-1].lower().removesuffix(".gz")
    dot = base.rfind(".")
    if dot <= 0:
        return formats()["text"] if base else None
    return suffixes().get(base[dot:])


def named_format(name: str) -> Format | None:
    """Return a format by its name or by a suffix without the dot (``csv``); None where there is none."""
    return formats().get(name) or suffixes().get("." + name.lower().lstrip("."))
