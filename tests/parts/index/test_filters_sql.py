"""What a filter means: SQL against an evaluator in Python, over a real index; and that nothing can be injected."""

from __future__ import annotations

import hashlib
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isogloss.errors import FilterError
from isogloss.index.filter_sql import compile_filter
from isogloss.index.filters import (
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
from isogloss.index.store.rows import NewChunk, NewDocument
from isogloss.index.store.store import Store

# ---------------------------------------------------------------- the language said again, in Python

Truth = bool | None


def kind_of(value: object) -> str:
    return {str: "text", bool: "boolean", int: "number", float: "number"}.get(type(value), "null")


def compared(value: object, literal: Value) -> tuple[Any, Any] | None:
    """The two sides of a comparison, or None where it is unknown."""
    if literal.kind == "date":
        dated = isinstance(value, str) and re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value)
        return (value[:10], literal.value) if dated else None  # type: ignore[index]
    return (value, literal.value) if kind_of(value) == literal.kind else None


def compare(value: object, operator: str, literal: Value) -> Truth:
    sides = compared(value, literal)
    if sides is None:
        return None
    a, b = sides
    return {"=": a == b, "!=": a != b, "<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b}[operator]


def like(value: object, pattern: str) -> Truth:
    if not isinstance(value, str):
        return None
    parts = re.findall(r"\\(?s:.)|\\$|%|_|[^\\%_]", pattern)
    if parts and parts[-1] == "\\":
        return False
    rule = "".join(".*" if p == "%" else "." if p == "_" else _letter(p[-1]) for p in parts)
    return re.fullmatch(rule, value, re.DOTALL) is not None


def _letter(char: str) -> str:
    return f"[{char.lower()}{char.upper()}]" if char.isascii() and char.isalpha() else re.escape(char)


def negated(truth: Truth) -> Truth:
    return None if truth is None else not truth


def joined(truths: list[Truth], decisive: bool) -> Truth:
    return decisive if decisive in truths else None if None in truths else not decisive


def evaluate(node: Node, fields: dict[str, Any]) -> Truth:
    if isinstance(node, Every | Either):
        return joined([evaluate(part, fields) for part in node.parts], isinstance(node, Either))
    if isinstance(node, Not):
        return negated(evaluate(node.part, fields))
    value = fields.get(node.field.name)
    if isinstance(node, IsNull):
        return value is None
    if isinstance(node, Like):
        return like(value, node.pattern)
    if isinstance(node, Between):
        low, high = compare(value, ">=", node.low), compare(value, "<=", node.high)
        return None if low is None else bool(low and high)
    if isinstance(node, Among):
        found = [compare(value, "=", literal) for literal in node.values]
        return None if all(truth is None for truth in found) else True in found
    return compare(value, node.operator, node.value)


def quoted(text: str, quote: str = "'") -> str:
    return quote + text.replace(quote, quote * 2) + quote


def written(value: Value) -> str:
    if value.kind == "date":
        return f"date {quoted(str(value.value))}"
    return quoted(value.value) if isinstance(value.value, str) else str(value.value).lower()


def render(node: Node) -> str:
    """Print a tree so that it is read back as the same tree."""
    if isinstance(node, Every | Either):
        return (" and " if isinstance(node, Every) else " or ").join(f"({render(part)})" for part in node.parts)
    if isinstance(node, Not):
        return f"not ({render(node.part)})"
    field = quoted(node.field.name, '"')
    if isinstance(node, IsNull):
        return f"{field} is null"
    if isinstance(node, Like):
        return f"{field} like {quoted(node.pattern)}"
    if isinstance(node, Between):
        return f"{field} between {written(node.low)} and {written(node.high)}"
    if isinstance(node, Among):
        return f"{field} in ({', '.join(map(written, node.values))})"
    return f"{field} {node.operator} {written(node.value)}"


# ---------------------------------------------------------------- random documents and random trees

FIELDS = ("year", "author", "draft", "when", 'odd "name"\\ [0]', "größe", "title", "lang", "tokens", "path")
TEXTS = st.sampled_from(["", "a", "A", "ab", "ä", "100%", "a_b", "5", "it's", '"', "\\", "x' OR '1'='1", "日本"])
DATES = st.sampled_from(["2024-01-31", "2024-02-01", "1999-12-31"])
NUMBERS = st.integers(-3, 3) | st.sampled_from([0.1, -2.5, 1e300, 5e-324, 0.30000000000000004, 2**63 - 1, -(2**63)])
SCALARS = st.none() | TEXTS | NUMBERS | st.booleans() | DATES | DATES.map(lambda day: day + "T10:00:00Z")
NAMES = st.sampled_from(FIELDS).map(Field)
LITERALS = st.one_of(
    TEXTS.map(lambda v: Value("text", v)),
    NUMBERS.map(lambda v: Value("number", v)),
    st.booleans().map(lambda v: Value("boolean", v)),
    DATES.map(lambda v: Value("date", v)),
)
ORDERED = LITERALS.filter(lambda literal: literal.kind != "boolean")
PAIRS = st.tuples(ORDERED, ORDERED).filter(lambda pair: pair[0].kind == pair[1].kind)
LISTS = st.lists(LITERALS, min_size=1, max_size=4).filter(lambda v: not {"text", "date"} <= {x.kind for x in v})
PATTERNS = st.lists(TEXTS | st.sampled_from(["%", "_", "\\%", "\\_", "a"]), max_size=4).map("".join)
LEAVES = st.one_of(
    st.builds(Compare, NAMES, st.sampled_from(["=", "!="]), LITERALS),
    st.builds(Compare, NAMES, st.sampled_from(["<", "<=", ">", ">="]), ORDERED),
    st.builds(lambda name, pair: Between(name, *pair), NAMES, PAIRS),
    st.builds(Among, NAMES, LISTS.map(tuple)),
    st.builds(Like, NAMES, PATTERNS),
    st.builds(IsNull, NAMES),
)
TREES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.builds(Every, st.lists(inner, min_size=2, max_size=3).map(tuple)),
        st.builds(Either, st.lists(inner, min_size=2, max_size=3).map(tuple)),
    ),
    max_leaves=6,
)


