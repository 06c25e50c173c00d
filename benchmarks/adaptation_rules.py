"""By which rule should ``isogloss adapt`` take a share of trained weights and a weight of the words?

Both are chosen by questions that are made from the documents, which flatter what is fitted to their like. Here
``adapt`` runs on six collections outside of those that judge it (``adaptation.py``), and then people's labels judge
every share with every weight. From that table and the one that ``adapt`` saw follows what each rule would have gained:
the steps that are best on the questions, or the smallest ones within some standard errors of the best, with the words
held to a most. This is a part of what ``adapt`` does: other candidates are not in it, a share that is taken need not be
better than the base by itself, words are always let in, and kinds of questions count as they come, where ``adapt``
weighs them.

    python benchmarks/adaptation_rules.py --base static --out benchmarks/results/adaptation_rules.json
    python benchmarks/adaptation_rules.py --base minilm --only pubmedqa --out trial.json
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from adaptation import SEED, Human, human, of_classes
from surroundings import machine

CLASSES, QUESTIONS = ("ag-news", "medical-abstracts"), ("nq-oracle", "pubmedqa", "scitldr", "squad-newwiki-retrieval")
MOST = 600
"""Questions of people that are asked."""
WORDS = (0.0, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0)
RULES: Mapping[str, tuple[float, float, float]] = {
    "best share, words within 1.96": (0.0, 1.96, 1.0),
    "share within 1, words within 1.96": (1.0, 1.96, 1.0),
    "share within 1.96, words within 1.96": (1.96, 1.96, 1.0),
    "best share, words within 1": (0.0, 1.0, 1.0),
    "share within 1, words within 1": (1.0, 1.0, 1.0),
    "best share, words within 1.96, at most .5": (0.0, 1.96, 0.5),
    "best share, words within 1.96, at most .35": (0.0, 1.96, 0.35),
    "share within 1.96, words within 1.96, at most .5": (1.96, 1.96, 0.5),
    "share within 1, words within 1.96, at most .5": (1.0, 1.96, 0.5),
    "share within 1.96, words within 1, at most .5": (1.96, 1.0, 0.5),
    "share within 1.96, words within 1.96, at most .35": (1.96, 1.96, 0.35),
}
"""Standard errors for the share, for the words, and the most that the words count."""
Scores = Mapping[tuple[float, float], Any]


def people(name: str) -> Human:
    """Return a collection for development; of SciTLDR abstracts that are looked for by people's summaries of them."""
    from isogloss.protocols import Record

    if name in CLASSES:
        return of_classes(name, "train")
    if name != "scitldr":
        return human(name)
    folder = Path(os.environ["ISOGLOSS_DATA"]) / name
    parts = {part: _lines(folder / f"{part}.jsonl.gz") for part in ("train", "dev", "test")}
    records = [
        Record(row["id"], " ".join(one.strip() for one in row["abstract"]), row["title"] or "")
        for rows in parts.values() for row in rows
    ]  # fmt: skip
    asked = [row for part in ("dev", "test") for row in parts[part] if row["tldr"]]
    return Human(records, {row["id"]: row["tldr"][-1] for row in asked}, {row["id"]: {row["id"]: 1.0} for row in asked})


