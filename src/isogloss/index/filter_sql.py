"""Filters as SQL conditions: every name and value of the user's is a parameter, never part of the statement."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from isogloss.errors import FilterError
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
    filter_error,
    parse_filter,
)

_COLUMNS = {
    "id": ("text", "d.name"),
    "path": ("text", "NULLIF(d.path, '')"),
    "title": ("text", "NULLIF(d.title, '')"),
    "lang": ("text", "NULLIF(d.language, '')"),
    "language": ("text", "NULLIF(d.language, '')"),
    "root": ("text", "r.path"),
    "prefix": ("text", "NULLIF(r.prefix, '')"),
    "tokens": ("number", "d.tokens"),
    "characters": ("number", "d.characters"),
    "chunks": ("number", "d.chunks"),
}
BUILT_IN = tuple(_COLUMNS)
"""Fields that every document has. A metadata field of such a name is reached as ``metadata.NAME``."""
_TYPES = {"text": "'text'", "number": "'integer', 'real'", "boolean": "'true', 'false'"}
_DATED = "{0} GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]*'"
_SHOWN = 12


@dataclass(frozen=True, slots=True)
class Filter:
    """A compiled filter.

    Attributes
    ----------
    text
        As written.
    sql
        A condition over ``documents d LEFT JOIN roots r``, with ``?`` for every parameter.
    parameters
        The parameters in order.
    fields
        Names of the metadata fields, each with its first place in the text.
    kinds
        For each comparison of a metadata field: its name and the kinds it is compared with.
    """

    text: str
    sql: str
    parameters: tuple[Any, ...]
    fields: dict[str, int]
    kinds: tuple[tuple[str, frozenset[str]], ...]

    def check_fields(self, known: Collection[str]) -> None:
        """Raise ``FilterError`` where a field is neither built in nor among ``known`` metadata fields."""
        for name, position in self.fields.items():
            if name not in known:
                raise _unknown(self.text, name, position, known)

    def notes(self, known: Mapping[str, Collection[str]]) -> list[str]:
        """Say which comparisons can never hold, given the kinds of values that each metadata field has."""
        notes = []
        for name, wanted in self.kinds:
            found = set(known.get(name, ())) - {"null"}
            if found and not found & wanted:
                kinds = " or ".join(sorted(wanted))
                notes.append(
                    f"{name} holds {' and '.join(sorted(found))} only: comparing it with a {kinds} finds nothing"
                )
        return notes


def compile_filter(text: str) -> Filter:
    """Read a filter and turn it into an SQL condition with parameters.

    Parameters
    ----------
    text
        A filter; its grammar and meaning are described in ``isogloss.index.filters``. Fields that every document has:
        id, path, title, lang (or language), root, prefix, tokens, characters, chunks. All others are metadata;
        ``metadata.NAME`` reaches one that has such a name.

    Returns
    -------
    Filter
        The condition, its parameters and its fields.

    Raises
    ------
    FilterError
        When it cannot be read.

    Examples
    --------
    >>> compile_filter("lang = 'en'").sql
    "NULLIF(d.language, '') = ?"
    """
    tree = parse_filter(text)
    compiler = _Compiler()
    sql = compiler.node(tree)
    fields: dict[str, int] = {}
    kinds = []
    for field, wanted in _metadata(tree):
        fields.setdefault(_metadata_name(field.name), field.position)
        if wanted:
            kinds.append((_metadata_name(field.name), wanted))
    return Filter(text, sql, tuple(compiler.parameters), fields, tuple(dict.fromkeys(kinds)))


def _metadata_name(name: str) -> str:
    return name.removeprefix("metadata.")


def _metadata(node: Node) -> Iterator[tuple[Field, frozenset[str]]]:
    """Yield each use of a metadata field, with the kinds of values it is compared with."""
    if isinstance(node, Every | Either):
        for part in node.parts:
            yield from _metadata(part)
    elif isinstance(node, Not):
        yield from _metadata(node.part)
    elif node.field.name not in _COLUMNS:
        values = node.values if isinstance(node, Among) else (node.low,) if isinstance(node, Between) else ()
        values = (node.value,) if isinstance(node, Compare) else values
        kinds = {"text" if value.kind == "date" else str(value.kind) for value in values}
        yield node.field, frozenset({"text"} if isinstance(node, Like) else kinds)


def _unknown(text: str, name: str, position: int, known: Collection[str]) -> FilterError:
    import difflib

    every = [*BUILT_IN, *sorted(set(known) - set(BUILT_IN))]
    lower = {field.lower(): field for field in reversed(every)}
    near = [lower[match] for match in difflib.get_close_matches(name.lower(), list(lower), n=3, cutoff=0.6)]
    listed = ", ".join(every[: _SHOWN + len(BUILT_IN)]) + (" ..." if len(every) > _SHOWN + len(BUILT_IN) else "")
    fix = f"did you mean {' or '.join(near)}? fields: {listed}" if near else f"fields: {listed}"
    return filter_error(text, position, f"no document has a field {name!r}", fix)


class _Compiler:
    """Collects the parameters while a tree becomes SQL."""

    def __init__(self) -> None:
        self.parameters: list[Any] = []

    def node(self, node: Node) -> str:
        """Return the condition of a node; its parameters are appended in the order of their marks."""
        if isinstance(node, Every | Either):
            return self._balanced(node.parts, " AND " if isinstance(node, Every) else " OR ")
        if isinstance(node, Not):
            return f"NOT ({self.node(node.part)})"
        if isinstance(node, IsNull):
            return self._is_null(node.field)
        if isinstance(node, Like):
            return self._leaf(node.field, [("text", "{0} LIKE ? ESCAPE '\\'", [node.pattern])])
        if isinstance(node, Between):
            low, high = _bound(node.low), _bound(node.high)
            marks = f"{_mark(node.low)} AND {_mark(node.high)}"
            return self._leaf(node.field, [_branch(node.low.kind, f"BETWEEN {marks}", [low, high])])
        if isinstance(node, Compare):
            test = f"{node.operator} {_mark(node.value)}"
            return self._leaf(node.field, [_branch(node.value.kind, test, [_bound(node.value)])])
        return self._leaf(node.field, list(_groups(node)))

    def _balanced(self, parts: tuple[Node, ...], joint: str) -> str:
        """Join many parts as a balanced tree, since SQLite allows expressions of depth 1000 only."""
        if len(parts) == 1:
            return self.node(parts[0])
        middle = len(parts) // 2
        left = self._balanced(parts[:middle], joint)
        return f"({left}{joint}{self._balanced(parts[middle:], joint)})"

    def _is_null(self, field: Field) -> str:
        if field.name in _COLUMNS:
            return f"{_COLUMNS[field.name][1]} IS NULL"
        self.parameters.append(_metadata_name(field.name))
        return "NOT EXISTS (SELECT 1 FROM json_each(d.metadata) AS j WHERE j.key = ? AND j.type <> 'null')"

    def _leaf(self, field: Field, branches: list[tuple[str, str, list[Any]]]) -> str:
        """Return a comparison that is unknown unless the field's value has the kind of one of the branches."""
        if field.name in _COLUMNS:
            kind, column = _COLUMNS[field.name]
            for wanted, test, values in branches:
                if wanted == kind:
                    self.parameters += values
                    return test.format(column)
            return "NULL"
        cases = []
        for kind, test, values in branches:
            cases.append(f"WHEN j.type IN ({_TYPES[kind]}) THEN {test.format('j.atom')}")
            self.parameters += values
        self.parameters.append(_metadata_name(field.name))
        return f"(SELECT CASE {' '.join(cases)} END FROM json_each(d.metadata) AS j WHERE j.key = ?)"


def _branch(kind: str, test: str, values: list[Any]) -> tuple[str, str, list[Any]]:
    """Return the kind of stored value, the test as a format over the value's expression, and the parameters."""
    if kind == "date":
        return "text", f"CASE WHEN {_DATED} THEN substr({{0}}, 1, 10) {test} END", values
    return kind, f"{{0}} {test}", values


def _groups(node: Among) -> Iterator[tuple[str, str, list[Any]]]:
    """Yield one branch for each kind of value in a list."""
    for kind in dict.fromkeys(value.kind for value in node.values):
        values = [value for value in node.values if value.kind == kind]
        marks = ", ".join(_mark(value) for value in values)
        yield _branch(kind, f"IN ({marks})", [_bound(value) for value in values])


def _mark(value: Value) -> str:
    # the catalogue holds floats as JSON: a literal takes the same way from digits to a double, to the last bit
    return "json_extract(?, '$')" if isinstance(value.value, float) else "?"


def _bound(value: Value) -> Any:
    if isinstance(value.value, float):
        return repr(value.value).replace("inf", "9e999")
    return int(value.value) if isinstance(value.value, bool) else value.value
