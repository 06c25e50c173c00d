"""The protocols that parts obey. All are structural: a part never inherits from them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, Self, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import Bitmap, Hits, Ragged, Rows, Similarity, Vectors

Role: TypeAlias = Literal["query", "document"]
Scalar: TypeAlias = str | int | float | bool | None

PROBE_TEXTS: tuple[str, ...] = (
    "The quick brown fox jumps over the lazy dog.",
    "heat",
    "How do I read one file out of an archive?",
    "In 1911 the expedition reached 90 degrees south; five men, four of them frozen, never came back.",
    "error 0x80070057: the parameter is incorrect (C:\\data\\run_7.log)",
    "Der Zug nach Köln fährt heute von Gleis 8, naïve café, garçon.",
    "def area(radius): return 3.14159 * radius ** 2",
    "A contract is void where it was signed under duress, unless the party later affirmed it freely.",
)
"""Eight fixed texts; an encoder's vectors of them tell whether two encoders are the same (``Encoder.probes``)."""


@dataclass(slots=True)
class EncodeReport:
    """What an encoder did to the texts of one run; pass one as ``report=`` and it is added to.

    Attributes
    ----------
    texts
        Texts encoded.
    tokens
        Tokens before any cut.
    cut
        Texts that were longer than the window.
    lost
        Tokens cut away.
    window
        The window in tokens, special tokens included (0: no window).
    """

    texts: int = 0
    tokens: int = 0
    cut: int = 0
    lost: int = 0
    window: int = 0

    def add(self, *, texts: int, tokens: int, cut: int = 0, lost: int = 0, window: int = 0) -> None:
        """Add the counts of one batch."""
        self.texts += texts
        self.tokens += tokens
        self.cut += cut
        self.lost += lost
        self.window = max(self.window, window)

    def sentence(self) -> str:
        """Say what was cut, or return an empty string."""
        if not self.cut:
            return ""
        return (
            f"{self.cut:,} of {self.texts:,} texts ({self.cut / max(1, self.texts):.1%}) cut at {self.window} tokens, "
            f"{self.lost / max(1, self.tokens):.1%} of all tokens lost"
        )

    def to_dict(self) -> dict[str, int]:
        """Return the counts as plain data."""
        return {name: getattr(self, name) for name in ("texts", "tokens", "cut", "lost", "window")}


@runtime_checkable
class Encoder(Protocol):
    """Turns texts (or other inputs) into vectors."""

    modality: str
    similarity: Similarity

    @property
    def identity(self) -> str:
        """Hash of weights, tokenizer, pooling, prompts, window, dimensions, normalisation, similarity.

        Never of floats, engine or threads.
        """
        ...

    @property
    def probes(self) -> Vectors:
        """Vectors of ``PROBE_TEXTS``, encoded as documents."""
        ...

    @property
    def heads(self) -> Mapping[str, Encoder]:
        """Encoders that share one pass with this one (often empty)."""
        ...

    def encode(
        self,
        inputs: str | Iterable[str],
        *,
        role: Role | None = None,
        instruction: str | None = None,
        report: EncodeReport | None = None,
    ) -> Vectors:
        """Encode ``inputs``; a single string gives a batch of one."""
        ...


@runtime_checkable
class TokenStates(Protocol):
    """Optional capability of an encoder: token vectors of chosen layers, with character spans."""

    def states(self, inputs: Sequence[str], layers: Sequence[int]) -> tuple[Ragged, Ragged]:
        """Return token vectors ``(T, layers, d)`` and spans ``(T, 2)``, ragged over the same offsets."""
        ...


class Transform(Protocol):
    """A scikit-learn style transform on dense vectors; a fitted one is never refitted by ``add``."""

    def fit(self, X: NDArray[Any], y: Any = None) -> Self:
        """Learn from ``X (n, d)`` and return self."""
        ...

    def transform(self, X: NDArray[Any]) -> NDArray[Any]:
        """Return the transformed rows."""
        ...

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the constructor's parameters."""
        ...

    def set_params(self, **params: Any) -> Self:
        """Set constructor parameters and return self."""
        ...