def _lines(path: Path) -> list[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def tables(name: str, base: str, budget: float, threads: int) -> tuple[Scores, Scores, dict[float, bool]]:
    """Return scores a question by people's labels and by ``adapt``'s own questions, and which shares remember."""
    from isogloss.cli.progress import Milestones
    from isogloss.workflows.adapting import courses
    from isogloss.workflows.adapting.order import Order
    from isogloss.workflows.adapting.run import adapt

    data, seen = people(name), dict[str, Any]()
    plain = courses.merged

    def watched(bench: Any, course: Any, shares: tuple[float, ...]) -> list[Any]:
        seen.update(bench=bench, course=course, found=plain(bench, course, shares))
        return list(seen["found"])

    courses.merged = watched
    try:
        with tempfile.TemporaryDirectory() as scratch:
            order = Order(base=base, budget=budget, seed=SEED, out=str(Path(scratch) / "model"))
            adapt(order, threads=threads, progress=Milestones(sys.stderr), records=data.records, name=name)
    finally:
        courses.merged = plain
    by_people, by_questions, remembers = {}, {}, {}
    judge = _judge(data)
    for share, one in [(0.0, seen["bench"].base), *((one.facts["share"], one) for one in seen["found"])]:
        remembers[share] = seen["bench"].remembers(one)
        scores = judge(_encoder(seen, base, share, one))
        for weight in WORDS:
            by_people[share, weight] = scores(weight)
            by_questions[share, weight] = seen["bench"].room.marks(one.reading, weight).both()
    return by_people, by_questions, remembers


def _encoder(seen: Mapping[str, Any], base: str, share: float, one: Any) -> Any:
    """Return the encoder of a share of the trained weights; 0: the base."""
    from isogloss.encoders.names import load_encoder
    from isogloss.training.merging import merge_weighted

    if not share:
        return load_encoder(base)
    if one.encoder is not None:
        return one.encoder
    course = seen["course"]
    state = merge_weighted([dict(course.model.start), course.weights], [1 - share, share])
    course.model.module.load_state_dict(state)
    return course.model.encoder()


def _judge(data: Human) -> Callable[[Any], Callable[[float], Any]]:
    """Return what judges an encoder by people's labels, with the words at a weight: nDCG@10 of each question."""
    from isogloss.arrays import normalise
    from isogloss.corpus.judgements import RankedRun
    from isogloss.evaluation.metrics.ranking import measure
    from isogloss.index.score_fusion import fused_scores
    from isogloss.seeding import generator
    from isogloss.workflows.adapting.room import word_scores
    from isogloss.workflows.bench import LEAST_DEPTH
    from isogloss.workflows.judged_evaluation import BUDGET
    from isogloss.workflows.passages import cutter, passages_of

    cut = passages_of(data.records, cutter(BUDGET))
    every = list(data.queries)
    names = [every[i] for i in generator(SEED, "q").permutation(len(every))[:MOST].tolist()]
    asked = [data.queries[name] for name in names]
    words = word_scores(asked, cut.fresh_texts)
    first = np.flatnonzero(np.r_[True, np.diff(cut.owners) > 0])
    ids = [data.records[owner].id for owner in cut.owners[first].tolist()]
    qrels = {name: data.qrels[name] for name in names if any(data.qrels.get(name, {}).values())}

    def judge(encoder: Any) -> Callable[[float], Any]:
        passages, questions = (
            normalise(np.asarray(encoder.encode(texts, role=role), np.float32))
            for texts, role in ((cut.fresh_texts, "document"), (asked, "query"))
        )
        plain = np.asarray(questions @ passages.T, np.float32)  # (m, n)

        def scores(weight: float) -> Any:
            table = plain
            if weight:
                table = fused_scores([words, plain], depth=LEAST_DEPTH, weights=[weight, 1.0], matched=[True, False])
            best = np.maximum.reduceat(table, first, axis=1)  # (m, documents)
            found = {}
            for row, name in enumerate(names):
                top = np.argsort(-best[row], kind="stable")[:10].tolist()
                found[name] = {ids[i]: float(best[row, i]) for i in top}
            return measure(RankedRun.from_scores(found), qrels, ["ndcg@10"])["ndcg@10"].items

        return scores

    return judge


def outcome(rule: tuple[float, float, float], by_people: Scores, by_questions: Scores, remembers: Any) -> list[Any]:
    """Return the share and weight that a rule takes, and by people's labels the gain over the base with its ends."""
    share = _share(rule[0], by_questions, remembers)
    weights = [(share, weight) for weight in WORDS if 0 < weight <= rule[2]]
    chosen = _smallest(by_questions, weights, rule[1])
    gap = np.asarray(by_people[chosen]) - by_people[0.0, 0.0]
    error = 1.96 * _error(gap)
    return [*chosen, *(round(float(value), 4) for value in (gap.mean(), gap.mean() - error, gap.mean() + error))]


def _share(errors: float, by_questions: Scores, remembers: Mapping[float, bool]) -> float:
    shares = [(share, 0.0) for share in sorted(remembers) if share and remembers[share]]
    if not shares:
        return 0.0
    best = max(shares, key=lambda key: by_questions[key].mean())
    gap = by_questions[best] - by_questions[0.0, 0.0]
    return _smallest(by_questions, shares, errors)[0] if gap.mean() > _error(gap) else 0.0


def _smallest(scores: Scores, keys: list[tuple[float, float]], errors: float) -> tuple[float, float]:
    best = max(keys, key=lambda key: scores[key].mean())
    for key in keys:
        gap = scores[best] - scores[key]
        if key == best or gap.mean() <= errors * _error(gap):
            return key
    return best


def _error(gap: Any) -> float:
    return float(np.std(gap, ddof=1) / np.sqrt(len(gap)))


def main() -> None:
    """Make the tables that are not in the file yet, and say what each rule gains on each."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--base", default="static")
    parser.add_argument("--budget", type=float, default=600.0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only", nargs="*", default=[])
    options = parser.parse_args()
    document: dict[str, Any] = json.loads(options.out.read_text()) if options.out.is_file() else {"cells": {}}
    document |= {"machine": machine()}
    for name in options.only or (*CLASSES, *QUESTIONS):
        key = f"{name}/{options.base}"
        if key in document["cells"]:
            continue
        by_people, by_questions, remembers = tables(name, options.base, options.budget, options.threads)
        document["cells"][key] = {
            "people": {f"{share:g} + {words:g}": round(float(np.mean(value)), 4)
                       for (share, words), value in by_people.items()},
            "questions": {f"{share:g} + {words:g}": round(float(np.mean(value)), 4)
                          for (share, words), value in by_questions.items()},
            "remembers": {f"{share:g}": bool(value) for share, value in remembers.items()},
            "rules": {rule: outcome(how, by_people, by_questions, remembers) for rule, how in RULES.items()},
        }  # fmt: skip
        options.out.write_text(json.dumps(document, indent=1) + "\n")
    for rule in RULES:
        gains = {key: cell["rules"][rule] for key, cell in document["cells"].items()}
        mean = float(np.mean([gain[2] for gain in gains.values()]))
        print(f"{rule:52s} {mean:+.4f}  " + "  ".join(f"{key} {gain[2]:+.3f}" for key, gain in gains.items()))


if __name__ == "__main__":
    main()
