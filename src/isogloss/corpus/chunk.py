"""Chunks: a document cut at sentences under a token budget, each chunk with its title and heading path."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from isogloss.protocols import Record
from isogloss.text.sentences import sentences

VERSION = "1"
"""Changes when the same record would give other chunks."""

BUDGET = 240

Counter: TypeAlias = Callable[[Sequence[str]], NDArray[np.int64]]

_CHARACTERS_A_TOKEN = 16  # longer texts are cut without being counted whole first
_CLAUSE = re.compile(r"[;:,，、；：،\n]\s*|[–—]\s|[.!?。！？]\s*")
_SPACE = re.compile(r"\s+")
_MARKUP = "#=*-~ \t\r\n"


@dataclass(frozen=True, slots=True)
class Chunk:
    """A span of a document, as it is encoded.

    Attributes
    ----------
    start, end
        Character offsets in the document's text; the chunks of a document cover it without gaps.
    text
        ``document.text[start:end]``.
    heading
        The headings above the chunk's start, outermost first.
    embedded
        What encoders see: the title and the heading path, one a line, then the text; parts that the text itself
        begins with are not said twice. It always ends with ``text``.
    tokens
        Tokens of ``embedded``.
    """

    start: int
    end: int
    text: str
    heading: tuple[str, ...]
    embedded: str
    tokens: int = 0


@dataclass(slots=True)
class _Piece:
    start: int
    end: int
    tokens: int
    section: int
    level: int = 0


@dataclass(frozen=True, slots=True)
class _Section:
    start: int
    level: int
    path: tuple[str, ...]


def chunk(record: Record, *, budget: int = BUDGET, count: Counter) -> list[Chunk]:
    r"""Cut one document into chunks of at most ``budget`` tokens.

    See ``chunk_many``, which is faster for many documents.

    Examples
    --------
    >>> words = lambda texts: np.array([len(text.split()) for text in texts])
    >>> record = Record("a", "One two three. Four five. Six seven eight nine.", title="Numbers")
    >>> [piece.text for piece in chunk(record, budget=6, count=words)]
    ['One two three. Four five. ', 'Six seven eight nine.']
    >>> chunk(record, budget=6, count=words)[1].embedded
    'Numbers\n\nSix seven eight nine.'
    """
    return next(chunk_many([record], budget=budget, count=count))


def chunk_many(
    records: Iterable[Record], *, budget: int = BUDGET, count: Counter, batch: int = 1024
) -> Iterator[list[Chunk]]:
    """Cut documents into chunks, counting tokens for many at once.

    A document that fits the budget with its title is one chunk. A longer one is cut at sentences, and sentences
    are packed into chunks of even size. A heading of level 1 or 2 begins a new chunk, unless what stands before it
    is less than an eighth of the budget; a deeper one does so once half the budget is used. Sentences beyond the
    budget are halved at clauses, else at spaces, else anywhere, until they fit. Title and path take at most a third
    of the budget: outer headings go first, then the title. Every ``embedded`` is counted; only a single character
    may exceed the budget, and then stands alone.

    Parameters
    ----------
    records
        Documents, taken ``batch`` at a time.
    budget
        Most tokens of a chunk, at least 1.
    count
        Tokens of each text, without special tokens.
    batch
        Documents counted together.

    Yields
    ------
    list of Chunk
        The chunks of each document, in order; none for an empty text.
    """
    if budget < 1:
        raise ValueError(f"the budget must be at least 1 token, not {budget}")
    stream = iter(records)
    while block := list(islice(stream, batch)):
        yield from _chunk_block(block, budget, count)


def _chunk_block(records: list[Record], budget: int, count: Counter) -> list[list[Chunk]]:
    result: list[list[Chunk]] = [[] for _ in records]
    short = [i for i, record in enumerate(records) if 0 < len(record.text) <= budget * _CHARACTERS_A_TOKEN]
    whole = [_embedded(records[i].title, (), records[i].text) for i in short]
    counts = count(whole) if whole else np.zeros(0, np.int64)
    fits = set()
    for i, embedded, tokens in zip(short, whole, np.asarray(counts).tolist(), strict=True):
        if tokens <= budget:
            text = records[i].text
            fits.add(i)
            result[i] = [Chunk(0, len(text), text, _first_path(records[i]), embedded, tokens)]
    long = [i for i, record in enumerate(records) if record.text and i not in fits]
    if long:
        for i, chunks in zip(long, _chunk_long([records[i] for i in long], budget, count), strict=True):
            result[i] = chunks
    return result


def _first_path(record: Record) -> tuple[str, ...]:
    if not record.headings:
        return ()
    start, _, name = record.headings[0]
    return (name,) if not record.text[:start].strip() else ()


def _embedded(title: str, path: tuple[str, ...], text: str) -> str:
    if not title and not path:
        return text
    body = text.lstrip(_MARKUP)
    parts = [part for part in dict.fromkeys((title, *path)) if part and not _begins(body, part)]
    return "\n".join(parts) + "\n\n" + text if parts else text


def _begins(body: str, part: str) -> bool:
    return body.startswith(part) and not (body[len(part) : len(part) + 1].isalnum() and part[-1].isalnum())


def _chunk_long(records: list[Record], budget: int, count: Counter) -> list[list[Chunk]]:
    sections = [_sections(record) for record in records]
    prefixes = _prefixes(records, sections, budget, count)
    pieces = [_pieces(record, parts) for record, parts in zip(records, sections, strict=True)]
    rooms = [[budget - tokens for _, tokens in prefix] for prefix in prefixes]
    _count_pieces(records, pieces, rooms, count)
    spans: list[list[tuple[int, int, int]]] = []
    for row, room in zip(pieces, rooms, strict=True):
        spans.append([span for run in _runs(row, budget // 8) for span in _pack(run, room)])
    return _fitted(records, sections, prefixes, spans, budget, count)


def _sections(record: Record) -> list[_Section]:
    """Return the sections with their heading paths; the first begins at 0, before any heading."""
    sections = [_Section(0, 0, ())]
    stack: list[tuple[int, str]] = []
    for start, level, name in record.headings:
        while stack and stack[-1][0] >= level:
            stack.pop()
        stack.append((level, name))
        if not 0 <= start < len(record.text):
            continue
        section = _Section(start, level, tuple(text for _, text in stack))
        if start == sections[-1].start:
            sections[-1] = section
        elif start > sections[-1].start:
            sections.append(section)
    return sections


def _prefixes(
    records: list[Record], sections: list[list[_Section]], budget: int, count: Counter
) -> list[list[tuple[tuple[str, ...], int]]]:
    """Choose the parts of title and path that go in front of each section's chunks, and count their tokens."""
    choices = [
        [_prefix_choices(record.title, section.path) for section in parts]
        for record, parts in zip(records, sections, strict=True)
    ]
    texts = list(dict.fromkeys("\n".join(parts) for row in choices for some in row for parts in some if parts))
    tokens = dict(zip(texts, np.asarray(count(texts)).tolist(), strict=True)) if texts else {}
    tokens[""] = 0
    chosen = []
    for row in choices:
        fitting = [
            next((parts, tokens["\n".join(parts)]) for parts in some if tokens["\n".join(parts)] <= budget // 3)
            for some in row
        ]
        chosen.append(fitting)
    return chosen


def _prefix_choices(title: str, path: tuple[str, ...]) -> list[tuple[str, ...]]:
    full = tuple(part for part in dict.fromkeys((title, *path)) if part)
    return list(dict.fromkeys([full, *((title, *path[i:]) for i in range(1, len(path)) if title), path[-1:], ()]))


def _pieces(record: Record, sections: list[_Section]) -> list[_Piece]:
    """Return the sentences of a text, cut at headings too."""
    bounds = {end for _, end in sentences(record.text)} | {section.start for section in sections}
    starts = sorted(bounds - {len(record.text)})
    pieces, at = [], 0
    for start, end in zip(starts, [*starts[1:], len(record.text)], strict=True):
        level = 0
        if at + 1 < len(sections) and sections[at + 1].start <= start:
            at += 1
        if sections[at].start == start:
            level = sections[at].level
        pieces.append(_Piece(start, end, 0, at, level))
    return pieces


def _count_pieces(records: list[Record], pieces: list[list[_Piece]], rooms: list[list[int]], count: Counter) -> None:
    """Count all pieces at once, and halve those beyond their room until none is."""
    todo = [(i, piece) for i, row in enumerate(pieces) for piece in row]
    halved = False
    while todo:
        texts = [records[i].text[piece.start : piece.end] for i, piece in todo]
        overlong = []
        for (i, piece), tokens in zip(todo, np.asarray(count(texts)).tolist(), strict=True):
            piece.tokens = tokens
            if tokens > rooms[i][piece.section] and piece.end - piece.start > 1:
                overlong.append((i, piece))
        todo = []
        for i, piece in overlong:
            middle = _middle(records[i].text, piece.start, piece.end)
            second = _Piece(middle, piece.end, 0, piece.section)
            piece.end = middle
            pieces[i].append(second)
            todo += [(i, piece), (i, second)]
            halved = True
    if halved:
        for row in pieces:
            row.sort(key=lambda piece: piece.start)


def _middle(text: str, start: int, end: int) -> int:
    """Return where to halve a span: the clause, else the space nearest to its middle, else the middle itself."""
    middle = (start + end) // 2
    quarter = (end - start) // 4
    for pattern in (_CLAUSE, _SPACE):
        places = [match.end() for match in pattern.finditer(text, start + quarter, end - quarter)]
        places = [place for place in places if start < place < end]
        if places:
            return min(places, key=lambda place: abs(place - middle))
    middle = max(middle, start + 1)
    while middle > start + 1 and middle > (start + end) // 2 - 8 and unicodedata.category(text[middle])[0] == "M":
        middle -= 1  # a mark stays with its letter
    return middle


def _runs(pieces: list[_Piece], tiny: int) -> Iterator[list[_Piece]]:
    """Group pieces between headings of level 1 and 2; a group below ``tiny`` tokens goes with the next."""
    run: list[_Piece] = []
    tokens = 0
    for piece in pieces:
        if run and piece.level in (1, 2) and tokens >= max(1, tiny):
            yield run
            run, tokens = [], 0
        run.append(piece)
        tokens += piece.tokens
    if run:
        yield run


def _pack(run: list[_Piece], rooms: list[int]) -> Iterator[tuple[int, int, int]]:
    """Yield ``(start, end, section)`` of chunks of even size that each stay within their room."""
    room = max(1, min(rooms[piece.section] for piece in run))
    left = sum(piece.tokens for piece in run)
    target = left / max(1, -(-left // room))
    first, tokens = run[0], 0
    for piece in run:
        full = tokens + piece.tokens > room or tokens + piece.tokens / 2 > target
        if tokens and (full or (piece.level > 2 and tokens > room // 2)):
            yield first.start, piece.start, first.section
            left -= tokens
            target = left / max(1, -(-left // room))
            first, tokens = piece, 0
        tokens += piece.tokens
    yield first.start, run[-1].end, first.section


def _fitted(
    records: list[Record],
    sections: list[list[_Section]],
    prefixes: list[list[tuple[tuple[str, ...], int]]],
    spans: list[list[tuple[int, int, int]]],
    budget: int,
    count: Counter,
) -> list[list[Chunk]]:
    """Make the chunks, count what encoders will see, and halve the few that still exceed the budget."""
    result: list[list[Chunk]] = [[] for _ in records]
    todo = [(i, *span) for i, row in enumerate(spans) for span in row]
    while todo:
        made = []
        for i, start, end, section in todo:
            text = records[i].text[start:end]
            parts = prefixes[i][section][0]
            made.append(Chunk(start, end, text, sections[i][section].path, _embedded("", parts, text)))
        counts = np.asarray(count([piece.embedded for piece in made])).tolist()
        again = []
        for (i, start, end, section), piece, tokens in zip(todo, made, counts, strict=True):
            if tokens <= budget:
                result[i].append(replace(piece, tokens=tokens))
            elif end - start > 1:
                middle = _middle(records[i].text, start, end)
                again += [(i, start, middle, section), (i, middle, end, section)]
            else:
                result[i].append(replace(piece, embedded=piece.text, tokens=tokens))
        todo = again
    for row in result:
        row.sort(key=lambda piece: piece.start)
    return result
