"""Every engine behind the one seam: the same states, in its precision, and nothing behind the user's back."""

from __future__ import annotations

import socket
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest

from isogloss.encoders.batching import padded
from isogloss.encoders.engines.seam import ENGINES, PRECISIONS, TokenEngine, asked_for, check_request, load_engine
from isogloss.encoders.model_folder import resolve
from isogloss.errors import MissingExtraError, UnsupportedModelError, UsageError

TEXTS = [[2, 5, 3], [2, *range(4, 30), 3], [2, 7, 8, 9, 3], [2, *range(6, 17), 3]]
THERE = [kind.name for kind in ENGINES.values() if not kind.missing() and find_spec(kind.module) is not None]
PAIRS = [(name, precision) for name in THERE for precision in ENGINES[name].precisions]
EXACT = {"fp32": 2e-5, "bf16": 0.15, "int8": 0.3}


def states(engine, texts):
    ids = [np.array(text) for text in texts]
    lengths = np.array([len(one) for one in ids])
    found = engine.last(padded(ids), lengths)
    return [row[:length] for row, length in zip(found, lengths, strict=True)]


@pytest.fixture
def plan(tiny_model):
    return resolve(tiny_model())


@pytest.mark.parametrize(("name", "precision"), PAIRS)
def test_an_engine_agrees_with_the_first_one_alone_and_together_in_any_order(plan, name, precision) -> None:
    engine = load_engine(plan, name, precision, 1)
    assert isinstance(engine, TokenEngine)
    assert (engine.name, engine.precision) == (name, precision)
    reference = states(load_engine(plan, "onnx", "fp32", 1), TEXTS)
    together, turned = states(engine, TEXTS), states(engine, TEXTS[::-1])[::-1]
    for i, expected in enumerate(reference):
        assert together[i].dtype == np.float32
        for found in (together[i], turned[i], states(engine, [TEXTS[i]])[0]):
            np.testing.assert_allclose(found, expected, atol=EXACT[precision])
            assert _cosine(found, expected) > {"fp32": 0.99999, "bf16": 0.9995, "int8": 0.99}[precision]
    if precision != "fp32":  # a precision that was asked for is the one that is used
        assert not np.allclose(together[1], reference[1], atol=1e-5) or not _has_bf16()


def _cosine(a, b):
    return float(((a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)).mean())


def _has_bf16():
    from pathlib import Path

    cpu = Path("/proc/cpuinfo")
    return cpu.is_file() and "bf16" in cpu.read_text()


def test_openvino_opens_no_socket_from_import_to_vectors(plan) -> None:
    pytest.importorskip("openvino")
    code = f"""
import socket, sys
def refuse(*args, **kwargs):
    raise AssertionError("a socket was opened")
socket.socket.__init__ = refuse
socket.create_connection = refuse
import numpy as np
from isogloss.encoders.engines.seam import load_engine
from isogloss.encoders.model_folder import resolve
found = load_engine(resolve({str(plan.folder)!r}), "openvino", "fp32", 1).last(np.array([[2, 5, 3]]), np.array([3]))
assert np.isfinite(found).all()
assert "openvino_telemetry" not in sys.modules, "telemetry was loaded"
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr[-2000:]) == (0, "")


def test_the_guard_against_sockets_would_see_one(monkeypatch) -> None:
    def refuse(*_, **__):
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket.socket, "__init__", refuse)
    with pytest.raises(AssertionError, match="opened"):
        socket.create_connection(("127.0.0.1", 9), timeout=0.1)


def test_what_is_asked_for_is_arguments_then_environment_then_onnx(monkeypatch) -> None:
    assert asked_for(None, None) == ("onnx", "fp32")
    monkeypatch.setenv("ISOGLOSS_ENGINE", "openvino")
    assert asked_for(None, None) == ("openvino", "fp32")
    assert asked_for("auto", None) == ("auto", None)
    assert asked_for("onnx", "int8") == ("onnx", "int8")
    monkeypatch.setenv("ISOGLOSS_PRECISION", "bf16")
    assert asked_for(None, None) == ("openvino", "bf16")
    monkeypatch.delenv("ISOGLOSS_ENGINE")
    assert asked_for(None, None) == ("auto", "bf16")
    assert asked_for(None, "fp32") == ("onnx", "fp32")


@pytest.mark.parametrize(
    ("engine", "precision", "named"),
    [("abacus", None, "abacus"), ("onnx", "bf16", "bf16"), (None, "fp64", "fp64"), ("openvino", "int8", "int8")],
)
def test_what_there_is_not_is_named(engine, precision, named) -> None:
    with pytest.raises(UsageError, match=named):
        asked_for(engine, precision)


def test_a_missing_engine_names_its_extra(plan, monkeypatch) -> None:
    monkeypatch.setattr("isogloss.encoders.engines.seam.find_spec", lambda name: None)
    assert "not installed" in ENGINES["openvino"].missing()
    with pytest.raises(MissingExtraError) as caught:
        load_engine(plan, "openvino", "bf16", 1)
    assert "isogloss[openvino]" in caught.value.fix


def test_a_model_that_is_an_onnx_file_runs_in_fp32_by_onnx_runtime_alone(plan) -> None:
    from dataclasses import replace

    opaque = replace(plan, architecture=None)
    with pytest.raises(UnsupportedModelError, match="rounded"):
        load_engine(opaque, "onnx", "int8", 1)
    if "openvino" in THERE:
        with pytest.raises(UnsupportedModelError, match="no graph"):
            load_engine(opaque, "openvino", "bf16", 1)


def test_every_engine_knows_fp32_first() -> None:
    assert all(kind.precisions[0] == "fp32" and set(kind.precisions) <= set(PRECISIONS) for kind in ENGINES.values())
    assert check_request("onnx", None).missing() == ""
