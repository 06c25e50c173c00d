"""The user's index as one object: open, add, remove, search, show, compact, check, export."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Self, overload

from isogloss.errors import IsoglossWarning, ModelError, UsageError
from isogloss.protocols import Progress, Record, Silent, Skip

if TYPE_CHECKING:
    from isogloss.collection.adding import Confirm
    from isogloss.collection.results import (
        AddReport,
        CompactReport,
        DocumentView,
        ExportReport,
        RemoveReport,
        SearchResult,
        Stats,
    )
    from isogloss.collection.searching import Part
    from isogloss.corpus.options import ReadOptions
    from isogloss.index.store.rows import StoredEncoder
    from isogloss.index.store.snapshot import Snapshot
    from isogloss.index.store.store import Store
    from isogloss.protocols import Diagnosis

BUDGET = 240
"""Tokens of the bundled WordPiece vocabulary in a chunk, stored at creation, the same for every encoder."""
DEFAULT_ENCODERS = ("words", "static")


class Collection:
    """A searchable collection of documents in a folder on disk.

    Made by ``Collection.create`` or ``Collection.open``; a context manager. One process writes at a time,
    any number read.

    Examples
    --------
    >>> import tempfile
    >>> from isogloss.protocols import Record
    >>> with Collection.create(Path(tempfile.mkdtemp()) / "index", encoders=["words"]) as collection:
    ...     _ = collection.add([Record("a", "Heat in composite slabs."), Record("b", "One file of a zip archive.")])
    ...     result = collection.search("one file out of an archive", k=1)
    ...     (result.hits[0].document, len(collection), "b" in collection)
    ('b', 2, True)
    """

    def __init__(self, store: Store, threads: int | None = None) -> None:
        self._store = store
        self._threads = threads
        self._parts: dict[str, Part] = {}
        self._parts_generation = -1
        self._default: tuple[list[StoredEncoder], list[str]] | None = None

    @classmethod
    def create(
        cls,
        path: str | Path,
        *,
        encoders: Sequence[str] = DEFAULT_ENCODERS,
        budget: int = BUDGET,
        threads: int | None = None,
    ) -> Self:
        """Make an empty collection and open it for writing.

        Parameters
        ----------
        path
            A folder that does not exist or is empty.
        encoders
            Names for ``load_encoder``; ``words``, ``words:en`` (stemmed), ``static``, ``minilm``, or a model folder.
        budget
            Greatest number of tokens in a chunk (16 to 8,192; default 240).
        threads
            Threads of the encoders (default: the machine's).

        Raises
        ------
        StoredIndexError
            Where there is an index already, or the folder cannot be written.
        """
        from isogloss.collection.encoders import ensure, load
        from isogloss.index.store.store import Store

        if not 16 <= budget <= 8192:
            raise UsageError("the chunk budget is out of range", f"it is {budget} tokens", "choose 16 to 8192 tokens")
        if not encoders:
            raise UsageError("an index needs an encoder", "none was named", "use --with words,static")
        for name in encoders:
            load(name, threads)  # an unknown or broken model must not leave an empty index behind
        store = Store.create(path, {"budget": budget, "background": {}})
        try:
            ensure(store, encoders, threads)
        except BaseException:
            store.close()
            raise
        return cls(store, threads)

    @classmethod
    def open(
        cls,
        path: str | Path,
        *,
        write: bool = False,
        threads: int | None = None,
        wait: float = 0.0,
        repair: bool = False,
    ) -> Self:
        """Open a collection, for reading unless ``write`` is set.

        Parameters
        ----------
        path
            The index folder.
        write
            Take the writer lock.
        threads
            Threads of the encoders (default: the machine's).
        wait
            Seconds to wait for another writer.
        repair
            With ``write``: drop damaged segments (``repaired`` lists them); ``add`` encodes their chunks again.

        Raises
        ------
        IndexNotFoundError
            Where there is none.
        IndexBusyError
            Where another process writes and ``write`` is set.
        """
        from isogloss.index.store.store import Store

        return cls(Store.open(path, write=write, wait=wait, repair=repair), threads)

    @staticmethod
    def exists(path: str | Path) -> bool:
        """Say whether a folder holds an index."""
        from isogloss.index.store.store import Store

        return Store.exists(path)

    def close(self) -> None:
        """Close the files and give the writer lock back."""
        self._parts = {}
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __len__(self) -> int:
        return self._store.snapshot.count_documents()

    def __contains__(self, document: object) -> bool:
        return isinstance(document, str) and bool(self._store.snapshot.states([document]))

    @property
    def path(self) -> Path:
        """The index folder."""
        return self._store.path

    @property
    def repaired(self) -> list[str]:
        """What ``open(repair=True)`` dropped, one sentence each."""
        return self._store.repaired

    def refresh(self) -> bool:
        """Take the newest commit; return whether there was a newer one."""
        return self._store.refresh()

    def add(
        self,
        source: str | Path | Iterable[Record | Skip],
        *,
        options: ReadOptions | None = None,
        prefix: str = "",
        yes: Confirm = False,
        dry_run: bool = False,
        encoders: Sequence[str] | None = None,
        progress: Progress | None = None,
    ) -> AddReport:
        """Bring the collection up to date with a source; running it again changes nothing.

        New and changed documents are stored and encoded, unchanged ones cost one look-up, and documents of
        the same root that are gone are deleted. Fast encoders commit with the documents, slow ones follow;
        an interruption keeps every commit and the next ``add`` goes on.

        Parameters
        ----------
        source
            A folder, a file, ``-`` for standard input, or records of your own (which are never deleted).
        options
            How to read (text fields, patterns, encoding).
        prefix
            Put before every id of this root.
        yes
            Delete even more than 20 % of the root's documents; may be a function that asks.
        dry_run
            Only say what would happen.
        encoders
            Encoders to add to the index where it lacks them.
        progress
            Told about the work (default: silent).

        Raises
        ------
        CorpusError
            Where the source is missing or empty; nothing is deleted then.
        UsageError
            Where an id belongs to another root, or the deletion needs a yes.
        """
        from isogloss.collection.updating import add

        return add(
            self._store,
            source,
            options=options,
            prefix=prefix,
            yes=yes,
            dry_run=dry_run,
            encoders=encoders or (),
            progress=progress or Silent(),
            threads=self._threads,
        )

    def remove(self, ids: str | Sequence[str] = (), *, where: str | None = None, dry_run: bool = False) -> RemoveReport:
        """Remove documents by id, or all that match a filter.

        They come back with the next ``add`` of their root if they are still there.

        Raises
        ------
        UsageError
            Where an id is unknown; nothing is removed then.
        """
        from isogloss.collection.updating import remove

        return remove(self._store, [ids] if isinstance(ids, str) else list(ids), where=where, dry_run=dry_run)

    @overload
    def search(
        self,
        texts: str,
        k: int = ...,
        where: str | None = ...,
        effort: float = ...,
        *,
        encoders: Sequence[str] | None = ...,
        fusion: str = ...,
        weights: dict[str, float] | None = ...,
        min_p: float | None = ...,
    ) -> SearchResult: ...
    @overload
    def search(
        self,
        texts: list[str] | tuple[str, ...],
        k: int = ...,
        where: str | None = ...,
        effort: float = ...,
        *,
        encoders: Sequence[str] | None = ...,
        fusion: str = ...,
        weights: dict[str, float] | None = ...,
        min_p: float | None = ...,
    ) -> list[SearchResult]: ...
    def search(
        self,
        texts: str | list[str] | tuple[str, ...],
        k: int = 10,
        where: str | None = None,
        effort: float = 1.0,
        *,
        encoders: Sequence[str] | None = None,
        fusion: str = "weighted",
        weights: dict[str, float] | None = None,
        min_p: float | None = None,
    ) -> SearchResult | list[SearchResult]:
        """Find the best ``k`` documents for a text, or for each of several.

        Parameters
        ----------
        texts
            One question gives one answer, a sequence gives a list.
        k
            Documents asked for.
        where
            A filter, such as ``lang = 'en' and path like 'guide/%'``; it acts during the search.
        effort
            Share of the work in (0, 1]; 1.0 is exact.
        encoders
            Which encoders answer (default: words and the best dense one that has seen every chunk).
        fusion
            ``weighted`` (scores scaled to 0 ... 1 and added) or ``rrf`` (reciprocal ranks).
        weights
            Weight of each encoder by name in the fusion (default: 1, and .75 for fast vectors).
        min_p
            Leave out documents that are relevant with a smaller probability; needs ``isogloss calibrate``.

        Raises
        ------
        FilterError
            Where the filter cannot be read.
        IncompatibleIndexError
            Where a model is not the one that built the index.
        """
        from isogloss.collection.calibration import for_search
        from isogloss.collection.plan import answering_weights
        from isogloss.collection.searching import Request, search

        snapshot = self._store.snapshot
        parts, notes = self._answering(snapshot, encoders)
        if not encoders and weights is None and fusion == "weighted":
            weights = answering_weights(snapshot.settings) or None
        identities = {part.encoder.name: part.identity for part in parts}
        usual = fusion == "weighted" and not weights
        meaning, p_by, more = for_search(self._store.path, identities, self.__len__, min_p, usual)
        request, notes = Request(k, where, fusion, effort, weights, meaning, p_by, min_p), [*notes, *more]
        if not isinstance(texts, str):
            return search(snapshot, parts, list(texts), request, notes) if len(texts) else []
        return search(snapshot, parts, [texts], request, notes)[0]

    def show(self, id: str) -> DocumentView:
        """Return a document with its text and chunks, by document id or chunk id.

        Raises
        ------
        UsageError
            Where there is no such id; the message names similar ones.
        """
        from isogloss.collection.viewing import show

        return show(self._store.snapshot, id)

    def stats(self) -> Stats:
        """Return what the collection holds."""
        from isogloss.collection.viewing import stats

        return stats(self._store.path, self._store.snapshot)

    def compact(self, progress: Progress | None = None) -> CompactReport:
        """Merge segments, drop what is deleted, and give free space back; readers are not disturbed."""
        from isogloss.collection.compaction import compact

        return compact(self._store, progress or Silent())

    def export_parquet(self, path: str | Path, encoder: str | None = None) -> ExportReport:
        """Write one row a chunk to a Parquet file, with vectors as ``fixed_size_list<float>``.

        Parameters
        ----------
        path
            File to write; it is written aside and renamed.
        encoder
            Dense encoder whose vectors are written (default: all dense ones).
        """
        from isogloss.collection.exporting import export_parquet

        return export_parquet(self._store.snapshot, Path(path), encoder)

    def check(self) -> list[Diagnosis]:
        """Check files, coverage and encoders; what ``isogloss doctor INDEX`` prints."""
        from isogloss.collection.health import check

        return check(self._store, self._threads)

    def _answering(self, snapshot: Snapshot, names: Sequence[str] | None) -> tuple[list[Part], list[str]]:
        """Choose the encoders that answer, load those that are not loaded, and say which are left out."""
        from isogloss.collection.encoders import choose
        from isogloss.collection.parts import default_records, make_part

        if self._parts_generation != snapshot.generation:
            self._parts = {}
            self._default = None
            self._parts_generation = snapshot.generation
        if names:
            chosen, notes = choose(names, snapshot.encoders()), []
        else:
            if self._default is None:
                self._default = default_records(snapshot, snapshot.encoders())
            chosen, notes = self._default[0], list(self._default[1])
        parts: list[Part] = []
        for record in chosen:
            if record.name not in self._parts:
                try:
                    self._parts[record.name] = make_part(snapshot, record, self._threads)
                except ModelError as error:
                    if names or len(chosen) == 1:
                        raise
                    notes.append(f"{record.name} is not on this machine ({error.what}): the other encoders answered")
                    warnings.warn(notes[-1], IsoglossWarning, stacklevel=4)
                    continue
            parts.append(self._parts[record.name])
        return parts, notes
