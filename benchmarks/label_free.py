"""Do questions made from documents put systems in the order in which human labels put them?

On four collections with human judgements (Cranfield, MEDLINE, CACM, SciFact), 23 systems are ranked twice by nDCG@10:
by the human questions, and by questions that ``make_questions`` makes from the documents alone. A pair of systems is
*separated* where the sign-flip test on the human questions gives p < .05. Reported: the share of separated pairs that
the made questions order the same way; pairs *contradicted*, where both 95 % bootstrap intervals of the difference
exclude zero on opposite sides; and Kendall's tau of the two orders beside the tau between random halves of the human
questions. A made question has one right document; *its topic* counts the ten documents whose other words are nearest
to it, too. Ablations (one document): each kind alone, without the filter, without the weights.

The way of making questions was chosen on the collections of ``CHOOSE`` and fixed before these four were looked at;
``docs/questions.md`` tells how often they were read. SciFact is cut to its judged documents and others at random,
2,000 in all, unless ``--scifact 5183`` asks for more.

    ISOGLOSS_DATA=... python benchmarks/label_free.py --out benchmarks/results/label_free.json
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import Hits
from isogloss.corpus.judgements import RankedRun
from isogloss.evaluation.metrics.ranking import measure
from isogloss.evaluation.sample import Sample
from isogloss.evaluation.statistics.bootstrap import resample
from isogloss.mining.questions.decide import decide, decide_words_against_meaning
from isogloss.mining.questions.make import make_questions
from isogloss.mining.questions.question import QuestionSet
from isogloss.protocols import Record
from isogloss.seeding import generator
from label_free_systems import search_all
from passages import data_folder
from quality import read_task
from surroundings import machine
from vector_store import VectorStore

PROVE = ("cranfield", "medline", "cacm", "scifact")
CHOOSE = ("nq-oracle", "squad-newwiki-retrieval", "xquad/en", "pubmedqa")
LEXICAL = {"words", "words:en", "words:en without function words", "words k1 2 b .75", "words k1 1.2 b 0", "title only",
           "tf-idf cosine"}  # fmt: skip
DRAWS, SPLITS, LEVEL = 2000, 500, 0.05
Scores = dict[str, NDArray[np.float64]]


def documents_of(name: str, most: int) -> tuple[list[Record], list[str], dict[str, dict[str, float]]]:
    """Return documents (judged ones, and others at random up to ``most``), human questions, and judgements."""
    task = read_task(data_folder() / name)
    records = [
        Record(str(i), text[len(title) :].strip(), title)
        for i, (title, text) in enumerate(zip(task.titles, task.documents, strict=True))
    ]
    judged = {document for judgements in task.judged for document in judgements}
    if len(records) > most:
        order = generator(0, f"documents of {name}").permutation(len(records)).tolist()
        kept = {*judged, *[i for i in order if i not in judged][: most - len(judged)]}
        records = [record for i, record in enumerate(records) if i in kept]
    qrels = {str(i): {str(d): g for d, g in judged.items()} for i, judged in enumerate(task.judged)}
    return records, task.queries, qrels


def scored(hits: Mapping[str, Hits], records: Sequence[Record], qrels: Mapping[str, Mapping[str, float]]) -> Scores:
    """Return nDCG@10 of each question by each system."""
    ids, found = [record.id for record in records], {}
    for system, one in hits.items():
        rows = [row[row >= 0].tolist() for row in one.rows]
        # positions as scores: the order of the index is the order that counts, ties and all
        ranked = {
            query: {ids[row]: float(-place) for place, row in enumerate(row_list)}
            for query, row_list in zip(qrels, rows, strict=True)
        }
        run = RankedRun.from_scores(ranked, system)
        found[system] = measure(run, {q: dict(judged) for q, judged in qrels.items()}, ["ndcg@10"])["ndcg@10"].items
    return found


def separated(scores: Scores) -> dict[tuple[str, str], int]:
    """Return the pairs that a two-sided sign-flip test separates at 5 %, and which is better (1: the first)."""
    names = list(scores)
    items = np.stack([scores[name] for name in names])
    signs = generator(0, "sign flips").choice(np.array([-1.0, 1.0]), (DRAWS, items.shape[1]))
    pairs = {}
    for first, second in combinations(range(len(names)), 2):
        difference = items[first] - items[second]
        extreme = np.abs(signs @ difference) >= abs(difference.sum()) - 1e-12
        if (1 + extreme.sum()) / (1 + DRAWS) < LEVEL:
            pairs[names[first], names[second]] = int(np.sign(difference.sum()))
    return pairs


def means(scores: Scores, weights: NDArray[np.float64] | None = None) -> dict[str, float]:
    return {name: float(np.average(values, weights=weights)) for name, values in scores.items()}


def drawn(scores: Scores, weights: NDArray[np.float64], groups: Sequence[int]) -> dict[str, NDArray[np.float64]]:
    """Return bootstrap draws of each system's weighted mean, the same draws for all."""

    def weighted_mean(items: NDArray[Any], counts: NDArray[np.float64]) -> NDArray[np.float64]:
        total = counts @ items[:, 1]
        return np.asarray((counts @ (items[:, 0] * items[:, 1])) / np.where(total > 0, total, np.nan))

    samples = [
        Sample.of(np.stack([values, weights], 1), groups=groups, aggregate=weighted_mean) for values in scores.values()
    ]
    return dict(zip(scores, resample(samples, draws=DRAWS, seed=0), strict=True))


