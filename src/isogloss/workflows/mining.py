"""Hard negatives on a user's data: candidates, rules with counts, and how many right answers slip through."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from isogloss.errors import UsageError
from isogloss.evaluation.statistics.proportion import grouped_share_interval, share_interval
from isogloss.mining.candidates import Source, source_of
from isogloss.mining.false_negatives import Judged, judged_by_rule
from isogloss.mining.hard_negatives import Mined, Pairs, Sampling, mine_hard_negatives
from isogloss.mining.judging import judged_rows, read_judgements, rows_to_judge, write_rows
from isogloss.mining.rules import Limits, Scorer
from isogloss.protocols import EncodeReport, Progress, Silent
from isogloss.workflows.mining_data import Material, open_material
from isogloss.workflows.vector_cache import encode_kept

Format = Literal["fe", "columns"]
SHOWN = 20
"""Kept and rejected examples to look at."""
TO_JUDGE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class MiningRequest:
    """What to mine, and how.

    Attributes
    ----------
    place, split, questions
        As in :func:`isogloss.workflows.mining_data.open_material`.
    encoders
        Names of encoders that propose candidates; the first one scores.
    check, check_margin
        Name of an encoder, or folder of a cross-encoder (better, slower), that must prefer the right answer by the
        margin; empty: no check.
    limits, per_query, sampling
        As in :func:`isogloss.mining.hard_negatives.mine_hard_negatives`.
    complete
        All right answers are labelled: whatever is not labelled is wrong.
    judged
        A file of judgements, or empty.
    seed, threads
        Of random draws; of encoders.
    """

    place: str
    split: str = "train"
    questions: int = 1000
    encoders: tuple[str, ...] = ("static",)
    check: str = ""
    check_margin: float = 0.0
    limits: Limits = field(default_factory=lambda: Limits(relative=0.05))
    per_query: int = 3
    sampling: Sampling = "top"
    complete: bool = False
    judged: str = ""
    seed: int = 0
    threads: int | None = None

    @property
    def settings(self) -> str:
        """Return what decides which candidates are kept, as a text."""
        plain = asdict(self)
        return json.dumps({name: plain[name] for name in sorted(plain) if name not in ("judged", "threads")})


@dataclass(frozen=True, slots=True)
class Share:
    """Share of right answers among some candidates: an estimate with its interval, and what is certain.

    Attributes
    ----------
    name
        Of what.
    total, judged, right
        How many there are, how many of them somebody judged, how many of these are right answers.
    rate, low, high
        Share of right answers among the judged ones with its 95 % interval (by query); None where it is not known.
    least, most
        What is certain: all unjudged ones wrong, or all right.
    """

    name: str
    total: int
    judged: int
    right: int
    rate: float | None
    low: float | None
    high: float | None
    least: float
    most: float


@dataclass(slots=True)
class Found:
    """What was mined.

    Attributes
    ----------
    request, material, pairs, mined
        What was asked, what it was mined on, the pairs, and the negatives.
    basis
        What the shares rest on, in words.
    shares
        Right answers among candidates, after each rule, and among the negatives.
    notes
        What the user should know.
    """

    request: MiningRequest
    material: Material
    pairs: Pairs
    mined: Mined
    basis: str
    shares: list[Share]
    notes: list[str]

    @property
    def negatives(self) -> Share:
        """The share among the negatives."""
        return self.shares[-1]

    def sentence(self) -> str:
        """Say how many negatives are right answers, or that it is not known, with the bound that can be had."""
        share = self.negatives
        if not share.total:
            return "there is no negative: the rules reject every candidate"
        if share.rate is not None:
            said = f"{share.right:,} of {share.judged:,} judged negatives are right answers: {percent(share.rate)}"
            whole = f"{said} (95 % interval {share.low:.1%} to {share.high:.1%}; {self.basis})"
            if share.judged < share.total:
                whole += f"; for certain between {share.least:.1%} and {share.most:.1%} of all {share.total:,}"
            return whole
        if share.right:
            return (
                f"at least {percent(share.least)} of the negatives would be right answers, had nobody labelled them "
                f"({share.right:,} of {share.total:,}; these are taken out); how many of the other "
                f"{share.total - share.right:,} are is not known ({self.basis})"
            )
        best = share_interval(0, TO_JUDGE).high
        return (
            f"how many negatives are right answers is not known (0 to 100 %): {self.basis}. Judge {TO_JUDGE} of them "
            f"(--judge FILE, then --judged FILE): if none is a right answer, at most {best:.1%} are"
        )

    def examples(self, count: int = SHOWN) -> dict[str, list[dict[str, Any]]]:
        """Return kept and rejected candidates to look at, drawn at random."""
        drawn = {"kept": None, "rejected": "rejected"}
        return {
            name: [self._example(place) for place in self.mined.sample(count, seed=self.request.seed, rule=rule)]
            for name, rule in drawn.items()
        }

    def _example(self, place: int) -> dict[str, Any]:
        found, reason = self.mined.found, int(self.mined.reason[place])
        pair = int(found.pair[place])
        return {
            "query": self.pairs.queries[pair],
            "positive": self.pairs.corpus[int(self.pairs.positives[pair])],
            "document": self.pairs.corpus[int(found.row[place])],
            "rank": int(found.rank[place]),
            "score": round(float(found.score[place]), 4),
            "positive_score": round(float(found.positive[place]), 4),
            "rule": self.mined.rules[reason] if reason >= 0 else "",
        }

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the negatives themselves as plain data."""
        return {
            "on": self.material.name,
            "pairs": len(self.pairs.queries),
            "documents": len(self.pairs.corpus),
            "pairs_with_negatives": sum(bool(rows) for rows in self.mined.negatives),
            "negatives": sum(map(len, self.mined.negatives)),
            "rules": [{"rule": name, **counts} for name, counts in self.mined.counts().items()],
            "false_negatives": {
                "said": self.sentence(), "basis": self.basis, "shares": [asdict(one) for one in self.shares],
            },
            "examples": self.examples(),
            "notes": self.notes,
        }  # fmt: skip


