"""Is training as good after as many steps? Our loop beside sentence-transformers' trainer, five seeds, paired.

Both begin with the first three layers of MiniLM (saved by us, loaded by both) and take the same pairs of SQuAD, in
batches of 32 for as many steps, with the same objective, rate, schedule and dropout (weight decay: each its default,
0 and .01). The score is the mean reciprocal rank of the sentence that answers a held-out question among all held-out
sentences. ``difference`` is to ``st-fp32``: the mean over seeds of each question, paired, 95 % by bootstrap over
questions; ``by_seed`` shows how much the seeds move it. A seed that stands in the file already is not run again.

    python benchmarks/training_quality.py arm st-fp32 scores/st-fp32.json       # one arm, all seeds, in its own process
    python benchmarks/training_quality.py compare scores benchmarks/results/training_quality.json
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from surroundings import machine
from training import pairs, trainer

STEPS, BATCH, RATE, LENGTH, HELD_OUT = 60, 32, 2e-4, 48, 600
ARMS = ("st-fp32", "st-bf16", "isogloss-bf16")


def small_model(folder: Path) -> Path:
    """Write the first three layers of MiniLM as a sentence-transformers folder."""
    from isogloss.training.models import keep_layers, load_trainable
    from isogloss.training.saving import save_trainable

    return save_trainable(keep_layers(load_trainable("minilm", max_length=LENGTH), range(3)), folder)


def theirs(folder: Path, columns: list[list[str]], seed: int, precision: str) -> Any:
    """Train by sentence-transformers; return ``encode``."""
    from sentence_transformers import SentenceTransformer
    from transformers import set_seed

    set_seed(seed)
    model = SentenceTransformer(str(folder), device="cpu")
    trainer(model, columns, steps=STEPS, batch=BATCH, rate=RATE, seed=seed, bf16=precision == "bf16").train()
    return lambda texts: model.encode(texts, show_progress_bar=False)


def ours(folder: Path, columns: list[list[str]], seed: int, precision: Any) -> Any:
    """Train by our loop; return ``encode``."""
    from isogloss.objectives.in_batch import InBatchSoftmax
    from isogloss.training.fine_tuning import fine_tune

    return fine_tune(
        folder, columns, InBatchSoftmax(temperature=0.05), batch_size=BATCH, learning_rate=RATE, seed=seed,
        precision=precision,
    ).encode  # fmt: skip


def ranks(encode: Any, held_out: list[tuple[str, str]]) -> list[float]:
    """Return the reciprocal rank of each held-out question's own sentence."""
    questions = np.asarray(encode([one for one, _ in held_out]), np.float32)
    answers = np.asarray(encode([other for _, other in held_out]), np.float32)
    scores = questions @ answers.T
    return [float(x) for x in 1 / (1 + (scores > np.diag(scores)[:, None]).sum(1))]


def arm(name: str, seeds: list[int], out: Path) -> None:
    """Train and judge one arm with each seed that ``out`` does not have yet."""
    import torch

    torch.set_num_threads(1)
    pool = pairs()
    held_out, rest = pool[:HELD_OUT], pool[HELD_OUT:]
    train, _, precision = name.partition("-")
    found: dict[str, Any] = json.loads(out.read_text()) if out.is_file() else {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = small_model(Path(scratch) / "small")
        if "before" not in found:
            from isogloss.encoders.names import load_encoder

            found["before"] = ranks(load_encoder(str(folder), threads=1).encode, held_out)
        for seed in [one for one in seeds if str(one) not in found]:
            chosen = random.Random(seed).sample(rest, STEPS * BATCH)
            columns = [[one for one, _ in chosen], [other for _, other in chosen]]
            run = theirs if train == "st" else ours
            found[str(seed)] = ranks(run(folder, columns, seed, precision), held_out)
            out.parent.mkdir(parents=True, exist_ok=True)
            out.write_text(json.dumps(found) + "\n")
            print(name, seed, round(float(np.mean(found[str(seed)])), 4), flush=True)


def compare(folder: Path) -> dict[str, Any]:
    """Compare the arms: means, and differences to the trainer as it comes, paired by question."""
    from isogloss.evaluation.sample import Sample
    from isogloss.evaluation.statistics.bootstrap import paired_interval

    found = {name: json.loads((folder / f"{name}.json").read_text()) for name in ARMS}
    scores = {name: np.array([found[name][str(seed)] for seed in range(5)]) for name in ARMS}  # (seeds, questions)
    rows = []
    for name in ARMS:
        by_seed = (scores[name] - scores["st-fp32"]).mean(1)
        row: dict[str, Any] = {"arm": name, "mrr": round(float(scores[name].mean()), 4)}
        row["mrr_by_seed"] = [round(float(x), 4) for x in scores[name].mean(1)]
        if name != "st-fp32":
            told = paired_interval(Sample.of(scores[name].mean(0)), Sample.of(scores["st-fp32"].mean(0)))
            row["difference"] = {
                "mean": round(float(by_seed.mean()), 4), "low": round(told.low, 4), "high": round(told.high, 4),
                "by_seed": [round(float(x), 4) for x in by_seed],
                "standard_error_of_seeds": round(float(by_seed.std(ddof=1) / 5**0.5), 4),
            }  # fmt: skip
        rows.append(row)
    about = {"steps": STEPS, "batch": BATCH, "learning_rate": RATE, "max_length": LENGTH, "held_out": HELD_OUT}
    before = round(float(np.mean(found["st-fp32"]["before"])), 4)
    return {"benchmark": "training_quality", "machine": machine(), **about, "mrr_before": before, "results": rows}


def main() -> None:
    """Run one arm, or compare all."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("what", choices=["arm", "compare"])
    parser.add_argument("name", help="the arm, or the folder with the scores of all arms")
    parser.add_argument("out", type=Path)
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2, 3, 4])
    options = parser.parse_args()
    if options.what == "arm":
        return arm(options.name, options.seeds, options.out)
    found = json.dumps(compare(Path(options.name)), indent=1)
    options.out.write_text(found + "\n")
    print(found)


if __name__ == "__main__":
    main()
