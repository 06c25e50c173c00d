"""Questions made from documents, the documents without the parts that became questions, and their file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from isogloss.errors import CorpusError, UsageError
from isogloss.protocols import Record
from isogloss.seeding import generator

VERSION = 1


@dataclass(frozen=True, slots=True)
class Question:
    """One question and the document that answers it.

    Attributes
    ----------
    id
        Distinct within the set.
    text
        What is asked.
    document
        Id of the document it was made from, its one right answer.
    kind
        How it was made: ``title``, ``heading``, ``sentence``, ``keyphrase``, ``definition``, ``term`` or ``written``.
    span
        Where it came from in the document's text, in characters; ``None`` where it came from the title or was written.
    overlap
        Share of the question's words, weighted by their rarity, that occur in the document as it is searched.
    weight
        What the question counts in an average; the weights of a set have the mean 1.
    related
        Ids of documents about the same topic, by their other words; right answers where a topic is looked for.
    """

    id: str
    text: str
    document: str
    kind: str
    span: tuple[int, int] | None
    overlap: float
    weight: float = 1.0
    related: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class QuestionSet:
    """Questions, and what must be searched instead of the documents that they were cut from.

    Attributes
    ----------
    questions
        At most one a document where there are documents enough.
    held_out
        Text of each changed document without the parts that became questions.
    titles
        Title of each document whose title was changed (mostly to nothing).
    notes
        What was left out and why, in words with counts.
    seed
        Seed of all choices.
    """

    questions: list[Question]
    held_out: dict[str, str]
    titles: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    seed: int = 0

    def __len__(self) -> int:
        return len(self.questions)

    def queries(self) -> dict[str, str]:
        """Return the text of each question by its id."""
        return {question.id: question.text for question in self.questions}

    def qrels(self, *, topic: bool = False) -> dict[str, dict[str, float]]:
        """Return the judgements: each question has one relevant document.

        Parameters
        ----------
        topic
            Count the related documents as relevant, too: for people who look for everything about a topic.
        """
        return {
            question.id: dict.fromkeys((question.document, *(question.related if topic else ())), 1.0)
            for question in self.questions
        }

    def weights(self) -> dict[str, float]:
        """Return the weight of each question by its id."""
        return {question.id: question.weight for question in self.questions}

    def searched(self, records: Iterable[Record]) -> list[Record]:
        """Return the documents that a system must search: changed ones without what became a question.

        Parameters
        ----------
        records
            The documents that the questions were made from, in any order; others pass unchanged.

        Examples
        --------
        >>> held = QuestionSet([], {"a": "What is left."}, {"a": ""})
        >>> [(record.title, record.text) for record in held.searched([Record("a", "All of it.", "Title")])]
        [('', 'What is left.')]
        """
        return [self._changed(record) for record in records]

    def _changed(self, record: Record) -> Record:
        if record.id not in self.held_out and record.id not in self.titles:
            return record
        text = self.held_out.get(record.id, record.text)
        # offsets of headings would be wrong in a text that has been cut
        headings = record.headings if text == record.text else []
        return replace(record, text=text, title=self.titles.get(record.id, record.title), headings=headings)

    def subset(self, questions: Sequence[Question]) -> QuestionSet:
        """Return some of the questions over the same documents, their weights brought back to the mean 1."""
        total = sum(question.weight for question in questions)
        scale = len(questions) / total if total else 1.0
        scaled = [replace(question, weight=question.weight * scale) for question in questions]
        return replace(self, questions=scaled)

    def split(self, share: float = 0.5) -> tuple[QuestionSet, QuestionSet]:
        """Part the questions by document into one set to *choose* with and one to *prove* with.

        Parameters
        ----------
        share
            Share of the documents whose questions go to the first set, between 0 and 1.

        Raises
        ------
        UsageError
            Where the share is out of range or a side would have no question.

        Examples
        --------
        >>> made = [Question(str(i), "text", f"d{i % 3}", "sentence", None, 0.5) for i in range(6)]
        >>> choose, prove = QuestionSet(made, {}).split()
        >>> {q.document for q in choose.questions} & {q.document for q in prove.questions}
        set()
        """
        documents = list(dict.fromkeys(question.document for question in self.questions))
        first = round(share * len(documents))
        if not 0 < share < 1 or first in (0, len(documents)):
            raise UsageError(
                "the questions cannot be parted into two sets",
                f"they are about {len(documents)} documents, of which a share of {share} was asked for",
                "make more questions, or choose a share between 0 and 1",
            )
        order = generator(self.seed, "split").permutation(len(documents))
        chosen = {documents[i] for i in order[:first]}
        return (
            self.subset([question for question in self.questions if question.document in chosen]),
            self.subset([question for question in self.questions if question.document not in chosen]),
        )

    def save(self, path: str | Path) -> None:
        """Write a JSONL file that a person can read and edit: a line of settings, held-out texts, then questions."""
        lines: list[dict[str, Any]] = [{"isogloss": "questions", "version": VERSION, "seed": self.seed}]
        lines[0]["notes"] = self.notes
        for document in dict.fromkeys([*self.held_out, *self.titles]):
            changed: dict[str, Any] = {"held_out": document}
            if document in self.held_out:
                changed["text"] = self.held_out[document]
            if document in self.titles:
                changed["title"] = self.titles[document]
            lines.append(changed)
        lines.extend(asdict(question) for question in self.questions)
        Path(path).write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), "utf-8")

    @classmethod
    def load(cls, path: str | Path) -> QuestionSet:
        """Read what :meth:`save` wrote, edited or not; lines that were taken out are simply gone.

        Raises
        ------
        CorpusError
            Where a line is no JSON, misses a field, or repeats an id; the message names the line.
        """
        loaded = cls([], {}, {})
        seed, notes = 0, []
        for number, line in enumerate(Path(path).read_text("utf-8").splitlines(), 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
                if "isogloss" in row:
                    seed, notes = int(row["seed"]), [str(note) for note in row["notes"]]
                else:
                    loaded._take(row)
            except (ValueError, TypeError, LookupError, AttributeError) as error:
                raise CorpusError(
                    f"{path} cannot be read",
                    f"line {number}: {type(error).__name__}: {error}",
                    "mend or remove the line",
                ) from error
        if not loaded.questions:
            raise CorpusError(f"{path} has no questions", "no line holds one", "make them anew")
        return replace(loaded, seed=seed, notes=notes)

    def _take(self, row: Mapping[str, Any]) -> None:
        """Add what one line says."""
        if "held_out" in row:
            if "text" in row:
                self.held_out[str(row["held_out"])] = str(row["text"])
            if "title" in row:
                self.titles[str(row["held_out"])] = str(row["title"])
            return
        if any(question.id == row["id"] for question in self.questions):
            raise ValueError(f"the id {row['id']} occurs twice")
        span = None if row.get("span") is None else (int(row["span"][0]), int(row["span"][1]))
        text, weight, overlap = str(row["text"]), float(row.get("weight", 1.0)), float(row.get("overlap", 0.0))
        if not text.strip() or weight < 0:
            raise ValueError("a question needs a text and a weight that is not negative")
        self.questions.append(
            Question(
                str(row["id"]),
                text,
                str(row["document"]),
                str(row["kind"]),
                span,
                overlap,
                weight,
                tuple(map(str, row.get("related", ()))),
            )
        )
