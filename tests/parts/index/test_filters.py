"""The grammar: what is read, and what is refused with the place and a caret."""

from __future__ import annotations

import string
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isogloss.errors import FilterError
from isogloss.index.filters import (
    MAX_LENGTH,
    Among,
    Between,
    Compare,
    Either,
    Every,
    Field,
    IsNull,
    Like,
    Node,
    Not,
    Value,
    parse_filter,
)


def value(what: object) -> Value:
    kinds = {str: "text", bool: "boolean", int: "number", float: "number"}
    return Value(kinds[type(what)], what)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("lang = 'en'", Compare(Field("lang"), "=", value("en"))),
        ('lang == "en"', Compare(Field("lang"), "=", value("en"))),
        ("x <> 'it''s'", Compare(Field("x"), "!=", value("it's"))),
        ('x = "say ""hi"""', Compare(Field("x"), "=", value('say "hi"'))),
        ('"two words" >= -1.5e3', Compare(Field("two words"), ">=", value(-1500.0))),
        ("x=.5", Compare(Field("x"), "=", value(0.5))),
        ("x < 9223372036854775807", Compare(Field("x"), "<", value(2**63 - 1))),
        ("x < 9223372036854775808", Compare(Field("x"), "<", value(2.0**63))),
        ("draft = TRUE", Compare(Field("draft"), "=", value(True))),
        ("last-modified > date '2024-01-31'", Compare(Field("last-modified"), ">", Value("date", "2024-01-31"))),
        ("date = 'x'", Compare(Field("date"), "=", value("x"))),
        ("größe = 1", Compare(Field("größe"), "=", value(1))),
        ("x in (1, 'a', true)", Among(Field("x"), (value(1), value("a"), value(True)))),
        ("x NOT IN (1)", Not(Among(Field("x"), (value(1),)))),
        ("x between 1 and 2", Between(Field("x"), value(1), value(2))),
        ("path like 'guide/%'", Like(Field("path"), "guide/%")),
        ("x is null", IsNull(Field("x"))),
        ("x is not null", Not(IsNull(Field("x")))),
        ("not not x is null", Not(Not(IsNull(Field("x", 8))))),
    ],
)
def test_comparisons(text: str, tree: Node) -> None:
    assert parse_filter(text) == tree


def test_precedence_and_places() -> None:
    a, b, c = (Compare(Field(name, place), "=", value(1)) for name, place in (("a", 0), ("b", 9), ("c", 23)))
    assert parse_filter("a = 1 or b = 1 and not(c = 1)") == Either((a, Every((b, Not(c)))))
    a, b, c = (Compare(Field(name, place), "=", value(1)) for name, place in (("a", 1), ("b", 10), ("c", 21)))
    assert parse_filter("(a = 1 or b = 1) and c = 1") == Every((Either((a, b)), c))
    a, b, c = (Compare(Field(name, place), "=", value(1)) for name, place in (("a", 0), ("b", 10), ("c", 20)))
    assert parse_filter("a = 1 and b = 1 AND c = 1") == Every((a, b, c))
    low = Between(Field("a"), value(1), value(2))
    assert parse_filter("a between 1 and 2 and b = 1") == Every((low, Compare(Field("b", 22), "=", value(1))))


@pytest.mark.parametrize(
    ("text", "place", "says"),
    [
        ("", 0, "expected a field, found the end"),
        ("lang = ", 7, "expected a value"),
        ("lang = en", 7, "put text in quotes: 'en'"),
        ("lang 'en'", 5, "expected a comparison"),
        ("'lang' = 'en'", 0, "fields stand without quotes"),
        ("lang = 'en", 7, "has no end"),
        ("lang = ‘en’", 7, "straight quotes"),
        ("x = null", 4, "is null"),
        ("x = 1 && y = 2", 6, "write: and"),
        ("x = 1 || y = 2", 6, "write: or"),
        ("x = 1; drop table documents", 5, "one expression"),
        ("x = 1 -- comment", 6, "no number"),
        ("x = 1 y = 2", 6, "'and', 'or' or the end"),
        ("(x = 1", 6, "')'"),
        ("x in ()", 6, "expected a value"),
        ("x in 1", 5, "'('"),
        ("x in (1,)", 8, "expected a value"),
        ("x between 1 or 2", 12, "'and' after 'between'"),
        ("x between 1 and 'a'", 0, "two numbers"),
        ("x between true and false", 0, "two numbers"),
        ("x < true", 2, "no order"),
        ("x like 5", 7, "pattern in quotes"),
        ("x is 5", 5, "'null'"),
        ("x = date '31.1.2024'", 9, "date '2024-01-31'"),
        ("x = date '2024-13-01'", 9, "date '2024-01-31'"),
        ("x in ('a', date '2024-01-01')", 0, "dates and other texts"),
        ("x = 12abc", 4, "no number"),
        ("not", 3, "expected a field"),
        ("x = 1)", 5, "the end"),
        ("x ! 1", 2, "not, or !="),
        ("and = 1", 0, "expected a field"),
        ("1 = x", 0, "expected a field"),
    ],
)
def test_what_cannot_be_read_is_shown(text: str, place: int, says: str) -> None:
    with pytest.raises(FilterError) as caught:
        parse_filter(text)
    error = caught.value
    assert says in str(error)
    lines = error.why.split("\n")
    assert lines[0] == f"at character {place + 1}"
    assert lines[2].index("^") == place + 2
    assert lines[1][2:] == text
    assert error.exit_code == 2


def test_the_caret_points_into_a_long_filter() -> None:
    text = " and\n".join(f"field{i} = {i}" for i in range(100)) + " and x = ?"
    with pytest.raises(FilterError) as caught:
        parse_filter(text)
    _, line, caret = caught.value.why.split("\n")
    assert line[caret.index("^")] == "?"
    assert len(line) < 80


def test_limits_are_errors_not_crashes() -> None:
    start = time.perf_counter()
    for text in ("(" * 10_000 + "x = 1" + ")" * 10_000, "not " * 10_000 + "x = 1", "(not " * 30 + "x = 1" + ")" * 30):
        with pytest.raises(FilterError, match="nested deeper than 50"):
            parse_filter(text)
    with pytest.raises(FilterError, match="too long"):
        parse_filter("x = '" + "a" * MAX_LENGTH + "'")
    with pytest.raises(FilterError, match="10,000 values"):
        parse_filter("x in (" + ", ".join("1" for _ in range(10_001)) + ")")
    assert parse_filter("(" * 50 + "x = 1" + ")" * 50) == Compare(Field("x", 50), "=", value(1))
    assert len(parse_filter(" or ".join(["x = 1"] * 9_000)).parts) == 9_000  # type: ignore[union-attr]
    assert time.perf_counter() - start < 5


@given(st.text(max_size=60) | st.text("()'\"=<>!andornotinlikebetweenxy0123456789., %-", max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        parse_filter(text)
        why = "^"
    except FilterError as error:
        why = error.why
    assert "^" in why


@given(st.text("abc" + string.punctuation + " \n", max_size=20))
def test_quoting_protects_anything(text: str) -> None:
    single, double = text.replace("'", "''"), text.replace('"', '""')
    wanted = Compare(Field(text), "=", value(text))
    assert parse_filter(f"\"{double}\" = '{single}'") == parse_filter(f'"{double}" = "{double}"') == wanted
