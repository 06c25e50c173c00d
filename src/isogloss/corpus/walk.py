"""The files of a folder, in the order of their paths, with what is left out and why."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from isogloss.corpus.options import ReadOptions, ReadReport
from isogloss.errors import CorpusError
from isogloss.protocols import Skip

_NOISE_WORDS = (
    ".git .hg .svn .isogloss node_modules __pycache__ __MACOSX .venv venv .tox .nox .mypy_cache .ruff_cache "
    ".pytest_cache .ipynb_checkpoints .idea .vscode .Trash $RECYCLE.BIN lost+found"
)
NOISE = frozenset(_NOISE_WORDS.split())
_CORPUS = frozenset({"corpus.jsonl", "corpus.jsonl.gz"})
_NOISE_FILES = frozenset({"Thumbs.db", "desktop.ini"})


class MissingRootError(CorpusError):
    """The source is not there (or not mounted)."""


class EmptyRootError(CorpusError):
    """The source is there, and nothing is in it (a mount point without its mount looks so)."""


@dataclass(slots=True)
class _Folder:
    path: str
    name: str
    chain: frozenset[tuple[int, int]]


def walk(root: Path, options: ReadOptions, report: ReadReport) -> Iterator[tuple[str, Path] | Skip]:
    """Yield ``(path relative to the root with "/", file)`` in the order of the relative paths.

    Hidden files and folders (unless ``options.hidden``), version control, caches, ``node_modules``, index folders
    and excluded paths are counted in ``report.left_out``. Links to files are read. Links to folders outside the root
    are followed; links to folders inside it, which are read under their own name, and loops are skips, and so are
    sockets, devices and folders that cannot be listed. Of a BEIR folder only the corpus is read.
    """
    status = root.stat()
    top = os.path.realpath(root)
    yield from _walk(_Folder(str(root), "", frozenset({(status.st_dev, status.st_ino)})), top, options, report)


def _walk(folder: _Folder, top: str, options: ReadOptions, report: ReadReport) -> Iterator[tuple[str, Path] | Skip]:
    try:
        with os.scandir(folder.path) as scan:
            entries = [(entry.name + "/" * entry.is_dir(), entry) for entry in scan]
    except OSError as error:
        yield Skip(folder.name.rstrip("/"), "unreadable", f"folder: {error.strerror or error}")
        return
    collection = is_beir({entry.name for _, entry in entries})
    for _, entry in sorted(entries, key=lambda pair: pair[0]):
        name = folder.name + _printable(entry.name)
        if _left_out(name, entry, options) or (collection and _beside_corpus(entry)):
            report.left_out += 1
        elif entry.is_dir():
            yield from _enter(folder, name, entry, top, options, report)
        else:
            yield from _file(name, entry, options)


def is_beir(names: set[str]) -> bool:
    """Say whether the names in a folder are those of a BEIR collection: a corpus beside queries or judgements.

    Examples
    --------
    >>> is_beir({"corpus.jsonl.gz", "qrels", "README.md"}), is_beir({"corpus.jsonl"})
    (True, False)
    """
    return bool(names & _CORPUS) and bool(names & {"queries.jsonl", "queries.jsonl.gz", "qrels"})


def _beside_corpus(entry: os.DirEntry[str]) -> bool:
    return entry.name == "qrels" if entry.is_dir() else entry.name not in _CORPUS


def _printable(name: str) -> str:
    r"""Return a file name as text that can be stored; bytes that are no UTF-8 become ``\xNN``."""
    return name if name.isascii() else os.fsencode(name).decode("utf-8", "backslashreplace")


def _left_out(name: str, entry: os.DirEntry[str], options: ReadOptions) -> bool:
    if entry.name in NOISE or entry.name in _NOISE_FILES or (entry.name.startswith(".") and not options.hidden):
        return True
    return matches(name, options.exclude)


def matches(name: str, globs: tuple[str, ...]) -> bool:
    """Say whether a relative path, one of its folders or its last part matches a glob.

    Examples
    --------
    >>> matches("guide/old/a.md", ("guide/old",)), matches("guide/a.md", ("*.md",)), matches("a.txt", ("b*",))
    (True, True, False)
    """
    last = name.rsplit("/", 1)[-1]
    for glob in globs:
        glob = glob.rstrip("/")
        if fnmatchcase(name, glob) or fnmatchcase(name, glob + "/*") or fnmatchcase(last, glob):
            return True
    return False


def _enter(
    folder: _Folder, name: str, entry: os.DirEntry[str], top: str, options: ReadOptions, report: ReadReport
) -> Iterator[tuple[str, Path] | Skip]:
    try:
        status = entry.stat()
    except OSError as error:
        yield Skip(name, "unreadable", error.strerror or str(error))
        return
    key = (status.st_dev, status.st_ino)
    if key in folder.chain:
        yield Skip(name, "link-loop", f"leads back to {os.path.realpath(entry.path)}")
    elif entry.is_symlink() and os.path.realpath(entry.path).startswith(top + os.sep):
        yield Skip(name, "link", f"its target is read as {os.path.relpath(os.path.realpath(entry.path), top)}")
    else:
        yield from _walk(_Folder(entry.path, name + "/", folder.chain | {key}), top, options, report)


def _file(name: str, entry: os.DirEntry[str], options: ReadOptions) -> Iterator[tuple[str, Path] | Skip]:
    try:
        mode = entry.stat().st_mode
    except OSError as error:
        broken = "broken link" if entry.is_symlink() else error.strerror or str(error)
        yield Skip(name, "unreadable", broken)
        return
    if not stat.S_ISREG(mode):
        kinds = {stat.S_IFIFO: "pipe", stat.S_IFSOCK: "socket", stat.S_IFCHR: "device", stat.S_IFBLK: "device"}
        yield Skip(name, "not-a-file", f"a {kinds.get(stat.S_IFMT(mode), 'special file')}")
    elif not options.include or matches(name, options.include):
        yield name, Path(entry.path)
