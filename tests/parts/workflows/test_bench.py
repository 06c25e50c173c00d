"""Rankings of documents by their best passage: against brute force, against the collection's own search."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from isogloss.arrays import normalise
from isogloss.collection.collection import Collection
from isogloss.encoders.static import bundled_static
from isogloss.errors import IsoglossWarning, UsageError
from isogloss.index.store.store import Store
from isogloss.protocols import Record
from isogloss.seeding import generator
from isogloss.workflows.bench import Bench, Models
from isogloss.workflows.judged_evaluation import hybrid_of, usual_systems
from isogloss.workflows.passages import (
    chunkings,
    cutter,
    passages_of,
    passages_of_index,
    records_of_index,
)
from isogloss.workflows.systems import EncoderPlan, parse_system, with_dims

VOCABULARY = """
    heat flow wing slab metal layer engine tide river bread yeast oven chain oil wheel leaf tea cup archive file
    zip module string list error memory cache index search word vector sound wave light mirror lens
"""
WORDS = VOCABULARY.split()
HEADING = "Part"


def made(count=60, seed=0):
    """Documents of random words, some of them long, with headings."""
    rng = generator(seed, "documents")
    records = []
    for i in range(count):
        sentences = [
            " ".join(rng.choice(WORDS, rng.integers(5, 12))).capitalize() + "." for _ in range(rng.integers(1, 30))
        ]
        middle = len(sentences) // 2
        head, tail = " ".join(sentences[:middle]), " ".join(sentences[middle:])
        text = f"{head}\n\n## {HEADING} {i}\n\n{tail}"
        at = text.index("## ")
        records.append(Record(f"d{i}", text, f"Title {i}", headings=[(at, 2, f"{HEADING} {i}")]))
    return records


def questions(count=25):
    rng = generator(1, "questions")
    return {f"q{i}": " ".join(rng.choice(WORDS, 4)) for i in range(count)}


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    path = tmp_path_factory.mktemp("bench") / "index"
    with Collection.create(path, budget=40) as collection:
        collection.add(made())
    return path


@pytest.fixture(scope="module")
def snapshot(index):
    with Store.open(index) as store:
        yield store.snapshot


def test_a_document_scores_by_its_best_passage():
    passages = passages_of(made(), cutter(40))
    assert len(passages.rows) > len(passages.documents)
    run = Bench(passages, Models()).rank(EncoderPlan("static"), questions(), 7)
    encoder = bundled_static()
    similarity = (
        normalise(encoder.encode(list(questions().values()))) @ normalise(encoder.encode(passages.fresh_texts)).T
    )
    for row, documents, scores in zip(similarity, run.documents, run.scores, strict=True):
        best = [row[passages.owners == i].max() for i in range(len(passages.documents))]
        expected = np.argsort(-np.array(best), kind="stable")[:7]
        assert documents == [passages.documents[i] for i in expected]
        assert np.allclose(scores, np.array(best)[expected], atol=1e-5)


def test_more_passages_than_the_first_look_are_gone_through():
    """One document of many equal passages must not hide the others."""
    many = Record("many", "Heat flow wing. " * 2000)
    others = [Record(f"o{i}", f"heat {word}.") for i, word in enumerate(WORDS[3:20])]
    passages = passages_of([many, *others], chunkings(["sentence"])["sentence"])
    assert len(passages.rows) == 2000 + len(others)
    run = Bench(passages, Models()).rank(EncoderPlan("words"), {"q": "heat flow wing"}, 10)
    assert run.documents[0][0] == "many"
    assert len(run.documents[0]) == 10


@pytest.mark.parametrize("system", ["words", "static", "hybrid", "rrf(words,static)", "weighted(words=1,static=.5)"])
def test_an_index_is_ranked_as_search_ranks_it(index, snapshot, system):
    plan = parse_system(system, hybrid_of(snapshot))
    run = Bench(passages_of_index(snapshot), Models()).rank(plan, questions(), 10)
    options = {
        "words": {"encoders": ["words"]},
        "static": {"encoders": ["static"]},
        "hybrid": {},
        "rrf(words,static)": {"fusion": "rrf", "weights": {"words": 1.0, "static": 1.0}},
        "weighted(words=1,static=.5)": {"weights": {"words": 1.0, "static": 0.5}},
    }[system]
    with Collection.open(index) as collection:
        answers = collection.search(list(questions().values()), 10, **options)
    for answer, documents, scores in zip(answers, run.documents, run.scores, strict=True):
        assert [hit.score for hit in answer.hits] == pytest.approx(scores.tolist(), abs=1e-6)
        last = scores[-1]  # documents as good as the last one may be others: search orders equals by row
        found = {hit.document for hit in answer.hits if hit.score > last + 1e-6}
        assert found == {one for one, score in zip(documents, scores, strict=True) if score > last + 1e-6}


@pytest.mark.parametrize("system", ["words", "static", "hybrid", "rrf(words,static)"])
def test_a_deeper_ranking_begins_with_the_shallow_one(snapshot, system):
    """So that ndcg@10 does not depend on whether recall@50 is measured beside it."""
    bench, plan = Bench(passages_of_index(snapshot), Models()), parse_system(system, hybrid_of(snapshot))
    shallow, deep = (bench.rank(plan, questions(), k) for k in (10, 55))
    for few, many, scores in zip(shallow.documents, deep.documents, deep.scores, strict=True):
        assert many[:10] == few
        assert len(set(many)) == len(many)
        assert (np.diff(scores) <= 0).all()
    assert max(map(len, deep.documents)) > 20


def test_fresh_texts_take_the_place_of_chunks(snapshot):
    """A document that is replaced is found by its new text only, beside the chunks of the others."""
    passages = passages_of_index(snapshot, {"d3": ["xylophone music"]})
    for name in ("words", "static"):
        run = Bench(passages, Models()).rank(EncoderPlan(name), {"new": "xylophone", "old": "part 3"}, 10)
        assert run.documents[0][0] == "d3"
    records, _ = records_of_index(snapshot)
    changed = [Record("d3", "xylophone music") if record.id == "d3" else record for record in records]
    whole = passages_of(changed, cutter(40))
    for name in ("words", "static"):
        a = Bench(passages, Models()).rank(EncoderPlan(name), questions(), 10)
        b = Bench(whole, Models()).rank(EncoderPlan(name), questions(), 10)
        assert a.documents == b.documents


def test_records_come_back_from_an_index(snapshot):
    records, note = records_of_index(snapshot)
    assert {record.id: record.text for record in records} == {record.id: record.text for record in made()}
    assert "headings as their chunks show them" in note


def test_headings_come_back_from_the_source_as_long_as_it_is_the_same(tmp_path):
    (tmp_path / "docs").mkdir()
    for record in made(4):
        (tmp_path / "docs" / f"{record.id}.md").write_text(f"# {record.title}\n\n{record.text}")
    with Collection.create(tmp_path / "index", encoders=["words"]) as collection:
        collection.add(tmp_path / "docs")
    (tmp_path / "docs" / "d0.md").write_text("changed")
    with Store.open(tmp_path / "index") as store:
        records, note = records_of_index(store.snapshot)
    headings = {record.id: [name for _, _, name in record.headings] for record in records}
    assert headings["d1.md"] == ["Title 1", "Part 1"]
    assert note.startswith("1 documents")


def test_every_chunking_holds_the_whole_document():
    record = Record("a", "Before. And more.\n\n## One\n\nText one.\n\n### Deep\n\nText two.", "Title")
    record.headings = [(record.text.index("## One"), 2, "One"), (record.text.index("### Deep"), 3, "Deep")]
    cut = chunkings(["none", "16", "heading", "heading+title", "sentence"])
    parts = {name: next(iter(work([record]))) for name, work in cut.items()}
    for name, texts in parts.items():
        joined = " ".join(texts)
        for word in ("Title", "Before", "And more", "Text one", "Text two"):
            assert word in joined, name
    assert len(parts["none"]) == 1
    assert len(parts["heading"]) == 3
    assert parts["heading+title"][1].startswith("Title\n\n## One")
    assert parts["heading+title"][2].startswith("Title\nOne\n\n### Deep")
    assert chunkings(["heading"])["heading"]([Record("e", "", "Only a title")]).__next__() == ["Only a title"]
    for wrong in ("late", "8", "99999", ""):
        with pytest.raises(UsageError, match="no chunking"):
            chunkings([wrong])


def test_dimensions_by_hand():
    passages = passages_of(made(), cutter(40))
    vectors = bundled_static().encode(passages.fresh_texts)
    asked = bundled_static().encode(list(questions().values()))
    bench = Bench(passages, Models())
    first = bench.rank(with_dims(EncoderPlan("static"), "16"), questions(), 1)
    _, _, axes = np.linalg.svd(normalise(vectors).astype(np.float64), full_matrices=False)
    pca = bench.rank(with_dims(EncoderPlan("static"), "pca16"), questions(), 1)
    for run, a, b in ((first, asked[:, :16], vectors[:, :16]),
                      (pca, normalise(asked) @ axes[:16].T, normalise(vectors) @ axes[:16].T)):  # fmt: skip
        best = (normalise(np.asarray(a, np.float32)) @ normalise(np.asarray(b, np.float32)).T).argmax(1)
        assert [found[0] for found in run.documents] == [passages.documents[passages.owners[i]] for i in best]
    with pytest.raises(UsageError, match="so many dimensions"):
        bench.rank(with_dims(EncoderPlan("static"), "9999"), questions(), 1)
    with pytest.raises(UsageError, match="words have no dimensions"):
        bench.rank(with_dims(EncoderPlan("words"), "16"), questions(), 1)


def test_encoders_that_cannot_answer_now_are_left_out_and_said():
    """A model that is not on this machine, or has not seen every chunk, must not stop what others can say."""
    waiting = {"words": 0, "static": 7, "nonesuch": 0}
    index = SimpleNamespace(
        encoders=lambda: [SimpleNamespace(name=name) for name in waiting],
        uncovered=lambda name: np.arange(waiting[name]),
    )
    with pytest.warns(IsoglossWarning) as said:
        assert usual_systems(index) == ["words"]
    assert ["7 chunks" in str(said[0].message), "nonesuch is left out" in str(said[1].message)] == [True, True]


def test_costs_are_measured():
    bench = Bench(passages_of(made(), cutter(40)), Models())
    words, both = (bench.cost(parse_system(name), questions()) for name in ("words", "hybrid"))
    assert words.documents_per_second > both.documents_per_second > 0
    assert both.bytes_per_document > words.bytes_per_document > 0
    assert both.milliseconds_per_query > 0


def test_a_static_model_has_no_window():
    with pytest.raises(UsageError, match="no window"):
        Models().load(EncoderPlan("static", 128))
    with pytest.raises(UsageError, match="there is no system 'statik'"):
        Models().load(EncoderPlan("statik"))
