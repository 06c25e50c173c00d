"""What a collection answers: plain dataclasses with ``to_dict()``; nothing here computes."""

from __future__ import annotations

import html
from dataclasses import asdict, dataclass, field
from typing import Any

from isogloss.protocols import Scalar, Skip


@dataclass(slots=True)
class Hit:
    """One document found for a query, by its best chunk.

    Attributes
    ----------
    id
        The chunk: ``DOCUMENT::ORDINAL`` (ordinals count from 1).
    document
        The document's id.
    score
        Fused score (or the only encoder's score); comparable within one answer only.
    rank
        1 for the best.
    percentile
        Share of random question-chunk pairs of this index that score lower, in percent, by the encoder
        named in ``percentile_by``; None where it was not measured. Not a probability of relevance.
    p, p_low, p_high
        Probability that the document is relevant, with its 95 % interval; None unless the index was calibrated
        (``isogloss calibrate``) for the encoders that answered.
    snippet, matches
        A cut of the chunk around the matched words; ``matches`` are ``[start, end]`` in the snippet.
    start, end, length
        Character span of the chunk in the document, and the document's length.
    parts
        For each encoder used: ``{"rank", "score", "percentile"}`` of this chunk, where it was found.
    also
        Near duplicates of the document that would have been found too.
    """

    id: str
    document: str
    score: float
    rank: int
    percentile: float | None = None
    percentile_by: str = ""
    p: float | None = None
    p_low: float | None = None
    p_high: float | None = None
    title: str = ""
    path: str = ""
    heading: list[str] = field(default_factory=list)
    snippet: str = ""
    matches: list[list[int]] = field(default_factory=list)
    start: int = 0
    end: int = 0
    length: int = 0
    ordinal: int = 1
    chunks: int = 1
    language: str = ""
    metadata: dict[str, Scalar] = field(default_factory=dict)
    parts: dict[str, dict[str, float]] = field(default_factory=dict)
    also: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Return the hit as plain data."""
        return asdict(self)


@dataclass(slots=True)
class SearchResult:
    """The answer to one query.

    Attributes
    ----------
    query
        The text asked.
    hits
        At most ``k`` documents, best first.
    k
        How many were asked for.
    encoders
        The encoders that answered.
    matched
        Number of documents that match the filter (None without a filter).
    notes
        What the reader of the answer should know: filters that left fewer than ``k``, encoders left out ...
    seconds
        Wall-clock time.
    p_by
        On what questions the P of the hits was calibrated, such as ``225 judged questions``; empty without P.
    """

    query: str
    hits: list[Hit]
    k: int
    encoders: list[str] = field(default_factory=list)
    matched: int | None = None
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0
    p_by: str = ""

    def __len__(self) -> int:
        return len(self.hits)

    def to_dict(self) -> dict[str, Any]:
        """Return the answer as plain data."""
        return asdict(self)

    def to_pandas(self) -> Any:
        """Return the hits as a pandas DataFrame (pandas must be installed)."""
        import pandas  # type: ignore[import-untyped,unused-ignore]

        return pandas.DataFrame([hit.to_dict() for hit in self.hits])

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{hit.rank}</td><td>{html.escape(hit.document)}</td><td>{hit.score:.4f}</td>"
            f"<td>{html.escape(hit.snippet)}</td></tr>"
            for hit in self.hits
        )
        head = "<tr><th></th><th>document</th><th>score</th><th>text</th></tr>"
        return f"<p>{html.escape(self.query)}</p><table>{head}{rows}</table>"


@dataclass(slots=True)
class EncoderRun:
    """What one encoder did during ``add``.

    Attributes
    ----------
    encoded
        Chunks encoded now.
    reused
        Chunks whose equal text had been encoded before.
    off
        Chunks left out because their language is outside the model's card.
    off_languages
        Those chunks by language.
    cut, lost
        Texts cut at the window, and tokens lost.
    pending
        Live chunks that still wait for this encoder.
    seconds
        Time spent encoding.
    """

    encoded: int = 0
    reused: int = 0
    off: int = 0
    off_languages: dict[str, int] = field(default_factory=dict)
    cut: int = 0
    lost: int = 0
    tokens: int = 0
    pending: int = 0
    seconds: float = 0.0


@dataclass(slots=True)
class AddReport:
    """What ``add`` read, changed and encoded."""

    source: str
    files: int = 0
    documents: int = 0
    chunks: int = 0
    new: int = 0
    changed: int = 0
    deleted: int = 0
    unchanged: int = 0
    kept: int = 0
    skipped: list[Skip] = field(default_factory=list)
    exact_duplicates: int = 0
    near_duplicates: int = 0
    languages: dict[str, int] = field(default_factory=dict)
    long_documents: int = 0
    window: int = 0
    encoders: dict[str, EncoderRun] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    dry_run: bool = False
    read_seconds: float = 0.0
    seconds: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain data; every skip is listed."""
        return asdict(self)


@dataclass(slots=True)
class RemoveReport:
    """What ``remove`` took out (or would take out, after a dry run)."""

    documents: int
    chunks: int
    ids: list[str] = field(default_factory=list)
    dry_run: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain data."""
        return asdict(self)


@dataclass(slots=True)
class ChunkView:
    """One chunk of a document as ``show`` gives it."""

    id: str
    start: int
    end: int
    heading: list[str]
    text: str


@dataclass(slots=True)
class DocumentView:
    """One document as ``show`` gives it; ``chunk`` is the ordinal that was asked for, or None."""

    id: str
    title: str
    path: str
    root: str
    language: str
    metadata: dict[str, Scalar]
    text: str
    chunks: list[ChunkView]
    chunk: int | None = None
    near_duplicates: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Return the document as plain data."""
        return asdict(self)


@dataclass(slots=True)
class EncoderStats:
    """One encoder of an index: coverage and size."""

    name: str
    kind: str
    identity: str
    dimensions: int
    similarity: str
    covered: int
    off: int
    pending: int
    segments: int
    bytes: int


@dataclass(slots=True)
class Stats:
    """What an index holds."""

    path: str
    generation: int
    documents: int
    chunks: int
    roots: list[dict[str, Any]]
    languages: dict[str, int]
    encoders: list[EncoderStats]
    budget: int
    bytes: int
    dead_chunks: int
    exact_duplicates: int
    near_duplicates: int
    format: int

    def to_dict(self) -> dict[str, Any]:
        """Return the statistics as plain data."""
        return asdict(self)


@dataclass(slots=True)
class CompactReport:
    """What compaction rewrote."""

    segments_before: int
    segments_after: int
    bytes_before: int
    bytes_after: int
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain data."""
        return asdict(self)


@dataclass(slots=True)
class ExportReport:
    """What ``export`` wrote."""

    path: str
    rows: int
    columns: list[str]
    bytes: int

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain data."""
        return asdict(self)
