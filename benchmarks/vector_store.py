"""Vectors of texts, kept between runs: a text is encoded once by each variant of a model, in whatever collection."""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from surroundings import rivals_folder

BLOCK = 96
LAYERS = {"minilm layer 2": 2, "minilm layer 4": 4, "minilm": 6}
"""Variants that come from one pass: the mean over a layer's token states, scaled to length one; 6 is the last layer."""
CUT = {"minilm 64 tokens": 64, "minilm 32 tokens": 32}


class VectorStore:
    """Encodes texts by the variants of MiniLM that it does not have yet, and remembers them in one file."""

    def __init__(self, file: Path | None = None) -> None:
        folder = Path(os.environ.get("ISOGLOSS_BENCH_CACHE") or rivals_folder() / "vectors")
        folder.mkdir(parents=True, exist_ok=True)
        self.store = sqlite3.connect(file or folder / "texts.db", timeout=120)
        self.store.execute("pragma journal_mode=wal")
        self.store.execute(
            "create table if not exists vectors(kind text, key blob, vector blob, primary key(kind, key)) without rowid"
        )
        self.encoders: dict[str, Any] = {}

    def get(self, kind: str, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the vectors of texts by a variant, ``(n, 384)``."""
        keys = [hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest() for text in texts]
        found = self._known(kind, sorted(set(keys)))
        missing = sorted({key: text for key, text in zip(keys, texts, strict=True) if key not in found}.items(),
                         key=lambda item: len(item[1]))  # fmt: skip
        for start in range(0, len(missing), BLOCK):
            block = missing[start : start + BLOCK]
            made = self._encode(kind, [text for _, text in block])
            for name, vectors in made.items():
                rows = [(name, key, vector.tobytes()) for (key, _), vector in zip(block, vectors, strict=True)]
                self.store.executemany("insert or ignore into vectors values (?, ?, ?)", rows)
            self.store.commit()
            found |= {key: vector for (key, _), vector in zip(block, made[kind], strict=True)}
        return np.stack([found[key] for key in keys])

    def _known(self, kind: str, keys: list[bytes]) -> dict[bytes, NDArray[np.float32]]:
        found = {}
        for start in range(0, len(keys), 500):
            part = keys[start : start + 500]
            marks = ",".join("?" * len(part))
            rows = self.store.execute(
                f"select key, vector from vectors where kind = ? and key in ({marks})", [kind, *part]
            )
            found |= {key: np.frombuffer(vector, np.float32) for key, vector in rows}
        return found

    def _encode(self, kind: str, texts: list[str]) -> dict[str, NDArray[np.float32]]:
        from isogloss.encoders.names import load_encoder
        from isogloss.protocols import EncodeReport

        window = CUT.get(kind)
        if kind not in self.encoders:
            self.encoders[kind] = load_encoder("minilm", threads=1, max_length=window)
        if window:
            return {kind: self.encoders[kind].encode(texts, role="document", report=EncodeReport())}
        states, _ = self.encoders[kind].states(texts, list(LAYERS.values()))
        bounds = zip(states.offsets[:-1], states.offsets[1:], strict=True)
        means = np.stack([states.values[start:end].mean(0) for start, end in bounds])
        means /= np.maximum(np.linalg.norm(means, axis=-1, keepdims=True), 1e-12)
        return {name: np.ascontiguousarray(means[:, place], np.float32) for place, name in enumerate(LAYERS)}
