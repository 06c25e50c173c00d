"""Parquet: one record a row, batch by batch, through pyarrow."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from typing import Any

from isogloss.corpus.fields import Row, row_records
from isogloss.corpus.options import ReadOptions, ReadReport
from isogloss.corpus.source import SkipFileError, Source
from isogloss.protocols import Record, Skip

SUFFIXES = (".parquet", ".pq")
VERSION = "1"
NEEDS = "pyarrow"


def read_file(source: Source, options: ReadOptions, report: ReadReport) -> Iterator[Record | Skip]:
    """Yield a record for each row; binary columns and columns of vectors are left out."""
    yield from row_records(_rows(source, options), source.name, options, report, reader=f"parquet/{VERSION}")


def _rows(source: Source, options: ReadOptions) -> Iterator[tuple[int, Row] | Skip]:
    try:
        import pyarrow as pa
        import pyarrow.parquet
    except ImportError:
        raise SkipFileError("missing-extra", "Parquet needs pyarrow: pip install isogloss[files]") from None
    compressed = source.path is None or source.path.name.lower().endswith(".gz")
    where: Any = BytesIO(source.data(20 * options.max_bytes)) if compressed else source.path
    number = 0
    try:
        with pyarrow.parquet.ParquetFile(where) as table:
            columns = [field.name for field in table.schema_arrow if not _left_out(field.type)]
            for batch in table.iter_batches(batch_size=1024, columns=columns):
                for row in batch.to_pylist():
                    number += 1
                    size = sum(len(value) for value in row.values() if isinstance(value, str))
                    if size > options.max_bytes:
                        found = f"row {number:,}: {size:,} characters, the limit is {options.max_bytes:,}"
                        yield Skip(f"{source.label}:{number}", "too-long", found)
                    else:
                        yield number, row
    except (pa.ArrowException, OSError, ValueError) as error:
        raise SkipFileError("broken", f"after {number:,} rows: {str(error).splitlines()[0]}") from None


def _left_out(kind: Any) -> bool:
    import pyarrow as pa

    types = pa.types
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        return bool(types.is_floating(kind.value_type))
    return bool(types.is_binary(kind) or types.is_large_binary(kind) or types.is_fixed_size_binary(kind))
