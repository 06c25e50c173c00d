"""Vectors that evaluations have made before, kept in the user's cache, so that a rerun or a stopped run goes on."""

from __future__ import annotations

import hashlib
import os
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import Dense, Vectors
from isogloss.compiled import cache_folder
from isogloss.protocols import Encoder, EncodeReport, Progress, Role

STEP = 128
"""Texts that an encoder without batches of its own takes at once."""
FLUSH = 64
"""Vectors that are written together."""
_KEY = 16


def text_key(text: str) -> bytes:
    """Return the 16-byte hash that a text is found by.

    Examples
    --------
    >>> len(text_key("heat")), text_key("heat") == text_key("Heat")
    (16, False)
    """
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=_KEY).digest()


class VectorFile:
    """One file of vectors of one encoder in one role: rows of key, checksum and vector, only ever appended to.

    A row whose checksum is wrong does not exist, so a process that is killed while it writes loses its last rows and
    nothing else.

    Parameters
    ----------
    path
        The file; made when the first vector is added.
    dimensions
        Length of a vector.

    Examples
    --------
    >>> import tempfile
    >>> file = VectorFile(Path(tempfile.mkdtemp()) / "a.vectors", 2)
    >>> file.add([text_key("heat")], np.ones((1, 2), np.float32))
    >>> VectorFile(file.path, 2).find([text_key("heat"), text_key("cold")]).tolist()
    [[1.0, 1.0], [nan, nan]]
    """

    def __init__(self, path: Path, dimensions: int) -> None:
        self.path, self.dimensions = path, dimensions
        self._row = np.dtype([("key", f"S{2 * _KEY}"), ("check", "<u4"), ("vector", "<f4", (dimensions,))])
        self._rows: NDArray[Any] = np.zeros(0, self._row)
        with suppress(OSError, ValueError):
            whole = path.stat().st_size // self._row.itemsize
            if whole:
                self._rows = np.memmap(path, self._row, "r", shape=(whole,))
        self._places = {bytes(key): i for i, key in enumerate(self._rows["key"])}

    def find(self, keys: Sequence[bytes]) -> Dense:
        """Return the vectors of ``keys``; rows of NaN where there is none: ``(n, d)``."""
        out = np.full((len(keys), self.dimensions), np.nan, np.float32)
        for i, key in enumerate(keys):
            place = self._places.get(key.hex().encode())
            if place is not None and self._whole(place):
                out[i] = self._rows[place]["vector"]
        return out

    def _whole(self, place: int) -> bool:
        row = self._rows[place]
        return int(row["check"]) == _checksum(bytes(row["key"]), row["vector"])

    def add(self, keys: Sequence[bytes], vectors: Dense) -> None:
        """Append vectors; a disk that cannot be written is no error, the vectors are then not kept."""
        rows = np.zeros(len(keys), self._row)
        for i, key in enumerate(keys):
            rows[i] = (key.hex(), _checksum(key.hex().encode(), vectors[i]), vectors[i])
        with suppress(OSError):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with open(self.path, "ab") as file, _locked(file):
                file.seek(0, os.SEEK_END)
                torn = file.tell() % self._row.itemsize
                if torn:  # a process was killed while it wrote
                    file.truncate(file.tell() - torn)
                file.write(rows.tobytes())


def _checksum(key: bytes, vector: Any) -> int:
    return zlib.crc32(np.asarray(vector, "<f4").tobytes(), zlib.crc32(key))


