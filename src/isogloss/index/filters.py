"""The filter language: from a text to a tree. ``filter_sql`` turns the tree into a condition with parameters.

Grammar (keywords in any case)::

    expression = conjunction { "or" conjunction }
    conjunction = negation { "and" negation }
    negation    = "not" negation | "(" expression ")" | comparison
    comparison  = field ( "=" | "==" | "!=" | "<>" | "<" | "<=" | ">" | ">=" ) value
                | field [ "not" ] "in" "(" value { "," value } ")"
                | field [ "not" ] "between" value "and" value
                | field [ "not" ] "like" string
                | field "is" [ "not" ] "null"
    field       = a name of letters, digits, "_", "-", "." and "/", or any name in double quotes
    value       = string | number | "true" | "false" | "date" string
    string      = text in single quotes, or (where a value is due) in double quotes; the quote doubled stands for itself

Meaning, as in SQL with three truth values: a comparison of a missing field, or of a value with one of another kind
(text, number, boolean), is unknown, and so is its negation; a document matches where the whole expression is true.
Text is compared by code point, so ISO dates order as dates do; ``date '2024-01-31'`` is compared with the first ten
characters of a field that begins with an ISO date, so that ``created <= date '2024-01-31'`` holds for all of that day.
``like`` takes ``%`` for any text and ``_`` for one character, a backslash before them for themselves, and ignores the
case of ASCII letters.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from isogloss.errors import FilterError

MAX_LENGTH = 100_000
MAX_DEPTH = 50
MAX_VALUES = 10_000

Kind: TypeAlias = Literal["text", "number", "boolean", "date"]
Operator: TypeAlias = Literal["=", "!=", "<", "<=", ">", ">="]


@dataclass(frozen=True, slots=True)
class Field:
    """A field and where it stands in the text."""

    name: str
    position: int = 0


@dataclass(frozen=True, slots=True)
class Value:
    """A literal; a date's value is its text."""

    kind: Kind
    value: str | int | float | bool


@dataclass(frozen=True, slots=True)
class Compare:
    """``field operator value``."""

    field: Field
    operator: Operator
    value: Value


@dataclass(frozen=True, slots=True)
class Among:
    """``field in (values)``."""

    field: Field
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Between:
    """``field between low and high``, both ends included."""

    field: Field
    low: Value
    high: Value


@dataclass(frozen=True, slots=True)
class Like:
    """``field like pattern``."""

    field: Field
    pattern: str


@dataclass(frozen=True, slots=True)
class IsNull:
    """``field is null``: absent, or null, or (title, path, language, prefix) empty."""

    field: Field


@dataclass(frozen=True, slots=True)
class Not:
    """``not part``."""

    part: Node


