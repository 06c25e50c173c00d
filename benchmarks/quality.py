"""How good the search is: nDCG@10 and Spearman with 95 % intervals, through our own encoders and indexes.

A document is its title, a space and its text, and gets **one** vector (texts beyond a window are cut, and the share is
reported); ``--chunks static,minilm`` adds vectors of chunks, a document scored by its best chunk.
nDCG@10 as trec_eval computes it (gain = judgement, discount log2(rank + 1)), over the queries that have a relevant
document. Intervals: percentile bootstrap over queries (over pairs for STS-B), 5,000 draws from a fixed seed, the same
draws for every system; ``difference`` is to ``words``, paired. Systems: words (BM25, k1 .9, b .4), words:en (English
stemming), static, minilm, and of words with vectors, the best 100 of each: reciprocal rank fusion (constant 60) and
the weighted sum of scores scaled to 0 ... 1 (``static/2``: static counts half; chosen on these very sets).

    python benchmarks/quality.py --out benchmarks/results/quality.json      # writes quality.md beside it
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from passages import data_folder, rows
from surroundings import machine, rivals_folder

DRAWS, DEPTH, K = 5000, 100, 10
SETS = (
    # name, folder, whether MiniLM's training data had pairs of this kind (SQuAD and NQ are on its card)
    ("cranfield", "cranfield", False),
    ("medline", "medline", False),
    ("cacm", "cacm", False),
    ("scifact", "scifact", False),
    ("squad-dev-sentence", "squad-dev-sentence-retrieval", True),
    ("squad-newwiki", "squad-newwiki-retrieval", True),
    ("xquad-en", "xquad/en", True),
    ("nq-oracle", "nq-oracle", True),
)
FUSIONS: dict[str, tuple[str, tuple[str, str], tuple[float, float]]] = {
    "rrf words+static": ("rrf", ("words", "static"), (1, 1)),
    "weighted words+static/2": ("weighted", ("words", "static"), (1, 0.5)),
    "rrf words+minilm": ("rrf", ("words", "minilm"), (1, 1)),
    "weighted words+minilm": ("weighted", ("words", "minilm"), (1, 1)),
}


@dataclass
class Task:
    """A test collection: documents, the queries that have a relevant document, and their judgements."""

    documents: list[str]
    titles: list[str]
    queries: list[str]
    judged: list[dict[int, float]]


def read_task(folder: Path) -> Task:
    corpus = list(rows(folder / "corpus.jsonl.gz"))
    position = {str(row["_id"]): i for i, row in enumerate(corpus)}
    judged: dict[str, dict[int, float]] = {}
    for line in (folder / "qrels" / "test.tsv").read_text().splitlines()[1:]:
        query, document, score = line.split("\t")
        if document in position:
            judged.setdefault(query, {})[position[document]] = float(score)
    asked = [
        row for row in rows(folder / "queries.jsonl.gz") if any(v > 0 for v in judged.get(row["_id"], {}).values())
    ]
    return Task(
        [f"{row.get('title') or ''} {row.get('text') or ''}".strip() for row in corpus],
        [str(row.get("title") or "") for row in corpus],
        [str(row["text"]) for row in asked],
        [judged[row["_id"]] for row in asked],
    )


# ------------------------------------------------------------------ measures


def ndcg(ranked: Sequence[int], judged: dict[int, float], k: int = K) -> float:
    """Normalised discounted cumulative gain at ``k`` of one query, as trec_eval's ``ndcg_cut``."""
    gains = [max(0.0, judged.get(document, 0.0)) for document in ranked[:k]]
    ideal = sorted((max(0.0, gain) for gain in judged.values()), reverse=True)[:k]
    best = sum(gain / np.log2(rank + 2) for rank, gain in enumerate(ideal))
    return float(sum(gain / np.log2(rank + 2) for rank, gain in enumerate(gains)) / best) if best else 0.0


def draws(items: int, name: str) -> NDArray[np.int64]:
    """Return ``(5,000, items)`` positions drawn with replacement; the same for the same name."""
    from isogloss.seeding import generator

    return generator(0, "quality", name).integers(0, items, (DRAWS, items))


def interval(values: NDArray[np.float64]) -> list[float]:
    """Return the 2.5th and 97.5th percentile."""
    return [round(float(x), 4) for x in np.percentile(values, [2.5, 97.5])]


def mean_with_interval(scores: NDArray[np.float64], chosen: NDArray[np.int64]) -> dict[str, Any]:
    return {"mean": round(float(scores.mean()), 4), "interval": interval(scores[chosen].mean(1))}


