"""Size: a million records and a line of a gigabyte, in bounded memory. Each runs in a process of its own."""

import json
import subprocess
import sys

import pytest

READ = """
import json, resource, sys, time
from isogloss.corpus.options import ReadOptions, ReadReport
from isogloss.corpus.read import read
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
list(read(sys.argv[2]))
before, start, report = peak(), time.process_time(), ReadReport()
for item in read(sys.argv[1], report=report):
    pass
seconds = time.process_time() - start
print(json.dumps({"seconds": seconds, "grown": peak() - before, **report.to_dict()}))
"""


def measured(tmp_path, path):
    small = tmp_path / "small.jsonl"
    small.write_text('{"id": 1, "text": "x"}\n')
    command = [sys.executable, "-c", READ, str(path), str(small)]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


@pytest.mark.slow
def test_a_million_records_stream_in_bounded_memory(tmp_path):
    path = tmp_path / "million.jsonl"
    with path.open("w") as file:
        for i in range(1_000_000):
            file.write(
                f'{{"id": "doc{i}", "title": "Title {i}", "text": "Short text {i} about heat.", "year": {i % 99}}}\n'
            )
    found = measured(tmp_path, path)
    assert found["records"] == 1_000_000
    assert found["grown"] < 200e6
    assert found["records"] / found["seconds"] > 100_000


def test_a_hundred_thousand_records_stream_fast(tmp_path):
    path = tmp_path / "many.jsonl"
    with path.open("w") as file:
        file.writelines(f'{{"id": "doc{i}", "text": "Short text {i}", "year": {i % 99}}}\n' for i in range(100_000))
    found = measured(tmp_path, path)
    assert (found["records"], found["skipped"]) == (100_000, {})
    assert found["grown"] < 60e6


@pytest.mark.slow
@pytest.mark.parametrize("name", ["one.txt", "one.jsonl", "one.csv", "one.json"])
def test_a_line_of_a_gigabyte_is_a_skip_in_bounded_memory(tmp_path, name):
    path = tmp_path / name
    first = {"one.jsonl": '{"id": 1, "text": "a"}\n', "one.csv": "id,text\n1,a\n", "one.json": '["'}.get(name, "")
    last = {"one.jsonl": '\n{"id": 2, "text": "b"}\n', "one.csv": "\n2,b\n"}.get(name, "")
    with path.open("w") as file:
        file.write(first)
        for _ in range(1000):
            file.write("x" * 1_000_000)
        file.write(last)
    found = measured(tmp_path, path)
    assert found["skipped"] == {"too-long": 1}
    assert found["records"] == (2 if last else 0)
    assert found["grown"] < 600e6
