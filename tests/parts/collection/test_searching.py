"""Invariants: filters act during the search; a score depends on the live documents only; notes say what is short."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from isogloss.collection.collection import Collection
from isogloss.errors import FilterError, UsageError
from isogloss.protocols import Record


def corpus(n: int) -> list[Record]:
    rng = np.random.default_rng(5)
    words = [f"word{i}" for i in range(60)]
    return [
        Record(f"d{i}", " ".join(rng.choice(words, 12)), metadata={"part": i % 3, "name": f"n{i}"}) for i in range(n)
    ]


def found(collection: Collection, query: str, **kwargs: object) -> list[tuple[str, float]]:
    hits = collection.search(query, 20, **kwargs).hits  # type: ignore[arg-type]
    return [(hit.document, round(hit.score, 5)) for hit in hits]


def test_a_hit_says_why_and_where(make: Callable[..., Collection], docs: Path) -> None:
    collection = make(encoders=["words", "static"])
    collection.add(docs)
    hit = collection.search("how do I read one file out of an archive").hits[0]
    assert hit.document == "zip.md"
    assert hit.id == "zip.md::1"
    assert hit.heading == ["Archives"]
    assert {hit.snippet[a:b] for a, b in hit.matches} >= {"archive", "read", "one", "file"}
    assert set(hit.parts) == {"words", "static"}
    assert hit.rank == 1


def test_filters_act_during_the_search(make: Callable[..., Collection]) -> None:
    collection = make(encoders=["words", "static"])
    collection.add(corpus(300))
    result = collection.search("word1 word2 word3", 10, where="part = 1")
    assert len(result.hits) == 10
    assert {hit.metadata["part"] for hit in result.hits} == {1}
    short = collection.search("word1", 10, where="name in ('n1', 'n2')")
    assert short.matched == 2
    assert any("only 2 documents match the filter" in note for note in short.notes)
    with pytest.raises(FilterError):
        collection.search("word1", where="nonsense = 3")


def test_the_filtered_answer_is_the_answer_of_the_filtered_collection(make: Callable[..., Collection]) -> None:
    records = corpus(200)
    collection = make("all", encoders=["static"])
    collection.add(records)
    part = make("part", encoders=["static"])
    part.add([record for record in records if record.metadata["part"] == 2])
    for query in ("word5 word7", "word11"):
        assert found(collection, query, where="part = 2") == found(part, query)


@pytest.mark.parametrize("encoders", [["words"], ["words", "static"]])
def test_scores_depend_on_the_live_documents_only(make: Callable[..., Collection], encoders: list[str]) -> None:
    records = corpus(120)
    direct = make("direct", encoders=encoders)
    direct.add(records[40:])
    roundabout = make("roundabout", encoders=encoders)
    for start in range(0, 120, 10):
        roundabout.add(records[start : start + 10])
    roundabout.remove([record.id for record in records[:40]])
    queries = ["word1 word2", "word30 word31 word32", "word59"]
    expected = [found(direct, query) for query in queries]
    assert [found(roundabout, query) for query in queries] == expected
    report = roundabout.compact()
    assert report.segments_after <= report.segments_before
    assert [found(roundabout, query) for query in queries] == expected
    assert roundabout.stats().dead_chunks == 0


def test_near_duplicates_are_grouped_not_dropped(make: Callable[..., Collection]) -> None:
    base = "The quarterly report shows that sales of winter tyres rose in the northern districts. " * 3
    records = [Record("one", base), Record("two", base + "Final."), Record("far", "Penguins swim under the ice.")]
    collection = make()
    report = collection.add(records)
    assert report.near_duplicates == 2
    hits = collection.search("winter tyres sales").hits
    assert hits[0].document in ("one", "two")
    assert len(hits[0].also) == 1
    assert len(collection) == 3


def test_many_queries_at_once_equal_one_by_one(make: Callable[..., Collection]) -> None:
    collection = make(encoders=["words", "static"])
    collection.add(corpus(100))
    queries = [f"word{i} word{i + 1}" for i in range(10)]
    together = collection.search(queries, 5)
    for query, result in zip(queries, together, strict=True):
        alone = collection.search(query, 5)
        assert [hit.document for hit in result.hits] == [hit.document for hit in alone.hits]


def test_wrong_requests(make: Callable[..., Collection]) -> None:
    collection = make()
    collection.add(corpus(5))
    with pytest.raises(UsageError, match="at least one hit"):
        collection.search("word1", 0)
    with pytest.raises(UsageError, match="no encoder 'minilm'"):
        collection.search("word1", encoders=["minilm"])
    with pytest.raises(UsageError, match="fusion"):
        make("two", encoders=["words", "static"]).search("x", fusion="magic")
    assert collection.search("zzz unknown").hits == []
    assert collection.search("").hits == []


def test_a_reader_keeps_its_generation(make: Callable[..., Collection], tmp_path: Path) -> None:
    writer = make(encoders=["words", "static"])
    writer.add(corpus(50))
    with Collection.open(tmp_path / "index") as reader:
        before = found(reader, "word1 word2")
        writer.remove([f"d{i}" for i in range(25)])
        writer.compact()
        assert found(reader, "word1 word2") == before
        assert reader.refresh()
        assert found(reader, "word1 word2") == found(writer, "word1 word2")
        assert len(reader) == 25


def test_export(make: Callable[..., Collection], tmp_path: Path) -> None:
    pq = pytest.importorskip("pyarrow.parquet")
    collection = make(encoders=["words", "static"])
    collection.add(corpus(30))
    report = collection.export_parquet(tmp_path / "out.parquet")
    table = pq.read_table(tmp_path / "out.parquet")
    assert (report.rows, table.num_rows) == (30, 30)
    vectors = np.stack(table["vector_static"].to_numpy(zero_copy_only=False))
    assert vectors.shape == (30, 256)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(30), abs=1e-4)


def test_stats_and_health(make: Callable[..., Collection]) -> None:
    collection = make(encoders=["words", "static"])
    collection.add(corpus(30))
    stats = collection.stats()
    assert (stats.documents, stats.chunks, stats.roots[0]["documents"]) == (30, 30, 30)
    assert {e.name: e.covered for e in stats.encoders} == {"words": 30, "static": 30}
    assert not [d for d in collection.check() if d.status in ("problem", "warning")]


def test_merging_ends_where_segments_are_full(make: Callable[..., Collection], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("isogloss.collection.compaction.MOST_ROWS", 40)
    monkeypatch.setattr("isogloss.collection.compaction.FAN", 3)
    monkeypatch.setattr("isogloss.collection.adding.BATCH_DOCUMENTS", 15)
    collection = make(encoders=["words", "static"])
    collection.add(corpus(300))
    segments = {e.name: e.segments for e in collection.stats().encoders}
    assert segments["words"] <= 4
    assert 300 / 40 <= segments["static"] <= 14
    direct = make("direct", encoders=["words", "static"])
    monkeypatch.setattr("isogloss.collection.adding.BATCH_DOCUMENTS", 1000)
    direct.add(corpus(300))
    assert found(collection, "word1 word2") == found(direct, "word1 word2")