def mine(request: MiningRequest, *, progress: Progress | None = None) -> Found:
    """Mine hard negatives and estimate how many are right answers.

    Vectors of slow encoders are kept in the user's cache, so that a stopped run goes on.

    Parameters
    ----------
    request
        What to mine, and how.
    progress
        Told about reading, encoding and checking.

    Raises
    ------
    CorpusError, UsageError
        Where the data cannot be read, hold no pairs, or a setting makes no sense.
    """
    told = progress or Silent()
    judged = read_judgements(request.judged) if request.judged else None
    material = open_material(
        request.place, split=request.split, questions=request.questions, seed=request.seed, progress=told
    )
    notes = list(material.notes)
    sources = [_source(name, material, request.threads, told, notes) for name in request.encoders]
    pairs = material.pairs(sources[0])
    check = _checker(request, material, told, notes)
    mined = mine_hard_negatives(
        pairs, sources, limits=request.limits, per_query=request.per_query, sampling=request.sampling, check=check,
        check_margin=request.check_margin, seed=request.seed, progress=told,
    )  # fmt: skip
    basis, shares = _shares(request, material, pairs, mined, judged, notes)
    empty = sum(not rows for rows in mined.negatives)
    if empty:
        notes.append(f"{empty:,} of {len(pairs.queries):,} pairs have no negative left")
    return Found(request, material, pairs, mined, basis, shares, notes)


def _source(name: str, material: Material, threads: int | None, progress: Progress, notes: list[str]) -> Source:
    """Encode queries and documents; what a window cuts is said."""
    from isogloss.encoders.names import load_encoder

    encoder: Any = load_encoder(name, threads=threads)
    if getattr(encoder, "kind", "dense") == "words":
        asked, counts = (encoder.encode(texts, role=role) for texts, role in _sides(material))
        return source_of(asked, counts, k1=encoder.k1, b=encoder.b)
    report = EncodeReport()
    queries, documents = (
        encode_kept(encoder, texts, role, progress, report=report, what=f"encode {role}s ({name})")[0]
        for texts, role in _sides(material)
    )
    if report.cut:
        notes.append(f"{name}: {report.sentence()}")
    return source_of(queries, documents, encoder.similarity)


def _sides(material: Material) -> list[Any]:
    return [(material.queries, "query"), (material.corpus, "document")]


def _checker(request: MiningRequest, material: Material, progress: Progress, notes: list[str]) -> Scorer | None:
    """Return a judge that compares by another encoder, or that reads both texts at once."""
    if not request.check:
        return None
    if _reads_pairs(request.check):
        from isogloss.rerank.cross_encoder import CrossEncoder

        return CrossEncoder(request.check, threads=request.threads).score
    if request.check in request.encoders:
        raise UsageError(
            f"{request.check} cannot check itself", "it proposes the candidates", "name another, better one"
        )
    source = _source(request.check, material, request.threads, progress, notes)
    number = {text: i for i, text in enumerate(material.queries)}
    row = {text: i for i, text in enumerate(material.corpus)}

    def score(query: str, documents: Sequence[str]) -> Any:
        rows = np.array([row[text] for text in documents], np.int64)
        return source.scores(np.full(len(rows), number[query], np.int64), rows)

    return score


def _reads_pairs(name: str) -> bool:
    """Say whether a name is the folder of a cross-encoder."""
    from isogloss.encoders.folder_kinds import kind_of
    from isogloss.encoders.model_modules import read_json

    folder = Path(name)
    if not (folder / "config.json").is_file():
        return False
    made = read_json(folder / "config.json").get("architectures") or [""]
    return kind_of(folder) == "pairs" or str(made[0]).endswith("ForSequenceClassification")


