"""An examination room: questions, the passages that they are asked of, and how good a system's answers are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import CSR, Dense, normalise
from isogloss.corpus.judgements import RankedRun, judged_queries
from isogloss.evaluation.general_questions import general_questions
from isogloss.evaluation.metrics.ranking import measure
from isogloss.evaluation.sample import Sample
from isogloss.index.score_fusion import fused_scores
from isogloss.mining.questions.question import Question, QuestionSet
from isogloss.protocols import Encoder, EncodeReport, Progress, Record
from isogloss.seeding import generator
from isogloss.workflows.bench import LEAST_DEPTH
from isogloss.workflows.judged_evaluation import BUDGET
from isogloss.workflows.passages import cutter, passages_of
from isogloss.workflows.scoring import weighted_mean
from isogloss.workflows.vector_cache import encode_kept

METRIC = "ndcg@10"
DEEP = 50
"""Documents of a ranking that are kept: the metric reads ten."""


@dataclass(frozen=True, slots=True)
class Reading:
    """Vectors of unit length of the passages ``(n, d)`` and the questions ``(m, d)`` of a room."""

    passages: Dense
    questions: Dense


@dataclass(frozen=True, slots=True)
class Marks:
    """What a system reached in a room.

    Attributes
    ----------
    one
        By the one document that a question was made from.
    topic
        With the documents of its topic as right answers, too; None where no question has any.
    """

    one: Sample
    topic: Sample | None

    def value(self) -> float:
        """Return the mean of both judgements: what candidates are chosen by."""
        return self.one.value() if self.topic is None else (self.one.value() + self.topic.value()) / 2

    def both(self) -> NDArray[np.float64]:
        """Return for each question the mean of both judgements, unweighted."""
        items = self.one.items[:, 0]
        return np.asarray(items if self.topic is None else (items + self.topic.items[:, 0]) / 2, np.float64)


@dataclass(slots=True)
class Room:
    """Questions and passages.

    Attributes
    ----------
    made
        The questions.
    records
        The documents that are searched, without what was asked.
    """

    made: QuestionSet
    records: list[Record]
    texts: list[str] = field(default_factory=list)
    owners: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    _words: Dense | None = None

    def __post_init__(self) -> None:
        passages = passages_of(self.records, cutter(BUDGET))
        self.texts, self.owners = passages.fresh_texts, passages.owners

    def read(self, encoder: Encoder, progress: Progress, *, what: str = "") -> Reading:
        """Let an encoder read passages and questions; vectors of slow ones that lie on disk are taken from there."""
        asked = [question.text for question in self.made.questions]
        report = EncodeReport()
        passages, _ = encode_kept(
            encoder, self.texts, "document", progress, report=report, what=what or "read passages"
        )
        questions, _ = encode_kept(encoder, asked, "query", progress, report=report, what="read questions")
        return Reading(normalise(passages), normalise(questions))

    def words(self) -> Dense:
        """Return the BM25 score of each passage for each question, ``(m, n)``."""
        if self._words is None:
            self._words = word_scores([question.text for question in self.made.questions], self.texts)
        return self._words

    def marks(self, reading: Reading, words: float = 0.0) -> Marks:
        """Judge the answers of vectors, fused with those of the words at a weight (0: vectors alone)."""
        table = np.asarray(reading.questions @ reading.passages.T, np.float32)  # (m, n)
        if words:
            table = fused_scores([self.words(), table], depth=LEAST_DEPTH, weights=[words, 1.0], matched=[True, False])
        return self._judged(table)

    def _judged(self, table: Dense) -> Marks:
        first = np.flatnonzero(np.r_[True, np.diff(self.owners) > 0])
        best = np.maximum.reduceat(table, first, axis=1)  # (m, documents)
        names = [self.records[owner].id for owner in self.owners[first].tolist()]
        found: dict[str, Mapping[str, float]] = {}
        deep = min(DEEP, best.shape[1])
        for row, question in enumerate(self.made.questions):
            top = np.argpartition(-best[row], deep - 1)[:deep]
            found[question.id] = {names[i]: float(best[row, i]) for i in top.tolist()}
        run = RankedRun.from_scores(found)
        known = set(names)
        return Marks(self._sample(run, self._qrels(False, known)), self._topic(run, known))

    def _topic(self, run: RankedRun, known: set[str]) -> Sample | None:
        if not any(question.related for question in self.made.questions):
            return None
        return self._sample(run, self._qrels(True, known))

    def _qrels(self, topic: bool, known: set[str]) -> dict[str, dict[str, float]]:
        made = self.made.qrels(topic=topic)
        return {name: {one: grade for one, grade in judged.items() if one in known} for name, judged in made.items()}

    def _sample(self, run: RankedRun, qrels: dict[str, dict[str, float]]) -> Sample:
        plain = measure(run, qrels, [METRIC], groups=self._groups)[METRIC]
        weights = self.made.weights()
        columns = np.column_stack([plain.items, [weights[name] for name in judged_queries(qrels)]])  # (m, 2)
        return Sample(columns, plain.groups, weighted_mean, plain.name)

    @property
    def _groups(self) -> dict[str, int]:
        numbers: dict[str, int] = {}
        return {one.id: numbers.setdefault(one.document, len(numbers)) for one in self.made.questions}


def word_scores(questions: Sequence[str], passages: Sequence[str]) -> Dense:
    """Return BM25 scores ``(m, n)`` of passages for questions, as an index of ``words`` over them would give."""
    from isogloss.encoders.names import load_encoder
    from isogloss.index.inverted import Inverted
    from isogloss.index.postings import Postings

    encoder = load_encoder("words")
    counts = encoder.encode(list(passages), role="document")
    rows = np.arange(len(passages), dtype=np.int64)
    index = Inverted.from_segments([Postings.build(rows, cast(CSR, counts))], np.ones(len(passages), np.bool_))
    asked = encoder.encode(list(questions), role="query")
    hits = index.search(asked, min(len(passages), LEAST_DEPTH))
    table = np.zeros((len(questions), len(passages)), np.float32)
    query, place = np.nonzero(hits.rows >= 0)
    table[query, hits.rows[query, place]] = hits.scores[query, place]
    return table


def furnish(made: QuestionSet, records: Sequence[Record], most: int, seed: int) -> Room:
    """Make a room of a part's questions: their documents, those of their topics, and others drawn at random.

    Parameters
    ----------
    made
        The questions; where the room is small, the first of them in a random order.
    records
        All documents.
    most
        Most documents in the room.
    seed
        Of the draw.
    """
    asked = list(made.questions)
    if len(asked) > most // 2:
        order = generator(seed, "asked").permutation(len(asked))[: max(1, most // 2)]
        asked = [asked[i] for i in np.sort(order).tolist()]
    part = made.subset(asked)
    wanted = dict.fromkeys(question.document for question in asked)
    for question in asked:
        wanted |= dict.fromkeys(question.related)
    order = generator(seed, "others").permutation(len(records))
    for position in order.tolist():
        wanted.setdefault(records[position].id, None)
    chosen = set(list(wanted)[:most])
    return Room(part, part.searched([record for record in records if record.id in chosen]))


def general_room() -> Room:
    """Return the general probe set of the package as a room."""
    probe = general_questions()
    asked = [
        Question(name, text, next(iter(probe.qrels[name])), "general", None, 0.5)
        for name, text in probe.queries.items()
    ]
    return Room(QuestionSet(asked, {}), list(probe.documents))
