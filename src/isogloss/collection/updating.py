"""The runs that change a collection: ``add`` from start to end, and ``remove``."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from isogloss.collection.adding import Confirm, Run, add_records, delete_unseen, describe
from isogloss.collection.background import SAMPLE, levels, question_of, sample_numbers
from isogloss.collection.compaction import merge_tiers
from isogloss.collection.encoders import IndexEncoder, ensure
from isogloss.collection.encoding import catch_up, pending_work, stored_vectors
from isogloss.collection.parts import open_index
from isogloss.collection.results import AddReport, EncoderRun, RemoveReport
from isogloss.corpus.dedup import near_groups
from isogloss.errors import UsageError
from isogloss.protocols import Progress, Record, Skip

if TYPE_CHECKING:
    from isogloss.corpus.options import ReadOptions, ReadReport
    from isogloss.index.store.store import Store

STDIN, RECORDS = "-", "(records)"
WORD_QUESTIONS = 64
"""Questions in the background sample of word scores; each costs a pass over its postings."""


def add(
    store: Store,
    source: str | Path | Iterable[Record | Skip],
    *,
    options: ReadOptions | None,
    prefix: str,
    yes: Confirm,
    dry_run: bool,
    encoders: Sequence[str],
    progress: Progress,
    threads: int | None,
) -> AddReport:
    """Bring a store up to date with a source; see ``Collection.add``."""
    started = time.perf_counter()
    loaded, notes = ensure(store, () if dry_run else encoders, threads)
    items, root_path, reading = _open_source(source, _without_index(source, options, store.path))
    run = _start(store, loaded, root_path, prefix, dry_run, progress)
    for encoder in loaded:  # what an interrupted run left behind comes first
        if encoder.speed == "fast" and not dry_run:
            catch_up(store, encoder, _run_of(run, encoder), progress)
    add_records(run, items)
    run.report.notes += notes + reading.notes()
    run.report.files = reading.files or run.report.files
    run.report.read_seconds = time.perf_counter() - started
    if root_path not in (STDIN, RECORDS):
        delete_unseen(run, yes)
    if not dry_run:
        _settle(run)
        for encoder in loaded:
            if encoder.speed == "slow":
                catch_up(store, encoder, _run_of(run, encoder), progress)
        _finish(run)
    describe(run)
    run.report.seconds = time.perf_counter() - started
    return run.report


def _run_of(run: Run, encoder: IndexEncoder) -> EncoderRun:
    return run.report.encoders.setdefault(encoder.name, EncoderRun())


def _without_index(
    source: str | Path | Iterable[Record | Skip], options: ReadOptions | None, index: Path
) -> ReadOptions | None:
    """Leave the index itself out of what is read, whatever its name, where it lies inside the source."""
    from isogloss.corpus.options import ReadOptions

    if not isinstance(source, (str, Path)) or str(source) == STDIN:
        return options
    inside = os.path.relpath(os.path.realpath(index), os.path.realpath(source))
    if inside.startswith(os.pardir) or inside == os.curdir:
        return options
    options = options or ReadOptions()
    return replace(options, exclude=(*options.exclude, Path(inside).as_posix()))


def _open_source(
    source: str | Path | Iterable[Record | Skip], options: ReadOptions | None
) -> tuple[Iterable[Record | Skip], str, ReadReport]:
    """Return the stream of records, the root's name, and the report that the reader adds to."""
    from isogloss.corpus.options import ReadReport
    from isogloss.corpus.read import read

    reading = ReadReport()
    if not isinstance(source, (str, Path)):
        return source, RECORDS, reading
    root = STDIN if str(source) == STDIN else os.path.abspath(source)
    return read(source, options=options, report=reading), root, reading