@contextmanager
def _locked(file: IO[bytes]) -> Iterator[None]:
    """Hold the file alone where the system can do that."""
    try:
        import fcntl
    except ImportError:  # Windows: a file torn by two writers is caught by its checksums
        yield
        return
    fcntl.flock(file, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(file, fcntl.LOCK_UN)


def encode_kept(
    encoder: Encoder, texts: Sequence[str], role: Role, progress: Progress, *, report: EncodeReport, what: str = ""
) -> tuple[Dense, int]:
    """Encode texts, taking from the cache what is there; slow encoders put what they make there as they go.

    Parameters
    ----------
    encoder
        A dense encoder.
    texts
        What to encode; equal texts are encoded once.
    role
        Of the texts.
    progress
        Told about what is really encoded.
    report
        Is added to by what is really encoded.
    what
        Name shown as the stage.

    Returns
    -------
    tuple
        The vectors ``(n, d)``, and how many texts were really encoded.
    """
    keys = [text_key(text) for text in texts]
    if getattr(encoder, "speed", "slow") == "fast":
        vectors = np.asarray(encoder.encode(list(texts), role=role, report=report), np.float32)
        return vectors, len(texts)
    file = VectorFile(_place(encoder, role), int(encoder.dimensions))  # type: ignore[attr-defined]
    out = file.find(keys)
    missing = list({keys[i]: i for i in np.flatnonzero(np.isnan(out[:, 0])).tolist()}.values()) if len(keys) else []
    if missing:
        progress.start(what or "encode", len(missing), "texts")
        try:
            made = _encode_missing(encoder, [texts[i] for i in missing], role, progress, file, report)
        finally:
            progress.finish()
        place = {keys[i]: n for n, i in enumerate(missing)}
        for i in np.flatnonzero(np.isnan(out[:, 0])).tolist():
            out[i] = made[place[keys[i]]]
    return out, len(missing)


def _place(encoder: Encoder, role: Role | None) -> Path:
    return cache_folder() / "evaluation" / f"{encoder.identity[:32]}-{role}.vectors"


def _encode_missing(
    encoder: Encoder, texts: list[str], role: Role | None, progress: Progress, file: VectorFile, report: EncodeReport
) -> Dense:
    out = np.zeros((len(texts), file.dimensions), np.float32)
    for positions, vectors in _keeping(encoder, texts, role, file, report):
        out[positions] = vectors
        progress.advance(len(positions))
    return out


def _keeping(
    encoder: Encoder, texts: list[str], role: Role | None, file: VectorFile, report: EncodeReport
) -> Iterator[tuple[NDArray[np.int64], Dense]]:
    """Yield positions and vectors as they are made, and keep them a few at a time; the last ones at the very end."""
    keys: list[bytes] = []
    waiting: list[Dense] = []
    try:
        for positions, vectors in _batches(encoder, texts, role, report):
            keys += [text_key(texts[i]) for i in positions.tolist()]
            waiting.append(vectors)
            if len(keys) >= FLUSH:
                file.add(keys, np.concatenate(waiting))
                keys, waiting = [], []
            yield positions, vectors
    finally:
        if keys:
            file.add(keys, np.concatenate(waiting))


def _batches(
    encoder: Encoder, texts: list[str], role: Role | None, report: EncodeReport
) -> Iterator[tuple[NDArray[np.int64], Dense]]:
    """Yield positions and vectors as they are made."""
    own = getattr(encoder, "encode_batches", None)
    if own is not None:
        yield from own(texts, role=role, report=report)
        return
    for start in range(0, len(texts), STEP):
        part = texts[start : start + STEP]
        vectors = np.asarray(encoder.encode(part, role=role, report=report), np.float32)
        yield np.arange(start, start + len(part)), vectors


class KeptVectors:
    """A slow encoder whose vectors are kept as they are made; everything else is the encoder's own.

    Parameters
    ----------
    encoder
        A slow encoder of dense vectors.

    Attributes
    ----------
    taken
        Vectors that were there already.
    """

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self.taken = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._encoder, name)

    def encode(
        self, inputs: str | Iterable[str], *, role: Role | None = None, instruction: str | None = None,
        report: EncodeReport | None = None,
    ) -> Vectors:  # fmt: skip
        """Encode as the encoder does, taking what is kept."""
        if instruction is not None:
            return self._encoder.encode(inputs, role=role, instruction=instruction, report=report)
        texts = [inputs] if isinstance(inputs, str) else list(inputs)
        out = np.zeros((len(texts), int(self._encoder.dimensions)), np.float32)  # type: ignore[attr-defined]
        for positions, vectors in self.encode_batches(texts, role=role, report=report):
            out[positions] = vectors
        return out

    def encode_batches(
        self, inputs: Iterable[str], *, role: Role | None = None, report: EncodeReport | None = None
    ) -> Iterator[tuple[NDArray[np.int64], Dense]]:
        """Yield positions and vectors: first what is kept, then batches as they are made."""
        texts, own = list(inputs), EncodeReport() if report is None else report
        file = VectorFile(_place(self._encoder, role), int(self._encoder.dimensions))  # type: ignore[attr-defined]
        found = file.find([text_key(text) for text in texts])
        there = ~np.isnan(found[:, 0]) if len(texts) else np.zeros(0, np.bool_)
        known, missing = np.flatnonzero(there), np.flatnonzero(~there)
        if len(known):
            self.taken += len(known)
            cut = cut_report(self._encoder, [texts[i] for i in known.tolist()])
            own.add(**cut.to_dict())
            yield known, found[known]
        if len(missing):
            for positions, vectors in _keeping(self._encoder, [texts[i] for i in missing.tolist()], role, file, own):
                yield missing[positions], vectors


def cut_report(encoder: Encoder, texts: Sequence[str]) -> EncodeReport:
    """Count what the window cuts, without encoding."""
    report = EncodeReport()
    window, tokenizer = getattr(encoder, "window", 0), getattr(encoder, "tokenizer", None)
    if not window or tokenizer is None:
        return EncodeReport(texts=len(texts))
    for start in range(0, len(texts), 4096):
        full = tokenizer(texts[start : start + 4096]).full
        lost = np.maximum(full - window, 0)
        report.add(
            texts=len(full), tokens=int(full.sum()), cut=int((lost > 0).sum()), lost=int(lost.sum()), window=window
        )
    return report
