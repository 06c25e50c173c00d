"""Does ``isogloss adapt`` help, and does it know? Adapted without labels, judged by people's.

Six collections, two bases. ``adapt`` sees the documents alone. Then base and candidate are judged by people: on
Cranfield, MEDLINE, CACM and SciFact by their questions and judgements (nDCG@10 by document); on 20 Newsgroups and
StackOverflow titles, whose labels are classes, by looking for documents of the same class with documents that adapt
never saw (nDCG@10 over 400 of them). Same-class retrieval was taken and not V-measure of a clustering: a search is what
adapt is for, it has an item a question, so that differences are paired, and words can take part.

A cell holds what adapt said (``kept``, its own gain) and ``human``: base, adapted, difference with a paired 95 %
interval for the candidate whether adapt kept it or not, and ``delivered``: the difference of what the user gets, 0
where the base is kept. ``agrees``: adapt kept a candidate that people's labels show to be better (lower end above 0),
or did not keep one that they do not; None where adapt refuses to say anything. A cell that stands in the file already
is not run again.

    python benchmarks/adaptation.py --budget 600 --out benchmarks/results/adaptation.json
    python benchmarks/adaptation.py --only medline/static --budget 60 --out trial.json
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from surroundings import machine

RETRIEVAL = ("cranfield", "medline", "cacm", "scifact")
CLASSES = ("20newsgroups", "stackoverflow-titles")
BASES = ("static", "minilm")
DOCUMENTS, ASKED = 3000, 400
SEED = 0


@dataclass(frozen=True)
class Human:
    """Documents, and what people say about them."""

    records: list[Any]
    queries: dict[str, str]
    qrels: dict[str, dict[str, float]]


def human(name: str) -> Human:
    """Return documents, questions and judgements of a collection; of classes, texts that look for their like."""
    if name in CLASSES:
        return of_classes(name, "all" if name == "stackoverflow-titles" else "train")
    from isogloss.corpus.test_collections.beir import read_beir

    found = read_beir(Path(os.environ["ISOGLOSS_DATA"]) / name)
    return Human(found.documents, found.queries, found.qrels)


def of_classes(name: str, part: str) -> Human:
    """Let some texts of a classified data set look for the others of their class."""
    from isogloss.evaluation.datasets.load import load
    from isogloss.protocols import Record
    from isogloss.seeding import generator

    rows = load(name, part=part)
    distinct = list(dict.fromkeys(rows.texts))
    label = dict(zip(rows.texts, np.asarray(rows.labels).tolist(), strict=True))
    order = generator(SEED, "benchmark", name).permutation(len(distinct))
    texts = [distinct[i] for i in order.tolist() if distinct[i].strip()]
    asked, kept = texts[:ASKED], texts[ASKED : ASKED + DOCUMENTS]
    records = [Record(f"d{i}", text) for i, text in enumerate(kept)]
    queries = {f"q{i}": " ".join(text.split()[:120]) for i, text in enumerate(asked)}
    qrels = {
        f"q{i}": {record.id: 1.0 for record in records if label[record.text] == label[text]}
        for i, text in enumerate(asked)
    }
    return Human(records, queries, qrels)


def judged(data: Human, base: str, draft: Path | None, words: float, threads: int | None) -> dict[str, Any]:
    """Judge base and candidate by people's labels: scores, difference and its paired interval."""
    from isogloss.cli.progress import Milestones
    from isogloss.evaluation.metrics.ranking import measure
    from isogloss.evaluation.statistics.comparison import compare
    from isogloss.workflows.bench import Bench, Models
    from isogloss.workflows.judged_evaluation import BUDGET
    from isogloss.workflows.passages import cutter, passages_of
    from isogloss.workflows.systems import EncoderPlan, FusionPlan, SystemPlan

    bench = Bench(passages_of(data.records, cutter(BUDGET)), Models(threads), Milestones(sys.stderr))
    model = EncoderPlan(str(draft) if draft is not None else base)
    plan: SystemPlan = FusionPlan("weighted", (EncoderPlan("words"), model), (words, 1.0)) if words else model
    runs = {"base": bench.rank(EncoderPlan(base), data.queries, 10), "adapted": bench.rank(plan, data.queries, 10)}
    samples = {name: measure(run, data.qrels, ["ndcg@10"])["ndcg@10"] for name, run in runs.items()}
    found = compare(samples, seed=SEED)
    one = found.differences[0]
    sign = 1 if one.system == "adapted" else -1
    ends = sorted((sign * one.interval.low, sign * one.interval.high))
    scores = {name: [found.score(name).value, *_ends(found.score(name).interval)] for name in runs}
    return {**scores, "difference": [sign * one.value, *ends], "questions": len(data.queries)}