def placeless(node: Node) -> Node:
    """The tree with every field at place 0, as the random trees have it."""
    if isinstance(node, Every | Either):
        return type(node)(tuple(placeless(part) for part in node.parts))
    if isinstance(node, Not):
        return Not(placeless(node.part))
    parts = [getattr(node, name) for name in node.__slots__ if name != "field"]
    return type(node)(Field(node.field.name), *parts)


class Corpus:
    """A store, and the fields of its documents by id (a class, because Hypothesis prints what tests are given)."""

    def __init__(self, store: Store, seen: list[dict[str, Any]]) -> None:
        self.store, self.seen = store, seen


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Corpus]:
    """An index of 300 documents with random metadata, and the fields of each as the evaluator sees them."""
    rng = np.random.default_rng(5)
    texts = ["", "a", "A", "ab", "ä", "100%", "a_b", "5", "it's", "2024-01-31", "2024-01-31T10:00:00Z", "日本"]
    scalars = [None, *texts, -2, 0, 1, 3, 0.1, -2.5, 1e300, 5e-324, 0.30000000000000004, 2**63 - 1, True, False]
    documents, seen = [], []
    for i in range(300):
        names = [name for name in FIELDS[:6] if i == 0 or rng.random() < 0.6]
        metadata = {name: scalars[rng.integers(len(scalars))] for name in names}
        title, lang = texts[rng.integers(4)], ["", "en", "de"][rng.integers(3)]
        chunks = [NewChunk(0, "text", i)] * int(rng.integers(0, 3))
        documents.append(
            NewDocument(
                str(i), 0, b"", chunks, f"p/{i % 7}", title, lang, metadata=metadata, tokens=int(rng.integers(4))
            )
        )
        builtin = {"title": title or None, "lang": lang or None, "tokens": documents[-1].tokens, "path": f"p/{i % 7}"}
        seen.append(metadata | builtin)
    with Store.create(tmp_path_factory.mktemp("filters") / "index", {}) as store:
        with store.transaction() as t:
            t.put_root("docs", "pre/")
            t.upsert(documents)
        yield Corpus(store, seen)


