"""What a store takes in and gives back: plain rows, no behaviour."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import Bitmap
from isogloss.protocols import Scalar


@dataclass(slots=True)
class NewChunk:
    """A chunk to store.

    Attributes
    ----------
    start
        Character offset of ``text`` in the document.
    text
        The chunk's own text; the texts of a document, joined, give the document back.
    hash
        63-bit hash of what encoders see (title and heading path in front); chunks of equal hash are encoded once.
    heading
        Heading path, outermost first.
    prefix
        What encoders see in front of the text: title and heading path, as far as the budget allowed.
    """

    start: int
    text: str
    hash: int
    heading: tuple[str, ...] = ()
    prefix: str = ""


@dataclass(slots=True)
class NewDocument:
    """A document to store, with all its chunks; one of the same name is replaced and keeps its id.

    Attributes
    ----------
    name
        The document's id as users see it, unique in the index.
    root
        Id of the root that it came from (``Transaction.put_root``).
    state
        Hash of text, metadata, reader and chunker version.
    chunks
        Its chunks in order.
    path, title, language, language_p, metadata
        As read; ``language_p`` is the detector's probability. Floats in the metadata that are not finite become null.
    content_hash
        63-bit hash of the normalised text; equal texts share it.
    sketch
        uint64 sketch for near duplicates, or None.
    characters, tokens
        Length of the text.
    """

    name: str
    root: int
    state: bytes
    chunks: list[NewChunk]
    path: str = ""
    title: str = ""
    language: str = ""
    language_p: float = 0.0
    metadata: dict[str, Scalar] = field(default_factory=dict)
    content_hash: int = 0
    sketch: NDArray[np.uint64] | None = None
    characters: int = 0
    tokens: int = 0


@dataclass(slots=True)
class Document:
    """A stored document; its chunks have the numbers ``first`` to ``first + chunks - 1``.

    ``root`` is the root's id; ``near`` numbers its group of near duplicates (None: no near duplicate).
    """

    id: int
    name: str
    root: int
    path: str
    title: str
    language: str
    language_p: float
    state: bytes
    metadata: dict[str, Scalar]
    content_hash: int
    near: int | None
    first: int
    chunks: int
    characters: int
    tokens: int


@dataclass(slots=True)
class Chunk:
    """A stored chunk, with what encoders need of its document; ``ordinal`` counts from 0."""

    number: int
    document: int
    ordinal: int
    start: int
    heading: tuple[str, ...]
    prefix: str
    text: str
    hash: int
    name: str
    title: str
    language: str


@dataclass(slots=True)
class Root:
    """A folder, file or stream that documents came from."""

    id: int
    path: str
    prefix: str
    documents: int = 0


@dataclass(slots=True)
class State:
    """What ``add`` compares to tell new, changed and unchanged documents apart."""

    id: int
    root: int
    state: bytes


@dataclass(slots=True)
class StoredEncoder:
    """An encoder of the index.

    Attributes
    ----------
    name
        The name that users give.
    kind
        ``words`` or ``dense``.
    identity
        ``Encoder.identity`` of what filled the segments.
    similarity
        Value of the ``Similarity``.
    dimensions
        Width of the vectors (0 for words).
    spec
        Whatever the collection needs to make the encoder again, as JSON.
    probes
        Arrays of the encoder's probe vectors by name.
    position
        Order of the encoders in the index.
    """

    name: str
    kind: str
    identity: str
    similarity: str
    dimensions: int
    spec: dict[str, Any] = field(default_factory=dict)
    probes: dict[str, NDArray[Any]] = field(default_factory=dict)
    position: int = 0


@dataclass(slots=True)
class Segment:
    """An immutable array file of one encoder, open.

    Attributes
    ----------
    rows
        Number of chunks in it, dead ones included.
    arrays
        Read-only memory maps by name.
    numbers
        Bitmap over chunk numbers: those that the segment holds, dead ones included; it may be shorter than ``live``.
    level
        Tier of the compaction policy.
    """

    name: str
    encoder: str
    level: int
    rows: int
    bytes: int
    arrays: dict[str, NDArray[Any]]
    numbers: Bitmap


@dataclass(slots=True)
class MetadataField:
    """A metadata field and how many documents hold it, by kind (``text``, ``number``, ``boolean``, ``null``)."""

    name: str
    kinds: dict[str, int] = field(default_factory=dict)
