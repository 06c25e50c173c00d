"""Bytes of ONNX models: by hand, and read back by the onnx package."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isogloss.encoders.engines import protobuf as pb


def test_by_hand() -> None:
    assert pb.varint(0) == b"\x00"
    assert pb.varint(300) == b"\xac\x02"
    assert pb.varint(-1) == b"\xff" * 9 + b"\x01"
    assert pb.field(1, 150) == b"\x08\x96\x01"
    assert pb.field(2, "testing") == b"\x12\x07testing"
    assert pb.field(2, 1.0) == b"\x15\x00\x00\x80\x3f"


@given(st.integers(-(2**63), 2**63 - 1))
def test_varints_are_read_back(number) -> None:
    value = 0
    for shift, byte in enumerate(pb.varint(number)):
        value |= (byte & 127) << 7 * shift
    assert value - (1 << 64 if value >= 1 << 63 else 0) == number


VALUES = (
    st.integers(-(2**63), 2**63 - 1)
    | st.floats(width=32, allow_nan=False)
    | st.text(max_size=5)
    | st.lists(st.integers(0, 99), min_size=1)
)


@given(st.dictionaries(st.from_regex(r"[a-z]{1,6}", fullmatch=True), VALUES))
def test_nodes_are_read_back_by_onnx(attributes) -> None:
    onnx = pytest.importorskip("onnx")
    attributes = {
        name: value for name, value in attributes.items() if name not in ("op", "inputs", "outputs", "domain")
    }
    node = onnx.NodeProto.FromString(pb.node("Op", ["x", "", "y"], ["z"], domain="d", **attributes))
    assert (node.op_type, list(node.input), list(node.output), node.domain) == ("Op", ["x", "", "y"], ["z"], "d")
    found = {item.name: onnx.helper.get_attribute_value(item) for item in node.attribute}
    assert {k: v.decode() if isinstance(v, bytes) else v for k, v in found.items()} == attributes


def test_a_model_is_read_back_and_checked_by_onnx() -> None:
    onnx = pytest.importorskip("onnx")
    array = np.array([[1.5, -2.0]], np.float32)
    model = onnx.ModelProto.FromString(
        pb.model(
            nodes=[pb.node("Add", ["x", "c"], ["y"])],
            initializers=[pb.tensor("c", array), pb.external_tensor("w", pb.FLOAT16, [3, 4], "f.safetensors", 64, 24)],
            inputs=[pb.value_info("x", pb.FLOAT, ["n", 2])],
            outputs=[pb.value_info("y", pb.FLOAT, ["n", 2])],
            name="g",
            opsets={"": pb.OPSET, pb.CONTRIB: 1},
        )
    )
    np.testing.assert_array_equal(onnx.numpy_helper.to_array(model.graph.initializer[0]), array)
    outside = model.graph.initializer[1]
    assert {item.key: item.value for item in outside.external_data} == {
        "location": "f.safetensors", "offset": "64", "length": "24",
    }  # fmt: skip
    assert (list(outside.dims), outside.data_type, outside.data_location) == ([3, 4], onnx.TensorProto.FLOAT16, 1)
    assert {item.domain: item.version for item in model.opset_import} == {"": 20, "com.microsoft": 1}
    dims = model.graph.input[0].type.tensor_type.shape.dim
    assert (dims[0].dim_param, dims[1].dim_value) == ("n", 2)
