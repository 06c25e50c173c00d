"""How words and vectors are joined by default: chosen on four collections, proved once on four others.

Candidates are reciprocal rank fusion and the weighted sum of scaled scores, with several weights of the vectors
(words weigh 1). *Choose* takes the highest mean nDCG@10 over the question collections (SQuAD and Natural Questions
kinds); *prove* reads the four collections with human judgements of their own once, with the chosen candidate alone,
paired with words, 95 % intervals, corrected over the four sets by Holm's method (one-sided bootstrap p).

    python benchmarks/fusion_choice.py --system static --out benchmarks/results/fusion-static.json
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from passages import data_folder
from quality import DEPTH, SETS, Task, draws, mean_with_interval, ndcg, read_task, search
from surroundings import machine

CHOOSE = ("squad-dev-sentence", "squad-newwiki", "xquad-en", "nq-oracle")
PROVE = ("cranfield", "medline", "cacm", "scifact")
WEIGHTS = (0.25, 0.5, 0.75, 1.0)


def scored(hits: Any, task: Task) -> NDArray[np.float64]:
    pairs = zip(hits.rows, task.judged, strict=True)
    return np.array([ndcg(row[row >= 0].tolist(), judged) for row, judged in pairs])


def fused(both: list[Any], method: str, weight: float) -> Any:
    from isogloss.index.fusion import reciprocal_rank, weighted

    fuse = reciprocal_rank if method == "rrf" else weighted
    return fuse(both, DEPTH, weights=[1.0, weight])


def rankings(name: str, system: str, encoders: dict[str, Any]) -> tuple[Task, list[Any]]:
    folder = next(folder for known, folder, _ in SETS if known == name)
    task = read_task(data_folder() / folder)
    return task, [search(part, task, encoders, {}) for part in ("words", system)]


def choose(system: str, encoders: dict[str, Any]) -> dict[str, float]:
    """Return the mean nDCG@10 over the collections to choose on, for each candidate."""
    table: dict[str, list[float]] = {}
    for name in CHOOSE:
        task, both = rankings(name, system, encoders)
        table.setdefault("words", []).append(float(scored(both[0], task).mean()))
        for method in ("rrf", "weighted"):
            for weight in WEIGHTS:
                value = float(scored(fused(both, method, weight), task).mean())
                table.setdefault(f"{method} {weight}", []).append(value)
    return {candidate: round(float(np.mean(values)), 4) for candidate, values in table.items()}


def prove(system: str, encoders: dict[str, Any], candidate: str) -> list[dict[str, Any]]:
    method, weight = candidate.split()
    found = []
    for name in PROVE:
        task, both = rankings(name, system, encoders)
        words, joined = scored(both[0], task), scored(fused(both, method, float(weight)), task)
        chosen = draws(len(task.queries), name)
        difference = (joined - words)[chosen].mean(1)
        found.append(
            {
                "set": name,
                "words": mean_with_interval(words, chosen),
                "joined": mean_with_interval(joined, chosen),
                "difference": mean_with_interval(joined - words, chosen),
                "p": (1 + int((difference <= 0).sum())) / (1 + len(difference)),
            }
        )
    worst = 0.0
    for rank, one in enumerate(sorted(found, key=lambda item: item["p"])):
        worst = max(worst, min(1.0, one["p"] * (len(found) - rank)))
        one["p_holm"] = round(worst, 4)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description="Choose the default fusion on some collections, prove it on others.")
    parser.add_argument("--system", default="static", help="the dense encoder that words are joined with")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    from isogloss.encoders.names import load_encoder

    encoders = {name: load_encoder(name, threads=1) for name in ("words", arguments.system)}
    table = choose(arguments.system, encoders)
    best = max((candidate for candidate in table if candidate != "words"), key=lambda candidate: table[candidate])
    document = {"benchmark": "fusion choice", "system": arguments.system, "machine": machine(), "choose": table}
    document |= {"chosen": best, "prove": prove(arguments.system, encoders, best)}
    print(json.dumps(document, indent=1))
    if arguments.out:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        arguments.out.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
