"""Where the questions that were made from documents are kept, and which of them were asked last."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from isogloss.compiled import cache_folder
from isogloss.errors import CorpusError
from isogloss.mining.questions.question import VERSION, QuestionSet
from isogloss.protocols import Record
from isogloss.workflows.judged_evaluation import Source, opened
from isogloss.workflows.requests import Request

_FOLDER = "questions"


@dataclass(frozen=True, slots=True)
class Kept:
    """Questions that an evaluation made.

    Attributes
    ----------
    path
        The file.
    made
        What it holds.
    current
        Whether they were made from the documents as the index has them now.
    others
        How many more such files there are, of other settings or of earlier states of the documents.
    """

    path: str
    made: QuestionSet
    current: bool
    others: int

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data; the held-out texts stay in the file."""
        return {
            "path": self.path,
            "count": len(self.made),
            "seed": self.made.seed,
            "current": self.current,
            "notes": self.made.notes,
            "questions": [asdict(question) for question in self.made.questions],
        }


def places(request: Request, source: Source) -> list[Path]:
    """Return where the questions of a request are kept: beside the index, else in the user's cache.

    The name holds a hash of the documents, and one of how many questions, the seed and who writes them: other ones
    are other questions.
    """
    asked = f"{request.questions} {request.seed} {VERSION} {request.writer} {request.writer_model}".rstrip()
    name = f"{_stem(source)}-{hashlib.sha256(asked.encode()).hexdigest()[:6]}.jsonl"
    return [folder / name for folder in _folders(request.index if source.snapshot is not None else "")]


def keep(made: QuestionSet, where: Sequence[Path]) -> Path:
    """Write questions into the first of the places that can be written.

    Raises
    ------
    CorpusError
        Where none can.
    """
    for place in where:
        with suppress(OSError):
            place.parent.mkdir(parents=True, exist_ok=True)
            aside = place.with_name(f".{place.name}.{os.getpid()}")
            made.save(aside)
            os.replace(aside, place)
            return place
    raise CorpusError(
        "the questions cannot be kept", f"neither {where[0].parent} nor {where[-1].parent} can be written",
        "set XDG_CACHE_HOME to a folder that can be written",
    )  # fmt: skip


def load(where: Sequence[Path], records: Sequence[Record]) -> tuple[QuestionSet, Path] | None:
    """Return the questions that are kept at one of the places, and mark them as the last asked; None where none are.

    Raises
    ------
    CorpusError
        Where they (perhaps edited by hand) are about documents that are not there.
    """
    path = next((place for place in where if place.is_file()), None)
    if path is None:
        return None
    made = QuestionSet.load(path)
    known = {record.id for record in records}
    lost = [question.document for question in made.questions if question.document not in known]
    if lost:
        raise CorpusError(
            f"{len(lost):,} of {len(made):,} kept questions are about documents that are not there",
            f"{path}, the first is about {lost[0]}", "take these lines out, or delete the file to make new questions",
        )  # fmt: skip
    with suppress(OSError):
        os.utime(path)
    return made, path


def last_asked(index: str) -> Kept:
    """Return the questions that were made from the documents of an index, the last asked ones.

    Those of the documents as they are now come before those of an earlier state.

    Raises
    ------
    CorpusError
        Where none were made yet.
    IndexNotFoundError
        Where there is no index.
    """
    with opened(Request(kind="questions", index=index)) as source:
        stem = _stem(source)
        beside, cache = _folders(index)
        found = [*beside.glob("questions-*.jsonl"), *cache.glob(f"{stem}-*.jsonl")]
    if not found:
        raise CorpusError(
            f"no questions were made from the documents of {os.path.normpath(index)} yet",
            "isogloss eval makes and keeps them", f"run: isogloss eval{index_words(index)}",
        )  # fmt: skip
    path = max(found, key=lambda one: (one.name.startswith(stem), one.stat().st_mtime, one.name))
    shown = os.path.relpath(path)
    return Kept(
        str(path) if shown.startswith(os.pardir) else shown, QuestionSet.load(path),
        path.name.startswith(stem), len(found) - 1,
    )  # fmt: skip


def index_words(index: str) -> str:
    """Return the option that names an index in a command; nothing for the usual one.

    Examples
    --------
    >>> index_words(".isogloss"), index_words("my notes/.isogloss")
    ('', " --index 'my notes/.isogloss'")
    """
    import shlex

    return "" if os.path.normpath(index) == ".isogloss" else f" --index {shlex.quote(index)}"


def _stem(source: Source) -> str:
    return f"questions-{source.hash().sha256[:12]}"


def _folders(index: str) -> list[Path]:
    return [Path(folder) / _FOLDER for folder in ([index] if index else [])] + [cache_folder() / _FOLDER]
