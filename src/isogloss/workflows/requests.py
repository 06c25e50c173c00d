"""What an evaluation was asked for, as plain data that a run file keeps, and what it gave."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any, Literal

from isogloss.errors import UsageError

if TYPE_CHECKING:
    from isogloss.corpus.judgements import RankedRun
    from isogloss.evaluation.report.content import Report
    from isogloss.evaluation.results import Comparison
    from isogloss.evaluation.sample import Sample

Kind = Literal["questions", "index", "runs", "vectors", "endpoint", "tasks", "compare"]
DEFAULT_METRIC = "ndcg@10"
QUESTIONS = 300
DRAWS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """An evaluation as it is asked for.

    Attributes
    ----------
    kind
        ``questions`` (made from the documents, no labels), ``index`` (documents of an index or a BEIR folder with
        qrels), ``runs``, ``vectors``, ``endpoint``, ``tasks`` or ``compare``.
    index
        Folder of the index whose documents are searched.
    data
        Folder in BEIR layout; its documents are searched instead of an index.
    queries, qrels
        Files of questions and judgements.
    runs, vectors, ids
        Run files; the arrays of documents and questions; the files of their ids.
    endpoint, model
        Address of an embedding server, and the name that it knows the model by.
    systems
        What is compared, in the grammar of :mod:`isogloss.workflows.systems`.
    tasks
        Names of data sets.
    chunking, lengths, dims
        Variants of ``compare``.
    metrics
        Names such as ``ndcg@10``, the main one first.
    baseline
        The system that the others are compared with; the first one where empty.
    questions
        How many questions to make.
    writer, writer_model
        Address of a chat server that writes questions, and the name that it knows the model by; never a key.
    seed, draws
        Of everything drawn, and of the bootstrap.
    """

    kind: Kind
    index: str = ""
    data: str = ""
    queries: str = ""
    qrels: str = ""
    runs: tuple[str, ...] = ()
    vectors: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()
    endpoint: str = ""
    model: str = ""
    systems: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    chunking: tuple[str, ...] = ()
    lengths: tuple[str, ...] = ()
    dims: tuple[str, ...] = ()
    metrics: tuple[str, ...] = (DEFAULT_METRIC,)
    baseline: str = ""
    questions: int = QUESTIONS
    writer: str = ""
    writer_model: str = ""
    seed: int = 0
    draws: int = DRAWS

    def to_dict(self) -> dict[str, Any]:
        """Return the request as plain data, without what is empty."""
        return {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(self).items() if v or v == 0}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Request:
        """Undo :meth:`to_dict`.

        Raises
        ------
        UsageError
            Where a field is not known.

        Examples
        --------
        >>> request = Request(kind="runs", runs=("a.run",), qrels="q.trec")
        >>> Request.from_dict(request.to_dict()) == request
        True
        """
        known = {one.name for one in fields(cls)}
        unknown = sorted(set(content) - known)
        if unknown or "kind" not in content:
            why = f"unknown fields: {', '.join(unknown)}" if unknown else "it has no kind"
            raise UsageError("this is no evaluation request", why, "use a run.json of this version")
        plain: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in content.items()}
        return cls(**plain)


@dataclass(slots=True)
class Evaluated:
    """What an evaluation gave.

    Attributes
    ----------
    report
        Everything that is shown, the run file included.
    samples
        ``samples[metric][system]``: what was measured, question by question.
    runs
        The rankings, by system, where there are some.
    about
        How it was made, in sentences that are printed above the scores.
    comparisons
        What conditions are judged by, where that is more than the report shows.
    """

    report: Report
    samples: dict[str, dict[str, Sample]] = field(default_factory=dict)
    runs: dict[str, RankedRun] = field(default_factory=dict)
    about: list[str] = field(default_factory=list)
    comparisons: list[Comparison] = field(default_factory=list)

    def judged(self) -> list[Comparison]:
        """Return the comparisons that conditions are judged by."""
        return self.comparisons or self.report.comparisons

    def systems(self) -> list[str]:
        """Return the systems in the order they were named."""
        return list(self.runs) or list(next(iter(self.samples.values()), {}))


def command(request: Request) -> list[str]:
    """Return the words after ``isogloss`` that ask for this evaluation.

    Examples
    --------
    >>> " ".join(command(Request(kind="index", index=".isogloss", qrels="q.trec", queries="t.tsv", draws=99)))
    'eval --index .isogloss --qrels q.trec --queries t.tsv --draws 99'
    """
    words = ["compare" if request.kind == "compare" else "eval"]
    if request.kind == "tasks":
        words += request.systems
    elif request.systems:
        words += ["--models" if request.kind == "compare" else "--compare", ",".join(request.systems)]
    words += ["--beir", request.data] if request.data else []
    for name in ("index", "qrels", "queries", "endpoint"):
        words += [f"--{name}", getattr(request, name)] if getattr(request, name) else []
    for name in ("runs", "vectors", "ids"):
        words += [f"--{name}", *getattr(request, name)] if getattr(request, name) else []
    for name in ("tasks", "chunking", "dims"):
        words += [f"--{name}", ",".join(getattr(request, name))] if getattr(request, name) else []
    words += ["--max-length", ",".join(request.lengths)] if request.lengths else []
    words += ["--model-name", request.model] if request.model else []
    words += ["--write-with", request.writer] if request.writer else []
    words += ["--write-model", request.writer_model] if request.writer_model else []
    words += ["--metric", ",".join(request.metrics)] if request.metrics != (DEFAULT_METRIC,) else []
    words += ["--baseline", request.baseline] if request.baseline else []
    for name, usual in (("questions", QUESTIONS), ("seed", 0), ("draws", DRAWS)):
        words += [f"--{name}", str(getattr(request, name))] if getattr(request, name) != usual else []
    return words
