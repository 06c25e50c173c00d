"""Small indexes for the tests of the store."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from isogloss.index.store.rows import NewChunk, NewDocument, StoredEncoder
from isogloss.index.store.store import Store


def make_document(name: str, texts: list[str], **fields: object) -> NewDocument:
    """Return a document whose state and hashes follow from its texts."""
    chunks, start = [], 0
    for text in texts:
        chunks.append(NewChunk(start, text, abs(hash(text)) % 2**62, ("Part", "Section")))
        start += len(text)
    return NewDocument(name, int(fields.pop("root", 0)), "".join(texts).encode(), chunks, **fields)  # type: ignore[arg-type]


@pytest.fixture
def document() -> Callable[..., NewDocument]:
    return make_document


@pytest.fixture
def index(tmp_path: Path) -> Path:
    """An index of three documents, five chunks, one encoder with one segment."""
    path = tmp_path / "index"
    with Store.create(path, {"budget": 240}) as store, store.transaction() as t:
        root = t.put_root("docs")
        documents = [
            make_document("a.md", ["alpha one. ", "alpha two."], root=root, language="en", metadata={"year": 1950}),
            make_document("b.md", ["beta."], root=root, language="de", metadata={"year": 1960, "draft": True}),
            make_document("c.md", ["gamma one. ", "gamma two."], root=root, language="en"),
        ]
        numbers = t.upsert(documents)
        t.set_encoder(StoredEncoder("static", "dense", "id-1", "cosine", 4, {"x": 1}, {"v": np.ones((8, 4), "f4")}))
        vectors = np.arange(20, dtype=np.float32).reshape(5, 4)
        t.add_segment("static", {"rows": numbers, "vectors": vectors}, numbers)
    return path


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user may enter (pytest's own temporary folders are private)."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)


@pytest.fixture
def unprivileged() -> Callable[[Path], object]:
    """A context in which a folder cannot be written, whoever runs the tests."""

    @contextmanager
    def context(folder: Path) -> Iterator[None]:
        paths = [folder, *folder.rglob("*")]
        for path in paths:
            os.chmod(path, 0o555 if path.is_dir() else 0o444)
        root = os.geteuid() == 0
        if root:
            os.seteuid(65534)
        try:
            yield
        finally:
            if root:
                os.seteuid(0)
            for path in paths:
                if path.exists():
                    os.chmod(path, 0o755 if path.is_dir() else 0o644)

    return context
