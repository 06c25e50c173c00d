"""Files of word vectors as others write them: word2vec's text and binary format, GloVe's, and fastText's ``.vec``."""

from __future__ import annotations

import gzip
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import Dense
from isogloss.errors import ModelError

Format = Literal["text", "word2vec binary", "fastText"]
FASTTEXT_MAGIC = (793712314).to_bytes(4, "little")
BATCH = 2048
_LINES_TRIED = 100
_LONGEST_WORD = 1 << 16
_FOREIGN = {
    b"\x80\x04": ("a pickle", "load it with the program that wrote it and save it as word2vec text or binary"),
    b"\x80\x03": ("a pickle", "load it with the program that wrote it and save it as word2vec text or binary"),
    b"\x80\x02": ("a pickle", "load it with the program that wrote it and save it as word2vec text or binary"),
    b"PK": ("a zip archive", "unpack it and give the file inside"),
    b"SQLite": ("an SQLite file such as Magnitude's", "export it as word2vec text"),
    b"\x93NUMPY": ("an array without words", "write words and vectors as word2vec text"),
}


@dataclass(frozen=True, slots=True)
class WordBatch:
    """Some words of a file with their vectors.

    Attributes
    ----------
    words
        As the file has them, in UTF-8.
    vectors
        ``(b, d)`` float32.
    """

    words: list[bytes]
    vectors: Dense


def opened(path: Path) -> IO[bytes]:
    """Open a file for reading bytes; names that end in ``.gz`` are unpacked on the way."""
    return gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")  # type: ignore[return-value]


def format_of(path: Path) -> Format:
    """Say which format a file has, by its first bytes and lines alone.

    Raises
    ------
    ModelError
        Where it is none of them; the message names what it is where that is known.
    """
    with opened(path) as file:
        start = file.read(1 << 16)
    if not start:
        raise ModelError(f"{path} is empty", "0 bytes", "get the file again")
    if start.startswith(FASTTEXT_MAGIC):
        return "fastText"
    for mark, (what, fix) in _FOREIGN.items():
        if start.startswith(mark):
            raise ModelError(f"{path} is no file of word vectors", f"it is {what}", fix)
    first, _, rest = start.partition(b"\n")
    head = header(first)
    if head is None:
        if len(_fields(first)) < 3:
            why = f"the first line has {len(_fields(first))} fields: {first[:60]!r}"
            raise ModelError(f"{path} is no file of word vectors", why, "give word2vec, GloVe or fastText files")
        return "text"
    second = _fields(rest.partition(b"\n")[0])
    return "text" if len(second) > head[1] and _numbers(second[-head[1] :]) is not None else "word2vec binary"


def header(line: bytes) -> tuple[int, int] | None:
    """Return the numbers of words and components where a line says nothing else, as word2vec's first line does.

    Examples
    --------
    >>> header(b"3 50"), header(b"the 0.1 0.2")
    ((3, 50), None)
    """
    fields = line.split()
    if len(fields) == 2 and all(field.isdigit() for field in fields) and int(fields[1]) > 0:
        return int(fields[0]), int(fields[1])
    return None


def read_binary(path: Path) -> Iterator[WordBatch]:
    """Yield the words of a file in word2vec's binary format: a header, then each word, a space, and its numbers.

    Raises
    ------
    ModelError
        Where the file ends early, goes on behind its last word, or has a number that is not finite.
    """
    with opened(path) as file:
        count, dimensions = header(file.readline()) or (0, 0)
        at = file.tell()
        words: list[bytes] = []
        rows: list[NDArray[np.float32]] = []
        for number in range(1, count + 1):
            word = _word(file)
            row = file.read(4 * dimensions) if word is not None else b""
            if word is None or len(row) < 4 * dimensions:
                why = f"it ends in word {number:,} of {count:,}, which begins at byte {at:,}"
                raise ModelError(f"{path} is not whole", why, "get the file again")
            at += len(word) + 1 + len(row)
            words.append(word.lstrip(b"\n"))  # some writers end each row with a new line
            rows.append(np.frombuffer(row, "<f4"))
            if len(words) == BATCH or number == count:
                yield _checked(path, words, np.stack(rows), f"word {number - len(words) + 1:,}", number - len(words))
                words, rows = [], []
        if file.read(64).strip():
            raise ModelError(f"{path} goes on behind its last word", f"{count:,} words end at byte {at:,}", "")


def _word(file: IO[bytes]) -> bytes | None:
    """Read up to a space, which is taken and not given; None where the file ends before."""
    letters = bytearray()
    while letter := file.read(1):
        if letter == b" ":
            return bytes(letters)
        letters += letter
        if len(letters) > _LONGEST_WORD:
            return None
    return None


