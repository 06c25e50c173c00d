"""Engines as people choose them: the listing, the trials, the options, and what is said where."""

from __future__ import annotations

import os

import pytest


@pytest.fixture(autouse=True)
def own_cache(place, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(place / "cache"))
    for name in ("ISOGLOSS_ENGINE", "ISOGLOSS_PRECISION"):
        monkeypatch.delenv(name, raising=False)


def test_engines_are_listed_with_what_is_missing(run, monkeypatch) -> None:
    found = run("engines", "--json").json["engines"]
    assert [one["engine"] for one in found] == ["onnx", "openvino", "torch"]
    assert found[0]["available"]
    monkeypatch.setattr("isogloss.encoders.engines.seam.find_spec", lambda name: None)
    assert "isogloss[openvino]" in run("engines").out


def test_a_model_is_tried_on_every_engine(run, place, minilm, monkeypatch) -> None:
    from isogloss.encoders.engines import probe, seam

    only = {"onnx": seam.ENGINES["onnx"]}
    for module in (seam, probe):
        monkeypatch.setattr(module, "ENGINES", only)
    monkeypatch.setattr("isogloss.encoders.engine_encoder.ENGINES", only)
    (place / "texts.txt").write_text("a small dog\n\na puppy\nthe price of gold\n")
    ran = run("engines", str(minilm), "--on", "texts.txt", "--threads", "1")
    assert ran.code == 0
    rows = [line.split("\t") for line in ran.out.splitlines()]
    assert [row[:2] for row in rows] == [["onnx", "fp32"], ["onnx", "int8"]]
    assert float(rows[0][2]) == 1
    assert 0.97 < float(rows[1][2]) < 0.9999
    assert run("engines", "words").code == 2


def test_a_precision_is_said_on_stderr_and_gone_after_the_command(run, place, minilm) -> None:
    (place / "docs").mkdir()
    (place / "docs" / "a.txt").write_text("Dogs bark at night.")
    assert run("add", "docs", "--with", f"words,{minilm}", "--threads", "1").code == 0
    ran = run("search", "a small dog", "--precision", "int8", "--threads", "1", "--with", str(minilm))
    assert "onnx in int8: mean cosine with onnx in fp32 0.9" in ran.err
    assert "onnx" not in ran.out
    assert "ISOGLOSS_PRECISION" not in os.environ
    assert run("search", "dog", "--engine", "abacus").code == 2
    assert run("search", "dog", "--engine", "openvino", "--precision", "int8", "--with", str(minilm)).code == 2


def test_a_file_that_is_no_text_is_said(run, place) -> None:
    (place / "bad.txt").write_bytes(bytes([255, 254, 0]))
    ran = run("engines", "static", "--on", str(place / "bad.txt"))
    assert ran.code == 2
    assert "no UTF-8 text" in ran.err


def test_a_device_is_for_torch_alone_and_must_be_there(run, place, minilm) -> None:
    (place / "texts.txt").write_text("a small dog\n")
    encode = ("encode", "texts.txt", "--lines", "--out", "out", "--with", str(minilm), "--device")
    ran = run(*encode, "cuda")
    assert ran.code == 2
    assert "--device is cuda, and the engine is onnx" in ran.err
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        ran = run(*encode, "cuda", "--engine", "torch")
        assert ran.code == 2
        assert "torch sees no graphics card cuda" in ran.err
    assert run(*encode, "abacus", "--engine", "torch").code == 2
    assert "ISOGLOSS_DEVICE" not in os.environ
    assert not (place / "out").exists()
