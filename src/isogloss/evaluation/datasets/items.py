"""Items of data files as they lie on disk: rows, digests that prove a copy, sums of whole files."""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

from isogloss.errors import CorpusError
from isogloss.evaluation.datasets.card import Golden

_IDS = ("_id", "id", "query-id")


def opened(path: Path) -> BinaryIO:
    """Open a file for reading, unzipped where its name ends in ``.gz``."""
    return cast("BinaryIO", gzip.open(path, "rb")) if path.name.endswith(".gz") else path.open("rb")


def content_sum(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, of a gzip file of the unzipped bytes.

    Raises
    ------
    CorpusError
        Where a gzip file is broken.
    """
    found = hashlib.sha256()
    with opened(path) as file:
        try:
            while block := file.read(1 << 20):
                found.update(block)
        except (OSError, EOFError) as error:
            raise CorpusError(f"{path} cannot be read", str(error), "get it anew") from None
    return found.hexdigest()


def suffix(path: Path) -> str:
    """Return the form of a file by its name without ``.gz``: ``.jsonl``, ``.tsv`` ...

    Examples
    --------
    >>> suffix(Path("a/b.jsonl.gz"))
    '.jsonl'
    """
    return Path(path.name.removesuffix(".gz")).suffix


def read_rows(path: Path, *, header: bool = True) -> Iterator[dict[str, Any]]:
    """Yield the rows of a JSON Lines, TSV, CSV or text file.

    Parameters
    ----------
    path
        The file, plain or gzip.
    header
        Whether a TSV's first line names the columns; else they are named ``0``, ``1`` ...

    Returns
    -------
    iterator
        JSON Lines: the objects. TSV (cells as they stand) and CSV: cells by column. Others: ``{"text": line}``.

    Raises
    ------
    CorpusError
        For a line of JSON Lines that is no JSON object, or a row that is wider or narrower than the header.
    """
    form = suffix(path)
    if form == ".jsonl":
        yield from _objects(path)
    elif form in (".tsv", ".csv"):
        yield from _cells(path, header, form)
    else:
        for line in _lines(path):
            yield {"text": line}


def _lines(path: Path) -> Iterator[str]:
    with opened(path) as file:
        for line in file:
            yield line.decode("utf-8").rstrip("\r\n")


def _objects(path: Path) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(_lines(path), 1):
        try:
            row = json.loads(line)
        except ValueError as error:
            raise CorpusError(f"{path}, line {number}: no JSON", str(error), "get the file anew") from None
        if not isinstance(row, dict):
            raise CorpusError(f"{path}, line {number}: {type(row).__name__}", "expected: an object", "get it anew")
        yield row


def _cells(path: Path, header: bool, form: str) -> Iterator[dict[str, Any]]:
    rows = csv.reader(_lines(path)) if form == ".csv" else (line.split("\t") for line in _lines(path))
    columns: list[str] = []
    for number, row in enumerate(rows, 1):
        if not columns:
            columns = row if header else [str(place) for place in range(len(row))]
            if header:
                continue
        if len(row) != len(columns):
            raise CorpusError(
                f"{path}, line {number}: {len(row)} columns", f"expected: {len(columns)}", "get the file anew"
            )
        yield dict(zip(columns, row, strict=True))


def golden_items(path: Path, *, header: bool = True) -> tuple[int, list[Golden]]:
    """Return how many items a file has, and its first, tenth and last with their digests.

    The digest is that of the item's own bytes: the line without its end, the row of each array, the entry of a JSON
    object; sixteen hexadecimal digits.

    Parameters
    ----------
    path
        JSON Lines, TSV, CSV, text, JSON or npz.
    header
        Whether the first line of a TSV or CSV is no item.
    """
    if suffix(path) == ".npz":
        return _golden_arrays(path)
    if suffix(path) == ".json":
        with opened(path) as file:
            entries = [json.dumps(entry, ensure_ascii=False).encode() for entry in json.load(file).items()]
        return _chosen(entries, lambda _: "")
    skip = int(header and suffix(path) in (".tsv", ".csv"))
    with opened(path) as file:
        lines = [line.rstrip(b"\r\n") for line in file][skip:]
    return _chosen(lines, _id if suffix(path) == ".jsonl" else lambda _: "")


def _chosen(lines: list[bytes], name: Any) -> tuple[int, list[Golden]]:
    places = sorted({0, min(9, len(lines) - 1), len(lines) - 1}) if lines else []
    return len(lines), [Golden(place + 1, name(lines[place]), digest(lines[place])) for place in places]


def _id(line: bytes) -> str:
    row = json.loads(line)
    return next((str(row[name]) for name in _IDS if name in row), "")


def digest(item: bytes) -> str:
    """Return sixteen hexadecimal digits that stand for an item.

    Examples
    --------
    >>> digest(b"one")
    '34f2ddaa8b7615c9'
    """
    return hashlib.blake2b(item, digest_size=8).hexdigest()


def _golden_arrays(path: Path) -> tuple[int, list[Golden]]:
    import numpy as np

    rows: dict[int, bytes] = {}
    count = 0
    with np.load(path, allow_pickle=False) as arrays:
        for name in sorted(arrays.files):
            array = np.atleast_1d(arrays[name])
            count = max(count, len(array))
            for place in {0, min(9, len(array) - 1), len(array) - 1} if len(array) else set():
                rows[place + 1] = (
                    rows.get(place + 1, b"") + name.encode() + np.ascontiguousarray(array[place]).tobytes()
                )
    return count, [Golden(row, "", digest(rows[row])) for row in sorted(rows)]
