"""Filters over records in memory, for searchers that have no store: the same grammar and meaning as in a collection."""

from __future__ import annotations

import json
from collections.abc import Sequence

from isogloss.errors import UsageError
from isogloss.index.filter_sql import compile_filter
from isogloss.protocols import Record

_UNKNOWN = ("d.language", "d.tokens", "d.characters", "d.chunks", "r.path", "r.prefix")
"""Columns of what a collection measures; a plain record does not have it."""


class RecordFilter:
    """Finds the records that match a filter.

    Parameters
    ----------
    records
        With ids, titles, paths and metadata.

    Examples
    --------
    >>> records = [Record("a", "", metadata={"year": 1990}), Record("b", "", metadata={"year": 2020})]
    >>> RecordFilter(records).matching("year > 2000 or id = 'a'"), RecordFilter(records).matching("year > 2000")
    ([0, 1], [1])
    """

    def __init__(self, records: Sequence[Record]) -> None:
        self._records = records
        self._known: set[str] = {name for record in records for name in record.metadata}

    def matching(self, where: str) -> list[int]:
        """Return the numbers of the records that match, ascending.

        Raises
        ------
        FilterError
            Where the filter cannot be read, or names a field that no record has.
        UsageError
            Where it asks for what only a collection knows, such as the language.
        """
        parsed = compile_filter(where)
        parsed.check_fields(self._known)
        if any(column in parsed.sql for column in _UNKNOWN):
            raise UsageError(
                "the filter asks for what is not known here", where, "filter by id, path, title or metadata"
            )
        import sqlite3

        with sqlite3.connect(":memory:") as database:
            database.execute("CREATE TABLE documents (name, path, title, metadata)")
            rows = [(one.id, one.path, one.title, json.dumps(one.metadata)) for one in self._records]
            database.executemany("INSERT INTO documents VALUES (?, ?, ?, ?)", rows)
            found = database.execute(
                f"SELECT d.rowid - 1 FROM documents d WHERE {parsed.sql} ORDER BY 1", parsed.parameters
            )
            return [int(row) for (row,) in found]
