"""Train isogloss-static further, on pairs of texts and on what MiniLM thinks of them, and prove whether it got better.

    ISOGLOSS_DATA=... python scripts/train_isogloss_static.py choose --cache FOLDER   # scores of the candidates
    ISOGLOSS_DATA=... python scripts/train_isogloss_static.py train --cache FOLDER --out FOLDER [--base FOLDER]
    ISOGLOSS_DATA=... python scripts/train_isogloss_static.py prove --out FOLDER [--base FOLDER]

``scripts/fit_isogloss_static.py`` makes the model that this begins with (``--base``; by default the bundled one).
``scripts/isogloss_static_pairs.py`` says what trains, what chooses and what proves. ``train`` takes the settings that
``choose`` found, ``CHOSEN``; ``prove`` reads what proves and writes the table beside the weights. The teacher's vectors
are kept in the cache. Everything is drawn from one seed. What came of it stands in ``docs/decisions.md``.
"""

from __future__ import annotations

import argparse
import json
import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from fit_isogloss_static import teacher_vectors
from isogloss.arrays import Dense
from isogloss.encoders.static import StaticEncoder, TokenVectors, bundled_static
from isogloss.evaluation.results import TaskResult
from isogloss.objectives.contract import Batch, Losses
from isogloss_static_pairs import CHOOSE, PROVE, Pair, training_pairs

TAUGHT = 60_000
"""Pairs whose texts the teacher reads, the first of the shuffled ones."""
LONGEST = 128
OPTIONS: dict[str, dict[str, Any]] = {
    "retrieval": {"k": 10, "metrics": ["ndcg@10"]}, "clustering": {"experiments": 3, "most": 4096},
}  # fmt: skip
"""Of the project's tasks. The bootstrap of a V-measure is dear: 4,096 texts are drawn of each set, thrice clustered.
That proved too few: starts of k-means differ by more than the interval, which knows texts alone."""


@dataclass(frozen=True)
class Lesson:
    """How a candidate is trained.

    Attributes
    ----------
    rate, epochs, batch
        Highest learning rate, passes over the pairs, pairs a step.
    hard, soft
        Weights of the right partner against the batch, and of the teacher's spread over the batch.
    temperature, spread
        Of the one soft-max, and of the other.
    share
        How far to go from the old vectors to the new ones.
    """

    rate: float = 1e-4
    epochs: float = 1.0
    batch: int = 512
    hard: float = 1.0
    soft: float = 0.0
    temperature: float = 0.05
    spread: float = 0.1
    share: float = 1.0


CHOSEN = Lesson(rate=2e-4, epochs=6, hard=0.0, soft=1.0, spread=0.2)
CANDIDATES = (
    *(Lesson(rate=rate) for rate in (1e-3, 3e-4, 1e-4, 3e-5)),
    *(Lesson(rate=1e-4, temperature=one) for one in (0.02, 0.1)),
    *(replace(CHOSEN, spread=one) for one in (0.1, 0.2)),
    replace(CHOSEN, spread=0.1, hard=0.05),
    replace(CHOSEN, spread=0.1, rate=1e-4),
    replace(CHOSEN, spread=0.1, batch=1024),
)
"""Those that were tried with all pairs, after a first round with half of them; figures in ``docs/decisions.md``."""


@dataclass(frozen=True)
class TaughtPairs:
    """A pair's partner against the batch (InfoNCE), and the teacher's spread over the batch (Kullback-Leibler).

    The labels are the teacher's vectors of both texts of each pair, end to end; none where ``soft`` is 0. With them,
    texts that the teacher finds nearer than the partner are no negatives.
    """

    lesson: Lesson
    cacheable: ClassVar[bool] = True

    def __call__(self, outputs: Any, batch: Batch) -> Losses:
        """Return one loss a pair."""
        from isogloss.objectives.distillation import ScoreDivergence
        from isogloss.objectives.in_batch import InBatchSoftmax

        asked, labels = self.lesson, batch.labels
        guide = {} if labels is None else {"guide": labels.reshape(len(labels), 2, -1)}  # (n, 2, t)
        plain = replace(batch, labels=None, extra=guide)
        losses = InBatchSoftmax(temperature=asked.temperature)(outputs, plain)
        values = losses.values * asked.hard
        if asked.soft and labels is not None:
            left, right = guide["guide"].unbind(1)  # (n, t) each
            spread = ScoreDivergence(temperature=asked.spread, similarity="cosine", in_batch=True)
            taught = replace(batch, labels=left @ right.T)  # (n, n)
            values = values + asked.soft / asked.spread**2 * spread(outputs, taught).values
        return replace(losses, values=values)


def trained(base: StaticEncoder, pairs: list[Pair], teacher: Dense | None, lesson: Lesson, seed: int) -> StaticEncoder:
    """Return the base trained on pairs, its vectors in the base's format."""
    from isogloss.training.static_training import table, train_static

    used = pairs if teacher is None else pairs[:TAUGHT]
    labels = None if teacher is None else teacher.reshape(len(used), -1)
    found = train_static(
        base, [[a for a, _, _ in used], [b for _, b, _ in used]], TaughtPairs(lesson), epochs=lesson.epochs,
        labels=labels, groups=[group for _, _, group in used], batch_size=lesson.batch, learning_rate=lesson.rate,
        seed=seed,
    )  # fmt: skip
    return mixed(base, table(found), lesson.share)


