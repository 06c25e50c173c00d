"""Variants of chunking, window, dimensions and model on the same questions, scored per document."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from isogloss.errors import UsageError
from isogloss.evaluation.report.content import Cost
from isogloss.evaluation.run_file import SystemSettings
from isogloss.protocols import Progress, Record
from isogloss.workflows.bench import Bench, Models
from isogloss.workflows.judged_evaluation import Source, hybrid_of, judgement, opened, plan_notes, usual_systems
from isogloss.workflows.own_evaluation import own_questions
from isogloss.workflows.passages import chunkings, passages_of
from isogloss.workflows.requests import Evaluated, Request
from isogloss.workflows.scoring import Judgement, assemble, depth_of
from isogloss.workflows.systems import EncoderPlan, FusionPlan, SystemPlan, parse_system, parse_systems, with_dims

MOST = 24
"""Variants that are compared at once."""
USUAL_CHUNKING = "240"
"""Chunks where chunking is not compared: what an index has by default."""


@dataclass(frozen=True, slots=True)
class Variant:
    """One row of the comparison: how documents are cut, what encodes them, and its name."""

    label: str
    chunking: str
    plan: SystemPlan


def run(request: Request, threads: int | None, progress: Progress) -> Evaluated:
    """Compare variants on judged questions, or on questions made from the documents."""
    with opened(request) as source:
        rows = variants(request, source)
        models = Models(threads, source.stored)
        for row in rows:  # a name that is not known must stop before the first minute of encoding
            for part in row.plan.encoders:
                models.load(part)
        records, judged, about = _material(request, source, progress)
        cut = chunkings(list(dict.fromkeys(row.chunking for row in rows)))
        runs, costs, settings, notes = {}, list[Cost](), list[SystemSettings](), list[str]()
        for chunking, chosen in _by_chunking(rows):
            passages = passages_of(records, cut[chunking])
            bench = Bench(passages, models, progress)
            notes.append(
                f"chunking {chunking}: {len(passages.rows):,} passages of {len(passages.documents):,} documents"
            )
            for row in chosen:
                ranked = bench.rank(row.plan, judged.queries, depth_of(request))
                runs[row.label] = replace(ranked, name=row.label)
                costs.append(replace(bench.cost(row.plan, judged.queries), system=row.label))
                settings.append(replace(bench.settings(row.plan, chunking=chunking), name=row.label))
                notes += [_named(note, row, len(cut) > 1) for note in plan_notes(bench, row.plan)]
        notes += _dims_notes(rows)
        ordered = {row.label: runs[row.label] for row in rows}
        title = f"{source.name}: {len(rows)} variants, {len(judged.queries):,} questions"
        found = assemble(
            request, title, ordered, judged, costs=costs, settings=settings, notes=list(dict.fromkeys(notes))
        )
        found.about = about
        return found


def _material(request: Request, source: Source, progress: Progress) -> tuple[list[Record], Judgement, list[str]]:
    """Return the documents, what is asked, and how it came about."""
    if request.qrels or source.qrels:
        judged = judgement(request, source)
        records, note = source.all_records()
        judged.notes += [note] if note else []
        return records, judged, []
    own = own_questions(request, source, progress)
    return own.records, own.judged, own.about


def _by_chunking(rows: Sequence[Variant]) -> Iterator[tuple[str, list[Variant]]]:
    for chunking in dict.fromkeys(row.chunking for row in rows):
        yield chunking, [row for row in rows if row.chunking == chunking]


def _named(note: str, row: Variant, several: bool) -> str:
    return f"chunking {row.chunking}, {note}" if several else note


def _dims_notes(rows: Sequence[Variant]) -> list[str]:
    dims = {part.dims for row in rows for part in row.plan.encoders}
    notes = []
    if any(one.startswith("pca") for one in dims):
        notes.append("PCA was fitted on the vectors of the documents searched, without centring; it saw no question")
    if any(one and not one.startswith("pca") for one in dims):
        notes.append("a plain number of dimensions keeps the first ones")
    return notes


def variants(request: Request, source: Source) -> list[Variant]:
    """Return every combination of what the request varies, in its order.

    Raises
    ------
    UsageError
        Where nothing is varied, or there are too many combinations.
    """
    if not (request.chunking or request.lengths or request.dims or len(request.systems) > 1):
        raise UsageError(
            "there is nothing to compare", "one variant only",
            "use --chunking none,256,heading or --models words,static or --max-length 128,256 or --dims all,128",
        )  # fmt: skip
    chunking = list(dict.fromkeys(request.chunking)) or [_usual(source)]
    chunkings(chunking)  # unknown names stop here
    systems = _systems(request, source)
    made = []
    for cut in chunking:
        for plan in systems:
            parts = [plan.label] if len(systems) > 1 or not request.chunking else []
            parts += [f"chunking {cut}"] if request.chunking else []
            made.append(Variant(" ".join(parts), cut, plan))
    labels = [one.label for one in made]
    if len(set(labels)) != len(labels) or len(made) < 2 or len(made) > MOST:
        why = f"{len(made)} variants, {len(set(labels))} different; 2 to {MOST} can be compared"
        raise UsageError("these variants cannot be compared", why, "name different ones, or fewer")
    return made


def _usual(source: Source) -> str:
    return USUAL_CHUNKING if source.snapshot is None else str(source.snapshot.settings["budget"])


def _systems(request: Request, source: Source) -> list[SystemPlan]:
    """Return the systems, with every length and every number of dimensions that is asked for."""
    hybrid = hybrid_of(source.snapshot)
    names = request.systems or (_usual_model(request, source),)
    plans = parse_systems(names, hybrid)
    for values, change in ((request.lengths, _with_length), (request.dims, _with_dims)):
        if values:
            plans = [change(plan, value) for plan in plans for value in dict.fromkeys(values)]
    return plans


def _usual_model(request: Request, source: Source) -> str:
    """Return what is varied where no model is named: ``hybrid`` for chunks, else the last dense encoder."""
    if not (request.lengths or request.dims):
        ready = usual_systems(source.snapshot)
        both = source.snapshot is None or hybrid_of(source.snapshot) is not None
        return "hybrid" if both or not ready else ready[0]
    if request.lengths:
        return "minilm"
    stored = source.snapshot.encoders() if source.snapshot is not None else []
    dense = [record.name for record in stored if record.kind == "dense"]
    return dense[-1] if dense else "static"


def _with_length(plan: SystemPlan, length: str) -> SystemPlan:
    if length in ("model", "default"):
        return plan
    if not isinstance(plan, EncoderPlan):
        parts = tuple(_with_length(part, length) for part in plan.parts if not part.name.startswith("words"))
        raise UsageError(
            f"the length of {plan.label} cannot be varied", f"it is a fusion of {len(parts)} encoders and words",
            "name one model: --models minilm --max-length 128,256",
        )  # fmt: skip
    return parse_system(f"{plan.name}@{length}")


def _with_dims(plan: SystemPlan, dims: str) -> SystemPlan:
    if isinstance(plan, FusionPlan):
        raise UsageError(f"the dimensions of {plan.label} cannot be varied", "it is a fusion", "name one model")
    return with_dims(plan, dims)
