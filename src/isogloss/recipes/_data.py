"""The seam between roles and data: a name or path becomes plain examples, texts for fitting, and one digest."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from isogloss.corpus.examples import LabelledPairs, LabelledTexts, ScoredPairs
from isogloss.corpus.judgements import TestCollection
from isogloss.errors import CorpusError
from isogloss.evaluation.datasets.card import DataCard
from isogloss.protocols import Record

JUDGED = ("test", "all", "dev", "valid", "val", "pairs")
"""Parts that a check is judged on, the first that is there; ``train`` is for fitting."""
ENDINGS = (".jsonl", ".jsonl.gz", ".tsv", ".tsv.gz", ".csv", ".csv.gz", ".txt", ".txt.gz")


@dataclass(slots=True)
class Opened:
    """A data set that fills a role.

    Attributes
    ----------
    name, folder
        What was asked for, and where it lies (a folder, or one file).
    card
        Its data card, or None for data of the user's own.
    parts
        Parts that were read.
    """

    name: str
    folder: Path
    card: DataCard | None = None
    parts: dict[str, Any] = field(default_factory=dict)
    _digest: str = ""

    @property
    def known(self) -> list[str]:
        """Return the names of the parts that are there."""
        if self.card is not None:
            return list(dict.fromkeys(part for view in self.card.views for part in view.parts))
        if self.folder.is_file():
            return ["all"]
        if (self.folder / "qrels").is_dir():
            return sorted(path.name.removesuffix(".tsv") for path in (self.folder / "qrels").iterdir())
        return sorted({_stem(path) for path in self.folder.iterdir() if path.name.endswith(ENDINGS)})

    @property
    def task(self) -> str:
        """Return the kind of task that the card says, or an empty string."""
        return self.card.views[0].kind if self.card is not None else ""

    @property
    def train(self) -> str:
        """Return the part that fitting learns from: the card's, else ``train`` where there is one."""
        view = self.card.views[0] if self.card is not None else None
        if view is not None and view.train:
            return view.train
        return "train" if "train" in (view.parts if view is not None else self.known) else ""

    @property
    def judged(self) -> str:
        """Return the part that is judged on."""
        if self.card is not None:
            return self.card.views[0].main
        known = self.known
        return next((one for one in JUDGED if one in known), known[0] if known else "")

    @property
    def fitted_on_train(self) -> bool:
        """Say whether judging needs the train part too: labelled texts that have one."""
        return bool(self.train) and isinstance(self.part(), LabelledTexts)

    def part(self, part: str | None = None) -> Any:
        """Return the examples of a part; None for the one that is judged on.

        Raises
        ------
        CorpusError
            Where there is no such part; the message names those that are there.
        """
        name = part or self.judged
        if self.card is None and name not in self.known:
            raise CorpusError(f"{self.name} has no part {name!r}", f"it has {', '.join(self.known) or 'no data file'}")
        if name not in self.parts:
            self.parts[name] = self._read(name)
        return self.parts[name]

    def texts(self, part: str | None = None) -> list[str]:
        """Return distinct texts for fitting, in the order of the file: of the train part where no part is named."""
        found = texts_of(self.part(part or self.train or None))
        return list(dict.fromkeys(text for text in found if text.strip()))

    def digest(self) -> str:
        """Return a hash of the names and bytes of all files; no path of this machine is in it."""
        if not self._digest:
            whole = hashlib.sha256()
            files = [self.folder] if self.folder.is_file() else sorted(self.folder.rglob("*"))
            for path in files:
                if path.is_file() and path.name != "README.md":
                    whole.update(path.name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
            self._digest = whole.hexdigest()[:16]
        return self._digest

    def _read(self, part: str) -> Any:
        from isogloss.corpus.test_collections.beir import read_beir
        from isogloss.evaluation.datasets.load import load

        if self.card is not None:
            return load(self.card.name, part=part, folder=self.folder)
        if self.folder.is_file():
            return read_file(self.folder)
        if (self.folder / "qrels").is_dir():
            return read_beir(self.folder, part)
        return read_file(next(path for path in sorted(self.folder.iterdir()) if _is_part(path, part)))


def _stem(path: Path) -> str:
    ending = next(end for end in sorted(ENDINGS, key=len, reverse=True) if path.name.endswith(end))
    return path.name.removesuffix(ending)


def _is_part(path: Path, part: str) -> bool:
    return path.name.endswith(ENDINGS) and _stem(path) == part


def opened(name: str) -> Opened:
    """Find what fills a role: a data set with a card, or a path of the user's own.

    Raises
    ------
    CorpusError
        Where it is in neither place.
    """
    from isogloss.evaluation.datasets.card import card, names
    from isogloss.evaluation.datasets.load import find_folder

    path = Path(name).expanduser()
    if name in names() and os.sep not in name:
        return Opened(name, find_folder(name), card(name))
    if not path.exists():
        fix = "give a folder or file, or the name of a data set: isogloss check KEY --swap ROLE=NAME|PATH"
        raise CorpusError(f"there is no data set {name}", "it is neither a path nor has it a data card", fix)
    return Opened(path.name, path)


def read_file(path: Path) -> Any:
    """Read one file by what its rows hold: pairs, labelled texts, other rows as they are, or plain lines of text.

    Raises
    ------
    CorpusError
        Where a row is not what the first one promised.
    """
    from isogloss.corpus.test_collections.labelled import read_labelled
    from isogloss.corpus.test_collections.pairs import read_pairs

    if path.name.endswith((".txt", ".txt.gz")):
        return [line for line in _lines(path) if line.strip()]
    if not path.name.endswith((".jsonl", ".jsonl.gz")):
        return read_pairs(path)
    rows = [json.loads(line) for line in _lines(path) if line.strip()]
    fields = set(rows[0]) if rows and isinstance(rows[0], dict) else set()
    if {"a", "b"} <= fields and fields & {"score", "label"}:
        return read_pairs(path)
    if {"text", "label"} <= fields:
        return read_labelled(path)
    return rows


def _lines(path: Path) -> list[str]:
    raw = path.read_bytes()
    return (gzip.decompress(raw) if path.name.endswith(".gz") else raw).decode("utf-8").splitlines()


def texts_of(examples: Any) -> Iterable[str]:
    """Return every text of some examples, in order.

    Examples
    --------
    >>> import numpy as np
    >>> texts_of(ScoredPairs(["a"], ["b"], np.ones(1), np.zeros(1, np.int64)))
    ['a', 'b']
    """
    if isinstance(examples, ScoredPairs | LabelledPairs):
        return [text for pair in zip(examples.left, examples.right, strict=True) for text in pair]
    if isinstance(examples, LabelledTexts):
        return examples.texts
    if isinstance(examples, TestCollection):
        return [f"{document.title} {document.text}".strip() for document in examples.documents]
    if hasattr(examples, "texts"):
        return list(examples.texts)
    if isinstance(examples, list):
        return [row if isinstance(row, str) else _text_of_row(row) for row in examples]
    raise CorpusError(f"no texts for fitting in {type(examples).__name__}", "", "use lab.data and take what you need")


def _text_of_row(row: Any) -> str:
    if isinstance(row, Record):
        return f"{row.title}\n{row.text}" if row.title else row.text
    if isinstance(row, dict):
        for name in ("text", "sentence", "a", "query", "title"):
            if isinstance(row.get(name), str):
                return str(row[name])
    raise CorpusError("a row has no text", str(row)[:80], "use lab.data and take what you need")
