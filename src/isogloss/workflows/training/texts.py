"""Texts without labels to learn from: the sentences of a folder of documents, or of a file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from isogloss.corpus.read import read
from isogloss.corpus.test_collections.tables import text_lines
from isogloss.errors import CorpusError
from isogloss.protocols import Progress, Record
from isogloss.seeding import generator
from isogloss.text.sentences import sentences

SHORTEST = 3
"""Fewest words of a sentence that is learned from."""


def sentences_of(place: str, progress: Progress) -> list[str]:
    """Return the distinct sentences of a folder of documents or a file, in order; of a ``.txt`` file its lines.

    Parameters
    ----------
    place
        As ``isogloss add`` takes it; a single ``.txt`` file holds one text a line, as for ``isogloss train``.
    progress
        Told about the documents.

    Raises
    ------
    CorpusError
        Where there is no text.
    """
    path = Path(place).expanduser()
    if not path.exists():
        raise CorpusError(f"there is nothing at {place}", "it is no file and no folder", "check the path")
    progress.start("read documents", None, "documents")
    try:
        lines = path.is_file() and path.name.endswith((".txt", ".txt.gz"))
        found = dict.fromkeys(_lines(path) if lines else _sentences(path, progress))
    finally:
        progress.finish()
    if not found:
        raise CorpusError(f"{place} has no sentence to learn from", "", f"sentences of {SHORTEST} words and more count")
    return list(found)


def _lines(path: Path) -> Iterator[str]:
    return (text for _, line in text_lines(path) if len((text := " ".join(line.split())).split()) >= SHORTEST)


def _sentences(path: Path, progress: Progress) -> Iterator[str]:
    for record in read(path):
        progress.advance(1)
        if isinstance(record, Record):
            for start, end in sentences(record.text):
                text = " ".join(record.text[start:end].split())
                if len(text.split()) >= SHORTEST:
                    yield text


def shuffled(texts: Sequence[str], seed: int) -> list[str]:
    """Return the texts in an order drawn from the seed."""
    order = generator(seed, "texts").permutation(len(texts))
    return [texts[i] for i in np.asarray(order)]
