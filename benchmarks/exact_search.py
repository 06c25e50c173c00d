"""Exact nearest neighbours beside faiss flat: thousands of questions at a time, and one at a time.

Vectors are those of all-MiniLM-L6-v2 for sentences of ``passages.py``, made once and kept beside the rivals'
environments; where ``n`` is more than ``distinct`` they are repeated with noise (cosine to the original about .93).
Contests: ``bulk`` (``n`` vectors of 384 numbers) and ``single`` (20,000 vectors of 256 numbers, a question at a time).
``faiss`` is ``IndexFlatIP`` as it comes; ``faiss-blas`` the same with ``distance_compute_blas_threshold = 20``, the
default before version 1.15, which lets its matrix library do the work. ``report`` has recall@10 against float64.
Options: ``n``, ``distinct``, ``queries`` (at most 2048), ``k``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import passages as source
from rival_models import models_folder
from runner import Contest, Contestant, main

OPTIONS = {"n": 100_000, "distinct": 20_000, "queries": 2048, "k": 10}
NOISE = 0.02  # of each of 384 numbers of a vector of length one


def vectors_file(count: int) -> Path:
    """Return the file with the vectors of ``count`` sentences; made when missing, by the package itself."""
    path = models_folder() / f"minilm-sentences-{count}.npy"
    if not path.is_file():
        import numpy as np

        from isogloss.encoders.names import load_encoder
        from isogloss.text.sentences import sentences

        found: dict[str, None] = {}
        for passage in source.passages(count // 2):
            text = passage["text"]
            found.update(dict.fromkeys(text[start:stop] for start, stop in sentences(text) if 30 < stop - start < 200))
            if len(found) >= count:
                break
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, np.asarray(load_encoder("minilm").encode(list(found)[:count]), np.float32))
    return path


def _unit(vectors: Any) -> Any:
    import numpy as np

    return np.ascontiguousarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def _data(n: int, distinct: int, queries: int, width: int) -> tuple[Any, Any]:
    """Return vectors ``(n, width)`` and other sentences' vectors as questions, all of length one."""
    import numpy as np

    known = np.load(vectors_file(distinct + OPTIONS["queries"]))[:, :width]
    rng = np.random.default_rng(0)
    order = rng.permutation(len(known))
    asked, kept = known[order[:queries]], known[order[OPTIONS["queries"] :]]
    parts = [_unit(kept)]
    while sum(map(len, parts)) < n:
        parts.append(_unit(kept + NOISE * rng.standard_normal(kept.shape, dtype=np.float32)))
    return np.concatenate(parts)[:n], _unit(asked)


def _truth(vectors: Any, queries: Any, k: int) -> Any:
    """Return the k-th best score of each question, in float64."""
    import numpy as np

    best = np.full((len(queries), k), -np.inf)
    for start in range(0, len(vectors), 10_000):
        scores = queries.astype(np.float64) @ vectors[start : start + 10_000].astype(np.float64).T
        both = np.concatenate([best, scores], axis=1)
        best = np.partition(both, both.shape[1] - k, axis=1)[:, -k:]
    return best.min(1)


def _recall(rows: Any, vectors: Any, queries: Any, k: int) -> float:
    """Return the share of the returned rows that are among the best k (rounding of float32 allowed)."""
    import numpy as np

    some = slice(0, 200)
    scores = np.einsum("qd,qkd->qk", queries[some].astype(np.float64), vectors[rows[some]].astype(np.float64))
    return float((scores >= _truth(vectors, queries[some], k)[:, None] - 1e-6).mean())


def _asking(build: Callable[[Any, int], Callable[[Any, int], Any]], *, single: bool) -> Callable[..., Any]:
    def setup(threads: int, n: int, distinct: int, queries: int, k: int) -> Any:
        vectors, asked = _data(n, distinct, queries, 256 if single else 384)
        search = build(vectors, threads)
        found: list[Any] = []

        def bulk() -> int:
            found[:] = [search(asked, k)]
            return len(asked)

        def one_by_one() -> int:
            import numpy as np

            found[:] = [np.concatenate([search(asked[i : i + 1], k) for i in range(len(asked))])]
            return len(asked)

        return (one_by_one if single else bulk), lambda: {"recall": _recall(found[0], vectors, asked, k)}

    return setup


def isogloss(engine: str = "") -> Callable[[Any, int], Any]:
    def build(vectors: Any, threads: int) -> Callable[[Any, int], Any]:
        import numpy as np

        from isogloss.index import engines
        from isogloss.index.exact import Exact

        chosen = {"": None, "float32": engines.FLOAT32}[engine]
        index = Exact.from_segments(
            [(np.arange(len(vectors)), vectors)], np.ones(len(vectors), bool), engine=chosen, threads=threads
        )
        return lambda queries, k: index.search(queries, k).rows

    return build


def faiss(blas: int | None) -> Callable[[Any, int], Any]:
    def build(vectors: Any, threads: int) -> Callable[[Any, int], Any]:
        import faiss as library

        library.omp_set_num_threads(threads)
        if blas is not None:
            library.cvar.distance_compute_blas_threshold = blas
        index = library.IndexFlatIP(vectors.shape[1])
        index.add(vectors)
        return lambda queries, k: index.search(queries, k)[1]

    return build


def _contestants(single: bool) -> tuple[Contestant, ...]:
    ours, theirs = ("numpy", "onnxruntime"), ("faiss-cpu", "numpy")
    return (
        Contestant("isogloss", _asking(isogloss(), single=single), None, ours),
        Contestant("isogloss-float32", _asking(isogloss("float32"), single=single), None, ours),
        Contestant("faiss", _asking(faiss(None), single=single), "faiss", theirs),
        Contestant("faiss-blas", _asking(faiss(20), single=single), "faiss", theirs),
    )


CONTESTS = (
    Contest("bulk", _contestants(single=False), "questions", options=OPTIONS, base="faiss-blas"),
    Contest("single", _contestants(single=True), "questions", options={**OPTIONS, "n": 20_000}, base="faiss"),
)

if __name__ == "__main__":
    if sys.argv[1:2] != ["--worker"]:
        vectors_file(OPTIONS["distinct"] + OPTIONS["queries"])
    main(*CONTESTS)