def _start(
    store: Store, loaded: Sequence[IndexEncoder], root_path: str, prefix: str, dry_run: bool, progress: Progress
) -> Run:
    from isogloss.vocabulary.wordpiece import bundled

    if dry_run:
        root = next((r.id for r in store.snapshot.roots() if (r.path, r.prefix) == (root_path, prefix)), -1)
    else:
        with store.transaction() as transaction:
            root = transaction.put_root(root_path, prefix)
    return Run(
        store=store,
        encoders=loaded,
        report=AddReport(source=root_path, dry_run=dry_run),
        root=root,
        root_path=root_path,
        prefix=prefix,
        count=bundled().counts,
        budget=int(store.snapshot.settings["budget"]),
        progress=progress,
    )


def _settle(run: Run) -> None:
    """After the documents are in: group near duplicates, list the skips, merge segments."""
    store = run.store
    changed = run.report.new or run.report.changed or run.report.deleted
    with store.transaction() as transaction:
        if changed:
            ids, sketches = store.snapshot.sketches()
            if len(ids):
                transaction.set_near(ids, near_groups(sketches))
        transaction.set_skips(run.root, run.report.skipped)
    merge_tiers(store)


def _finish(run: Run) -> None:
    """Measure the background of scores anew for encoders whose chunks changed, and merge what came late."""
    store = run.store
    merge_tiers(store)
    settings = dict(store.snapshot.settings)
    known = dict(settings.get("background", {}))
    touched = [e for e in run.encoders if _run_of(run, e).encoded or _run_of(run, e).reused or run.report.deleted]
    if not touched and all(encoder.name in known for encoder in run.encoders):
        return
    for encoder in run.encoders:
        if encoder in touched or encoder.name not in known:
            known[encoder.name] = measure_background(store, encoder)
    with store.transaction() as transaction:
        transaction.set_settings(settings | {"background": known})


def measure_background(store: Store, encoder: IndexEncoder) -> list[float]:
    """Score random questions (ends of chunks) against random other chunks; see ``background.levels``."""
    snapshot = store.snapshot
    numbers = sample_numbers(np.flatnonzero(snapshot.covered(encoder.name)).astype(np.int64))
    if len(numbers) < 20:
        return []
    work = pending_work(snapshot, numbers)
    asked = numbers[:: max(1, SAMPLE // WORD_QUESTIONS)] if encoder.kind == "words" else numbers
    texts = dict(zip(numbers.tolist(), work.texts, strict=True))
    queries: Any = encoder.model.encode([question_of(texts[int(n)]) for n in asked], role="query")
    if encoder.kind == "dense":
        scores = encoder.model.similarity(queries, stored_vectors(snapshot, encoder.name, numbers))
        return levels(scores, asked, numbers)
    record = next(r for r in snapshot.encoders() if r.name == encoder.name)
    index = open_index(snapshot, record)
    scores = np.zeros((len(asked), len(numbers)), np.float32)
    for i in range(len(asked)):
        rows, found = index.score_all(queries.take(slice(i, i + 1)))
        scores[i] = found[np.searchsorted(rows, numbers)]
    return levels(scores, asked, numbers)


def remove(store: Store, ids: Sequence[str], *, where: str | None, dry_run: bool) -> RemoveReport:
    """Remove documents by id or by filter; see ``Collection.remove``."""
    snapshot = store.snapshot
    if not ids and not where:
        raise UsageError("nothing was named to remove", "neither an id nor a filter was given", "isogloss remove ID")
    documents = snapshot.documents(ids)
    unknown = [name for name in ids if name not in documents]
    if unknown:
        raise UsageError(
            f"there is no document {unknown[0]!r}",
            f"{len(unknown)} of {len(ids)} ids are unknown; nothing was removed",
            "see the ids by: isogloss search TEXT, or choose by --where",
        )
    chosen = {document.id: document for document in documents.values()}
    if where:
        chosen |= snapshot.documents_by_id(snapshot.matching_documents(where))
    report = RemoveReport(
        documents=len(chosen),
        chunks=sum(document.chunks for document in chosen.values()),
        ids=[document.name for document in chosen.values()],
        dry_run=dry_run,
    )
    if chosen and not dry_run:
        with store.transaction() as transaction:
            transaction.delete(chosen)
    return report
