"""Systems judged by human labels: the documents of an index, or a folder in BEIR layout, with questions and qrels."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from isogloss.corpus.judgements import Qrels
from isogloss.errors import IndexNotFoundError, IsoglossWarning, ModelError, UsageError
from isogloss.evaluation.report.content import Questions
from isogloss.evaluation.run_file import DataHash, hash_qrels, hash_questions, hash_records, hash_rows
from isogloss.index.store.snapshot import Snapshot
from isogloss.protocols import Progress, Record
from isogloss.workflows.bench import Bench, Models
from isogloss.workflows.passages import Passages, cutter, passages_of, passages_of_index, records_of_index
from isogloss.workflows.requests import Evaluated, Request
from isogloss.workflows.scoring import Judgement, asked, assemble, depth_of
from isogloss.workflows.systems import EncoderPlan, FusionPlan, SystemPlan, parse_systems

BUDGET = 240
"""Tokens of a chunk where the documents come from a BEIR folder; the same as an index has by default."""


@dataclass(slots=True)
class Source:
    """Where documents come from: an open index, or the records of a BEIR folder.

    Attributes
    ----------
    name
        For titles.
    snapshot
        The index; None for a folder.
    records
        The documents of a folder.
    queries, qrels
        The folder's own, where it has them.
    stored
        Names of the encoders of the index.
    """

    name: str
    snapshot: Snapshot | None
    records: list[Record]
    queries: dict[str, str]
    qrels: Qrels
    stored: tuple[str, ...] = ()

    def ids(self) -> list[str]:
        """Return the ids of all documents."""
        if self.snapshot is None:
            return [record.id for record in self.records]
        return [name for root in self.snapshot.roots() for name in self.snapshot.of_root(root.id)]

    def passages(self) -> Passages:
        """Return the chunks of the index, or those that an index of the records would have."""
        if self.snapshot is not None:
            return passages_of_index(self.snapshot)
        return passages_of(self.records, cutter(BUDGET))

    def all_records(self) -> tuple[list[Record], str]:
        """Return the documents as records, and a note where headings had to be guessed."""
        return (self.records, "") if self.snapshot is None else records_of_index(self.snapshot)

    def hash(self) -> DataHash:
        """Hash the documents."""
        if self.snapshot is None:
            return hash_records(self.records, self.name)
        states = self.snapshot.states(self.ids())
        return hash_rows("documents", ((name, state.state.hex()) for name, state in states.items()), self.name)


@contextmanager
def opened(request: Request) -> Iterator[Source]:
    """Open the documents of a request: its BEIR folder, else its index.

    Raises
    ------
    IndexNotFoundError
        Where there is neither.
    """
    if request.data:
        from isogloss.corpus.test_collections.beir import read_beir

        collection = read_beir(request.data)
        yield Source(collection.name, None, collection.documents, collection.queries, collection.qrels)
        return
    from isogloss.index.store.store import Store

    if not Store.exists(request.index):
        raise IndexNotFoundError(
            f"there is no index at {request.index}", "isogloss eval searches the documents of an index",
            "run: isogloss add DIR; or give a BEIR folder: --beir DIR",
        )  # fmt: skip
    with Store.open(request.index) as store:
        snapshot = store.snapshot
        name = os.path.basename(os.path.abspath(request.index).removesuffix(os.sep + ".isogloss"))
        yield Source(name, snapshot, [], {}, {}, tuple(record.name for record in snapshot.encoders()))


def hybrid_of(snapshot: Snapshot | None) -> FusionPlan | None:
    """Return the fusion that ``isogloss search`` uses on this index; None for the default one."""
    from isogloss.collection.parts import default_records
    from isogloss.collection.plan import answering_weights
    from isogloss.collection.searching import FAST_WEIGHT

    if snapshot is None:
        return None
    chosen, _ = default_records(snapshot, snapshot.encoders())
    if len(chosen) < 2:
        return None
    fast = [record.kind == "dense" and record.spec.get("speed") != "slow" for record in chosen]
    own = answering_weights(snapshot.settings)
    usual = [FAST_WEIGHT if one else 1.0 for one in fast]
    weights = tuple(own.get(record.name, usual[i]) for i, record in enumerate(chosen))
    return FusionPlan("weighted", tuple(EncoderPlan(record.name) for record in chosen), weights, name="hybrid")


def plans_of(request: Request, source: Source) -> list[SystemPlan]:
    """Return the systems of a request; by default each encoder of the index, and what ``search`` does with them."""
    names, hybrid = list(request.systems), hybrid_of(source.snapshot)
    if not names:
        names = usual_systems(source.snapshot)
        names += ["hybrid"] if hybrid is not None or source.snapshot is None else []
    if "hybrid" in names and source.snapshot is not None and hybrid is None:
        raise UsageError("there is no hybrid on this index", f"it has {', '.join(source.stored)} only", "leave it out")
    if not names:
        raise UsageError("no encoder of the index can answer", "see the warnings", "name systems: --compare words")
    return parse_systems(names, hybrid)


def usual_systems(snapshot: Snapshot | None) -> list[str]:
    """Return the encoders of an index that can answer now; the others are said to be left out."""
    from isogloss.encoders.names import load_encoder

    if snapshot is None:
        return ["words", "static"]
    names = []
    for record in snapshot.encoders():
        waiting = len(snapshot.uncovered(record.name))
        why = f"it has not seen {waiting:,} chunks yet (isogloss add goes on)" if waiting else ""
        try:
            load_encoder(record.name)
        except ModelError as error:
            why = error.what
        if why:
            warnings.warn(f"{record.name} is left out: {why}; --compare can name it", IsoglossWarning, stacklevel=2)
        else:
            names.append(record.name)
    return names


def rank_all(bench: Bench, plans: Sequence[SystemPlan], judged: Judgement, request: Request, title: str) -> Evaluated:
    """Let every system answer every question, and score what comes."""
    for plan in plans:  # a name that is not known must stop before the first minute of encoding
        for part in plan.encoders:
            bench.models.load(part)
    k = depth_of(request)
    runs = {plan.label: bench.rank(plan, judged.queries, k) for plan in plans}
    notes = [note for plan in plans for note in plan_notes(bench, plan)]
    for label, run in runs.items():
        empty = sum(not documents for documents in run.documents)
        if empty:
            notes.append(f"{label} found nothing for {empty:,} of {len(run):,} questions, which count 0")
    costs = [bench.cost(plan, judged.queries) for plan in plans]
    settings = [bench.settings(plan) for plan in plans]
    return assemble(request, title, runs, judged, costs=costs, settings=settings, notes=list(dict.fromkeys(notes)))


def plan_notes(bench: Bench, plan: SystemPlan) -> list[str]:
    """Say what the encoders of a system cut."""
    found = []
    for part in plan.encoders:
        ready = bench.ready(part)
        for what, report in (("passages", ready.report), ("questions", ready.queries)):
            if report.cut:
                found.append(f"{part.label}: {report.sentence().replace('texts', what)}")
    return found


def run(request: Request, threads: int | None, progress: Progress) -> Evaluated:
    """Judge systems by qrels over the documents of an index or a BEIR folder."""
    with opened(request) as source:
        plans = plans_of(request, source)
        judged = judgement(request, source)
        bench = Bench(source.passages(), Models(threads, source.stored), progress)
        return rank_all(bench, plans, judged, request, f"{source.name}: {len(judged.queries):,} judged questions")


def judgement(request: Request, source: Source) -> Judgement:
    """Read questions and judgements, and keep what the documents know.

    Raises
    ------
    UsageError
        Where one of the two files is missing.
    CorpusError
        Where a file cannot be read, or nothing is left.
    """
    from isogloss.corpus.test_collections.qrels import keep_known, read_qrels
    from isogloss.corpus.test_collections.queries import read_queries

    queries = read_queries(request.queries) if request.queries else source.queries
    qrels = read_qrels(request.qrels) if request.qrels else source.qrels
    if not queries or not qrels:
        missing = "--queries FILE" if not queries else "--qrels FILE"
        raise UsageError("judged evaluation needs questions and judgements", f"{missing} is missing", f"add {missing}")
    ids, notes = source.ids(), []
    if request.qrels:
        qrels, renamed = by_file_name(qrels, ids)
        notes += [renamed] if renamed else []
        qrels, _ = keep_known(qrels, queries, ids, os.path.basename(request.qrels))
    kept, more = asked(queries, qrels)
    qrels = {query: qrels[query] for query in kept}
    judgements = sum(map(len, qrels.values()))
    how = f"read from {' and '.join(os.path.basename(name) for name in (request.queries, request.qrels) if name)}"
    about = Questions(
        len(kept), len(ids), how=f"{judgements:,} judgements, {how if request.qrels else 'of ' + source.name}"
    )
    data = [source.hash(), hash_questions(kept, request.queries), hash_qrels(qrels, request.qrels)]
    return Judgement(kept, qrels, about, data=data, notes=[*notes, *more])


def by_file_name(qrels: Qrels, ids: Sequence[str]) -> tuple[Qrels, str]:
    """Let judgements that name documents by file name or row key find them, where none fits as it stands.

    Returns
    -------
    tuple
        The judgements with the ids of the documents, and a note (empty where nothing was renamed).

    Examples
    --------
    >>> by_file_name({"q": {"471": 1.0}}, ["cran/471.txt", "cran/5.txt"])[0]
    {'q': {'cran/471.txt': 1.0}}
    """
    named = {document for judged in qrels.values() for document in judged}
    if named & set(ids):
        return qrels, ""
    for what, short in (("row key", _key), ("file name", os.path.basename), ("file name without ending", _stem)):
        places: dict[str, str] = {short(id): id for id in ids}
        if len(places) == len(ids) and named & set(places):
            renamed = {
                query: {places.get(document, document): grade for document, grade in judged.items()}
                for query, judged in qrels.items()
            }
            found = len(named & set(places))
            return renamed, f"judgements name documents by {what}: {found:,} of {len(named):,} found so"
    return qrels, ""


def _key(id: str) -> str:
    return id.rpartition("#")[2]


def _stem(id: str) -> str:
    return os.path.splitext(os.path.basename(id))[0]


def forecast(request: Request, threads: int | None) -> list[str]:
    """Say what an evaluation over documents would encode, for ``--dry-run``."""
    with opened(request) as source:
        plans = plans_of(request, source)
        models = Models(threads, source.stored)
        lines = [f"systems: {', '.join(plan.label for plan in plans)}"]
        if request.kind == "index" or request.qrels:
            judged = judgement(request, source)
            lines += [judged.about.how, f"{len(judged.queries):,} questions, {judged.about.documents:,} documents"]
        else:
            lines.append(f"would make {request.questions:,} questions from {len(source.ids()):,} documents")
        passages = source.passages()
        known = {record.identity for record in source.snapshot.encoders()} if source.snapshot is not None else set()
        for part in dict.fromkeys(part for plan in plans for part in plan.encoders):
            encoder = models.load(part)
            if encoder.identity in known:
                lines.append(f"{part.label}: its vectors of the index are used")
            else:
                lines.append(f"{part.label}: would encode up to {len(passages.rows):,} passages")
        return lines
