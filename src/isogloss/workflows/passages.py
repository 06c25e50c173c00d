"""What an evaluation searches: passages, each of one document, in an index, in records, or both."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import Bitmap, Rows
from isogloss.errors import IsoglossError, UsageError
from isogloss.protocols import Record

if TYPE_CHECKING:
    from isogloss.index.store.rows import Chunk as StoredChunk
    from isogloss.index.store.snapshot import Snapshot

LARGEST_REREAD = 200_000_000
"""Characters of an index above which its sources are not read again for their headings."""
WHOLE = 10**9
"""A budget that no document exceeds."""


@dataclass(slots=True)
class Passages:
    """Passages under row numbers; those of an index keep the index's numbers.

    Attributes
    ----------
    documents
        Ids of the documents.
    owners
        ``(highest row + 1,)`` position in ``documents`` of each row's document; -1 where there is no such row.
    fresh_rows, fresh_texts
        Rows that are in no index, and their texts as encoders see them.
    snapshot, live
        The index that holds the other rows, and which of its rows are searched; None where there is none.
    """

    documents: list[str]
    owners: NDArray[np.int64]
    fresh_rows: Rows
    fresh_texts: list[str]
    snapshot: Snapshot | None = None
    live: Bitmap | None = None

    @property
    def rows(self) -> Rows:
        """All row numbers, ascending."""
        return np.flatnonzero(self.owners >= 0).astype(np.int64)

    @property
    def stored_rows(self) -> Rows:
        """The rows that lie in the index, ascending."""
        return np.zeros(0, np.int64) if self.live is None else np.flatnonzero(self.live).astype(np.int64)

    def stored_texts(self, rows: Rows) -> list[str]:
        """Return the texts of rows of the index, as encoders see them."""
        if self.snapshot is None:
            return []
        return [chunk.prefix + chunk.text for part in self.snapshot.iterate(rows.tolist()) for chunk in part]


def passages_of(records: Sequence[Record], cut: Callable[[Sequence[Record]], Iterable[list[str]]]) -> Passages:
    """Cut records into passages.

    Parameters
    ----------
    records
        The documents.
    cut
        Gives the passages of each record, as encoders see them.

    Examples
    --------
    >>> made = passages_of([Record("a", "one two"), Record("b", "three")], lambda some: (r.text.split() for r in some))
    >>> made.fresh_texts, made.owners.tolist()
    (['one', 'two', 'three'], [0, 0, 1])
    """
    texts: list[str] = []
    owners: list[int] = []
    for number, parts in enumerate(cut(records)):
        texts += parts
        owners += [number] * len(parts)
    rows = np.arange(len(texts), dtype=np.int64)
    return Passages([record.id for record in records], np.array(owners, np.int64), rows, texts)


def passages_of_index(snapshot: Snapshot, replaced: Mapping[str, Sequence[str]] | None = None) -> Passages:
    """Take the chunks of an index; those of some documents may be replaced by other texts.

    Parameters
    ----------
    snapshot
        The index.
    replaced
        For some documents, by id, the texts that stand for their chunks.
    """
    numbers = np.flatnonzero(snapshot.live)
    owner_ids = snapshot.owners(numbers.tolist())
    found = snapshot.documents_by_id(set(owner_ids.values()))
    names = [document.name for document in found.values()]
    place = {key: i for i, key in enumerate(found)}
    owners = np.full(len(snapshot.live), -1, np.int64)
    owners[numbers] = [place[owner_ids[number]] for number in numbers.tolist()]
    live = np.array(snapshot.live)
    position = {name: i for i, name in enumerate(names)}
    fresh: list[str] = []
    fresh_owners: list[int] = []
    for name, texts in (replaced or {}).items():
        gone = owners == position[name]
        owners[gone], live[gone] = -1, False
        fresh += texts
        fresh_owners += [position[name]] * len(texts)
    rows = np.arange(len(owners), len(owners) + len(fresh), dtype=np.int64)
    owners = np.concatenate([owners, np.array(fresh_owners, np.int64)])
    return Passages(names, owners, rows, fresh, snapshot, live)


def cutter(budget: int) -> Callable[[Sequence[Record]], Iterable[list[str]]]:
    """Return a function that cuts records into chunks of ``budget`` tokens as an index does."""

    def cut(records: Sequence[Record]) -> Iterable[list[str]]:
        from isogloss.corpus.chunk import chunk_many
        from isogloss.vocabulary.wordpiece import bundled

        cut_up = chunk_many(records, budget=budget, count=bundled().counts)
        for record, chunks in zip(records, cut_up, strict=True):
            yield _or_title([chunk.embedded for chunk in chunks if chunk.text.strip()], record)

    return cut


def _or_title(parts: list[str], record: Record) -> list[str]:
    """Let a document without text be found by its title."""
    return parts or ([record.title] if record.title.strip() else [])


def records_of_index(snapshot: Snapshot) -> tuple[list[Record], str]:
    """Return the documents of an index as records, with their headings.

    An index keeps texts, titles and each chunk's heading path, not where every heading stands. So the sources are
    read again where they are still there, and a document that is still the same takes its record from there; the
    others get the headings that their chunks show.

    Returns
    -------
    tuple
        The records, and a note where some headings were taken from chunks (else an empty string).
    """
    numbers = np.flatnonzero(snapshot.live).tolist()
    by_document: dict[int, list[StoredChunk]] = {}
    for part in snapshot.iterate(numbers):
        for chunk in part:
            by_document.setdefault(chunk.document, []).append(chunk)
    documents = snapshot.documents_by_id(by_document)
    characters = sum(document.characters for document in documents.values())
    again = _read_again(snapshot) if characters <= LARGEST_REREAD else {}
    records, guessed = [], 0
    for key, chunks in by_document.items():
        document = documents[key]
        record = again.get((document.name, document.state))
        if record is None:
            record = _record(document.name, document.title, chunks, document.path)
            guessed += bool(record.headings)
        records.append(record)
    note = f"{guessed:,} documents are no longer where they came from: headings as their chunks show them"
    return records, note if guessed else ""


def _read_again(snapshot: Snapshot) -> dict[tuple[str, bytes], Record]:
    """Read the sources of an index again; by document id and state, so that only what is unchanged is taken."""
    import os

    from isogloss.collection.adding import state_of
    from isogloss.corpus.read import read

    budget = int(snapshot.settings["budget"])
    found: dict[tuple[str, bytes], Record] = {}
    for root in snapshot.roots():
        if not os.path.exists(root.path):
            continue
        try:
            for item in read(root.path):
                if isinstance(item, Record):
                    state = state_of(item, budget)
                    found[root.prefix + item.id, state] = replace(item, id=root.prefix + item.id)
        except (IsoglossError, OSError):  # what cannot be read now keeps the headings of its chunks
            continue
    return found


def _record(name: str, title: str, chunks: Sequence[StoredChunk], path: str) -> Record:
    headings: list[tuple[int, int, str]] = []
    last: tuple[str, ...] = ()
    for chunk in chunks:
        for level, text in enumerate(chunk.heading):
            if last[: level + 1] != chunk.heading[: level + 1]:
                headings.append((chunk.start, level + 1, text))
        last = chunk.heading
    return Record(name, "".join(chunk.text for chunk in chunks), title, headings=headings, path=path)


def chunkings(names: Sequence[str]) -> dict[str, Callable[[Sequence[Record]], Iterable[list[str]]]]:
    r"""Return a function for each way to chunk: none, a number of tokens, heading, heading+title, sentence.

    Raises
    ------
    UsageError
        Where a name is not known.

    Examples
    --------
    >>> record = Record("a", "One two. Three.", title="T")
    >>> [list(cut([record])) for cut in chunkings(["none", "sentence"]).values()]
    [[['T\n\nOne two. Three.']], [['T\n\nOne two. ', 'Three.']]]
    """
    made: dict[str, Callable[[Sequence[Record]], Iterable[list[str]]]] = {}
    for name in names:
        if name in ("heading", "heading+title"):
            made[name] = _by_heading(titled=name == "heading+title")
        elif name == "none":
            made[name] = cutter(WHOLE)
        elif name == "sentence":
            made[name] = _by_sentence
        elif name.isdecimal() and 16 <= int(name) <= 8192:
            made[name] = cutter(int(name))
        else:
            raise UsageError(
                f"there is no chunking {name!r}", "there are none, a number of tokens (16 to 8192), heading, "
                "heading+title and sentence", "--chunking none,256,heading",
            )  # fmt: skip
    return made


def _by_sentence(records: Sequence[Record]) -> Iterable[list[str]]:
    """Cut at every sentence; the first one carries the title, so that every way to chunk holds the whole document."""
    from isogloss.text.sentences import sentences

    for record in records:
        parts = [record.text[start:end] for start, end in sentences(record.text)]
        yield _titled([part for part in parts if part.strip()], record)


def _titled(parts: list[str], record: Record) -> list[str]:
    if not parts or not record.title.strip() or parts[0].lstrip("#=*-~ ").startswith(record.title):
        return _or_title(parts, record)
    return [f"{record.title}\n\n{parts[0]}", *parts[1:]]


def _by_heading(*, titled: bool) -> Callable[[Sequence[Record]], Iterable[list[str]]]:
    """Cut at every heading, whatever the length; ``titled`` puts the title and the heading path in front of each part.

    Otherwise the first part carries the title, so that every way to chunk holds the whole document.
    """

    def cut(records: Sequence[Record]) -> Iterable[list[str]]:
        for record in records:
            sections = list(_sections(record))
            if titled:
                yield _or_title([f"{path}\n\n{text}" if path else text for path, text in sections], record)
            else:
                yield _titled([text for _, text in sections], record)

    return cut


def _sections(record: Record) -> Iterable[tuple[str, str]]:
    """Yield the title and heading path above each section, and its text with its own heading."""
    stack, start = list[tuple[int, str]](), 0
    for at, level, name in [*record.headings, (len(record.text), 0, "")]:
        text = record.text[start:at]
        if text.strip():
            above = [record.title, *(heading for _, heading in stack)]
            if stack and text.lstrip("#=*-~ ").startswith(stack[-1][1]):
                above.pop()  # the section begins with its own heading
            yield "\n".join(part for part in dict.fromkeys(above) if part), text
        stack = [*((depth, heading) for depth, heading in stack if depth < level), (level, name)]
        start = at