@dataclass(frozen=True, slots=True)
class Every:
    """``parts`` joined by ``and``."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Either:
    """``parts`` joined by ``or``."""

    parts: tuple[Node, ...]


Node: TypeAlias = Compare | Among | Between | Like | IsNull | Not | Every | Either

_TOKEN = re.compile(
    r"""\s*(?:(?P<single>'(?:[^']|'')*')|(?P<double>"(?:[^"]|"")*")
    |(?P<number>[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?(?![\w.]))
    |(?P<operator>==|!=|<>|<=|>=|=|<|>)|(?P<mark>[(),])|(?P<word>[^\W\d][\w./-]*)|(?P<end>$))""",
    re.VERBOSE,
)
_DATE = re.compile(r"\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])", re.ASCII)
_OPERATORS: dict[str, Operator] = {
    "=": "=", "==": "=", "!=": "!=", "<>": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">=",
}  # fmt: skip
_KEYWORDS = frozenset(["and", "or", "not", "in", "between", "like", "is", "null", "true", "false", "date"])
_WIDTH = 60


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    position: int

    def word(self) -> str:
        """Return the keyword that this token is, or an empty string."""
        lower = self.text.lower()
        return lower if self.kind == "word" and lower in _KEYWORDS else ""

    def quoted(self) -> str:
        """Return the content of a quoted token."""
        quote = self.text[0]
        return self.text[1:-1].replace(quote * 2, quote)


def filter_error(text: str, position: int, problem: str, fix: str = "") -> FilterError:
    """Make the error for a place in a filter, with a caret under it."""
    shown = "".join(" " if char.isspace() else char for char in text)
    start = max(0, position - _WIDTH // 2)
    lead, tail = "… " if start else "", " …" if start + _WIDTH < len(shown) else ""
    line = f"{lead}{shown[start : start + _WIDTH]}{tail}"
    caret = " " * (len(lead) + position - start) + "^"
    return FilterError(
        f"the filter cannot be used: {problem}", f"at character {position + 1}\n  {line}\n  {caret}", fix
    )


def parse_filter(text: str) -> Node:
    """Read a filter.

    Parameters
    ----------
    text
        At most 100,000 characters, 10,000 values and 50 levels of parentheses and ``not``.

    Returns
    -------
    Node
        Its tree.

    Raises
    ------
    FilterError
        With the place and a caret, when it cannot be read.

    Examples
    --------
    >>> parse_filter("year >= 1950")
    Compare(field=Field(name='year', position=0), operator='>=', value=Value(kind='number', value=1950))
    """
    if len(text) > MAX_LENGTH:
        raise FilterError(
            "the filter cannot be used: it is too long",
            f"it has {len(text):,} characters, at most {MAX_LENGTH:,} are read",
            "filter by a field that the wanted documents share",
        )
    parser = _Parser(text)
    node = parser.expression(0)
    if parser.token.kind != "end":
        raise parser.unexpected("'and', 'or' or the end")
    return node


class _Parser:
    """One reading of one text: the token at hand, and how many values were taken."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._at = 0
        self._values = 0
        self.token = self._read()

    def _read(self) -> _Token:
        match = _TOKEN.match(self.text, self._at)
        if match is None or match.lastgroup is None:
            raise self._unreadable()
        self._at = match.end()
        return _Token(match.lastgroup, match[match.lastgroup], match.start(match.lastgroup))

    def _unreadable(self) -> FilterError:
        rest = self.text[self._at :]
        at = self._at + len(rest) - len(rest.lstrip())
        char = self.text[at]
        if char in "'\"":
            return filter_error(self.text, at, "the quoted text that begins here has no end", f"close it with {char}")
        fixes = {"&": "write: and", "|": "write: or", "!": "write: not, or !=", ";": "a filter is one expression"}
        fixes |= dict.fromkeys("‘’“”„`", "use straight quotes: '...'")
        if char.isdigit() or char in "+-.":
            return filter_error(self.text, at, "this is no number", "put text in quotes: '...'")
        return filter_error(self.text, at, f"the character {char!r} has no meaning here", fixes.get(char, ""))

    def _next(self) -> _Token:
        token, self.token = self.token, self._read()
        return token

    def _take(self, text: str, what: str) -> None:
        if self.token.kind in ("mark", "word") and self.token.text.lower() == text:
            self._next()
        else:
            raise self.unexpected(what)

    def unexpected(self, wanted: str, fix: str = "") -> FilterError:
        """Make the error for the token at hand."""
        found = "the end" if self.token.kind == "end" else f"{self.token.text[:40]!r}"
        return filter_error(self.text, self.token.position, f"expected {wanted}, found {found}", fix)

    def expression(self, depth: int) -> Node:
        """Read conjunctions joined by ``or``."""
        if depth > MAX_DEPTH:
            raise filter_error(self.text, self.token.position, f"it is nested deeper than {MAX_DEPTH} levels")
        parts = [self._conjunction(depth)]
        while self.token.word() == "or":
            self._next()
            parts.append(self._conjunction(depth))
        return parts[0] if len(parts) == 1 else Either(tuple(parts))

    def _conjunction(self, depth: int) -> Node:
        parts = [self._negation(depth)]
        while self.token.word() == "and":
            self._next()
            parts.append(self._negation(depth))
        return parts[0] if len(parts) == 1 else Every(tuple(parts))

    def _negation(self, depth: int) -> Node:
        nots = 0
        while self.token.word() == "not":
            self._next()
            nots += 1
            if depth + nots > MAX_DEPTH:
                raise filter_error(self.text, self.token.position, f"it is nested deeper than {MAX_DEPTH} levels")
        if self.token.text == "(":
            self._next()
            node = self.expression(depth + nots + 1)
            self._take(")", "')'")
        else:
            node = self._comparison()
        for _ in range(nots):
            node = Not(node)
        return node

    def _field(self) -> Field:
        token = self.token
        if token.kind == "single":
            raise self.unexpected("a field", "fields stand without quotes, or in double quotes, and come first")
        if token.kind == "double":
            return Field(self._next().quoted(), token.position)
        if token.kind != "word" or token.word() not in ("", "date"):
            raise self.unexpected("a field")
        return Field(self._next().text, token.position)

    def _comparison(self) -> Node:
        field = self._field()
        if self.token.kind == "operator":
            return self._compare(field)
        if self.token.word() == "is":
            self._next()
            negated = self._negated()
            self._take("null", "'null'")
            return Not(IsNull(field)) if negated else IsNull(field)
        negated = self._negated()
        readers: dict[str, Callable[[Field], Node]] = {"in": self._among, "between": self._between, "like": self._like}
        reader = readers.get(self.token.word())
        if reader is None:
            raise self.unexpected(f"a comparison (= != < <= > >= in between like is) after the field {field.name!r}")
        self._next()
        node = reader(field)
        return Not(node) if negated else node

    def _negated(self) -> bool:
        if self.token.word() == "not":
            self._next()
            return True
        return False

    def _compare(self, field: Field) -> Compare:
        token = self._next()
        operator = _OPERATORS[token.text]
        value = self._value()
        if value.kind == "boolean" and operator not in ("=", "!="):
            raise filter_error(self.text, token.position, "true and false have no order", "compare them by = or !=")
        return Compare(field, operator, value)

    def _among(self, field: Field) -> Among:
        self._take("(", "'(' after 'in'")
        values = [self._value()]
        while self.token.text == "," and self.token.kind == "mark":
            self._next()
            values.append(self._value())
        self._take(")", "',' or ')'")
        if {"text", "date"} <= {value.kind for value in values}:
            raise filter_error(
                self.text, field.position, "one list holds dates and other texts", "join two lists by or"
            )
        return Among(field, tuple(values))

    def _between(self, field: Field) -> Between:
        low = self._value()
        self._take("and", "'and' after 'between' and its first value")
        high = self._value()
        if low.kind != high.kind or low.kind == "boolean":
            raise filter_error(
                self.text,
                field.position,
                "'between' needs two numbers, two texts or two dates",
                "make both of one kind",
            )
        return Between(field, low, high)

    def _like(self, field: Field) -> Like:
        if self.token.kind not in ("single", "double"):
            raise self.unexpected("a pattern in quotes after 'like'", "write: like 'guide/%'")
        return Like(field, self._next().quoted())

    def _value(self) -> Value:
        self._values += 1
        if self._values > MAX_VALUES:
            raise filter_error(self.text, self.token.position, f"it holds more than {MAX_VALUES:,} values")
        token, word = self.token, self.token.word()
        if token.kind in ("single", "double"):
            return Value("text", self._next().quoted())
        if token.kind == "number":
            return Value("number", _number(self._next().text))
        if word in ("true", "false"):
            self._next()
            return Value("boolean", word == "true")
        if word == "date":
            self._next()
            return self._date()
        if word == "null":
            raise self.unexpected("a value", "nothing equals null: write 'is null' or 'is not null'")
        fix = f"put text in quotes: '{token.text}'" if token.kind == "word" else ""
        raise self.unexpected("a value (text in quotes, a number, true, false or date '2024-01-31')", fix)

    def _date(self) -> Value:
        token = self.token
        if token.kind not in ("single", "double") or not _DATE.fullmatch(token.quoted()):
            raise self.unexpected("a date in quotes", "write: date '2024-01-31'")
        return Value("date", self._next().quoted())


def _number(text: str) -> int | float:
    """Return a 64-bit integer where the text is one, else a float."""
    if text.lstrip("+-").isascii() and text.lstrip("+-").isdecimal() and len(text) < 20:
        number = int(text)
        if -(2**63) <= number < 2**63:
            return number
    return float(text)