@given(tree=TREES)
@settings(max_examples=300)
def test_sql_agrees_with_the_evaluator(corpus: Corpus, tree: Node) -> None:
    store, seen = corpus.store, corpus.seen
    text = render(tree)
    assert placeless(parse_filter(text)) == tree
    expected = [i for i, fields in enumerate(seen) if evaluate(tree, fields) is True]
    assert store.snapshot.matching_documents(text).tolist() == expected
    chunks = store.snapshot.chunks(np.flatnonzero(store.snapshot.matching(text)))
    documents = store.snapshot.documents_by_id(expected).values()
    assert len(chunks) == sum(document.chunks for document in documents)
    assert {chunk.document for chunk in chunks} <= set(expected)


@pytest.mark.parametrize(
    ("where", "matches"),
    [
        ("year = 1950", "a"),
        ("year != 1950", "b"),
        ("not (year = 1950)", "b"),
        ("year is null", "c"),
        ("year = '1950'", "d"),
        ("year in (1950, '1950')", "ad"),
        ("year not in (1950)", "b"),
        ("year > 1949.5", "ab"),
        ("draft = true", "a"),
        ("draft = 1", ""),
        ("created <= date '2024-01-31'", "ab"),
        ("created between date '2024-01-31' and date '2024-02-01'", "abc"),
        ("created <= '2024-01-31'", "a"),
        ("title like '%WING%'", "ac"),
        ("title like '100\\%'", "b"),
        ("title is null", "d"),
        ("metadata.title = 'inner'", "d"),
        ("root = 'docs' and prefix is null", "abcd"),
        ("id in ('a', 'z') or id = 'b'", "ab"),
        ("lang = 'en' and not title like 'wing%'", "bc"),
        ("tokens >= 3 and chunks = 1 and characters = 0", "cd"),
        ("path like 'guide/%'", "ab"),
        ("id = 5", ""),
    ],
)
def test_meaning_by_hand(tmp_path: Path, where: str, matches: str) -> None:
    rows = {
        "a": ({"year": 1950, "draft": True, "created": "2024-01-31"}, "Wing", "guide/a.md"),
        "b": ({"year": 1960, "draft": False, "created": "2024-01-31T23:59:59"}, "100%", "guide/b.md"),
        "c": ({"created": "2024-02-01", "year": None}, "the wings", "c.md"),
        "d": ({"year": "1950", "title": "inner", "created": "soon"}, "", ""),
    }
    with Store.create(tmp_path / "index", {}) as store:
        with store.transaction() as t:
            root = t.put_root("docs")
            for i, (name, (metadata, title, path)) in enumerate(rows.items()):
                chunks = [NewChunk(0, name, i)]
                t.upsert(
                    [NewDocument(name, root, b"", chunks, path, title, "en" * (i < 3), metadata=metadata, tokens=i + 1)]
                )
        found = store.snapshot.documents_by_id(store.snapshot.matching_documents(where))
        assert "".join(sorted(document.name for document in found.values())) == matches
        bitmap = store.snapshot.matching(where)
        assert bitmap.tolist() == [name in matches for name in rows]
        assert store.snapshot.matching(where) is bitmap


