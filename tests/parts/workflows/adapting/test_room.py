"""The examination room against arithmetic by hand and against the evaluation's own bench."""

from __future__ import annotations

import numpy as np
import pytest

from isogloss.encoders.static import bundled_static
from isogloss.evaluation.metrics.ranking import measure
from isogloss.mining.questions.question import Question, QuestionSet
from isogloss.protocols import Record, Silent
from isogloss.workflows.adapting.material import split_material
from isogloss.workflows.adapting.room import Reading, Room, furnish
from isogloss.workflows.bench import Bench, Models
from isogloss.workflows.judged_evaluation import BUDGET
from isogloss.workflows.passages import cutter, passages_of
from isogloss.workflows.systems import parse_system


def _room() -> Room:
    records = [Record(name, f"text of {name} with words") for name in "abc"]
    made = QuestionSet(
        [
            Question("q1", "one", "a", "title", None, 0.5, 1.5, ("b",)),
            Question("q2", "two", "c", "title", None, 0.5, 0.5),
        ],
        {},
    )
    return Room(made, records)


def test_marks_by_hand() -> None:
    passages = np.eye(3, dtype=np.float32)
    questions = np.array([[0.6, 0.8, 0.0], [0.0, 0.0, 1.0]], np.float32)
    marks = _room().marks(Reading(passages, questions))
    second = 1 / np.log2(3)
    assert marks.one.value() == pytest.approx((1.5 * second + 0.5) / 2)
    assert marks.topic is not None
    assert marks.topic.value() == pytest.approx(1.0)
    assert marks.value() == pytest.approx((marks.one.value() + 1) / 2)


@pytest.mark.parametrize("system", ["static", "weighted(words=0.5,static=1)"])
def test_room_judges_as_the_bench_does(collection: list[Record], system: str) -> None:
    made = split_material("t", collection, 0).choose
    room = furnish(made, collection, len(collection), 0)
    reading = room.read(bundled_static(), Silent())
    marks = room.marks(reading, 0.5 if "words" in system else 0.0)
    bench = Bench(passages_of(room.records, cutter(BUDGET)), Models(1))
    run = bench.rank(parse_system(system), room.made.queries(), 20)
    oracle = measure(run, room.made.qrels(), ["ndcg@10"])["ndcg@10"]
    assert marks.one.items[:, 0] == pytest.approx(oracle.items, abs=1e-6)


def test_small_room_keeps_the_documents_of_its_questions(collection: list[Record]) -> None:
    made = split_material("t", collection, 0).choose
    room = furnish(made, collection, 20, 0)
    assert len(room.records) == 20
    assert len(room.made) == 10
    assert {question.document for question in room.made.questions} <= {record.id for record in room.records}
    assert np.mean([question.weight for question in room.made.questions]) == pytest.approx(1.0)