def _shares(
    request: MiningRequest, material: Material, pairs: Pairs, mined: Mined, judged: Any, notes: list[str]
) -> tuple[str, list[Share]]:
    """Return what the shares rest on, and the shares after each rule."""
    size = len(pairs.corpus)
    asked = np.unique(np.array(pairs.queries), return_inverse=True)[1]  # pairs of one query are no independent trials
    if judged is not None:
        verdicts, settings = judged
        right, wrong, strange = judged_rows(verdicts, pairs)
        if strange:
            notes.append(f"{strange:,} of {len(verdicts):,} judgements are of other queries or documents")
        if settings != request.settings:
            notes.append("the judgements were drawn with other settings: they are no random sample of these negatives")
        found = judged_by_rule(mined, right, wrong, size)
        basis = f"{len(verdicts):,} judgements in {os.path.basename(request.judged)}"
        return basis, [_share(one, asked) for one in found]
    own = {i: int(row) for i, row in enumerate(pairs.positives)}
    right = {i: [row for row in rows if row != own[i]] for i, rows in material.right.items()}
    found = judged_by_rule(mined, right, material.wrong, size, complete=request.complete)
    known = request.complete or bool(material.wrong)
    if request.complete:
        return "whatever is not labelled counts as wrong", [_share(one, asked) for one in found]
    return material.labels or "nobody has labelled other documents", [_share(one, asked, known) for one in found]


def percent(share: float) -> str:
    """Return a share in words, small ones with a digit more.

    Examples
    --------
    >>> percent(0.333), percent(0.0002)
    ('33.3%', '0.02%')
    """
    return f"{share:.2%}" if 0 < share < 0.01 else f"{share:.1%}"


def _share(one: Judged, asked: NDArray[np.int64], known: bool = True) -> Share:
    """Return the share of one group; where only right answers are ever labelled, there is no rate."""
    least, most = one.bounds
    judged = len(one.right)
    if not known or not judged:
        return Share(one.name, one.total, judged, one.found, None, None, None, least, most)
    interval = grouped_share_interval(one.right, asked[one.groups])
    return Share(one.name, one.total, judged, one.found, one.found / judged, interval.low, interval.high, least, most)


# -- files -----------------------------------------------------------------------------------------------------------


def write_mined(found: Found, path: str | Path, form: Format = "fe") -> tuple[int, int]:
    """Write the pairs with their negatives as JSON Lines, aside and then renamed.

    Parameters
    ----------
    found
        What was mined.
    path
        The file.
    form
        ``"fe"``: ``{"query", "pos", "neg", "pos_scores", "neg_scores"}`` as FlagEmbedding reads it; ``"columns"``:
        ``{"anchor", "positive", "negative_1", ...}`` as sentence-transformers reads it.

    Returns
    -------
    tuple
        Rows written, and pairs left out because they have too few negatives (``fe``: none at all; ``columns``: fewer
        than asked for, because every row must have all columns).
    """
    least = found.request.per_query if form == "columns" else 1
    rows = [i for i, some in enumerate(found.mined.negatives) if len(some) >= least]
    make = _columns if form == "columns" else _fe
    target = Path(path)
    aside = target.with_name(f".{target.name}.{os.getpid()}")
    scores = {(int(p), int(r)): float(s) for p, r, s in zip(*_scored(found.mined), strict=True)}
    try:
        with open(aside, "w", encoding="utf-8") as file:
            for i in rows:
                file.write(json.dumps(make(found, i, scores), ensure_ascii=False) + "\n")
        os.replace(aside, target)
    finally:
        aside.unlink(missing_ok=True)
    return len(rows), len(found.mined.negatives) - len(rows)


def _scored(mined: Mined) -> tuple[Any, Any, Any]:
    return mined.found.pair[mined.chosen], mined.found.row[mined.chosen], mined.found.score[mined.chosen]


def _fe(found: Found, i: int, scores: dict[tuple[int, int], float]) -> dict[str, Any]:
    rows, pairs = found.mined.negatives[i], found.pairs
    positive = found.mined.found.positive[np.searchsorted(found.mined.found.pair, i)]
    return {
        "query": pairs.queries[i],
        "pos": [pairs.corpus[int(pairs.positives[i])]],
        "neg": [pairs.corpus[row] for row in rows],
        "pos_scores": [round(float(positive), 6)],
        "neg_scores": [round(scores[i, row], 6) for row in rows],
    }


def _columns(found: Found, i: int, scores: dict[tuple[int, int], float]) -> dict[str, Any]:
    rows, pairs = found.mined.negatives[i], found.pairs
    row = {"anchor": pairs.queries[i], "positive": pairs.corpus[int(pairs.positives[i])]}
    return row | {f"negative_{n}": pairs.corpus[one] for n, one in enumerate(rows, 1)}


def write_to_judge(found: Found, path: str | Path) -> int:
    """Write a file for a person to judge; return how many rows it has."""
    rows = rows_to_judge(found.mined, found.pairs, kept=TO_JUDGE, seed=found.request.seed)
    write_rows(path, rows, found.request.settings)
    return len(rows)
