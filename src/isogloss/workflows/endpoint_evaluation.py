"""An embedding server judged on the documents of an index or a BEIR folder, beside systems of this machine."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence

import numpy as np

from isogloss.arrays import Dense, Similarity
from isogloss.compiled import cache_folder
from isogloss.encoders.endpoint import Endpoint, connect, embed
from isogloss.errors import NonFiniteError
from isogloss.evaluation.report.content import Cost
from isogloss.evaluation.run_file import SystemSettings
from isogloss.protocols import PROBE_TEXTS, Progress
from isogloss.workflows.bench import Bench, Models
from isogloss.workflows.judged_evaluation import Source, judgement, opened, plan_notes, plans_of
from isogloss.workflows.passages import Passages
from isogloss.workflows.requests import Evaluated, Request
from isogloss.workflows.run_evaluation import rank_vectors
from isogloss.workflows.scoring import assemble, depth_of
from isogloss.workflows.vector_cache import VectorFile, text_key

BATCH = 32
"""Texts a request."""


def run(request: Request, threads: int | None, progress: Progress) -> Evaluated:
    """Send passages and questions to the server, rank, and judge; other systems are ranked beside it."""
    with opened(request) as source:
        judged = judgement(request, source)
        plans = plans_of(request, source) if request.systems else []
        passages = source.passages()
        endpoint = connect(request.endpoint, model=request.model or None)
        name = endpoint.model if endpoint.model not in ("", "default") else "endpoint"
        texts = [*passages.stored_texts(passages.stored_rows), *passages.fresh_texts]
        file = _file(endpoint)
        vectors, speed, notes = _embed(endpoint, texts, file, "passages", progress)
        questions, _, more = _embed(endpoint, list(judged.queries.values()), file, "questions", progress)
        owners = _owners(source, passages)
        ranked = rank_vectors(vectors, questions, owners, list(judged.queries), depth_of(request), Similarity.COSINE)
        bench = Bench(passages, Models(threads, source.stored), progress)
        runs = {plan.label: bench.rank(plan, judged.queries, depth_of(request)) for plan in plans}
        runs[name] = ranked
        share = len(passages.documents) / max(1, len(texts))
        size = vectors.nbytes / max(1, len(passages.documents))
        costs = [bench.cost(plan, judged.queries) for plan in plans]
        costs.append(Cost(name, speed * share if speed else None, size, _latency(endpoint, judged.queries)))
        settings = [bench.settings(plan) for plan in plans]
        settings.append(
            SystemSettings(name, model=name, dimensions=int(vectors.shape[1]), dtype="float32", similarity="cosine")
        )
        notes += [*more, *(note for plan in plans for note in plan_notes(bench, plan))]
        notes.append(f"{name}: no prompts were sent; a server that needs them for questions must add them itself")
        title = f"{source.name}: {len(judged.queries):,} judged questions"
        return assemble(request, title, runs, judged, costs=costs, settings=settings, notes=list(dict.fromkeys(notes)))


def _owners(source: Source, passages: Passages) -> list[str]:
    rows = np.concatenate([passages.stored_rows, passages.fresh_rows])
    return [passages.documents[owner] for owner in passages.owners[rows].tolist()]


def _file(endpoint: Endpoint) -> VectorFile:
    """Return where this server's vectors are kept, told apart by what it gives for the probe texts."""
    probes = embed(endpoint, PROBE_TEXTS).vectors
    parts = [endpoint.url.encode(), endpoint.model.encode(), (np.round(probes, 4) + 0.0).astype("<f4").tobytes()]
    name = hashlib.sha256(b"\x1f".join(parts)).hexdigest()[:32]
    return VectorFile(cache_folder() / "evaluation" / f"{name}-server.vectors", int(probes.shape[1]))


def _embed(
    endpoint: Endpoint, texts: Sequence[str], file: VectorFile, what: str, progress: Progress
) -> tuple[Dense, float | None, list[str]]:
    """Return vectors (zeros where the server refused a text), texts a second, and notes."""
    keys = [text_key(text) for text in texts]
    out = file.find(keys)
    missing = np.flatnonzero(np.isnan(out[:, 0])).tolist() if len(out) else []
    refused: dict[int, str] = {}
    began = time.perf_counter()
    progress.start(f"send {what}", len(missing), "texts")
    try:
        for start in range(0, len(missing), BATCH):
            rows = missing[start : start + BATCH]
            answer = embed(endpoint, [texts[i] for i in rows], batch=BATCH)
            refused |= {rows[i]: why for i, why in answer.refused.items()}
            good = [n for n, i in enumerate(rows) if i not in refused]
            _check(answer.vectors[good], [texts[rows[n]] for n in good])
            out[rows] = answer.vectors
            file.add([keys[rows[n]] for n in good], answer.vectors[good])
            progress.advance(len(rows))
    finally:
        progress.finish()
    speed = len(missing) / (time.perf_counter() - began) if len(missing) >= BATCH else None
    notes = []
    if refused:
        out[list(refused)] = 0.0
        first = next(iter(refused.values()))
        notes.append(f"the server refused {len(refused):,} of {len(texts):,} {what} ({first}): they cannot be found")
    return out, speed, notes


def _check(vectors: Dense, texts: Sequence[str]) -> None:
    bad = np.flatnonzero(~np.isfinite(vectors).all(1))
    if len(bad):
        raise NonFiniteError(
            f"the server gave {len(bad):,} of {len(texts):,} vectors that are not finite",
            f"the first is of: {texts[int(bad[0])][:80]!r}", "run: isogloss verify URL MODEL",
        )  # fmt: skip


def _latency(endpoint: Endpoint, queries: dict[str, str]) -> float:
    """Return the median time of one question's vector, in milliseconds."""
    times = []
    for text in list(queries.values())[:10]:
        began = time.perf_counter()
        embed(endpoint, [text])
        times.append(time.perf_counter() - began)
    return 1000 * float(np.median(times))
