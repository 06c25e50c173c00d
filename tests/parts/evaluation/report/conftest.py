"""Reports as evaluations fill them: an ordinary one, and ones that try to break a renderer."""

from __future__ import annotations

import numpy as np
import pytest

from isogloss.evaluation.report.content import Bin, Cost, Questions, Reliability, Report, SystemTask, duel
from isogloss.evaluation.results import Comparison, Difference, Interval, Score, TaskResult
from isogloss.evaluation.run_file import DataHash, RunFile, SystemSettings
from isogloss.evaluation.sample import Sample

CRANFIELD = {"rrf(words,minilm)": 0.426, "minilm": 0.400, "static": 0.352, "words": 0.344}
HOSTILE = [
    "<script>alert(1)</script>",
    "\" onload='alert(1)' x=\"",
    "]]> --> </style></title></svg> & &amp;",
    "моделью на русском",
    "نموذج البحث الدلالي",
    "日本語の検索モデル" * 8,
    "a name without any break in it " + "x" * 300,
    "nul \x00 and \x1b[31m and \u202e turned, half \ud800 a character",
    "|pipes| `ticks` *stars* [link](javascript:alert(1)) # heading",
    "",
]


def compared(values: dict[str, float], *, n: int = 225, metric: str = "ndcg@10", half: float = 0.035) -> Comparison:
    """A comparison with plausible intervals: pairs nearer than ``half`` are ties."""
    names = sorted(values, key=lambda name: -values[name] if values[name] == values[name] else np.inf)
    scores = [Score(s, values[s], Interval(values[s] - half, values[s] + half), n, n) for s in names]
    differences, ties = [], []
    for i, a in enumerate(names):
        near = [a]
        for b in names[i + 1 :]:
            gap = values[a] - values[b]
            p = 0.0005 if gap > half else 0.31
            differences.append(Difference(a, b, gap, Interval(gap - half * 0.7, gap + half * 0.7), p, p, half * 0.9))
            near += [b] if gap <= half else []
        if not any(set(near) <= set(group) for group in ties):
            ties.append(near)
    return Comparison(metric, scores, differences, ties, 10_000, 0)


def calibrated(system: str, *, synthetic: bool = False) -> Reliability:
    bins = [
        Bin(low / 10, low / 10 + 0.1, low / 10 + 0.05, seen, count, Interval(max(0, seen - 0.08), min(1, seen + 0.08)))
        for low, (seen, count) in enumerate(
            [(0.04, 912), (0.13, 240), (0.27, 130), (0.33, 96), (0.48, 70), (0.52, 61), (0.66, 57), (0.79, 49),
             (0.83, 40), (0.97, 33)]
        )
    ]  # fmt: skip
    return Reliability(system, bins, 0.021, 0.081, Interval(0.014, 0.033), Interval(0.07, 0.09), synthetic)


