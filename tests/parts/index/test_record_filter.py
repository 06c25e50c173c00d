"""Filters over records in memory: by hand and against plain Python."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isogloss.errors import FilterError, UsageError
from isogloss.index.record_filter import RecordFilter
from isogloss.protocols import Record

RECORDS = [
    Record("a", "", title="First", metadata={"year": 1990, "open": True}),
    Record("b", "", path="b.txt", metadata={"year": 2020}),
    Record("c", "", metadata={"note": "it's"}),
]


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ("year > 2000", [1]),
        ("year <= 2020", [0, 1]),
        ("year is null", [2]),
        ("open = true or note = 'it''s'", [0, 2]),
        ("title = 'First' and year = 1990", [0]),
        ("id in ('b', 'c')", [1, 2]),
        ("path like '%.txt'", [1]),
        ("not id = 'a'", [1, 2]),
        ("year = 3000", []),
    ],
)
def test_filters_by_hand(where, found):
    assert RecordFilter(RECORDS).matching(where) == found


@given(
    st.lists(st.integers(-5, 5), min_size=1, max_size=8), st.integers(-6, 6), st.sampled_from(["<", "=", ">=", "!="])
)
def test_numbers_compare_as_python_compares_them(values, bound, operator):
    records = [Record(str(i), "", metadata={"n": value}) for i, value in enumerate(values)]
    compare = {"<": int.__lt__, "=": int.__eq__, ">=": int.__ge__, "!=": int.__ne__}[operator]
    truth = [i for i, value in enumerate(values) if compare(value, bound)]
    assert RecordFilter(records).matching(f"n {operator} {bound}") == truth


def test_unknown_fields_and_what_only_a_collection_knows_are_errors():
    for where in ("year >", "colour = 'red'"):
        with pytest.raises(FilterError):
            RecordFilter(RECORDS).matching(where)
    for where in ("lang = 'en'", "tokens > 5", "chunks = 1", "prefix = 'x'"):
        with pytest.raises(UsageError, match="not known here"):
            RecordFilter(RECORDS).matching(where)
