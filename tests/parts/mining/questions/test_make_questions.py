"""Questions from documents: held out for real, balanced, weighted, and refused with reasons where there are none."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isogloss.errors import CorpusError, UsageError
from isogloss.mining.questions.draft import read_page, without
from isogloss.mining.questions.filters import judge, near_copies
from isogloss.mining.questions.make import make_questions
from isogloss.mining.questions.overlap import EDGES, REAL, real_mix_weights, stratum
from isogloss.mining.questions.question import Question, QuestionSet
from isogloss.mining.questions.titles import title_questions
from isogloss.mining.questions.vocabulary import Vocabulary
from isogloss.mining.questions.written import written_questions
from isogloss.protocols import Record

THINGS = ["pump", "valve", "motor", "sensor", "gasket", "bearing", "rotor", "flange", "nozzle", "piston"]
DEEDS = ["leaks", "rattles", "overheats", "corrodes", "vibrates", "stalls", "jams", "cracks", "wears", "slips"]
PLACES = ["boiler", "turbine", "compressor", "condenser", "furnace", "reactor", "chiller", "crane", "lathe", "dryer"]


def manual(number):
    thing, deed, place = THINGS[number % 10], DEEDS[number // 10 % 10], PLACES[(number * 7 + number // 10) % 10]
    text = (
        f"The {thing} of machine{number} {deed} when the {place} runs hot for long. "
        f"Technicians code{number} replaced the {thing} beside the {place} twice last winter. "
        f"A spare{number} {thing} is a part that engineers keep near every {place} on site."
    )
    return Record(f"m{number}", text, f"Why the {thing} of a {place} {deed} unit{number}")


MANUALS = [manual(number) for number in range(60)]


def test_what_was_asked_is_not_searched():
    made = make_questions(MANUALS, count=60)
    left = {record.id: record for record in made.searched(MANUALS)}
    kinds = {question.kind for question in made.questions}
    assert {"title", "sentence", "keyphrase"} <= kinds
    for question in made.questions:
        document = left[question.document]
        if question.kind == "title":
            assert document.title == ""
        if question.kind in ("sentence", "definition"):
            assert question.text not in f"{document.title} {document.text}"
            assert len(document.text) < len(manual(int(question.document[1:])).text)


def test_each_document_is_asked_for_once_while_there_are_enough():
    made = make_questions(MANUALS, count=40)
    assert len({question.document for question in made.questions}) == 40
    assert len({question.id for question in made.questions}) == 40


def test_more_questions_than_documents_are_parted_among_them():
    made = make_questions(MANUALS[:5], count=12)
    assert 5 < len(made) <= 12
    assert len({question.document for question in made.questions}) == 5
    left = {record.id: f"{record.title} {record.text}" for record in made.searched(MANUALS)}
    vocabulary = Vocabulary([f"{record.title} {record.text}" for record in MANUALS[:5]])
    for question in made.questions:  # overlap is with what is left after all cuts
        assert question.overlap == pytest.approx(vocabulary.overlap(question.text, left[question.document]))


def test_the_same_seed_gives_the_same_questions_and_another_one_others():
    one, two, other = (make_questions(MANUALS, count=20, seed=seed) for seed in (3, 3, 4))
    assert one == two
    assert one.questions != other.questions


def test_documents_that_give_nothing_are_told():
    with pytest.raises(CorpusError, match="two different"):
        make_questions([])
    with pytest.raises(CorpusError, match="two different"):
        make_questions(MANUALS[:1])
    same = [replace(MANUALS[0], id=str(i), text=MANUALS[0].text.upper() if i else MANUALS[0].text) for i in range(9)]
    with pytest.raises(CorpusError, match="all equal"):
        make_questions(same)
    with pytest.raises(CorpusError, match="no question"):
        make_questions([Record("a", "Yes."), Record("b", "No."), Record("c", "")])
    with pytest.raises(CorpusError, match="more than once"):
        make_questions([MANUALS[0], MANUALS[0]])
    with pytest.raises(UsageError, match="no such way"):
        make_questions(MANUALS, kinds=["riddle"])
    with pytest.raises(UsageError, match="no endpoint"):
        make_questions(MANUALS, kinds=["written"])
    with pytest.raises(UsageError, match="at least one"):
        make_questions(MANUALS, count=0)


def test_empty_documents_are_counted():
    made = make_questions([*MANUALS, Record("void", " \n")], count=10)
    assert any("1 of 61 documents have no text" in note for note in made.notes)


def test_copied_documents_are_not_asked_for():
    copied = [*MANUALS, *(replace(record, id=f"again-{record.id}") for record in MANUALS[:20])]
    made = make_questions(copied, count=80)
    twice = {record.id for record in MANUALS[:20]}
    assert not {question.document for question in made.questions} & (twice | {f"again-{one}" for one in twice})
    naive = make_questions(copied, count=80, filtered=False)
    assert {question.document for question in naive.questions} & twice


def test_near_copies_and_ambiguous_questions_are_refused():
    phrase = "Composite slabs conduct transient heat badly across bonded aluminium layers."
    others = [
        Record(str(i), f"Report{i} begins with several words that nobody else has{i} chosen{i}. {phrase} Then it ends.")
        for i in range(2)
    ]
    far = [Record(f"x{i}", f"Quite another subject{i} with many unlike terms{i} and matters{i}.") for i in range(30)]
    records = [*others, *far]
    texts = [record.text for record in records]
    vocabulary, page = Vocabulary(texts), read_page(records[0], Vocabulary(texts))
    draft = next(d for d in title_questions(read_page(replace(records[0], title=phrase), vocabulary), vocabulary))
    assert judge(draft, records[0], 0, vocabulary) == "near copy"
    assert judge(draft, records[0], 0, vocabulary, strict=False) == ""
    assert page.sentence(1) == phrase
    assert near_copies([texts[0], texts[0], texts[5]]) == {0, 1}


def test_title_repeated_by_the_first_sentence_is_cut_there_too():
    record = Record("a", "heat conduction in slabs . The layers differ in density .", "heat conduction in slabs .")
    vocabulary = Vocabulary([record.text, "other words entirely"])
    (draft,) = title_questions(read_page(record, vocabulary), vocabulary)
    assert without(record.text, draft.cuts) == "The layers differ in density ."


def test_overlap_by_hand():
    vocabulary = Vocabulary(["heat slab", "heat wing", "wind", "wind wing"])
    heat = np.log1p((4 - 2 + 0.5) / 2.5)
    slab = np.log1p((4 - 1 + 0.5) / 1.5)
    assert vocabulary.overlap("heat slab", "much heat") == pytest.approx(heat / (heat + slab))
    assert vocabulary.coverage("heat slab").tolist() == pytest.approx([1.0, heat / (heat + slab), 0, 0])
    assert vocabulary.overlap("", "heat") == 0.0


@given(st.lists(st.floats(0, 1), max_size=40))
def test_weights_have_mean_one_and_are_bounded(overlaps):
    weights = real_mix_weights(overlaps)
    assert weights.shape == (len(overlaps),)
    if overlaps:
        assert weights.mean() == pytest.approx(1.0)
        assert weights.max() <= 9.0 * weights.min() + 1e-9


def test_weights_bring_the_mix_of_real_questions():
    overlaps = np.repeat([0.1, 0.3, 0.5, 0.7, 0.9], [30, 20, 20, 20, 10])
    weights = real_mix_weights(overlaps)
    mix = np.bincount(stratum(overlaps), weights) / weights.sum()
    assert mix == pytest.approx(np.array(REAL) / sum(REAL), abs=0.01)
    assert len(REAL) == len(EDGES) + 1


@given(st.text(), st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=5))
def test_cutting_keeps_exactly_what_no_cut_covers(text, pairs):
    cuts = [(min(pair), max(pair)) for pair in pairs]
    kept = "".join(c for i, c in enumerate(text) if not any(a <= i < b for a, b in cuts))
    assert without(text, cuts) == kept.strip()


def test_file_comes_back_and_edits_count(tmp_path):
    made = make_questions(MANUALS, count=20)
    made.save(tmp_path / "q.jsonl")
    assert QuestionSet.load(tmp_path / "q.jsonl") == made
    lines = (tmp_path / "q.jsonl").read_text().splitlines()
    (tmp_path / "fewer.jsonl").write_text("\n".join(lines[:-5]))
    assert QuestionSet.load(tmp_path / "fewer.jsonl").questions == made.questions[:-5]


@pytest.mark.parametrize(
    "line",
    ["{", "[]", '{"id": "x"}', '{"id": "x", "text": " ", "document": "d", "kind": "k"}', '{"id": "title-1"}'],
)
def test_broken_lines_are_named(tmp_path, line):
    path = tmp_path / "q.jsonl"
    QuestionSet([Question("title-1", "what", "d", "title", None, 0.5)], {}).save(path)
    path.write_text(path.read_text() + line + "\n")
    with pytest.raises(CorpusError, match="line 3"):
        QuestionSet.load(path)
    path.write_text("")
    with pytest.raises(CorpusError, match="no questions"):
        QuestionSet.load(path)


def test_split_parts_by_document():
    choose, prove = make_questions(MANUALS[:20], count=60).split(0.5)
    assert not {q.document for q in choose.questions} & {q.document for q in prove.questions}
    assert np.mean([q.weight for q in choose.questions]) == pytest.approx(1.0)
    with pytest.raises(UsageError):
        choose.split(0.0)


def test_other_scripts_give_questions_too():
    places, faults = (
        ["锅炉厂房", "冷却塔顶", "码头仓库", "地下车间", "屋顶平台", "发电机房"],
        ["漏水严重", "轴承磨损", "噪音很大", "温度过高"],
    )
    records = [
        Record(
            f"z{i}",
            f"位于{place}的设备出现{fault}的情况。维修人员检查{place}之后记录了{fault}。原因与{fault}有关需要更换零件。",
        )
        for i, (place, fault) in enumerate(product(places, faults))
    ]
    made = make_questions(records, count=10)
    assert len(made) >= 8


def test_written_questions_come_from_the_function_that_is_given():
    asked = []

    def ask(prompt):
        asked.append(prompt)
        return '\n"Which part of the boiler wears first?"\nBecause it does.'

    made = make_questions(MANUALS, count=5, kinds=["written"], endpoint=ask)
    assert {question.text for question in made.questions} == {"Which part of the boiler wears first?"}
    assert made.held_out == {}
    assert made.titles == {}
    assert any(MANUALS[0].text[:40] in prompt for prompt in asked) or len(asked) == 5
    page = read_page(MANUALS[0], Vocabulary([MANUALS[0].text]))
    assert written_questions(page, Vocabulary(["x"]), ask=lambda _: "word " * 100) == []


def test_real_abstracts_give_300_questions_of_every_stratum(data):
    with gzip.open(data("cranfield") / "corpus.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    records = [Record(str(row["_id"]), row["text"], row["title"]) for row in rows]
    made = make_questions(records)
    assert len(made) == 300
    assert set(stratum([question.overlap for question in made.questions])) == {0, 1, 2, 3, 4}
    by_id = {record.id: record for record in records}
    for question in made.questions:  # the title stands in the text once more, and must be gone from there
        if question.kind == "title":
            assert question.text not in made.held_out.get(question.document, by_id[question.document].text)