def _ends(interval: Any) -> tuple[float, float]:
    return interval.low, interval.high


def cell(name: str, base: str, budget: float, threads: int | None) -> dict[str, Any]:
    """Adapt without labels, then judge with them."""
    from isogloss.cli.progress import Milestones
    from isogloss.errors import CorpusError
    from isogloss.workflows.adapting.order import Order
    from isogloss.workflows.adapting.run import adapt

    data = human(name)
    with tempfile.TemporaryDirectory() as scratch:
        order = Order(base=base, budget=budget, seed=SEED, out=str(Path(scratch) / f"{name}-{base}"))
        began = time.perf_counter()
        try:
            made = adapt(
                order, threads=threads, progress=Milestones(sys.stderr), records=data.records, name=name,
                keep_draft=True,
            )  # fmt: skip
        except CorpusError as refused:
            people = judged(data, base, None, 0.0, threads)
            return {
                "collection": name, "base": base, "budget": budget, "seconds": time.perf_counter() - began,
                "kept": "base", "candidate": None, "refused": str(refused), "own": None, "human": people,
                "delivered": people["difference"], "agrees": None,
            }  # fmt: skip
        took = time.perf_counter() - began
        people = judged(data, base, made.draft, made.choice.best.words, threads)
    if made.draft is not None:
        shutil.rmtree(made.draft, ignore_errors=True)
    own = made.proof.own.gain()
    told = {name: value for name, value in made.to_dict().items() if name not in ("results", "folder")}
    return {
        "collection": name, "base": base, "budget": budget, "seconds": took, "kept": made.kept,
        "candidate": made.choice.best.name, "words": made.choice.best.words, "own": own, "human": people,
        "topic": made.proof.topic.gain() if made.proof.topic else None, "general": made.proof.general.gain(),
        "delivered": people["difference"] if made.proof.kept else [0.0, 0.0, 0.0],
        "agrees": made.proof.kept == (people["difference"][1] > 0), "adapt": told,
    }  # fmt: skip


def summary(cells: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return a line a cell, and how many gain, lose and agree for each base."""
    lines = []
    for key, one in cells.items():
        value, low, high = one["human"]["difference"]
        own = one["own"]
        if own is None:
            lines.append(f"{key:28s} {one['kept']:8s} no verdict: {one['refused']}")
            continue
        lines.append(
            f"{key:28s} {one['kept']:8s} own {own[0]:+.3f} [{own[1]:+.3f}, {own[2]:+.3f}]  people {value:+.3f} "
            f"[{low:+.3f}, {high:+.3f}]  {'agrees' if one['agrees'] else 'DISAGREES'}  {one['seconds']:.0f} s  "
            f"{one['candidate']}"
        )
    for base in BASES:
        mine = [one for one in cells.values() if one["base"] == base]
        gains = sum(one["delivered"][1] > 0 for one in mine)
        losses = sum(one["delivered"][1] < -0.01 for one in mine)
        agree = sum(one["agrees"] is True for one in mine)
        silent = sum(one["agrees"] is None for one in mine)
        lines.append(
            f"{base}: {gains} of {len(mine)} gain, {losses} with a lower end below -.01, {agree} agree, "
            f"{silent} without a verdict"
        )
    return lines


def main() -> None:
    """Run the cells that are not in the file yet."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--budget", type=float, default=600.0)
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--only", nargs="*", default=[], help="cells such as medline/static")
    options = parser.parse_args()
    document: dict[str, Any] = json.loads(options.out.read_text()) if options.out.is_file() else {"cells": {}}
    document |= {"machine": machine()}
    for name in (*RETRIEVAL, *CLASSES):
        for base in BASES:
            key = f"{name}/{base}"
            if key in document["cells"] or (options.only and key not in options.only):
                continue
            print(f"-- {key}", file=sys.stderr, flush=True)
            document["cells"][key] = cell(name, base, options.budget, options.threads)
            aside = options.out.with_suffix(".part")
            aside.write_text(json.dumps(document, indent=1, default=float) + "\n")
            aside.replace(options.out)
    print("\n".join(summary(document["cells"])))


if __name__ == "__main__":
    main()