def tau(one: Mapping[str, float], two: Mapping[str, float]) -> float:
    from scipy.stats import kendalltau

    return float(kendalltau([one[name] for name in one], [two[name] for name in one]).statistic)


def split_half(scores: Scores) -> list[float]:
    """Return mean, 2.5th and 97.5th percentile of tau between random halves of the human questions."""
    count, found = len(next(iter(scores.values()))), []
    random = generator(0, "halves")
    for _ in range(SPLITS):
        order = random.permutation(count)
        sides = (order[: count // 2], order[count // 2 :])
        one, two = ({name: float(values[side].mean()) for name, values in scores.items()} for side in sides)
        found.append(tau(one, two))
    return [round(float(x), 3) for x in (np.mean(found), *np.percentile(found, [2.5, 97.5]))]


def agreement(
    human: Scores, made: QuestionSet, scores: Scores, weights: NDArray[np.float64] | None = None
) -> dict[str, Any]:
    """Compare the order by made questions with the human one."""
    own = np.array([question.weight for question in made.questions]) if weights is None else weights
    places = {document: i for i, document in enumerate(dict.fromkeys(q.document for q in made.questions))}
    groups = [places[question.document] for question in made.questions]
    pairs, ours, theirs = separated(human), means(scores, own), means(human)
    wrong = [(a, b) for (a, b), sign in pairs.items() if np.sign(ours[a] - ours[b]) != sign]
    one = drawn(human, np.ones(len(next(iter(human.values())))), range(len(next(iter(human.values())))))
    two = drawn(scores, own, groups)
    against = [pair for pair in wrong if _sure(one, pair) * _sure(two, pair) < 0]
    return {
        "questions": len(made), "documents": len(places), "separated": len(pairs),
        "agree": round(1 - len(wrong) / len(pairs), 4), "contradicted": len(against),
        "contradicted_pairs": [list(pair) for pair in against], "wrong_pairs": [list(pair) for pair in wrong],
        "tau": round(tau(ours, theirs), 3),
        "overlap": round(float(np.average([q.overlap for q in made.questions], weights=own)), 3),
    }  # fmt: skip


def _sure(draws: Mapping[str, NDArray[np.float64]], pair: tuple[str, str]) -> int:
    low, high = np.nanpercentile(draws[pair[0]] - draws[pair[1]], [2.5, 97.5])
    return 1 if low > 0 else -1 if high < 0 else 0


def ask(records: list[Record], made: QuestionSet, store: VectorStore) -> tuple[Scores, Scores]:
    """Search the documents without what was held out; score with one right document, and with the related ones."""
    hits = search_all(made.searched(records), [question.text for question in made.questions], store)
    return scored(hits, records, made.qrels()), scored(hits, records, made.qrels(topic=True))


def believed(human: Scores, made: QuestionSet, scores: Scores, topical: Scores) -> dict[str, int]:
    """Count the separated pairs that the verdict calls decided, and those among them that it orders as people did.

    ``both``: as ``isogloss eval`` says it, where the topic surely gives the same order; ``words``: of those, words
    against another system.
    """
    found = dict.fromkeys(("decided", "right", "both_decided", "both_right", "words_decided", "words_right"), 0)
    for (first, second), sign in separated(human).items():
        verdict = decide(made, scores[first], scores[second])
        wide = decide(made, topical[first], topical[second])
        both = verdict.decided and verdict.whole.sign == wide.whole.sign
        words = both and (first in LEXICAL) != (second in LEXICAL)
        for name, decided in (("", verdict.decided), ("both_", both), ("words_", words)):
            found[f"{name}decided"] += decided
            found[f"{name}right"] += decided and verdict.whole.sign == sign
    return found


def part(made: QuestionSet, scores: Scores, kind: str) -> tuple[QuestionSet, Scores]:
    """Return the questions of one kind and their scores."""
    kept = np.array([question.kind == kind for question in made.questions])
    return made.subset([q for q in made.questions if q.kind == kind]), {n: v[kept] for n, v in scores.items()}


def prove(name: str, most: int, store: VectorStore, quick: bool) -> dict[str, Any]:
    """Measure one collection."""
    records, queries, qrels = documents_of(name, most)
    human = scored(search_all(records, queries, store), records, qrels)
    made = make_questions(records)
    scores, topical = ask(records, made, store)
    verdict = decide_words_against_meaning(made, scores, LEXICAL)
    found: dict[str, Any] = {
        "set": name, "documents": len(records), "human_questions": len(queries), "notes": made.notes,
        "result": agreement(human, made, scores),
        "topic": agreement(human, made, topical), "believed": believed(human, made, scores, topical),
        "split_half_tau": split_half(human),
        "verdict": verdict.reason if verdict else "",
        "human": {system: round(value, 4) for system, value in means(human).items()},
        "made": {system: round(v, 4) for system, v in means(scores, np.array(list(made.weights().values()))).items()},
    }  # fmt: skip
    found["ablations"] = ablations(made, (human, scores))
    if not quick:
        loose = make_questions(records, filtered=False)
        found["ablations"]["without filter"] = agreement(human, loose, ask(records, loose, store)[0])
    return found


def ablations(made: QuestionSet, both: tuple[Scores, Scores]) -> dict[str, Any]:
    """Measure without weights, and each kind of question alone."""
    human, scores = both
    found = {"without weights": agreement(human, made, scores, np.ones(len(made)))}
    for kind in dict.fromkeys(question.kind for question in made.questions):
        some, theirs = part(made, scores, kind)
        if len(some) >= 15:
            found[f"{kind} alone"] = agreement(human, some, theirs)
    return found


def markdown(document: Mapping[str, Any]) -> str:
    """Write the tables."""
    lines = ["# Questions without labels against human labels", ""]
    lines += [f"{document['systems']} systems, nDCG@10. Separated: sign-flip p < .05 on the human questions.", ""]
    head = "| set | documents | human questions | right answers | pairs separated | ordered the same | contradicted |"
    lines += [head + " tau | split-half tau of human labels |", "|---" * 9 + "|"]
    for one in document["collections"]:
        half = one["split_half_tau"]
        for answers, got in (("one document", one["result"]), ("its topic", one["topic"])):
            lines.append(
                f"| {one['set']} | {one['documents']} | {one['human_questions']} | {answers} | {got['separated']} "
                f"| {got['agree']:.3f} | {got['contradicted']} | {got['tau']:.2f} "
                f"| {half[0]:.2f} [{half[1]:.2f}, {half[2]:.2f}] |"
            )
    told = ", ".join(
        f"{one['set']} {one['believed']['right']} of {one['believed']['decided']}" for one in document["collections"]
    )
    lines += ["", f"Pairs that the verdict calls decided and that people order the same way: {told}."]
    both = ", ".join(
        f"{one['set']} {one['believed']['both_right']} of {one['believed']['both_decided']}"
        for one in document["collections"] if "both_right" in one["believed"]
    )  # fmt: skip
    lines += ["", f"The same where the topic gives the same order, too: {both}."] if both else []
    rows = list(dict.fromkeys(row for one in document["collections"] for row in one.get("ablations", {})))
    if rows:
        names = [one["set"] for one in document["collections"]]
        lines += ["", "Pairs ordered the same (contradicted; questions):", "", "| | " + " | ".join(names) + " |"]
        lines.append("|---" * (len(names) + 1) + "|")
        for row in ["all", *rows]:
            cells = [
                _cell(one["result"] if row == "all" else one["ablations"].get(row)) for one in document["collections"]
            ]
            lines.append(f"| {row} | " + " | ".join(cells) + " |")
    return "\n".join([*lines, ""])


def _cell(got: Mapping[str, Any] | None) -> str:
    return f"{got['agree']:.3f} ({got['contradicted']}; {got['questions']})" if got else ""


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare orders by made questions with orders by human labels.")
    parser.add_argument("--sets", default=",".join(PROVE), help="folders of BEIR collections, separated by commas")
    parser.add_argument("--scifact", type=int, default=2000, help="documents of SciFact (default: 2,000)")
    parser.add_argument("--quick", action="store_true", help="leave out the run without the filter")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    store, found = VectorStore(), dict[str, Any]()
    if arguments.out and arguments.out.is_file():  # sets that an earlier run measured stay in the file
        found = {one["set"]: one for one in json.loads(arguments.out.read_text())["collections"]}
    for name in arguments.sets.split(","):
        most = arguments.scifact if name == "scifact" else 10**9
        found[name] = prove(name, most, store, arguments.quick)
        print(json.dumps({key: found[name][key] for key in ("set", "result", "split_half_tau", "verdict")}), flush=True)
        document = {"benchmark": "label free", "machine": machine(), "systems": len(found[name]["human"])}
        document["collections"] = [found[one] for one in [*PROVE, *found] if one in found]
        document["collections"] = list({one["set"]: one for one in document["collections"]}.values())
        if arguments.out:
            arguments.out.parent.mkdir(parents=True, exist_ok=True)
            arguments.out.write_text(json.dumps(document, indent=1) + "\n")
            arguments.out.with_suffix(".md").write_text(markdown(document))
    print(markdown(document))


if __name__ == "__main__":
    main()