@pytest.fixture
def ordinary() -> Report:
    """What ``isogloss eval`` with judgements and four systems gives; the samples are made up, the form is real."""
    draws = np.random.default_rng(3)
    words = np.clip(draws.normal(0.35, 0.2, 225), 0, 1).round(2)
    dense = np.clip(words + draws.normal(0.05, 0.2, 225), 0, 1).round(2)
    texts = {str(n): f"what is known about question {n} of the flow past a cone" for n in range(1, 226)}
    systems = [
        SystemSettings("words", "a" * 64, "words", options={"k1": 0.9, "b": 0.4}),
        SystemSettings(
            "minilm", "b" * 64, "all-MiniLM-L6-v2", {}, "mean", 256, 384, "float32", "cosine",
            {"document": {"texts": 1400, "tokens": 300000, "cut": 414, "lost": 38000, "window": 256, "share": 0.2957}},
        ),
    ]  # fmt: skip
    main, recall = (
        compared(CRANFIELD),
        compared({k: v + 0.3 for k, v in CRANFIELD.items()}, metric="recall@100", half=0.2),
    )
    return Report(
        "Cranfield, 225 judged questions",
        [main, recall],
        baseline="words",
        costs=[
            Cost("words", 4210.0, 812.0, 0.9), Cost("static", 2105.0, 1068.0, 1.1),
            Cost("minilm", 118.0, 1536.0, 8.4), Cost("rrf(words,minilm)", 114.0, 2348.0, 9.3),
        ],
        calibration=[calibrated("minilm"), calibrated("words", synthetic=True)],
        duels=[duel("minilm", "words", (Sample.of(dense, name="ndcg@10"), Sample.of(words)), list(texts), texts)],
        questions=Questions(
            225, 1400, False, "Judged questions of Cranfield.", "", {"judged": 225}, [*texts.values()][:3]
        ),
        notes=["2 documents are empty and were left out: 471, 995"],
        command='isogloss eval --qrels cranqrel.trec.txt --compare words,static,minilm,"rrf(words,minilm)"',
        run=RunFile(
            "index", ["eval", "--qrels", "cranqrel.trec.txt"], [DataHash("qrels", "c" * 64, 1837, "cranqrel.trec.txt")],
            systems, {"ndcg@10": "gain of grade over log2(rank + 1), by the best order, first ten"},
            {"ndcg@10": {"words": [0.344, 0.311, 0.378]}}, 0, 10_000, {"python": "3.11.7", "numpy": "2.3.5"},
        ),
    )  # fmt: skip


@pytest.fixture
def hostile() -> Report:
    """Names and notes that want to be markup, with every number that is none."""
    names = [*HOSTILE, *(f"system {n}" for n in range(30))]
    values = {name: 0.5 - 0.01 * place for place, name in enumerate(names)}
    values[names[-1]] = float("nan")
    main = compared(values, n=50)
    no = float("nan")
    bad = Difference(names[0], names[-1], no, Interval(no, no), no, no, no)
    main = Comparison(main.metric, main.scores, [*main.differences, bad], main.ties, main.draws, main.seed, HOSTILE)
    pair = (Sample.of([0.1, 0.9, 0.5], name="<b>ndcg</b>"), Sample.of([0.9, 0.1, 0.5]))
    return Report(
        HOSTILE[0], [main], costs=[Cost(name, 100.0 + place, 0.0, float("inf")) for place, name in enumerate(names)],
        calibration=[Reliability(HOSTILE[1], [Bin(0, 1, float("nan"), float("nan"), 0)], float("nan"), float("nan"))],
        duels=[duel(HOSTILE[0], HOSTILE[5], pair, HOSTILE[:3])],
        questions=Questions(0, 0, True, HOSTILE[2], HOSTILE[4], {HOSTILE[1]: 3}, HOSTILE),
        notes=HOSTILE, command=" ".join(HOSTILE),
        run=RunFile("index", HOSTILE, [DataHash(HOSTILE[0], HOSTILE[1], 3, HOSTILE[2])],
                    [SystemSettings(HOSTILE[0], HOSTILE[1], HOSTILE[2], {"query": HOSTILE[0]}, HOSTILE[0])],
                    {HOSTILE[0]: HOSTILE[1]}, {}),
    )  # fmt: skip


@pytest.fixture
def task() -> SystemTask:
    """One system on one task, with a metric that could not be measured."""
    samples = {"ndcg@10": Sample.of([0.5, 1.0, 0.25]), "recall@100": Sample.of([1.0, 1.0, 0.5]),
               "map@10": Sample.of([float("nan")])}  # fmt: skip
    details = {
        "mteb_name": "SciFact",
        "revision": "0228b52cf27578f30900b9e5271d331663a030d7",
        "languages": ["eng-Latn"],
    }
    return SystemTask(
        "sentence-transformers/all-MiniLM-L6-v2", TaskResult("scifact", "retrieval", "ndcg@10", samples, details, 12.5),
        {"ndcg@10": Interval(0.4, 0.7)},
    )  # fmt: skip
