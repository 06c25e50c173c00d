"""Array files: the layout is safetensors', every array is aligned, damage is noticed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from isogloss.errors import CorruptIndexError
from isogloss.index.store.arrayfile import pack_arrays, read_arrays, unpack_arrays, write_arrays

_DTYPES = ("<i8", "<u8", "<i4", "<u2", "<u1", "<i1", "<f4", "<f2", "?")
_ARRAYS = st.dictionaries(
    st.text('abcxyzé"\\ ', min_size=1, max_size=6),
    st.sampled_from(_DTYPES).flatmap(lambda d: hnp.arrays(d, hnp.array_shapes(min_dims=1, max_dims=3, min_side=0))),
    max_size=5,
)


@pytest.fixture
def arrays() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    return {
        "rows": np.arange(7, dtype=np.int64),
        "codes": rng.integers(-128, 127, (7, 5)).astype(np.int8),
        "empty": np.zeros((0, 3), np.uint16),
        "half": rng.normal(size=(3, 3)).astype(np.float16),
        "ids": np.array([2**63 + 1, 5], np.uint64),
    }


def test_bytes_by_hand(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    written = write_arrays(path, {"a": np.array([1, 2], np.uint8), "b": np.array([3], np.int32)}, {"k": "v"})
    data = path.read_bytes()
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    assert (8 + size) % 64 == 0
    assert header["a"] == {"dtype": "U8", "shape": [2], "data_offsets": [0, 2]}
    assert header["b"] == {"dtype": "I32", "shape": [1], "data_offsets": [64, 68]}
    assert header["__metadata__"] == {"k": "v"}
    body = data[8 + size :]
    assert body == b"\x01\x02" + bytes(62) + b"\x03\x00\x00\x00"
    assert written.bytes == len(data)


def test_safetensors_reads_it(tmp_path: Path, arrays: dict[str, np.ndarray]) -> None:
    safetensors = pytest.importorskip("safetensors.numpy")
    path = tmp_path / "x.safetensors"
    write_arrays(path, arrays, {"encoder": "static"})
    theirs = safetensors.load_file(path)
    for name, array in arrays.items():
        assert theirs[name].dtype == array.dtype
        np.testing.assert_array_equal(theirs[name], array)


def test_arrays_are_aligned_maps(tmp_path: Path, arrays: dict[str, np.ndarray]) -> None:
    path = tmp_path / "x.safetensors"
    ours = read_arrays(path, write_arrays(path, arrays), check=True)
    assert list(ours) == list(arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(ours[name], array)
        assert not ours[name].flags.writeable
        assert ours[name].size == 0 or ours[name].ctypes.data % 64 == 0
    path.unlink()
    assert ours["rows"].sum() == 21


@given(_ARRAYS)
def test_round_trip(arrays: dict[str, np.ndarray]) -> None:
    back = unpack_arrays(pack_arrays(arrays))
    assert list(back) == list(arrays)
    for name, array in arrays.items():
        assert back[name].dtype == array.dtype
        assert back[name].tobytes() == array.tobytes()
        assert back[name].shape == array.shape


def test_parts_are_joined(tmp_path: Path) -> None:
    a, b = np.arange(6.0, dtype=np.float32).reshape(3, 2), np.ones((1, 2), np.float32)
    path = tmp_path / "x.safetensors"
    written = write_arrays(path, {"v": [a, b], "t": np.asfortranarray(a), "big": np.array([1], ">i4")})
    back = read_arrays(path, written)
    np.testing.assert_array_equal(back["v"], np.concatenate([a, b]))
    np.testing.assert_array_equal(back["t"], a)
    assert back["big"].tolist() == [1]


@pytest.mark.parametrize(
    "arrays",
    [
        {"c": np.zeros(2, np.complex64)},
        {"o": np.array([object()])},
        {"_pad0": np.zeros(2)},
        {"none": []},
        {"mixed": [np.zeros(2), np.zeros(2, np.int8)]},
        {"shapes": [np.zeros((2, 3)), np.zeros((2, 4))]},
    ],
)
def test_what_cannot_be_held_is_refused(tmp_path: Path, arrays: dict[str, np.ndarray]) -> None:
    with pytest.raises(ValueError, match="array"):
        write_arrays(tmp_path / "x", arrays)


def test_bytes_beyond_the_length_do_not_exist(tmp_path: Path, arrays: dict[str, np.ndarray]) -> None:
    path = tmp_path / "x.safetensors"
    written = write_arrays(path, arrays)
    with open(path, "ab") as file:
        file.write(b"more")
    np.testing.assert_array_equal(read_arrays(path, written, check=True)["rows"], arrays["rows"])


def test_damage_is_noticed(tmp_path: Path, arrays: dict[str, np.ndarray]) -> None:
    path = tmp_path / "x.safetensors"
    written = write_arrays(path, arrays)
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    with pytest.raises(CorruptIndexError, match="truncated"):
        read_arrays(path, written)
    for place, check in ((20, False), (3, False), (len(whole) - 1, True), (len(whole) // 2, True)):
        broken = bytearray(whole)
        broken[place] ^= 4
        path.write_bytes(broken)
        with pytest.raises(CorruptIndexError, match=r"x\.safetensors"):
            read_arrays(path, written, check=check)
    path.write_bytes(whole.replace(b'"I64"', b'"U64"'))  # a header that can be read, but is not the one committed
    with pytest.raises(CorruptIndexError, match="header"):
        read_arrays(path, written)
    with pytest.raises(CorruptIndexError, match="end at byte"):
        unpack_arrays(whole + b"x")


def test_no_file_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("here")
    with pytest.raises(FileExistsError):
        write_arrays(tmp_path / "x", {"a": np.zeros(1)})
