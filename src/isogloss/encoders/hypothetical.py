"""Queries searched by documents that somebody wrote for them: the mean of their vectors and the query's own."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import CSR, Ragged, Similarity, Vectors
from isogloss.encoders.surface import EncoderSurface, as_texts
from isogloss.errors import UsageError
from isogloss.protocols import EncodeReport, Role

REMEMBERED = 4096
"""Questions whose documents are kept, so that a question is asked once; the oldest are forgotten first."""


class Writer(Protocol):
    """Writes documents that could answer a question: a language model, a server, a file of drafts."""

    @property
    def identity(self) -> str:
        """Hash or name of everything that what is written depends on; part of the encoder's identity."""
        ...

    def __call__(self, questions: Sequence[str], count: int) -> Sequence[Sequence[str]]:
        """Return ``count`` documents for each question."""
        ...


class DocumentsAtHand:
    """A writer that hands out documents written before.

    Parameters
    ----------
    documents
        For each question the documents that were written for it.

    Examples
    --------
    >>> writer = DocumentsAtHand({"who flew?": ["A crane flew.", "Birds fly."]})
    >>> writer(["who flew?"], 1)
    [['A crane flew.']]
    """

    def __init__(self, documents: Mapping[str, Sequence[str]]) -> None:
        self.documents = {question: list(texts) for question, texts in documents.items()}

    @cached_property
    def identity(self) -> str:
        """Hash of all documents."""
        return hashlib.sha256(json.dumps(self.documents, sort_keys=True).encode()).hexdigest()

    def __call__(self, questions: Sequence[str], count: int) -> list[list[str]]:
        """Return the first ``count`` documents of each question.

        Raises
        ------
        UsageError
            Where nothing was written for a question.
        """
        unknown = [question for question in questions if question not in self.documents]
        if unknown:
            raise UsageError(
                "no documents were written for a question",
                f"{len(unknown)} of {len(questions)}, such as {unknown[0][:60]!r}", "write some, or use another writer",
            )  # fmt: skip
        return [self.documents[question][:count] for question in questions]


class HypotheticalDocumentEncoder(EncoderSurface):
    """Encodes a query as the mean of its own vector and those of documents written for it; documents as they are.

    A language model writes what an answer could look like; its false details cost little, because the vector keeps the
    topic and the encoder compares a document with documents, which is what an encoder without labels has learned.
    Nothing is trained. Only ``role="query"`` is treated so; without a role a text is taken as it stands.

    Source: Gao, Ma, Lin and Callan 2023, "Precise Zero-Shot Dense Retrieval without Relevance Labels"
    (https://arxiv.org/abs/2212.10496).

    Parameters
    ----------
    encoder
        With dense vectors; encodes the query in its role and what is written as documents.
    writer
        Asked once for each question; a blank query is not asked about.
    count
        Documents a question (8, as in the paper).
    include_query
        Whether the query's own vector is part of the mean.
    name
        For messages and the index.

    Raises
    ------
    UsageError
        Where ``count`` is below one, the encoder's vectors are not dense, or the writer gives too few or blank
        documents.

    Examples
    --------
    >>> from isogloss.encoders.static import bundled_static
    >>> writer = DocumentsAtHand({"who flew?": ["A crane flew."]})
    >>> encoder = HypotheticalDocumentEncoder(bundled_static(), writer, count=1)
    >>> plain = bundled_static().encode(["who flew?", "A crane flew."])
    >>> bool(np.allclose(encoder.encode("who flew?", role="query")[0], plain.mean(0), atol=1e-6))
    True
    """

    kind: Literal["words", "dense"] = "dense"
    speed: Literal["fast", "slow"] = "slow"

    def __init__(
        self, encoder: Any, writer: Writer, *, count: int = 8, include_query: bool = True, name: str = ""
    ) -> None:
        if count < 1:
            raise UsageError(f"{count} documents a question", "there is nothing to search by", "ask for one or more")
        self.encoder, self.writer, self.count, self.include_query = encoder, writer, count, include_query
        inner = str(getattr(encoder, "name", type(encoder).__name__))
        self.name: str = name or f"{inner}:hypothetical"
        self.modality: str = encoder.modality
        self.similarity: Similarity = encoder.similarity
        self.window: int = getattr(encoder, "window", 0)
        self.languages: frozenset[str] | None = getattr(encoder, "languages", None)
        self._written: dict[str, tuple[str, ...]] = {}

    @cached_property
    def identity(self) -> str:
        """Hash of the encoder's and the writer's identities, of how many documents, and of whether the query counts."""
        parts = ["hypothetical", self.encoder.identity, self.writer.identity, str(self.count), str(self.include_query)]
        return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()

    @property
    def dimensions(self) -> int:
        """Number of components of a vector."""
        return int(self.encoder.dimensions)

    def encode(
        self, inputs: str | Iterable[str], *, role: Role | None = None, instruction: str | None = None,
        report: EncodeReport | None = None,
    ) -> Vectors:  # fmt: skip
        """Return ``(n, d)``; a query's vector is the plain mean, not of length one.

        ``instruction`` is for the query's own vector. The report counts queries as texts, and adds the tokens and the
        cuts of what was written for them.
        """
        texts = as_texts(inputs)
        own: Vectors = self.encoder.encode(texts, role=role, instruction=instruction, report=report)
        if isinstance(own, (CSR, Ragged)):
            raise UsageError(
                "the mean of vectors needs dense ones", f"{self.encoder.name} gives {type(own).__name__}",
                "use an encoder with dense vectors",
            )  # fmt: skip
        if role != "query":
            return own
        vectors = np.asarray(own, np.float32).copy()
        asked = [row for row, text in enumerate(texts) if text.strip()]
        if not asked:
            return vectors
        written = self.documents([texts[row] for row in asked])
        different = list(dict.fromkeys(text for some in written for text in some))
        made = self._encoded(different, report)
        place = {text: number for number, text in enumerate(different)}
        for row, some in zip(asked, written, strict=True):
            parts = made[[place[text] for text in some]]  # (count, d)
            total = parts.sum(0) + vectors[row] if self.include_query else parts.sum(0)  # (d,)
            vectors[row] = total / (len(parts) + self.include_query)
        return vectors

    def documents(self, questions: Sequence[str]) -> list[tuple[str, ...]]:
        """Return what is written for each question; unknown questions are given to the writer, each once.

        Raises
        ------
        UsageError
            Where the writer gives too few documents, or blank ones.
        """
        new = [question for question in dict.fromkeys(questions) if question not in self._written]
        found = dict(zip(new, self.writer(new, self.count), strict=True)) if new else {}
        for question, texts in found.items():
            good = sum(bool(text.strip()) for text in texts)
            if len(texts) != self.count or good < self.count:
                why = f"{good} of {self.count} that hold words ({len(texts)} in all) for {question[:60]!r}"
                raise UsageError("the writer gave too few documents", why, "ask for fewer, or use another writer")
        answer = [tuple(found[one]) if one in found else self._written[one] for one in questions]
        self._written.update((question, tuple(texts)) for question, texts in found.items())
        while len(self._written) > REMEMBERED:
            del self._written[next(iter(self._written))]
        return answer

    def _encoded(self, texts: list[str], report: EncodeReport | None) -> NDArray[np.float32]:
        beside = None if report is None else EncodeReport()
        made = np.asarray(self.encoder.encode(texts, role="document", report=beside), np.float32)
        if report is not None and beside is not None:
            report.add(texts=0, tokens=beside.tokens, cut=beside.cut, lost=beside.lost, window=beside.window)
        return made
