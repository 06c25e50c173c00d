"""What a transaction changes, and that it changes all of it or nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from isogloss.index.store.rows import NewChunk, NewDocument, StoredEncoder
from isogloss.index.store.store import Store
from isogloss.protocols import Skip

Make = Callable[..., NewDocument]


def test_replacing_keeps_the_id_and_gives_new_numbers(index: Path, document: Make) -> None:
    with Store.open(index, write=True) as store:
        before = store.snapshot.documents(["a.md"])["a.md"]
        with store.transaction() as t:
            numbers = t.upsert(
                [document("a.md", ["alpha one. ", "changed."], metadata={"month": "May"}), document("z", ["z"])]
            )
        assert numbers.tolist() == [5, 6, 7]
        after = store.snapshot.documents(["a.md"])["a.md"]
        assert (after.id, after.first, after.chunks) == (before.id, 5, 2)
        assert [c.text for c in store.snapshot.chunks_of(after.id)] == ["alpha one. ", "changed."]
        assert store.snapshot.live.tolist() == [False, False, True, True, True, True, True, True]
        kinds = {field.name: field.kinds for field in store.snapshot.fields()}
        assert kinds == {"draft": {"boolean": 1}, "year": {"number": 1}, "month": {"text": 1}}


def test_numbers_are_never_given_again(index: Path, document: Make) -> None:
    with Store.open(index, write=True) as store:
        with store.transaction() as t:
            assert t.upsert([document("d.md", ["delta."])]).tolist() == [5]
        last = store.snapshot.documents(["d.md"])["d.md"].id
        with store.transaction() as t:
            assert t.delete([last, 77]) == 1
    with Store.open(index, write=True) as store:
        assert store.compact_catalogue()[0] > 0
        with store.transaction() as t:
            assert t.upsert([document("d.md", ["delta."])]).tolist() == [6]
        assert store.snapshot.documents(["d.md"])["d.md"].id == last + 1


def test_the_later_of_two_equal_names_stays(index: Path, document: Make) -> None:
    with Store.open(index, write=True) as store:
        with store.transaction() as t:
            numbers = t.upsert([document("d", ["one"]), document("e", ["two"]), document("d", ["three", "four"])])
        assert numbers.tolist() == [5, 6, 7, 8]
        assert np.flatnonzero(store.snapshot.live).tolist() == [0, 1, 2, 3, 4, 6, 7, 8]
        assert store.snapshot.documents(["d"])["d"].first == 7


def test_an_exception_undoes_everything(index: Path, document: Make) -> None:
    with Store.open(index, write=True) as store:
        with pytest.raises(ZeroDivisionError):
            _change_and_fail(store, document)
        assert len(list((index / "segments").iterdir())) == 1
        assert store.snapshot.generation == 1
        with store.transaction() as t:
            assert t.upsert([document("d.md", ["delta."])]).tolist() == [5]
        assert store.snapshot.count_documents() == 4
        with pytest.raises(RuntimeError, match="nested"), store.transaction(), store.transaction():
            pass
        with pytest.raises(FileNotFoundError, match="the caller's"), store.transaction() as t:
            t.upsert(_failing(document))
    with Store.open(index) as store:
        assert store.snapshot.count_documents() == 4
        assert all(finding.status == "ok" for finding in store.verify())


def _change_and_fail(store: Store, document: Make) -> None:
    with store.transaction() as t:
        t.delete([0])
        numbers = t.upsert([document("d.md", ["delta."])])
        t.drop_segments([segment.name for segment in store.snapshot.segments()])
        t.add_segment("static", {"vectors": np.zeros((1, 4), np.float32)}, numbers)
        assert len(list((store.path / "segments").iterdir())) == 2
        raise ZeroDivisionError


def _failing(document: Make):
    yield document("x", ["x"])
    raise FileNotFoundError("the caller's own error")


def test_equal_texts_are_found_also_after_deletion(index: Path, document: Make) -> None:
    with Store.open(index, write=True) as store:
        hashes = np.array([chunk.hash for chunk in store.snapshot.chunks(range(5))])
        assert store.snapshot.same_text("static", hashes).tolist() == [0, 1, 2, 3, 4]
        assert store.snapshot.same_text("minilm", hashes).tolist() == [-1] * 5
        with store.transaction() as t:
            t.upsert([document("a.md", ["alpha two.", "new"])])
            assert store.snapshot.same_text("static", np.array([hashes[1], 7])).tolist() == [1, -1]
        assert store.snapshot.same_text("static", hashes).tolist() == [0, 1, 2, 3, 4]
        (segment,) = store.snapshot.segments()
        with store.transaction() as t:
            t.replace_segments([segment.name], "static", {"v": np.zeros((4, 1))}, np.array([6, 2, 3, 4]))
        # chunk 6 is not "alpha two.", and the dead rows are gone from the segments
        assert store.snapshot.same_text("static", hashes).tolist() == [-1, -1, 2, 3, 4]
        assert store._writer is not None
        assert store._writer.execute("SELECT count(*) FROM dead").fetchone() == (0,)


def test_coverage(index: Path, document: Make) -> None:
    with Store.open(index, write=True) as store:
        with store.transaction() as t:
            numbers = t.upsert([document("d.md", ["delta one. ", "delta two. ", "delta three."])])
            t.set_encoder(StoredEncoder("minilm", "dense", "id-2", "cosine", 384, position=1))
            t.add_segment("static", {"v": np.zeros((1, 4))}, numbers[1:2], level=2)
            t.exclude("minilm", np.array([0, 1]))
            t.exclude("minilm", np.array([7]))
        snapshot = store.snapshot
        assert snapshot.uncovered("static").tolist() == [5, 7]
        assert snapshot.uncovered("minilm").tolist() == [2, 3, 4, 5, 6]
        assert np.flatnonzero(snapshot.off("minilm")).tolist() == [0, 1, 7]
        assert [(s.level, s.rows) for s in snapshot.segments("static")] == [(0, 5), (2, 1)]
        for rows in (numbers[1:], np.array([5, 5]), np.array([8]), np.array([-1]), np.array([], np.int64)):
            with pytest.raises(ValueError, match="row"), store.transaction() as t:
                t.add_segment("static", {"v": np.zeros((len(rows), 4))}, rows)
        with store.transaction() as t:
            t.drop_encoder("static")
            t.drop_encoder("minilm")
        assert store.snapshot.encoders() == []
        assert store.snapshot.segments() == []
        assert store.snapshot.uncovered("minilm").tolist() == list(range(8))
    assert list((index / "segments").iterdir()) == []


def test_near_duplicates_skips_roots_and_settings(index: Path, document: Make) -> None:
    sketch = np.array([1, 2**63], np.uint64)
    with Store.open(index, write=True) as store:
        with store.transaction() as t:
            assert t.put_root("docs") == 0
            other = t.put_root("docs", "second/")
            t.upsert([document("s/x", ["x"], root=other, sketch=sketch, content_hash=5)])
            t.upsert([document("s/y", ["x"], root=other, sketch=sketch + 1, content_hash=5)])
            ids = [store.snapshot.documents(["s/x", "s/y"])[name].id for name in ("s/x", "s/y")]
            t.set_near(np.array([0, *ids]), np.array([-1, 4, 4]))
            t.set_skips(other, [Skip("s/z", "empty", "0 bytes"), Skip("\udc80", "encoding")])
            t.set_settings({"budget": 100})
        snapshot = store.snapshot
        assert snapshot.near([4, 5]) == {4: ["s/x", "s/y"]}
        # the three documents of the fixture have the content hash 0
        assert snapshot.count_duplicates() == (3, 2)
        found, sketches = snapshot.sketches()
        assert found.tolist() == ids
        np.testing.assert_array_equal(sketches, [sketch, sketch + 1])
        assert (
            snapshot.skips() == snapshot.skips(other) == [Skip("s/z", "empty", "0 bytes"), Skip("\ufffd", "encoding")]
        )
        assert snapshot.settings == {"budget": 100}
        assert snapshot.of_root(other) == dict(zip(["s/x", "s/y"], ids, strict=True))
        with store.transaction() as t:
            t.set_near(np.array(ids), np.array([-1, -1]))
            t.delete_root(other)
        assert [root.path for root in store.snapshot.roots()] == ["docs"]
        assert store.snapshot.skips() == []
        assert store.snapshot.near([4]) == {}
        assert store.snapshot.sketches()[1].shape == (0, 0)


@given(
    text=st.text(st.characters(codec=None), max_size=20),
    value=st.floats() | st.text(max_size=5) | st.booleans() | st.none(),
)
@settings(max_examples=20)
def test_any_text_is_stored(tmp_path_factory: pytest.TempPathFactory, text: str, value: object) -> None:
    folder = tmp_path_factory.mktemp("any") / "index"
    clean = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    chunks = [NewChunk(0, text, 1, (text,))]
    with Store.create(folder, {}) as store:
        with store.transaction() as t:
            t.upsert([NewDocument(text, 0, b"", chunks, title=text, metadata={text: value})])  # type: ignore[dict-item]
        (chunk,) = store.snapshot.chunks([0])
        assert (chunk.text, chunk.name, chunk.title, chunk.heading) == (clean, clean, clean, (clean,))
        (stored,) = store.snapshot.documents([clean]).values()
        finite = None if isinstance(value, float) and not np.isfinite(value) else value
        assert stored.metadata == {clean: finite}


class Model(RuleBasedStateMachine):
    """A store beside a dictionary: whatever is done, both hold the same."""

    def __init__(self) -> None:
        super().__init__()
        import tempfile

        self.folder = tempfile.TemporaryDirectory()
        self.store = Store.create(Path(self.folder.name) / "index", {})
        self.texts: dict[str, list[str]] = {}
        self.numbers: set[int] = set()

    @rule(
        names=st.lists(st.sampled_from("abcdef"), unique=True, max_size=4), count=st.integers(0, 3), fail=st.booleans()
    )
    def upsert(self, names: list[str], count: int, fail: bool) -> None:
        version = len(self.numbers)
        new = {name: [f"{name}{i}v{version}." for i in range(count)] for name in names}
        documents = [
            NewDocument(name, 0, b"", [NewChunk(0, text, 1) for text in texts], metadata={name: 1})
            for name, texts in new.items()
        ]
        try:
            with self.store.transaction() as t:
                numbers = t.upsert(documents)
                if len(numbers):
                    t.add_segment("e", {"rows": numbers}, numbers)
                if fail:
                    raise InterruptedError
        except InterruptedError:
            return
        assert self.numbers.isdisjoint(numbers.tolist())
        self.numbers.update(numbers.tolist())
        self.texts |= new

    @precondition(lambda self: self.texts)
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.texts)))
        with self.store.transaction() as t:
            assert t.delete([self.store.snapshot.documents([name])[name].id]) == len(self.texts.pop(name))

    @precondition(lambda self: len(self.store.snapshot.segments()) > 1)
    @rule()
    def merge(self) -> None:
        old = self.store.snapshot.segments("e")
        rows = np.concatenate([segment.arrays["rows"] for segment in old])
        rows = rows[self.store.snapshot.live[rows]]
        with self.store.transaction() as t:
            if len(rows):
                t.replace_segments([segment.name for segment in old], "e", {"rows": rows}, rows)
            else:
                t.drop_segments([segment.name for segment in old])

    @rule()
    def reopen(self) -> None:
        self.store.close()
        self.store = Store.open(Path(self.folder.name) / "index", write=True)

    @invariant()
    def holds_the_same(self) -> None:
        snapshot = self.store.snapshot
        live = np.flatnonzero(snapshot.live)
        assert sorted(chunk.text for chunk in snapshot.chunks(live)) == sorted(
            text for texts in self.texts.values() for text in texts
        )
        assert {field.name for field in snapshot.fields()} == set(self.texts)
        assert snapshot.uncovered("e").tolist() == []
        for name, document in snapshot.documents(self.texts).items():
            assert [chunk.text for chunk in snapshot.chunks_of(document.id)] == self.texts[name]
        assert all(finding.status == "ok" for finding in self.store.verify())

    def teardown(self) -> None:
        self.store.close()
        self.folder.cleanup()


TestModel = Model.TestCase
TestModel.settings = settings(max_examples=15, stateful_step_count=12, deadline=None)
