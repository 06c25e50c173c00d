"""Vectors that are kept: found again, never found broken, and encoding that goes on where it was stopped."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isogloss.arrays import Similarity
from isogloss.protocols import EncodeReport, Silent
from isogloss.workflows.vector_cache import KeptVectors, VectorFile, encode_kept, text_key


class Slow:
    """An encoder that counts what it encodes, and may stop in the middle."""

    modality, similarity, kind, speed, dimensions = "text", Similarity.DOT, "dense", "slow", 3
    identity = "0" * 64

    def __init__(self, stop_after=None):
        self.seen, self.stop_after = [], stop_after

    def encode_batches(self, texts, *, role=None, report=None):
        for i, text in enumerate(texts):
            if self.stop_after is not None and len(self.seen) >= self.stop_after:
                raise KeyboardInterrupt
            self.seen.append(text)
            yield np.array([i]), np.full((1, 3), float(len(text)), np.float32)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def kept(encoder, texts):
    return encode_kept(encoder, texts, "document", Silent(), report=EncodeReport())


def test_each_text_is_encoded_once():
    first, again = Slow(), Slow()
    vectors, count = kept(first, ["a", "bb", "a", "ccc"])
    assert (vectors[:, 0].tolist(), count, first.seen) == ([1, 2, 1, 3], 3, ["a", "bb", "ccc"])
    vectors, count = kept(again, ["ccc", "dddd", "a"])
    assert (vectors[:, 0].tolist(), count, again.seen) == ([3, 4, 1], 1, ["dddd"])


def test_roles_are_kept_apart():
    kept(Slow(), ["a"])
    other = Slow()
    encode_kept(other, ["a"], "query", Silent(), report=EncodeReport())
    assert other.seen == ["a"]


def test_a_stopped_run_goes_on():
    texts = [f"text {i}" for i in range(20)]
    with pytest.raises(KeyboardInterrupt):
        kept(Slow(stop_after=7), texts)
    again = Slow()
    _, count = kept(again, texts)
    assert count == 13
    assert again.seen == texts[7:]


def test_tasks_go_on_too():
    """The encoder that tasks are given keeps what it makes, and is the encoder in all else."""
    texts = [f"text {'x' * i}" for i in range(20)]
    stopped = KeptVectors(Slow(stop_after=7))
    with pytest.raises(KeyboardInterrupt):
        stopped.encode(texts)
    again = KeptVectors(Slow())
    assert again.encode(texts)[:, 0].tolist() == [float(len(text)) for text in texts]
    assert (again.taken, len(again.seen), again.kind) == (7, 13, "dense")
    assert again.encode([]).shape == (0, 3)


def test_nothing_to_encode():
    vectors, count = kept(Slow(), [])
    assert vectors.shape == (0, 3)
    assert count == 0


def test_torn_and_damaged_rows_do_not_exist(tmp_path):
    path = tmp_path / "a.vectors"
    keys = [text_key(name) for name in "abc"]
    VectorFile(path, 2).add(keys, np.arange(6, dtype=np.float32).reshape(3, 2))
    content = bytearray(path.read_bytes())
    row = len(content) // 3
    content[2 * row - 3] ^= 255  # damages the second vector
    path.write_bytes(bytes(content[:-5]))  # tears the third
    found = VectorFile(path, 2).find(keys)
    assert found[0].tolist() == [0.0, 1.0]
    assert np.isnan(found[1:]).all()
    VectorFile(path, 2).add(keys[2:], np.array([[8.0, 9.0]], np.float32))
    assert VectorFile(path, 2).find(keys)[2].tolist() == [8.0, 9.0]


def test_a_place_that_cannot_be_written_is_no_error(tmp_path):
    (tmp_path / "file").write_text("in the way")
    file = VectorFile(tmp_path / "file" / "a.vectors", 2)
    file.add([text_key("a")], np.ones((1, 2), np.float32))
    assert np.isnan(file.find([text_key("a")])).all()


@given(st.lists(st.text(max_size=8), unique=True, max_size=12), st.integers(1, 5))
def test_what_is_added_is_found_bit_for_bit(tmp_path_factory, texts, width):
    path = tmp_path_factory.mktemp("kept") / "a.vectors"
    vectors = np.random.default_rng(0).normal(size=(len(texts), width)).astype(np.float32)
    VectorFile(path, width).add([text_key(text) for text in texts], vectors)
    found = VectorFile(path, width).find([text_key(text) for text in reversed(texts)])
    assert found.tobytes() == vectors[::-1].tobytes()
