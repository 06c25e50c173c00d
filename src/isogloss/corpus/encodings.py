"""Which encoding bytes are in: byte order mark, UTF-8, UTF-16 by its zero bytes, else a detector."""

from __future__ import annotations

import codecs

from isogloss.corpus.options import ReadOptions, ReadReport
from isogloss.corpus.source import SkipFileError, Source

HEAD = 65_536
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CONTROL = bytes(byte for byte in range(32) if byte not in b"\t\n\r\f\x0b\x08\x1b")


def detect_encoding(head: bytes, declared: str = "") -> str:
    """Name the encoding of a text from its first bytes.

    Parameters
    ----------
    head
        First bytes, up to 64 KiB are looked at; may end inside a character.
    declared
        What the user or the file says; wins over detection, but not over a byte order mark.

    Returns
    -------
    str
        A codec name of Python; ``utf-8`` for plain ASCII.

    Raises
    ------
    SkipFileError
        ``binary`` for bytes that are no text, ``encoding`` for an unknown name or where no encoding fits.

    Examples
    --------
    >>> detect_encoding("naïve café".encode())
    'utf-8'
    >>> detect_encoding("Blåbærsyltetøy".encode("utf-16"))
    'utf-16'
    """
    head = head[:HEAD]
    for mark, name in _MARKS:
        if head.startswith(mark):
            return name
    if declared:
        return _known(declared)
    if b"\0" in head:
        return _wide(head)
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError as error:
        return _guess(head, error)
    return _not_binary(head, "utf-8")


def decode(data: bytes, declared: str = "") -> tuple[str, str]:
    r"""Decode a whole document; returns the text with ``\n`` as the only line end, and the encoding's name.

    Raises
    ------
    SkipFileError
        ``binary`` or ``encoding``, with where decoding stopped.

    Examples
    --------
    >>> decode(b"one\r\ntwo")
    ('one\ntwo', 'utf-8')
    """
    name = detect_encoding(data, declared)
    try:
        text = data.decode(name)
    except UnicodeDecodeError as error:
        if declared or name not in ("utf-8", "utf-8-sig"):
            raise SkipFileError("encoding", f"not {name} at byte {error.start:,} (0x{data[error.start]:02x})") from None
        # good UTF-8 at the head, something else further down
        around = data[max(0, error.start - HEAD // 2) : error.start + HEAD // 2]
        name = _guess(around, error)
        text = data.decode(name, errors="replace")
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text, name


def read_text(source: Source, options: ReadOptions, report: ReadReport, *, declared: str = "") -> str:
    """Return a whole file as text.

    Parameters
    ----------
    source, options, report
        As every reader gets them; an encoding other than UTF-8 is noted in the report.
    declared
        What the file says of itself, used where it is not UTF-8 and the user names nothing.

    Raises
    ------
    SkipFileError
        ``empty``, ``too-long``, ``binary``, ``encoding``, ``unreadable``, ``broken``; ``no-text`` for white space.
    """
    data = source.data(options.max_bytes)
    text, encoding = decode(data, options.encoding or declared)
    if encoding not in ("utf-8", "utf-8-sig", "ascii"):
        report.encodings[encoding] += 1
    if not text or text.isspace():
        raise SkipFileError("no-text", f"{len(data):,} bytes of white space")
    return text


def _known(name: str) -> str:
    try:
        return codecs.lookup(name).name
    except LookupError:
        raise SkipFileError("encoding", f"Python knows no encoding named {name!r}") from None


def _wide(head: bytes) -> str:
    """UTF-16 without a mark has its zero bytes on one side; anything else with zeros is binary."""
    even, odd = head[0::2].count(0), head[1::2].count(0)
    name = "utf-16-le" if odd > even else "utf-16-be"
    half = len(head) // 2
    if min(even, odd) * 20 < half < max(even, odd) * 2 + 1:
        try:
            codecs.getincrementaldecoder(name)().decode(head)
        except UnicodeDecodeError:
            pass
        else:
            return name
    raise SkipFileError("binary", f"{even + odd:,} zero bytes in the first {len(head):,}: no text")


def _not_binary(head: bytes, name: str) -> str:
    controls = len(head) - len(head.translate(None, _CONTROL))
    if controls * 20 > len(head):
        raise SkipFileError("binary", f"{controls:,} control bytes in the first {len(head):,}: no text")
    return name


def _guess(head: bytes, error: UnicodeDecodeError) -> str:
    _not_binary(head, "")
    from charset_normalizer import from_bytes

    best = from_bytes(head, steps=5, chunk_size=2048).best()
    if best is None:
        where = f"byte {error.start:,} (0x{error.object[error.start]:02x})"
        raise SkipFileError("encoding", f"not UTF-8 at {where}, and no other encoding fits; name it with --encoding")
    return str(best.encoding)
