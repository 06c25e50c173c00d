"""From rankings and judgements to a report: metrics, intervals, paired differences, duels, the run file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isogloss.corpus.judgements import Qrels, RankedRun, judged_queries
from isogloss.errors import CorpusError, UsageError
from isogloss.evaluation.metrics.ranking import METRICS, canonical, measure
from isogloss.evaluation.report.content import Cost, Questions, Report, duel
from isogloss.evaluation.results import Comparison
from isogloss.evaluation.run_file import DataHash, RunFile, SystemSettings, interval_scores
from isogloss.evaluation.sample import Sample
from isogloss.workflows.requests import Evaluated, Request

DUELS = 5
"""Most pairs that are shown question by question."""
DEEPEST = 1000
"""Documents ranked for metrics without a depth of their own, as trec_eval is usually given."""
FEWEST_DRAWS = 40
"""One draw beyond each end of a 95 % interval."""
FEW = 25
"""Fewer questions than this get a warning."""


@dataclass(slots=True)
class Judgement:
    """Questions and judgements of documents that are searched.

    Attributes
    ----------
    queries, qrels
        Texts and judgements by question.
    groups
        What the bootstrap draws together: a number for each question; each on its own where empty.
    about
        Where they came from, for the report.
    data
        Hashes.
    notes
        Warnings with counts.
    weights
        What each question counts in an average; all the same where empty.
    """

    queries: dict[str, str]
    qrels: Qrels
    about: Questions
    groups: dict[str, int] = field(default_factory=dict)
    data: list[DataHash] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    weights: dict[str, float] = field(default_factory=dict)


def metric_names(request: Request) -> list[str]:
    """Return the metrics of a request by their display names, each once."""
    names = list(dict.fromkeys(canonical(name) for name in request.metrics))
    if not names:
        raise UsageError("there is nothing to measure", "no metric was named", "use --metric ndcg@10")
    return names


def depth_of(request: Request) -> int:
    """Return how many documents a question must be answered with for the metrics of a request.

    Examples
    --------
    >>> [depth_of(Request(kind="index", metrics=names)) for names in (("ndcg@10", "recall@100"), ("map",))]
    [100, 1000]
    """
    depths = [int(name.partition("@")[2] or DEEPEST) for name in metric_names(request)]
    return max(depths)


def asked(queries: Mapping[str, str], qrels: Qrels) -> tuple[dict[str, str], list[str]]:
    """Return the questions that count (those with a relevant document), and notes about the others.

    Raises
    ------
    CorpusError
        Where there are none.

    Examples
    --------
    >>> asked({"a": "heat", "b": "cold"}, {"a": {"d": 1.0}, "b": {"d": 0.0}})[0]
    {'a': 'heat'}
    """
    kept = {query: queries[query] for query in judged_queries(qrels) if query in queries}
    if not kept:
        raise CorpusError(
            "no question has a relevant document",
            f"{len(queries):,} questions, {sum(map(len, qrels.values())):,} judgements, none of them above 0",
            "check that questions and judgements belong together",
        )
    notes = []
    idle = len(queries) - len(kept)
    if idle:
        verb = "has" if idle == 1 else "have"
        notes.append(f"{idle:,} of {len(queries):,} questions {verb} no relevant document and are left out")
    if len(kept) < FEW:
        some = "one question" if len(kept) == 1 else f"{len(kept)} questions"
        notes.append(f"only {some}: the intervals are rough, and small differences cannot be seen")
    return kept, notes


def score(
    runs: Mapping[str, RankedRun], judged: Judgement, request: Request
) -> tuple[dict[str, dict[str, Sample]], list[Comparison]]:
    """Measure rankings and compare them: samples by metric and system, and one comparison a metric."""
    from isogloss.evaluation.statistics.comparison import compare

    names = metric_names(request)
    check_draws(request)
    found = {system: measure(run, judged.qrels, names, groups=judged.groups or None) for system, run in runs.items()}
    samples = {name: {system: found[system][name] for system in runs} for name in names}
    comparisons = [
        compare(
            {system: _weighted(one, judged) for system, one in samples[name].items()},
            draws=request.draws,
            seed=request.seed,
        )
        for name in names
    ]
    return samples, comparisons


def check_draws(request: Request) -> None:
    """Refuse a bootstrap whose intervals would mean nothing.

    Raises
    ------
    UsageError
        Where fewer draws are asked for than one beyond each end of a 95 % interval.
    """
    if request.draws < FEWEST_DRAWS:
        raise UsageError(
            f"{request.draws} draws give no interval", f"each end of a 95 % interval needs {FEWEST_DRAWS} or more",
            "leave --draws out: 10,000 take a second or two",
        )  # fmt: skip


def _weighted(sample: Sample, judged: Judgement) -> Sample:
    """Return the sample with the weight of each question beside its score."""
    if not judged.weights:
        return sample
    weights = [judged.weights[query] for query in judged_queries(judged.qrels)]
    return Sample(np.column_stack([sample.items, weights]), sample.groups, weighted_mean, sample.name)


def weighted_mean(items: NDArray[Any], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean of ``items[:, 0]`` weighted by ``items[:, 1]``: an aggregate.

    Examples
    --------
    >>> weighted_mean(np.array([[1.0, 3.0], [0.0, 1.0]]), np.ones((1, 2))).tolist()
    [0.75]
    """
    return np.asarray((weights @ (items[:, 0] * items[:, 1])) / (weights @ items[:, 1]), np.float64)