def mixed(base: StaticEncoder, rows: Dense, share: float) -> StaticEncoder:
    """Return the base with token vectors that went a share of the way to new ones, rounded as the base's are."""
    from isogloss.training.static_training import table

    old = table(base)
    return StaticEncoder(
        base.pieces, TokenVectors.quantised(old + share * (rows - old)), finish=base.finish,
        skip_unknown=base.skip_unknown, name=base.name, languages=base.languages, threads=1,
    )  # fmt: skip


def measured(encoder: StaticEncoder, task: str) -> TaskResult:
    """Measure an encoder on a data set by the project's own task, with its usual metric."""
    from importlib import import_module

    from isogloss.evaluation.datasets.card import card
    from isogloss.evaluation.datasets.load import task_data

    name, _, part = task.partition("/")
    kind = next(one for one in card(name).kinds if one in ("retrieval", "sts", "clustering", "classification"))
    data = task_data(name, kind, part or None)
    if name == "sts-semeval":
        data = apart_from_sts_b(data, part)
    work = import_module(f"isogloss.evaluation.tasks.{kind}").run
    found: TaskResult = work(encoder, data, name=task, **OPTIONS.get(kind, {}))
    return found


def apart_from_sts_b(data: Any, part: str) -> Any:
    """Leave out the pairs that are in STS-B's development or test part."""
    from isogloss_static_texts import rows

    found = list(rows(Path(os.environ["ISOGLOSS_DATA"]) / "sts-semeval" / f"{part}.jsonl.gz"))
    if [row["a"] for row in found] != list(data.left):
        raise SystemExit(f"{part} has other rows than its card reads")
    kept = [i for i, row in enumerate(found) if row["in_stsb"] not in ("dev", "test")]
    return replace(
        data, left=[data.left[i] for i in kept], right=[data.right[i] for i in kept], scores=data.scores[kept],
        groups=data.groups[kept],
    )  # fmt: skip


def general(encoder: StaticEncoder) -> TaskResult:
    """Measure an encoder on the general probe set."""
    from isogloss.evaluation.general_questions import NAME, general_questions
    from isogloss.evaluation.tasks import retrieval

    return retrieval.run(encoder, general_questions(), name=NAME, k=10, metrics=["ndcg@10"])


def proved(before: StaticEncoder, after: StaticEncoder) -> dict[str, Any]:
    """Compare both on every set that proves: paired intervals, and p after Holm over these sets."""
    from isogloss.evaluation.statistics.comparison import compare
    from isogloss.evaluation.statistics.correction import holm

    table: dict[str, Any] = {}
    for task in (*PROVE, "general probe set"):
        both = [general(one) if task not in PROVE else measured(one, task) for one in (before, after)]
        samples = {name: one.samples[one.main] for name, one in zip(("before", "after"), both, strict=True)}
        found = compare(samples, draws=5000 if "@" in both[0].main else 1000, seed=0)
        one = found.differences[0]
        sign = 1 if one.system == "after" else -1
        ends = sorted(sign * end for end in (one.interval.low, one.interval.high))
        table[task] = {
            "metric": both[0].main, "items": len(samples["before"]), "before": samples["before"].value(),
            "after": samples["after"].value(), "difference": sign * one.value, "low": ends[0], "high": ends[1],
            "p": one.p,
        }  # fmt: skip
        print(json.dumps({task: table[task]}), flush=True)
    for task, p in zip(PROVE, holm([table[task]["p"] for task in PROVE]), strict=True):
        table[task]["corrected"] = float(p)
    return table


def of_teacher(pairs: list[Pair], cache: Path) -> Dense:
    """Return MiniLM's vectors of the texts of the first pairs, ``(2 TAUGHT, 384)``, in bfloat16's precision."""
    from isogloss.encoders.names import load_encoder

    teacher = load_encoder("minilm", threads=1, max_length=LONGEST, engine="torch", precision="bf16")
    return teacher_vectors(teacher, [text for a, b, _ in pairs[:TAUGHT] for text in (a, b)], cache)


def chosen_by(encoder: StaticEncoder) -> list[float]:
    """Return the scores on the sets that choose."""
    found = [measured(encoder, task) for task in CHOOSE]
    return [one.samples[one.main].value() for one in found]


def main() -> None:
    """Choose, train or prove."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["choose", "train", "prove"])
    parser.add_argument("--base", type=Path, help="default: the bundled model")
    parser.add_argument("--cache", type=Path, help="folder for the teacher's vectors")
    parser.add_argument("--out", type=Path, help="folder of the trained model")
    arguments = parser.parse_args()
    base = StaticEncoder.load(arguments.base, threads=1) if arguments.base else bundled_static()
    if arguments.what == "prove":
        table = proved(base, StaticEncoder.load(arguments.out, threads=1))
        (arguments.out / "proof.json").write_text(json.dumps(table, indent=1) + "\n")
        return
    pairs, _, _ = training_pairs(Path(os.environ["ISOGLOSS_DATA"]))
    lessons = CANDIDATES if arguments.what == "choose" else (CHOSEN,)
    teacher = of_teacher(pairs, arguments.cache) if any(one.soft for one in lessons) else None
    if arguments.what == "train":
        trained(base, pairs, teacher if CHOSEN.soft else None, CHOSEN, seed=0).save(arguments.out)
        return
    print("base", chosen_by(base), flush=True)
    for lesson in lessons:
        one = trained(base, pairs, teacher if lesson.soft else None, lesson, seed=0)
        print(json.dumps({**asdict(lesson), "scores": chosen_by(one)}), flush=True)


if __name__ == "__main__":
    main()
