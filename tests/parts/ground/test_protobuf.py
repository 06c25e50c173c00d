"""The protobuf writer against ``onnx`` as the oracle, and against ONNX Runtime."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isogloss import protobuf as pb


@pytest.fixture(scope="module")
def onnx():
    return pytest.importorskip("onnx")


def _run(graph, feed):
    runtime = pytest.importorskip("onnxruntime")
    session = runtime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    return session.run(None, feed)


def test_a_varint_by_hand():
    assert pb._varint(0) == b"\x00"
    assert pb._varint(300) == b"\xac\x02"
    assert pb._varint(-1) == b"\xff" * 9 + b"\x01"


def test_a_node_by_hand():
    # field 1 "x", field 2 "y", field 4 "Neg": tag, length, bytes
    assert pb.node("Neg", ["x"], ["y"]) == b"\x0a\x01x\x12\x01y\x22\x03Neg"


@given(st.integers(-(2**63), 2**63 - 1))
def test_every_integer_attribute_is_read_back(number):
    onnx = pytest.importorskip("onnx")
    read = onnx.NodeProto()
    read.ParseFromString(pb.node("Op", [], [], axis=number))
    assert read.attribute[0].i == number


def test_attributes_of_every_kind(onnx):
    read = onnx.NodeProto()
    read.ParseFromString(
        pb.node(
            "Op",
            ["a", ""],
            ["b"],
            domain="own",
            i=-1,
            f=1e-12,
            s="ü",
            ints=[0, -3],
            floats=[1.5, 2],
            strings=["a", "b"],
        )
    )
    assert (list(read.input), list(read.output), read.op_type, read.domain) == (["a", ""], ["b"], "Op", "own")
    found = {one.name: onnx.helper.get_attribute_value(one) for one in read.attribute}
    assert found.pop("f") == np.float32(1e-12)
    assert found == {"i": -1, "s": "ü".encode(), "ints": [0, -3], "floats": [1.5, 2.0], "strings": [b"a", b"b"]}


@pytest.mark.parametrize("dtype", ["float32", "uint8", "int8", "int16", "int32", "int64", "bool", "float16", "float64"])
def test_initializers_of_every_type(onnx, dtype):
    values = np.arange(6).reshape(2, 3).astype(dtype)
    read = onnx.TensorProto()
    read.ParseFromString(pb.initializer("w", values))
    back = onnx.numpy_helper.to_array(read)
    assert back.dtype == values.dtype
    assert read.name == "w"
    np.testing.assert_array_equal(back, values)


def test_an_initializer_may_be_a_view_or_big_endian(onnx):
    values = np.arange(6.0, dtype=np.float32).reshape(2, 3)
    for given_ in (values.T, values[:, ::2], values.astype(">f4"), np.float32(3)):
        read = onnx.TensorProto()
        read.ParseFromString(pb.initializer("w", given_))
        np.testing.assert_array_equal(onnx.numpy_helper.to_array(read), given_)


def test_an_unknown_type_is_refused():
    with pytest.raises(ValueError, match="complex64"):
        pb.initializer("w", np.zeros(1, np.complex64))


def test_weights_in_another_file(tmp_path):
    values = np.arange(12, dtype=np.float32).reshape(3, 4)
    (tmp_path / "weights.bin").write_bytes(b"head of 16 bytes" + values.tobytes())
    weight = pb.initializer("w", dtype="float32", shape=(3, 4), location="weights.bin", offset=16, length=values.nbytes)
    graph = pb.model(
        [pb.node("MatMul", ["x", "w"], ["y"])],
        [pb.value_info("x", "float32", ["n", 3])],
        [pb.value_info("y", "float32", ["n", 4])],
        [weight],
    )
    path = tmp_path / "model.onnx"
    path.write_bytes(graph)
    x = np.ones((2, 3), np.float32)
    np.testing.assert_allclose(_run(str(path), {"x": x})[0], x @ values)


def test_a_whole_model_passes_the_checker_and_runs(onnx):
    graph = pb.model(
        [pb.node("Transpose", ["x"], ["t"], perm=[1, 0]), pb.node("Gelu", ["t"], ["y"], approximate="none")],
        [pb.value_info("x", "float32", ["n", 2])],
        [pb.value_info("y", "float32", [2, "n"])],
        opset=20,
        ir_version=9,
        name="two steps",
    )
    read = onnx.load_from_string(graph)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        onnx.checker.check_model(read, full_check=True)
    assert (read.graph.name, read.opset_import[0].version, read.ir_version) == ("two steps", 20, 9)
    assert [d.dim_param or d.dim_value for d in read.graph.input[0].type.tensor_type.shape.dim] == ["n", 2]
    assert _run(graph, {"x": np.zeros((3, 2), np.float32)})[0].shape == (2, 3)


def test_a_second_operator_set(onnx):
    graph = pb.model(
        [pb.node("Gelu", ["x"], ["y"], domain="com.microsoft")],
        [pb.value_info("x", "float32", ["n"])],
        [pb.value_info("y", "float32", ["n"])],
        domains={"com.microsoft": 1},
    )
    assert {one.domain: one.version for one in onnx.load_from_string(graph).opset_import} == {
        "": 17,
        "com.microsoft": 1,
    }
    assert _run(graph, {"x": np.zeros(2, np.float32)})[0].tolist() == [0, 0]
