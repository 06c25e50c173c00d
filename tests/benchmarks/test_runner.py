"""The runner measures what it is given, in alternation, and says what failed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
SCRIPT = """
import os, sys, time
sys.path.insert(0, {benchmarks!r})
from runner import Contest, Contestant, main

ORDER = {order!r}

def sleeper(seconds):
    def setup(threads, items=1000):
        print("a library that talks")
        def run():
            with open(ORDER, "a") as file:
                file.write(str(seconds) + " ")
            time.sleep(seconds)
            return {{"items": items, "recall": 0.5}}
        return run, lambda: {{"threads": os.environ["OMP_NUM_THREADS"], "numba": os.environ.get("NUMBA_CPU_NAME", "")}}
    return setup

def broken(threads, items=0):
    raise RuntimeError("no such model")

def dies(threads, items=0):
    return lambda: os._exit(3)

CONTESTS = (
    Contest("speed", (Contestant("quick", sleeper(0.02), packages=("numpy", "no-such-package")),
                      Contestant("slow", sleeper(0.08))), unit="texts", rounds=3),
    Contest("faults", (Contestant("quick", sleeper(0.01)), Contestant("broken", broken), Contestant("dies", dies),
                       Contestant("absent", sleeper(0), rival="never-prepared")), rounds=1),
)
if __name__ == "__main__":
    main(*CONTESTS)
"""


def run(folder: Path, *arguments: str) -> tuple[int, list[dict]]:
    script = folder / "bench.py"
    script.write_text(SCRIPT.format(benchmarks=str(BENCHMARKS), order=str(folder / "order")))
    done = subprocess.run(
        [sys.executable, str(script), *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "ISOGLOSS_RIVALS": str(folder / "rivals")},
    )
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


def test_rates_ratios_and_order(tmp_path):
    out = tmp_path / "deep" / "result.json"
    code, rows = run(tmp_path, "--contest", "speed", "--option", "items=500", "--isa", "avx2", "--out", str(out))
    assert code == 0
    quick, slow = rows
    assert (quick["contestant"], slow["contestant"], quick["unit"], quick["rounds"]) == ("quick", "slow", "texts", 3)
    assert 500 / 0.04 < quick["per_s"]["median"] <= quick["per_s"]["best"] <= 500 / 0.02
    assert quick["ratio"] == {"wall": 1.0, "cpu": 1.0, "best": 1.0}
    assert 0.15 < slow["ratio"]["wall"] < 0.5
    assert quick["figures"] == {"recall": 0.5}
    assert quick["report"] == {"threads": "1", "numba": "haswell"}
    assert quick["versions"]["no-such-package"] == "not installed"
    assert quick["versions"]["numpy"][0].isdigit()
    assert quick["peak_rss_mb"] > 5
    # a warm-up each, then alternation with every second round backwards
    assert (tmp_path / "order").read_text().split() == ["0.02", "0.08", "0.02", "0.08", "0.08", "0.02", "0.02", "0.08"]
    document = json.loads(out.read_text())
    assert document["results"] == rows
    assert document["machine"]["cores"] == os.cpu_count()
    assert os.uname().nodename not in json.dumps(document["machine"])


def test_faults_are_rows(tmp_path):
    code, rows = run(tmp_path, "--contest", "faults")
    assert code == 1
    found = {row["contestant"]: row.get("error", "") for row in rows}
    assert found["quick"] == ""
    assert "no such model" in found["broken"]
    assert "the process died" in found["dies"]
    assert "runner.py prepare never-prepared" in found["absent"]


def test_native_has_no_limits(tmp_path):
    code, rows = run(tmp_path, "--contest", "speed", "--only", "quick", "--rounds", "1", "--threads", "2")
    assert code == 0
    assert [row["contestant"] for row in rows] == ["quick"]
    assert rows[0]["report"] == {"threads": "2", "numba": ""}


def test_avx2_switches_numpy(tmp_path):
    pytest.importorskip("numpy")
    code = (
        f"import sys; sys.path.insert(0, {str(BENCHMARKS)!r})\n"
        "from pathlib import Path\nfrom surroundings import environment\n"
        "import subprocess\npython = Path(sys.executable)\n"
        "code = 'import numpy._core._multiarray_umath as m;'\n"
        "code += 'print(*[n for n in m.__cpu_dispatch__ if m.__cpu_features__[n]])'\n"
        "print(subprocess.run([sys.executable, '-W', 'error', '-c', code], env=environment(1, 'avx2', python),"
        " capture_output=True, text=True, check=True).stdout)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not [name for name in done.stdout.split() if name.startswith(("AVX512", "X86_V4"))]


def test_every_rival_is_pinned():
    names = {path.stem for path in (BENCHMARKS / "rivals").glob("*.txt")}
    assert names >= {"bm25", "chromadb", "faiss", "lancedb", "model2vec", "sentence-transformers", "txtai"}
    for path in (BENCHMARKS / "rivals").glob("*.txt"):
        wanted = [line for line in path.read_text().splitlines() if line.strip() and not line.startswith("#")]
        assert wanted
        assert all("==" in line for line in wanted), path.name
