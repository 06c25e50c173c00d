"""Where tensors lie: against the safetensors package, and the errors for damaged and forbidden files."""

from __future__ import annotations

import json
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load_file, save, save_file

from isogloss.encoders.engines.weights import digest, read_header, read_headers
from isogloss.errors import ModelError, UnsupportedModelError


@given(
    st.dictionaries(st.text(min_size=1, max_size=8), st.lists(st.integers(0, 3), max_size=3), min_size=1, max_size=5)
)
def test_places_equal_the_safetensors_package(tmp_path_factory, shapes) -> None:
    path = tmp_path_factory.mktemp("w") / "model.safetensors"
    shapes = {name: shape for name, shape in shapes.items() if name != "__metadata__" and name.isprintable()}
    rng = np.random.default_rng(0)
    save_file(
        {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}, path, {"made": "here"}
    )
    found = read_header(path)
    expected = load_file(path)
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        assert found[name].shape == array.shape
        np.testing.assert_array_equal(found[name].read(), array)


def test_types(tmp_path) -> None:
    path = tmp_path / "model.safetensors"
    save_file({"half": np.array([1.5, -2], np.float16), "double": np.array([0.25]), "whole": np.array([1])}, path)
    found = read_header(path)
    assert found["half"].read().tolist() == [1.5, -2]
    assert found["half"].read().dtype == found["double"].read().dtype == np.float32
    with pytest.raises(UnsupportedModelError, match="I64"):
        found["whole"].read()


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (b"", "0 bytes"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:12", "Git LFS"),
        (struct.pack("<Q", 4) + b"oops", "not JSON"),
        (save({"x": np.zeros(100, np.float32)})[:-1], "needs bytes"),
    ],
)
def test_a_damaged_file_is_named(tmp_path, content, named) -> None:
    (tmp_path / "model.safetensors").write_bytes(content)
    with pytest.raises(ModelError, match=named):
        read_headers(tmp_path)


def test_missing_shard_pickle_and_nothing_at_all(tmp_path) -> None:
    with pytest.raises(ModelError, match=r"neither model\.safetensors"):
        read_headers(tmp_path)
    (tmp_path / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(UnsupportedModelError, match="pickles"):
        read_headers(tmp_path)
    index = {"weight_map": {"x": "model-00001-of-00002.safetensors", "y": "model-00002-of-00002.safetensors"}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    save_file({"x": np.zeros(1, np.float32)}, tmp_path / "model-00001-of-00002.safetensors")
    with pytest.raises(ModelError, match="model-00002-of-00002"):
        read_headers(tmp_path)


def test_the_digest_sees_every_value_and_not_the_layout(tmp_path) -> None:
    tensors = {"a": np.arange(6, dtype=np.float32), "b": np.ones((2, 2), np.float32)}

    def of(content, name, **metadata):
        save_file(content, tmp_path / name, metadata or None)
        return read_header(tmp_path / name)

    whole = digest(of(tensors, "1"))
    assert digest(of(tensors, "2", format="pt")) == whole
    assert digest(of({"a": tensors["a"]}, "3") | of({"b": tensors["b"]}, "4")) == whole
    changed = {**tensors, "a": tensors["a"].copy()}
    changed["a"][5] = np.nextafter(np.float32(5), np.float32(6))
    assert digest(of(changed, "5")) != whole
    assert digest(of({**tensors, "b": np.ones(4, np.float32)}, "6")) != whole
    assert digest(of({"a": tensors["b"], "b": tensors["a"]}, "7")) != whole