def test_unknown_fields_are_named(corpus: Corpus) -> None:
    store = corpus.store
    for where, wanted, place in (("yaer = 1", "year", 1), ("lang = 'en' and Author = 'x'", "author", 17)):
        with pytest.raises(FilterError, match="no document has a field") as caught:
            store.snapshot.matching(where)
        assert f"did you mean {wanted}" in caught.value.fix
        assert f"at character {place}\n" in caught.value.why
    with pytest.raises(FilterError, match="metadata"):
        store.snapshot.matching('"metadata.title" = 1 and "\' OR 1=1 --" is null')
    with pytest.raises(FilterError) as caught:
        store.snapshot.matching("zzzzzz = 1")
    assert "fields: id, path, title" in caught.value.fix
    assert "did you mean" not in caught.value.fix


def test_comparisons_that_can_never_hold_are_said(tmp_path: Path) -> None:
    with Store.create(tmp_path / "index", {}) as store:
        with store.transaction() as t:
            t.upsert([NewDocument("a", 0, b"", [], metadata={"year": 1950, "draft": True, "none": None})])
        assert store.snapshot.filter_notes("year = '1950' and draft = true and none = 1 and lang = 5") == [
            "year holds number only: comparing it with a text finds nothing"
        ]
        assert store.snapshot.filter_notes("year in ('x', 1950) or year is null") == []


def test_wide_filters_stay_within_sqlites_limits(corpus: Corpus) -> None:
    store = corpus.store
    many = " or ".join(f"year = {i} and id != '{i}'" for i in range(700))
    assert len(store.snapshot.matching_documents(many)) > 0
    listed = ", ".join(f"'{i}'" for i in range(9000))
    assert len(store.snapshot.matching_documents(f"id in ({listed})")) == 300
    deep = "(not " * 24 + "year = 1" + ")" * 24
    np.testing.assert_array_equal(store.snapshot.matching(deep), store.snapshot.matching("year = 1"))


_ALLOWED = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION}
_FUNCTIONS = {"json_each", "json_extract", "like", "glob", "substr", "nullif"}


@given(
    text=st.text(max_size=40)
    | TREES.map(render)
    | st.builds(lambda tree, at, extra: render(tree)[:at] + extra + render(tree)[at:], TREES, st.integers(0, 40), TEXTS)
)
@settings(max_examples=200)
def test_nothing_is_injected(corpus: Corpus, text: str) -> None:
    """Whatever is written, SQLite is asked to read documents and roots, and to do nothing else."""
    store = corpus.store
    try:
        compiled = compile_filter(text)
    except FilterError:
        return
    assert re.sub(r"'(?:text|integer|real|true|false|null|\$|\\)?'|'\[0-9\][^']*'", "", compiled.sql).count("'") == 0
    connection = sqlite3.connect(f"file:{store.path / 'catalogue.sqlite'}?mode=ro", uri=True)
    before = _digest(store.path)
    asked: list[tuple[Any, ...]] = []

    def authorise(action: int, first: str | None, second: str | None, *_: object) -> int:
        asked.append((action, first, second))
        return sqlite3.SQLITE_OK if action in _ALLOWED else sqlite3.SQLITE_DENY

    connection.execute("SELECT 1 FROM json_each('[]')")  # SQLite declares the table at its first use
    connection.set_authorizer(authorise)
    sql = f"SELECT d.id FROM documents d LEFT JOIN roots r ON r.id = d.root WHERE {compiled.sql}"
    connection.execute(sql, compiled.parameters).fetchall()
    connection.set_authorizer(None)
    connection.close()
    assert {first for action, first, _ in asked if action == sqlite3.SQLITE_READ} <= {"documents", "roots", "json_each"}
    assert {str(name).lower() for action, _, name in asked if action == sqlite3.SQLITE_FUNCTION} <= _FUNCTIONS
    assert _digest(store.path) == before


def _digest(path: Path) -> str:
    data = b"".join(file.read_bytes() for file in sorted(path.glob("catalogue.sqlite*")) if "-shm" not in file.name)
    return hashlib.sha256(data).hexdigest()
