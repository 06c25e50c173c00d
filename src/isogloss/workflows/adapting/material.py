"""The documents of an adaptation, split once by document: some teach, some choose, some prove."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from isogloss.errors import CorpusError, IndexNotFoundError, UsageError
from isogloss.evaluation.run_file import DataHash, hash_records
from isogloss.mining.questions.make import make_questions
from isogloss.mining.questions.question import QuestionSet
from isogloss.mining.questions.written import Ask
from isogloss.protocols import Progress, Record
from isogloss.workflows.adapting.halves import middle_length, short_texts
from isogloss.workflows.adapting.order import Order

FEWEST = 30
"""Questions that *prove* needs: with fewer no gain of a size that matters can be seen."""
NEEDED = 120
"""Documents with a text that an adaptation needs."""
ASKED, MOST = 0.45, 700
"""Share of the documents that questions are asked about, and the most of them."""
CHOOSING = 0.43
"""Share of the asked documents that choose; the others prove."""


@dataclass(slots=True)
class Material:
    """Documents and questions.

    Attributes
    ----------
    name
        Of the documents, for titles and folders.
    records
        All documents.
    train
        Those that teach: nothing is asked about them.
    choose, prove
        Questions about other documents; no document is asked about in both.
    data
        Hash of the documents.
    notes
        What was made and left out.
    halved
        The texts are too short to hold something out of: questions are written by a chat model, lessons are halves.
    pace
        Questions that are made in a second.
    """

    name: str
    records: list[Record]
    train: list[Record]
    choose: QuestionSet
    prove: QuestionSet
    data: DataHash
    notes: list[str] = field(default_factory=list)
    halved: bool = False
    pace: float = 50.0


def read_documents(order: Order) -> tuple[str, list[Record]]:
    """Return the name of the documents and the documents, of a folder, a file, a BEIR folder, or an index.

    Raises
    ------
    CorpusError
        Where there are none.
    IndexNotFoundError
        Where neither documents nor an index were named.
    """
    from isogloss.index.store.store import Store

    if not order.on:
        if not Store.exists(order.index):
            raise IndexNotFoundError(
                "which documents?", f"no folder was named and there is no index at {order.index}",
                "isogloss adapt --on DIR, or isogloss add DIR first",
            )  # fmt: skip
        return _of_index(order.index)
    if Store.exists(order.on):
        return _of_index(order.on)
    place = Path(order.on).expanduser()
    name = place.resolve().stem
    if place.is_dir() and any((place / one).is_file() for one in ("corpus.jsonl", "corpus.jsonl.gz")):
        from isogloss.corpus.test_collections.beir import read_documents as of_beir

        file = next(place / one for one in ("corpus.jsonl", "corpus.jsonl.gz") if (place / one).is_file())
        return name, of_beir(file)
    from isogloss.corpus.read import read

    return name, [one for one in read(place) if isinstance(one, Record)]


def _of_index(folder: str) -> tuple[str, list[Record]]:
    from isogloss.index.store.store import Store
    from isogloss.workflows.passages import records_of_index

    with Store.open(folder) as store:
        records, _ = records_of_index(store.snapshot)
    return os.path.basename(os.path.dirname(os.path.abspath(folder))) or "documents", records


def split_material(
    name: str, records: Sequence[Record], seed: int, *, ask: Ask | None = None, progress: Progress | None = None
) -> Material:
    """Ask about some of the documents, and keep the others to learn from.

    Parameters
    ----------
    name, records
        The documents.
    seed
        Of the choice.
    ask
        A chat model that writes some of the questions.
    progress
        Told about the documents.

    Raises
    ------
    CorpusError
        Where there are too few documents, too few questions can be made, or texts are too short and nobody writes
        questions; the message says what is needed.
    """
    full = [record for record in records if record.text.strip()]
    if len(full) < NEEDED:
        raise CorpusError(
            f"{len(full):,} documents are too few to adapt to",
            f"{NEEDED} with a text are needed: a part teaches, a part chooses, and {FEWEST} questions must prove",
            "add more documents, or cut long ones into several",
        )
    wanted = min(MOST, int(ASKED * len(full)))
    halved, began = short_texts(full), time.perf_counter()
    if halved and ask is None:
        raise CorpusError(
            "these texts are too short to prove a gain without labels",
            f"the middle one has {middle_length(full):.0f} words, so that nothing can be held out of it to ask for; "
            "where one half of such texts looked for the other, gains were seen that people's labels deny",
            "let a chat server write the questions (--write-with URL), put short texts together into longer documents, "
            "or train on rows that somebody labelled (isogloss train --on FILE)",
        )
    kinds = ["written"] if halved else None
    made = make_questions(full, count=wanted, seed=seed, kinds=kinds, endpoint=ask, progress=progress)
    documents = {question.document for question in made.questions}
    if len(documents) < FEWEST / (1 - CHOOSING):
        raise CorpusError(
            f"questions about {len(documents)} documents are too few to prove anything",
            f"{round(FEWEST / (1 - CHOOSING))} are needed; {'; '.join(made.notes)}", "add more or longer documents",
        )  # fmt: skip
    pace = len(made) / max(time.perf_counter() - began, 1e-6)
    choose, prove = made.split(CHOOSING)
    train = [record for record in full if record.id not in documents]
    said = (
        f"{len(train):,} documents to learn from, {len(choose):,} questions to choose, {len(prove):,} to prove, "
        "about other documents"
    )
    return Material(
        name, full, train, choose, prove, hash_records(full, name), [said, *made.notes[-1:]], halved, pace
    )  # fmt: skip


def digest(material: Material, order: Order) -> str:
    """Return what finished candidates are kept under: a hash of documents and of what shapes a candidate.

    The budget is no part of it: with more time the same candidates are taken further.
    """
    from isogloss.encoders.names import load_encoder

    identity = load_encoder(order.base).identity
    parts = [material.data.sha256, identity, str(order.seed), order.writer, order.writer_model]
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:16]


def check_place(out: Path) -> None:
    """Refuse a place that is taken, before anything is computed.

    Raises
    ------
    UsageError
        Where it is.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out} is there already", "an adaptation never replaces anything", "choose another --out")