class Index(Protocol):
    """Finds the nearest rows; knows vectors and bitmaps only. Row numbers are given by the caller and kept.

    ``effort`` in (0, 1]: 1.0 equals ``score_all``.
    """

    def add(self, rows: Rows, vectors: Vectors) -> None:
        """Add vectors under new row numbers."""
        ...

    def remove(self, rows: Rows) -> None:
        """Forget rows; unknown ones are an error."""
        ...

    def search(self, queries: Vectors, k: int, allow: Bitmap | None = None, effort: float = 1.0) -> Hits:
        """Return the best ``k`` allowed rows of each query."""
        ...

    def score_all(self, query: Vectors) -> tuple[Rows, NDArray[np.float32]]:
        """Return every live row (ascending) and its exact score for one query."""
        ...

    def __len__(self) -> int: ...


class Searcher(Protocol):
    """Answers texts with documents: a collection, a rerank chain, a generative retriever."""

    def search(self, texts: str | Sequence[str], k: int = 10, where: str | None = None, effort: float = 1.0) -> Any:
        """Return the best ``k`` documents for each text."""
        ...


class Reranker(Protocol):
    """Scores a query with each of its candidate documents; raw logits, comparable within one query."""

    def score(self, query: str, documents: Sequence[str]) -> NDArray[np.float32]:
        """Return one number a document, ``(n,)``; higher is more relevant."""
        ...


class LanguageModel(Protocol):
    """Gives texts a probability. One that can also write has ``generate(prompts) -> list[str]``.

    A true attribute ``partial`` says that only a part of each text is predicted (masked tokens), whose bytes it counts.
    """

    def nll(self, texts: Sequence[str]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Return minus the log-probability of each text in nats ``(n,)``, and its size in bytes of UTF-8 ``(n,)``."""
        ...


@dataclass(slots=True)
class Record:
    """One document as a reader gives it.

    Attributes
    ----------
    id
        Given id, or the path relative to the root (``path#key`` for rows of a table).
    text
        The whole text.
    title
        A title where the format has one, else an empty string.
    metadata
        Typed fields other than the text.
    headings
        ``(start, level, text)`` for each heading, by character offset in ``text``, ascending.
    reader
        Name and version of the reader, part of the document's state.
    path
        Path relative to the root with ``/``, or an empty string.
    """

    id: str
    text: str
    title: str = ""
    metadata: dict[str, Scalar] = field(default_factory=dict)
    headings: list[tuple[int, int, str]] = field(default_factory=list)
    reader: str = ""
    path: str = ""


@dataclass(frozen=True, slots=True)
class Skip:
    """Something that was not read, and why.

    Attributes
    ----------
    id
        Path or record id.
    reason
        A short stable code: ``empty``, ``unreadable``, ``broken``, ``encoding``, ``too-long``, ``unknown-format``,
        ``duplicate-id``, ``no-text``, ``missing-extra`` ...
    detail
        What was found, in words.
    """

    id: str
    reason: str
    detail: str = ""

    def to_dict(self) -> dict[str, str]:
        """Return the skip as plain data."""
        return {"id": self.id, "reason": self.reason, "detail": self.detail}


class Reader(Protocol):
    """Reads one file (or stream) of one format into records."""

    version: str

    def __call__(self, path: str, name: str) -> Iterator[Record | Skip]:
        """Yield the records of the file at ``path``; ``name`` is its path relative to the root."""
        ...


class Progress(Protocol):
    """Where long work reports to; the command line draws it on stderr, a library caller may pass its own."""

    def start(self, what: str, total: int | None, unit: str) -> None:
        """Begin a stage of ``total`` units (None: unknown)."""
        ...

    def advance(self, amount: int) -> None:
        """Say that ``amount`` more units are done."""
        ...

    def finish(self) -> None:
        """End the stage."""
        ...


class Silent:
    """A progress that shows nothing, the library's default."""

    def start(self, what: str, total: int | None, unit: str) -> None:
        """Do nothing."""

    def advance(self, amount: int) -> None:
        """Do nothing."""

    def finish(self) -> None:
        """Do nothing."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One check of ``isogloss doctor``: what was looked at, what was found, and the fix.

    Attributes
    ----------
    check
        Stable name of the check.
    status
        ``ok``, ``note``, ``warning`` or ``problem``.
    found
        What was found, with numbers.
    fix
        What to do, or an empty string.
    """

    check: str
    status: Literal["ok", "note", "warning", "problem"]
    found: str
    fix: str = ""

    def to_dict(self) -> dict[str, str]:
        """Return the check as plain data."""
        return {"check": self.check, "status": self.status, "found": self.found, "fix": self.fix}
