"""``export``: chunks, metadata and vectors as a Parquet file that DuckDB, Lance and pandas read."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from isogloss.collection.encoders import choose
from isogloss.collection.encoding import stored_vectors
from isogloss.collection.results import ExportReport
from isogloss.errors import MissingExtraError, UsageError

if TYPE_CHECKING:
    from isogloss.arrays import Rows
    from isogloss.index.store.rows import StoredEncoder
    from isogloss.index.store.snapshot import Snapshot

ROWS = 4096
"""Rows fetched and written together, so that memory stays bounded."""
TEXTS = ("id", "document", "title", "path", "language", "heading", "text", "metadata")
NUMBERS = ("start", "end")


def export_parquet(snapshot: Snapshot, path: Path, encoder: str | None) -> ExportReport:
    """Write one row a chunk; see ``Collection.export_parquet``."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise MissingExtraError(
            "Parquet files need pyarrow", "it is not installed", "run: pip install 'isogloss[files]'"
        ) from error
    records = snapshot.encoders()
    dense = [r for r in (choose([encoder], records) if encoder else records) if r.kind == "dense"]
    if encoder and not dense:
        raise UsageError(f"{encoder} has no vectors to export", "its kind is words", "name a dense encoder")
    schema = pa.schema(
        [(name, pa.string()) for name in TEXTS]
        + [(name, pa.int64()) for name in NUMBERS]
        + [(f"vector_{r.name}", pa.list_(pa.float32(), r.dimensions)) for r in dense]
    )
    rows = 0
    draft = path.with_name(f"{path.name}.part")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with pq.ParquetWriter(draft, schema) as writer:
            for columns in _pieces(snapshot, dense, pa):
                writer.write_table(pa.table(columns, schema=schema))
                rows += len(columns["id"])
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)
    return ExportReport(str(path), rows, schema.names, path.stat().st_size)


def _pieces(snapshot: Snapshot, dense: list[StoredEncoder], pa: Any) -> Iterator[dict[str, Any]]:
    live = np.flatnonzero(snapshot.live).astype(np.int64)
    covered = {record.name: snapshot.covered(record.name) for record in dense}
    for start in range(0, len(live), ROWS):
        numbers = live[start : start + ROWS]
        chunks = snapshot.chunks(numbers)
        documents = snapshot.documents_by_id({chunk.document for chunk in chunks})
        owners = [documents[chunk.document] for chunk in chunks]
        columns: dict[str, Any] = {
            "id": [f"{chunk.name}::{chunk.ordinal + 1}" for chunk in chunks],
            "document": [chunk.name for chunk in chunks],
            "title": [chunk.title for chunk in chunks],
            "path": [document.path for document in owners],
            "language": [chunk.language for chunk in chunks],
            "heading": [" > ".join(chunk.heading) for chunk in chunks],
            "text": [chunk.text for chunk in chunks],
            "metadata": [json.dumps(document.metadata, ensure_ascii=False) for document in owners],
            "start": [chunk.start for chunk in chunks],
            "end": [chunk.start + len(chunk.text) for chunk in chunks],
        }
        for record in dense:
            columns[f"vector_{record.name}"] = _vectors(snapshot, record, numbers, covered[record.name][numbers], pa)
        yield columns


def _vectors(snapshot: Snapshot, record: StoredEncoder, numbers: Rows, present: Any, pa: Any) -> Any:
    """Return a fixed-size list column; chunks without a vector are null."""
    values = np.zeros((len(numbers), record.dimensions), np.float32)
    if present.any():
        values[present] = stored_vectors(snapshot, record.name, numbers[present])
    return pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), record.dimensions, mask=pa.array(~present))
