"""Encoders over files of word vectors."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from contract_parts import Made

from isogloss.encoders.word_conversion import convert
from isogloss.encoders.word_store import WordStore
from isogloss.encoders.word_vector_encoder import WordVectorEncoder

WORDS = ["the", "of", "heat", "slab", "wing", "wind", "archives", "tea", "steeped", "degrees", "word", "a", "in"]


def word_store(folder: Path, name: str = "store", seed: int = 0, words: int = len(WORDS)) -> WordStore:
    """Write and open a small store of random vectors."""
    rows = np.random.default_rng(seed).standard_normal((words, 12))
    lines = [f"{word} {' '.join(map(str, row))}\n" for word, row in zip(WORDS[:words], rows, strict=True)]
    (folder / f"{name}.txt").write_text("".join(lines), "utf-8")
    return WordStore.load(convert(folder / f"{name}.txt", folder / name))


def _made(folder: Path) -> Made:
    store, again = word_store(folder), word_store(folder, "again")
    changes: list[dict[str, Any]] = [
        {"unknown": "skip"}, {"unknown": "random"}, {"finish": "mean"}, {"unit_words": True},
        {"weights": np.arange(1, len(WORDS) + 1)},
    ]  # fmt: skip
    others = [WordVectorEncoder(store, **{"unknown": "neighbours"} | one) for one in changes]
    rest = [word_store(folder, "other", seed=1), word_store(folder, "fewer", words=len(WORDS) - 1)]
    others += [WordVectorEncoder(one, unknown="neighbours") for one in rest]
    first, second = (WordVectorEncoder(one, unknown="neighbours") for one in (store, again))
    return Made(first, second, tuple(others))


encoders: dict[str, Callable[[Path], Made]] = {"encoders.word_vector_encoder.WordVectorEncoder": _made}