def assemble(
    request: Request, title: str, runs: Mapping[str, RankedRun], judged: Judgement, *,
    costs: Sequence[Cost] = (), settings: Sequence[SystemSettings] = (), notes: Sequence[str] = (),
) -> Evaluated:  # fmt: skip
    """Score rankings and put everything into a report with its run file.

    Parameters
    ----------
    request
        What was asked for.
    title
        Of the report.
    runs
        Rankings by system, in the order named.
    judged
        Questions and judgements.
    costs, settings
        Of the systems.
    notes
        Warnings with counts.
    """
    samples, comparisons = score(runs, judged, request)
    systems = list(runs)
    baseline = baseline_of(request, systems)
    main = samples[comparisons[0].metric]
    order = judged_queries(judged.qrels)
    duels = [
        duel(system, baseline, (main[system], main[baseline]), order, judged.queries)
        for system in systems if system != baseline
    ][:DUELS]  # fmt: skip
    report = Report(
        title, comparisons, baseline, costs=list(costs), duels=duels, questions=judged.about,
        notes=[*judged.notes, *notes], run=run_file(request, comparisons, judged.data, settings),
    )  # fmt: skip
    return Evaluated(report, samples, dict(runs))


def baseline_of(request: Request, systems: Sequence[str]) -> str:
    """Return the system that the others are compared with: the one named, else the first.

    Raises
    ------
    UsageError
        Where the one named is not among them.
    """
    wanted = request.baseline
    if wanted and wanted not in systems:
        raise UsageError(
            f"the baseline {wanted!r} is not among the systems", f"they are {', '.join(systems)}", "name one of them"
        )
    return wanted or systems[0]


def run_file(
    request: Request, comparisons: Sequence[Comparison], data: Sequence[DataHash],
    settings: Sequence[SystemSettings], metrics: Mapping[str, str] | None = None,
) -> RunFile:  # fmt: skip
    """Return the run file of an evaluation; the command is filled in by who knows it."""
    from isogloss.evaluation.run_file import portable

    plain = {
        name: portable(value) if isinstance(value, list) else portable([value])[0] if isinstance(value, str) else value
        for name, value in request.to_dict().items()
    }
    return RunFile(
        kind=request.kind, command=[], data=list(data), systems=list(settings),
        metrics=dict(metrics) if metrics is not None else definitions([one.metric for one in comparisons]),
        scores=interval_scores(comparisons), seed=request.seed, draws=request.draws, options={"request": plain},
    )  # fmt: skip


def definitions(names: Sequence[str]) -> dict[str, str]:
    """Return what each ranking metric is, in a sentence.

    Examples
    --------
    >>> definitions(["recall@5"])
    {'recall@5': 'Share of the relevant documents among the first ``depth`` answers. (depth 5)'}
    """
    found = {}
    for name in names:
        kind, _, depth = name.partition("@")
        first = (METRICS[kind].__doc__ or kind).strip().split("\n")[0]
        found[name] = f"{first} (depth {depth})" if depth else first
    return found
