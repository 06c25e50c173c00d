"""``isogloss encode`` as people use it: processes, a kill, Ctrl-C, and what is said where."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest


def write_lines(path: Path, count: int) -> None:
    words = ["heat", "snow", "roof", "ships", "wind", "library", "maps", "gold", "mill", "river", "engine"]
    lines = (" ".join(words[(i * k) % 11] for k in range(1, 2 + i % 9)) for i in range(count))
    path.write_text("\n".join(lines))


def children(pid: int) -> list[int]:
    """The processes that ``pid`` started, from the system's own table."""
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            if int((entry / "stat").read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(int(entry.name))
    return found


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def waited(holds, seconds: float = 60.0) -> bool:
    end = time.monotonic() + seconds
    while not holds() and time.monotonic() < end:
        time.sleep(0.01)
    return bool(holds())


def start(out: str, model: str, **options) -> subprocess.Popen:
    command = [sys.executable, "-m", "isogloss", "encode", "texts.txt", "--lines", "--out", out, "--with", model]
    return subprocess.Popen([*command, "--processes", "2", "--threads", "2"], text=True, **options)


def test_lines_become_vectors_and_it_is_said(run, place) -> None:
    write_lines(place / "texts.txt", 30)
    ran = run("encode", "texts.txt", "--lines", "--out", "made/vectors", "--with", "static")
    assert ran.code == 0
    assert "encoded 30 texts with static on onnx in fp32" in ran.out
    assert np.load(place / "made/vectors/vectors.npy", allow_pickle=False).shape == (30, 256)
    again = run("encode", "texts.txt", "--lines", "--out", "made/vectors", "--with", "static")
    assert again.code == 2
    assert "is there already" in again.err
    (place / "docs").mkdir()
    (place / "docs" / "a.txt").write_text("Dogs bark at night.")
    (place / "docs" / "b.txt").write_text("")
    data = run("encode", "docs", "--out", "docs.vectors", "--with", "static", "--json").json
    assert data["schema"] == "isogloss.encode/1"
    assert (data["texts"], data["skipped"]) == (1, {"empty": 1})
    assert (place / "docs.vectors" / "ids.txt").read_text() == "a.txt\n"


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (["--processes", "0"], 2), (["--shard", "3/2"], 2), (["--shard", "2"], 2), (["--with", "absent"], 4),
        (["--with", "words"], 4), (["--role", "nobody"], 2),
    ],
)  # fmt: skip
def test_what_makes_no_sense_has_its_exit_code(run, place, options, code) -> None:
    write_lines(place / "texts.txt", 3)
    ran = run("encode", "texts.txt", "--lines", "--out", "out", *options)
    assert ran.code == code
    assert not (place / "out").exists()
    assert ran.out == ""


def test_what_a_model_cuts_is_said(run, place, minilm) -> None:
    (place / "texts.txt").write_text("snow on the roof " * 30 + "\nwind\n")
    ran = run("encode", "texts.txt", "--lines", "--out", "out", "--with", str(minilm), "--max-length", "16")
    assert ran.code == 0
    assert "1 of 2 texts (50.0%) cut at 16 tokens" in ran.err
    assert json.loads((place / "out" / "encoding.json").read_text())["cut"]["cut"] == 1


@pytest.fixture
def interrupted(place, minilm):
    """Start an encoding and wait for its first block; yields the process and the processes that it started."""
    write_lines(place / "texts.txt", 3500)
    process = start("out", str(minilm), stderr=subprocess.PIPE, start_new_session=True)
    noted = place / "out.partial" / "blocks.jsonl"
    assert waited(lambda: noted.is_file() and len(noted.read_bytes().split()) >= 1)
    workers = children(process.pid)
    assert len(workers) == 2
    yield process, workers
    process.kill()
    process.communicate()


def test_a_kill_of_the_first_process_leaves_no_other_and_loses_no_block(run, place, minilm, interrupted) -> None:
    process, workers = interrupted
    process.kill()
    process.wait()
    assert waited(lambda: not any(map(alive, workers)), 10)
    noted = (place / "out.partial" / "blocks.jsonl").read_bytes().count(b"\n{")
    ran = run("encode", "texts.txt", "--lines", "--out", "out", "--with", str(minilm), "--threads", "2", "--json")
    assert ran.code == 0
    assert ran.json["found"] >= noted
    run("encode", "texts.txt", "--lines", "--out", "whole", "--with", str(minilm), "--threads", "2")
    assert (place / "out/vectors.npy").read_bytes() == (place / "whole/vectors.npy").read_bytes()


def test_ctrl_c_ends_every_process_and_says_how_to_go_on(place, interrupted) -> None:
    process, workers = interrupted
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(20) == 130
    assert waited(lambda: not any(map(alive, workers)), 5)
    said = process.stderr.read()
    assert "work so far kept" in said
    assert "Traceback" not in said
    assert (place / "out.partial" / "vectors.npy").is_file()


def test_long_texts_are_cut_and_said_or_read_in_windows(run, place, minilm) -> None:
    (place / "texts.txt").write_text("a roof of gold\n" + "heat and snow " * 20)
    options = ("texts.txt", "--lines", "--with", str(minilm), "--max-length", "16", "--threads", "1")
    cut, whole = run("encode", *options, "--out", "cut"), run("encode", *options, "--out", "whole", "--long", "windows")
    assert (cut.code, whole.code) == (0, 0)
    assert "1 of 2 texts (50.0%) cut at 16 tokens" in cut.err
    assert "cut" not in whole.err
    first, second = (np.load(place / name / "vectors.npy", allow_pickle=False) for name in ("cut", "whole"))
    np.testing.assert_allclose(first[0], second[0], atol=1e-6)
    assert np.abs(first[1] - second[1]).max() > 1e-3
