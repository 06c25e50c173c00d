"""A small collection of own texts, and fake encoders that count what they are asked."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from isogloss.arrays import Similarity
from isogloss.collection.collection import Collection
from isogloss.encoders.surface import EncoderSurface
from isogloss.protocols import EncodeReport, Role

TOPICS = {
    "heat.md": "# Heat\n\nHeat conduction in composite slabs. The temperature of each layer falls with its depth.\n",
    "wing.md": "# Wings\n\nA wing in a propeller slipstream carries more lift than a wing in still air.\n",
    "zip.md": "# Archives\n\nTo read one file out of a zip archive, open the archive and name the member.\n",
    "bread.txt": "Bread dough rises because yeast makes gas. Bake it in a hot oven until the crust is brown.\n",
    "guide/cats.md": "# Cats\n\nCats sleep for most of the day and hunt mice at dusk.\n",
    "guide/tax.txt": "Income tax is due in April. Late payment costs interest for each month that has begun.\n",
}


class FakeEncoder(EncoderSurface):
    """Dense vectors from hashed words; counts the texts that it encodes."""

    similarity = Similarity.COSINE
    kind = "dense"
    window = 0

    def __init__(self, name: str, *, width: int = 64, salt: int = 0, speed: str = "slow") -> None:
        self.name, self.dimensions, self.salt, self.speed = name, width, salt, speed
        self.languages: frozenset[str] | None = None
        self.asked: list[str] = []
        self.stop_after: int | None = None

    @property
    def identity(self) -> str:
        return f"{self.name}-{self.dimensions}-{self.salt}"

    def encode(
        self,
        inputs: str | Iterable[str],
        *,
        role: Role | None = None,
        instruction: str | None = None,
        report: EncodeReport | None = None,
    ) -> np.ndarray:
        texts = [inputs] if isinstance(inputs, str) else list(inputs)
        out = np.zeros((len(texts), self.dimensions), np.float32)
        for i, text in enumerate(texts):
            if self.stop_after is not None and len(self.asked) >= self.stop_after:
                self.stop_after = None
                raise KeyboardInterrupt
            self.asked.append(text)
            for word in text.lower().split():
                out[i, (zlib.crc32(word.strip(".,").encode()) + self.salt * 13) % self.dimensions] += 1
        if report is not None:
            report.add(texts=len(texts), tokens=sum(len(text.split()) for text in texts))
        return out / np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-9)


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    """Return a folder with six small documents."""
    root = tmp_path / "docs"
    for name, text in TOPICS.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


@pytest.fixture
def make(tmp_path: Path) -> Iterable[Callable[..., Collection]]:
    """Return a function that creates a collection; all are closed at the end."""
    opened: list[Collection] = []

    def create(name: str = "index", **kwargs: Any) -> Collection:
        opened.append(Collection.create(tmp_path / name, **({"encoders": ["words"]} | kwargs)))
        return opened[-1]

    yield create
    for collection in opened:
        collection.close()


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Callable[..., FakeEncoder]:
    """Register fake encoders by name beside the real ones."""
    import isogloss.encoders.names as names

    known: dict[str, FakeEncoder] = {}
    real = names.load_encoder

    def load(name: str, **kwargs: Any) -> Any:
        return known[name] if name in known else real(name, **kwargs)

    monkeypatch.setattr(names, "load_encoder", load)

    def register(name: str = "fake", **kwargs: Any) -> FakeEncoder:
        known[name] = FakeEncoder(name, **kwargs)
        return known[name]

    return register
