"""P(relevant) in a search: only from a calibration that still fits, never a guess, and nothing in silence."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isogloss.collection.calibration import FILE, FUSED, Calibration, Curve, Meaning, fitting, key, read
from isogloss.errors import UsageError

LINE = Curve([0.0, 10.0], [0.1, 0.9], [0.05, 0.8], [0.2, 0.95])
QUESTION = "read one file out of a zip archive"
WORDS = 8
"""Words of the question."""


def made(collection, **changes):
    """A calibration that fits a collection with the encoders words and static."""
    names = {record.name: record.identity for record in collection._store.snapshot.encoders()}
    parts = {name: LINE for name in [*names, FUSED]}
    both = Meaning(Curve([-9.0, 9.0], [0.0, 1.0], [0.0, 0.9], [0.1, 1.0]), parts)
    systems = {name: Meaning(LINE) for name in names} | {key(list(names)): both if len(names) > 1 else Meaning(LINE)}
    return replace(Calibration(names, len(collection), False, 225, systems), **changes)


@pytest.fixture
def collection(make, docs):
    collection = make(encoders=["words", "static"])
    collection.add(docs)
    return collection


def test_a_curve_is_straight_between_its_points_and_level_beyond():
    assert LINE.at(5.0) == (0.5, 0.425, 0.575)
    assert LINE.at(-3.0) == (0.1, 0.05, 0.2)
    assert LINE.at(99.0) == (0.9, 0.8, 0.95)


def test_the_evidence_of_several_encoders_is_the_sum_of_their_log_odds():
    meaning = Meaning(LINE, {"a": LINE, "b": LINE})
    assert meaning.evidence({"a": 10.0, "b": 10.0}) == pytest.approx(2 * math.log(9))
    # an encoder that did not find the document says what its lowest score says
    assert meaning.evidence({"a": 10.0}) == pytest.approx(math.log(9) + math.log(1 / 9))


@given(st.floats(-20, 20), st.floats(0, 20))
def test_a_better_score_is_never_less_likely(score, more):
    meaning = Meaning(Curve([-9.0, 9.0], [0.0, 1.0], [0.0, 0.9], [0.1, 1.0]), {"a": LINE, "b": LINE})
    low, high = meaning.judge({"a": score, "b": 1.0}), meaning.judge({"a": score + more, "b": 1.0})
    assert high[0] >= low[0]
    assert low[1] <= low[0] <= low[2]


def test_without_a_calibration_nothing_is_said_and_nothing_can_be_asked(collection):
    result = collection.search(QUESTION)
    assert {hit.p for hit in result.hits} == {None}
    assert (result.p_by, result.notes) == ("", [])
    with pytest.raises(UsageError, match="not known"):
        collection.search(QUESTION, min_p=0.5)


def test_hits_get_p_with_an_interval(collection):
    made(collection).write(collection.path)
    result = collection.search(QUESTION, encoders=["words"])
    first = result.hits[0]
    assert (first.p, first.p_low, first.p_high) == LINE.at(first.parts["words"]["score"] / WORDS)
    assert result.p_by == "225 judged questions"
    both = collection.search(QUESTION).hits[0]
    assert both.document == "zip.md"
    scores = {"words": both.parts["words"]["score"] / WORDS, "static": both.parts["static"]["score"]}
    assert both.p == made(collection).systems["static + words"].judge(scores | {FUSED: both.score})[0]


@pytest.mark.parametrize("options", [{"fusion": "rrf"}, {"weights": {"static": 0.5}}])
def test_another_fusion_has_scores_of_another_meaning(collection, options):
    made(collection).write(collection.path)
    result = collection.search(QUESTION, **options)
    assert result.hits[0].p is None
    assert "usual fusion" in result.notes[0]
    assert collection.search(QUESTION, encoders=["words"], **options).hits[0].p is not None


def test_several_questions_get_what_each_alone_gets(collection):
    made(collection).write(collection.path)
    texts = [QUESTION, "cats", "when is income tax due"]
    together = collection.search(texts)
    alone = [collection.search(text) for text in texts]
    assert [[hit.p for hit in r.hits] for r in together] == [[hit.p for hit in r.hits] for r in alone]


def test_a_document_scores_by_its_best_chunk(make, docs):
    long = "Nothing of interest is said here about any matter. " * 60 + "Quokkas quokkas quokkas live on Rottnest."
    (docs / "long.txt").write_text(f"quokkas\n\n{long}")
    collection = make(encoders=["words"], budget=32)
    collection.add(docs)
    made(collection).write(collection.path)
    hit = collection.search("quokkas").hits[0]
    assert hit.p == LINE.at(hit.parts["words"]["score"])[0]


def test_documents_below_the_smallest_p_are_left_out_and_counted(collection):
    made(collection).write(collection.path)
    every = collection.search(QUESTION, encoders=["words"]).hits
    bound = sorted(hit.p for hit in every)[-1]
    result = collection.search(QUESTION, encoders=["words"], min_p=bound)
    assert [hit.document for hit in result.hits] == ["zip.md"]
    assert result.notes[-1] == f"1 of {len(every)}: the others are relevant with P below {bound:g}"


@pytest.mark.parametrize("bound", [-0.1, 1.5, float("nan")])
def test_a_bound_that_is_no_probability_is_refused(collection, bound):
    made(collection).write(collection.path)
    with pytest.raises(UsageError, match="between 0 and 1"):
        collection.search(QUESTION, min_p=bound)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"documents": 4}, "4 documents, there are 6"),
        ({"identities": {"words": "other", "static": "other"}}, "another words"),
        ({"systems": {}}, "does not know static . words"),
    ],
)
def test_a_stale_calibration_is_a_note_and_no_p(collection, changes, words):
    made(collection, **changes).write(collection.path)
    result = collection.search(QUESTION)
    assert {hit.p for hit in result.hits} == {None}
    assert any(words.replace(" . ", " + ") in note for note in result.notes)
    with pytest.raises(UsageError, match="not known"):
        collection.search(QUESTION, min_p=0.5)


def test_a_few_more_documents_do_not_make_it_stale(collection):
    found = made(collection, documents=100)
    assert fitting(found, found.identities, 120)[1] == ""
    assert fitting(found, found.identities, 121)[0] is None


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        "{}",
        '{"format": "isogloss.calibration/9"}',
        '{"format": "isogloss.calibration/1", "systems": {"a": 1}}',
    ],
)
def test_a_damaged_file_is_a_note(collection, text):
    (collection.path / FILE).write_text(text)
    result = collection.search(QUESTION)
    assert any("run isogloss calibrate" in note for note in result.notes)
    assert result.hits[0].p is None


def test_a_curve_with_holes_is_refused(collection):
    path = made(collection).write(collection.path)
    content = json.loads(path.read_text())
    content["systems"]["words"]["curve"]["p"] = [0.5]
    path.write_text(json.dumps(content))
    assert "damaged" in read(collection.path)


def test_a_calibration_is_read_back(collection):
    found = made(collection, synthetic=True)
    found.write(collection.path)
    assert read(collection.path) == found
    assert collection.search(QUESTION).p_by == "225 synthetic questions"