def spearman(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    from scipy.stats import rankdata

    return float(np.corrcoef(rankdata(a), rankdata(b))[0, 1])


# ------------------------------------------------------------------ vectors and rankings


def cached(encoder: Any, texts: list[str], role: str, notes: dict[str, Any]) -> NDArray[np.float32]:
    """Encode, or read what an earlier run encoded with the same model and texts."""
    from isogloss.protocols import EncodeReport

    folder = Path(os.environ.get("ISOGLOSS_BENCH_CACHE") or rivals_folder() / "vectors")
    digest = hashlib.sha256("\x1f".join([encoder.identity, role, *texts]).encode()).hexdigest()[:32]
    path, told = folder / f"{digest}.npy", folder / f"{digest}.json"
    if not (path.is_file() and told.is_file()):
        folder.mkdir(parents=True, exist_ok=True)
        report, start = EncodeReport(), time.process_time()
        vectors = encoder.encode(texts, role=role if role in ("query", "document") else None, report=report)
        np.save(path, vectors)
        told.write_text(json.dumps({**report.to_dict(), "cpu_s": round(time.process_time() - start, 1)}))
    if role == "document":
        notes[encoder.name] = json.loads(told.read_text())
    return np.asarray(np.load(path), np.float32)


def search(name: str, task: Task, encoders: dict[str, Any], notes: dict[str, Any]) -> Any:
    """Rank the documents for each query; the best 100 of each."""
    encoder, numbers = encoders[name], np.arange(len(task.documents), dtype=np.int64)
    if encoder.kind == "words":
        from isogloss.index.inverted import Inverted

        index = Inverted(k1=encoder.k1, b=encoder.b, variant=encoder.variant)
        index.add(numbers, encoder.encode(task.documents, role="document"))
        return index.search(encoder.encode(task.queries, role="query"), DEPTH)
    from isogloss.index.exact import Exact

    exact = Exact(similarity=encoder.similarity)
    exact.add(numbers, cached(encoder, task.documents, "document", notes))
    return exact.search(cached(encoder, task.queries, "query", notes), DEPTH)


def search_chunks(name: str, task: Task, encoders: dict[str, Any], notes: dict[str, Any]) -> Any:
    """Rank documents by their best chunk, chunked as a collection does."""
    from isogloss.arrays import Hits
    from isogloss.corpus.chunk import chunk
    from isogloss.index.exact import Exact
    from isogloss.protocols import Record
    from isogloss.vocabulary.wordpiece import bundled

    count, encoder = bundled().counts, encoders[name]
    texts, owner = [], []
    for number, (title, text) in enumerate(zip(task.titles, task.documents, strict=True)):
        record = Record(id=str(number), text=text[len(title) :].strip() or text, title=title)
        pieces = [piece.embedded for piece in chunk(record, count=count)]
        texts.extend(pieces)
        owner.extend([number] * len(pieces))
    own: dict[str, Any] = {}
    exact, owners = Exact(similarity=encoder.similarity), np.array(owner, np.int64)
    exact.add(np.arange(len(texts), dtype=np.int64), cached(encoder, texts, "document", own))
    notes[f"{name} chunks"] = {**own[encoder.name], "chunks": len(texts)}
    hits = exact.search(cached(encoder, task.queries, "query", own), 4 * DEPTH)
    found = np.full((len(hits), DEPTH), -1, np.int64)
    scores = np.full((len(hits), DEPTH), -np.inf, np.float32)
    for i, (row, score) in enumerate(zip(hits.rows, hits.scores, strict=True)):
        documents, first = np.unique(owners[row[row >= 0]], return_index=True)
        order = np.argsort(first)[:DEPTH]
        found[i, : len(order)], scores[i, : len(order)] = documents[order], score[first[order]]
    return Hits(found, scores)


def measure(task: Task, name: str, seen: bool, encoders: dict[str, Any], chunks: Sequence[str]) -> dict[str, Any]:
    """Measure every system on one collection."""
    from isogloss.index.fusion import reciprocal_rank, weighted

    notes: dict[str, Any] = {}
    hits = {system: search(system, task, encoders, notes) for system in encoders}
    hits |= {f"{system} chunks": search_chunks(system, task, encoders, notes) for system in chunks}
    for fused, (method, parts, weights) in FUSIONS.items():
        if all(part in hits for part in parts):
            fuse = reciprocal_rank if method == "rrf" else weighted
            hits[fused] = fuse([hits[part] for part in parts], DEPTH, weights=weights)
    chosen = draws(len(task.queries), name)
    scores = {
        system: np.array(
            [ndcg(row[row >= 0].tolist(), judged) for row, judged in zip(one.rows, task.judged, strict=True)]
        )
        for system, one in hits.items()
    }
    systems = {system: mean_with_interval(values, chosen) for system, values in scores.items()}
    for system, values in scores.items():
        if system != "words":
            systems[system]["difference"] = mean_with_interval(values - scores["words"], chosen)
    sizes = {"documents": len(task.documents), "queries": len(task.queries), "seen_by_minilm": seen}
    return {"set": name, **sizes, "ndcg@10": systems, "encoded": notes}


def measure_sts(encoders: dict[str, Any]) -> dict[str, Any]:
    """Correlate cosine and judgement on STS-B's test split."""
    pairs = list(rows(data_folder() / "sts-b" / "test.jsonl"))
    gold = np.array([float(pair["score"]) for pair in pairs])
    chosen = draws(len(pairs), "sts-b")
    found: dict[str, Any] = {}
    for name, encoder in encoders.items():
        if encoder.kind == "words":
            continue
        left, right = (cached(encoder, [str(pair[side]) for pair in pairs], "sentence", {}) for side in "ab")
        cosine = np.einsum("ij,ij->i", left, right, dtype=np.float64)
        cosine /= np.maximum(np.linalg.norm(left, axis=1) * np.linalg.norm(right, axis=1), 1e-12)
        values = np.array([spearman(cosine[some], gold[some]) for some in chosen])
        found[name] = {"spearman": round(spearman(cosine, gold), 4), "interval": interval(values)}
    return {"set": "sts-b test", "pairs": len(pairs), "systems": found}


def markdown(document: dict[str, Any]) -> str:
    """Write the result as a table."""
    columns = list(dict.fromkeys(system for one in document["retrieval"] for system in one["ndcg@10"]))
    lines = [
        "# Quality",
        "",
        "nDCG@10 with 95 % interval; below it the paired difference to words. One vector a document.",
        "",
    ]
    lines += ["| set | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for one in document["retrieval"]:
        cells = [_cell(one["ndcg@10"].get(system)) for system in columns]
        mark = " (kind of data seen by MiniLM)" if one["seen_by_minilm"] else ""
        lines.append(f"| {one['set']}, {one['queries']} queries{mark} | " + " | ".join(cells) + " |")
    lines += ["", "| STS-B test | Spearman | 95 % interval |", "|---|---|---|"]
    for name, found in document["sts"]["systems"].items():
        lines.append(f"| {name} | {_number(found['spearman'])} | {_interval(found['interval'])} |")
    return "\n".join([*lines, ""])


def _cell(found: dict[str, Any] | None) -> str:
    if found is None:
        return ""
    cell = f"{_number(found['mean'])} {_interval(found['interval'])}"
    if "difference" in found:
        cell += f"<br>{found['difference']['mean']:+.3f} {_interval(found['difference']['interval'], sign=True)}"
    return cell


def _number(value: float) -> str:
    return f"{value:.3f}".replace("0.", ".", 1)


def _interval(pair: Sequence[float], sign: bool = False) -> str:
    write: Callable[[float], str] = (lambda x: f"{x:+.3f}") if sign else _number
    return f"[{write(pair[0])}, {write(pair[1])}]"


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the quality of words, static, MiniLM and hybrids.")
    parser.add_argument("--sets", help="names, separated by commas (default: all)")
    parser.add_argument("--systems", default="words,words:en,static,minilm")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument(
        "--chunks", default="", help="systems that are measured through chunks, too, such as static,minilm"
    )
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    from isogloss.encoders.names import load_encoder

    encoders = {name: load_encoder(name, threads=arguments.threads) for name in arguments.systems.split(",")}
    wanted = arguments.sets.split(",") if arguments.sets else [name for name, _, _ in SETS]
    chunks = [system for system in arguments.chunks.split(",") if system]
    document: dict[str, Any] = {"benchmark": "quality", "machine": machine(), "retrieval": []}
    document["models"] = {name: encoder.identity for name, encoder in encoders.items()}
    for name, folder, seen in SETS:
        if name in wanted:
            one = measure(read_task(data_folder() / folder), name, seen, encoders, chunks)
            print(json.dumps(one), flush=True)
            document["retrieval"].append(one)
    document["sts"] = measure_sts(encoders)
    print(json.dumps(document["sts"]), flush=True)
    if arguments.out:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        arguments.out.write_text(json.dumps(document, indent=1) + "\n")
        arguments.out.with_suffix(".md").write_text(markdown(document))
    else:
        print(markdown(document), file=sys.stderr)


if __name__ == "__main__":
    main()