def read_text(path: Path) -> Iterator[WordBatch]:
    """Yield the words of a text file: a word a line with its numbers behind it, a header in front or not.

    A word may hold spaces, as some of GloVe's do: the last numbers of a line are its vector, whatever stands before
    them is the word. How many they are says the header, else the shortest of the first hundred lines.

    Raises
    ------
    ModelError
        Where a line holds fewer numbers than the others or something that is no finite number, or there are not as
        many lines as the header says; the message names the line.
    """
    with opened(path) as file:
        promised, dimensions, skipped = _text_shape(path)
        for _ in range(skipped):
            file.readline()
        number, lines = skipped, list[bytes]()
        for line in file:
            number += 1
            if not line.strip():
                raise ModelError(f"{path} has an empty line", f"line {number:,}", "take it out, or get the file again")
            lines.append(line)
            if len(lines) == BATCH:
                yield _parsed(path, lines, dimensions, number - len(lines))
                lines = []
        if lines:
            yield _parsed(path, lines, dimensions, number - len(lines))
    if promised is not None and number - skipped != promised:
        why = f"its first line says {promised:,} words, {number - skipped:,} lines follow"
        raise ModelError(f"{path} is not whole", why, "get the file again")


def _text_shape(path: Path) -> tuple[int | None, int, int]:
    """Return the number of words where the file says it, the components, and the lines of the header."""
    with opened(path) as file:
        head = header(file.readline())
        if head is not None:
            return head[0], head[1], 1
    with opened(path) as file:
        fields = [len(_fields(line)) for _, line in zip(range(_LINES_TRIED), file, strict=False)]
    return None, max(1, min(fields) - 1), 0


def _fields(line: bytes) -> list[bytes]:
    line = line.rstrip(b" \t\r\n")
    return line.split(b"\t" if b"\t" in line and b" " not in line else b" ")


def _numbers(fields: list[bytes]) -> NDArray[np.float32] | None:
    try:
        return np.array([float(field) for field in fields], np.float32)
    except ValueError:
        return None


def _parsed(path: Path, lines: list[bytes], dimensions: int, before: int) -> WordBatch:
    """Parse lines; ``before`` of them came earlier."""
    words, numbers = [], []
    for line in lines:
        line = line.rstrip(b" \t\r\n")
        separator = b"\t" if b"\t" in line and b" " not in line else b" "
        parts = line.rsplit(separator, dimensions)
        words.append(parts[0])
        numbers.append(separator.join(parts[1:]) if len(parts) == dimensions + 1 else b"")
    rows = _all_numbers(b" ".join(numbers))
    if rows is None or rows.size != len(lines) * dimensions:
        _blame(path, lines, dimensions, before)
    return _checked(path, words, np.asarray(rows).reshape(-1, dimensions), f"line {before + 1:,}", before)


def _all_numbers(text: bytes) -> NDArray[np.float32] | None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", DeprecationWarning)  # what is no number is a warning only
        try:
            return np.fromstring(text, np.float32, sep=" ")
        except (DeprecationWarning, ValueError):
            return None


def _blame(path: Path, lines: list[bytes], dimensions: int, before: int) -> None:
    """Find the line that cannot be read, and say so."""
    for number, line in enumerate(lines, before + 1):
        fields = _fields(line)
        if len(fields) <= dimensions:
            why = f"line {number:,} holds {len(fields) - 1} numbers, {dimensions} are expected: {line[:60]!r}"
            raise ModelError(f"{path} is no file of word vectors, or not whole", why, "get the file again")
        for field in fields[-dimensions:]:
            if _numbers([field]) is None or not field:
                why = f"line {number:,} has {field[:40]!r} where a number is expected"
                raise ModelError(f"{path} is no file of word vectors, or damaged", why, "get the file again")
    why = f"lines {before + 1:,} to {before + len(lines):,} do not hold {dimensions} numbers each"
    raise ModelError(f"{path} is no file of word vectors, or damaged", why, "get the file again")


def _checked(path: Path, words: list[bytes], rows: NDArray[Any], place: str, before: int) -> WordBatch:
    """Refuse what is not finite and words that are none; ``before`` words or lines came earlier."""
    unit = place.split(" ", 1)[0]
    vectors = np.asarray(rows, np.float32)
    bad = np.flatnonzero(~np.isfinite(vectors).all(1))
    if len(bad):
        shown = words[bad[0]].decode("utf-8", "replace")[:40]
        why = (
            f"{unit} {before + int(bad[0]) + 1:,} ({shown!r}), and {len(bad) - 1:,} of the {len(words):,} read with it"
        )
        raise ModelError(f"{path} has a vector that is not finite", why, "take the word out, or get the file again")
    for number, word in enumerate(words, before + 1):
        try:
            word.decode("utf-8")
        except UnicodeDecodeError as error:
            why = f"{unit} {number:,} ({word[:40]!r}): {error.reason}"
            raise ModelError(f"{path} has a word that is not UTF-8", why, "write the file in UTF-8") from None
        if not word:
            raise ModelError(f"{path} has an empty word", f"{unit} {number:,}", "take it out, or get the file again")
    return WordBatch(words, vectors)
