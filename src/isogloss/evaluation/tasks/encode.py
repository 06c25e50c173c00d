"""Encoding for tasks: every text once, timed, with what was cut counted and progress shown."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from isogloss.arrays import CSR, Ragged, Rows, Vectors, ragged_take
from isogloss.errors import IsoglossError, NonFiniteError
from isogloss.protocols import Encoder, EncodeReport, Progress, Role, Silent


@dataclass(slots=True)
class Encoding:
    """The vectors of one task: each distinct text is encoded once for each role.

    Attributes
    ----------
    encoder
        What encodes.
    progress
        Where the number of encoded texts goes.
    report
        What was cut.
    seconds
        Time spent in the encoder.
    asked
        Texts that were asked for, repeated ones too.

    Examples
    --------
    A task asks for the vectors of its texts as often as it likes::

        encoding = Encoding(encoder)
        left, right = encoding.of(pairs.left), encoding.of(pairs.right)
        TaskResult(..., details=encoding.details(), seconds=encoding.seconds)
    """

    encoder: Encoder
    progress: Progress = field(default_factory=Silent)
    report: EncodeReport = field(default_factory=EncodeReport)
    seconds: float = 0.0
    asked: int = 0
    _places: dict[tuple[Role | None, str], int] = field(default_factory=dict)
    _blocks: list[Vectors] = field(default_factory=list)

    def of(self, texts: Sequence[str], role: Role | None = None) -> Vectors:
        """Return the vectors of ``texts``, row by row; new texts are encoded, known ones are not.

        Raises
        ------
        IsoglossError
            Where there are no texts.
        NonFiniteError
            Where a vector holds NaN or infinity; the message names the text.
        """
        self.need([texts], role)
        self.asked += len(texts)
        if len(self._blocks) > 1:
            self._blocks = [joined(self._blocks)]
        rows = np.fromiter((self._places[role, text] for text in texts), np.int64, len(texts))
        return taken(self._blocks[0], rows)

    def need(self, lists: Iterable[Sequence[str]], role: Role | None = None) -> None:
        """Encode what is new in several lists of texts in one go, which is faster than list by list."""
        every = [text for texts in lists for text in texts]
        if not every:
            raise IsoglossError("there is nothing to encode", "the list of texts is empty", "check the data set")
        new = list(dict.fromkeys(text for text in every if (role, text) not in self._places))
        if not new:
            return
        started = time.perf_counter()
        self._blocks.append(self._encode(new, role))
        self.seconds += time.perf_counter() - started
        known = len(self._places)
        self._places.update({(role, text): known + i for i, text in enumerate(new)})

    def _encode(self, texts: list[str], role: Role | None) -> Vectors:
        self.progress.start("encoding", len(texts), "texts")
        try:
            vectors = self._batches(texts, role) if hasattr(self.encoder, "encode_batches") else None
            if vectors is None:
                vectors = self.encoder.encode(texts, role=role, report=self.report)
                self.progress.advance(len(texts))
        finally:
            self.progress.finish()
        _check(vectors, texts)
        return vectors

    def _batches(self, texts: list[str], role: Role | None) -> Vectors | None:
        """Encode batch by batch, where the encoder gives dense ones, so that progress is seen."""
        out: Any = None
        batches: Iterator[tuple[Rows, Any]] = self.encoder.encode_batches(texts, role=role, report=self.report)  # type: ignore[attr-defined]
        for positions, vectors in batches:
            if out is None:
                out = np.empty((len(texts), vectors.shape[1]), np.float32)
            out[positions] = vectors
            self.progress.advance(len(positions))
        return out if out is None else np.asarray(out, np.float32)

    def details(self) -> dict[str, Any]:
        """Return what a report should say about the encoding, as plain data."""
        return {"encoding": {**self.report.to_dict(), "asked": self.asked, "encoded": len(self._places)}}


def _check(vectors: Vectors, texts: Sequence[str]) -> None:
    if len(vectors) != len(texts):
        raise IsoglossError("the encoder lost count", f"{len(texts)} texts gave {len(vectors)} vectors", "repair it")
    if isinstance(vectors, np.ndarray):
        bad = ~np.isfinite(vectors).all(1)
    else:
        flags = np.isfinite(vectors.values)
        flags = flags if flags.ndim == 1 else flags.all(1)
        wrong = np.concatenate([[0], np.cumsum(~flags)])
        bad = wrong[vectors.offsets[1:]] > wrong[vectors.offsets[:-1]]
    if bad.any():
        why = f"{int(bad.sum())} of {len(texts)}, the first is that of {texts[int(bad.argmax())][:80]!r}"
        raise NonFiniteError("the encoder gave vectors that are not finite", why, "run: isogloss doctor MODEL")


def joined(blocks: Sequence[Vectors]) -> Vectors:
    """Put blocks of vectors of one kind one below the other.

    Examples
    --------
    >>> joined([np.zeros((1, 2), np.float32), np.ones((2, 2), np.float32)]).shape
    (3, 2)
    """
    dense = [block for block in blocks if isinstance(block, np.ndarray)]
    if len(dense) == len(blocks):
        return np.concatenate(dense)
    others = [block for block in blocks if not isinstance(block, np.ndarray)]
    ends = np.cumsum([0, *(block.offsets[-1] for block in others)])
    offsets = [block.offsets[1:] + end for block, end in zip(others, ends, strict=False)]
    edges = np.concatenate([[0], *offsets]).astype(np.int64)
    values = np.concatenate([block.values for block in others])
    sparse = [block for block in others if isinstance(block, CSR)]
    if sparse:
        return CSR(edges, np.concatenate([block.indices for block in sparse]), values, sparse[0].width)
    return Ragged(values, edges)


def taken(vectors: Vectors, rows: Rows) -> Vectors:
    """Return the vectors of the chosen rows, in that order.

    Examples
    --------
    >>> taken(np.array([[1.0], [2.0]], np.float32), np.array([1, 1, 0])).ravel().tolist()
    [2.0, 2.0, 1.0]
    """
    if isinstance(vectors, np.ndarray):
        return vectors[rows]
    if isinstance(vectors, CSR):
        return vectors.take(rows)
    offsets, flat = ragged_take(vectors.offsets, rows)
    return Ragged(vectors.values[flat], offsets)
