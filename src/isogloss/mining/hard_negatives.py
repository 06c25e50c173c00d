"""Hard negatives: what a search finds beside the right answer, after rules that keep right answers out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import Rows
from isogloss.corpus.dedup import SIMILAR
from isogloss.errors import UsageError
from isogloss.mining.candidates import Candidates, Source, find_candidates
from isogloss.mining.rules import (
    Limits,
    Rule,
    Scorer,
    apply_rules,
    duplicate_rules,
    group_rule,
    listed_rule,
    scorer_rule,
)
from isogloss.protocols import Progress, Silent
from isogloss.seeding import generator

Sampling = Literal["top", "random"]
LABELLED = "labelled as right"
"""The last rule: what is known to be right; what it catches shows how many right answers the others let through."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """Queries with their right answers, and the corpus that negatives come from.

    Attributes
    ----------
    queries
        A query a pair.
    positives
        ``(p,)`` row of each pair's right answer in ``corpus``.
    corpus
        The documents.
    groups
        A name a row, such as its document; rows of the positive's group are never negatives. None: every row is alone.
    labelled, topics
        For some pairs, by number, rows that are known to be right, and rows that may be right because they are about
        the same.

    Raises
    ------
    UsageError
        Where there are no pairs, a positive is no row of the corpus, or groups do not fit.
    """

    queries: Sequence[str]
    positives: Rows
    corpus: Sequence[str]
    groups: Sequence[str] | None = None
    labelled: Mapping[int, Sequence[int]] = field(default_factory=dict)
    topics: Mapping[int, Sequence[int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not len(self.queries) or len(self.queries) != len(self.positives):
            why = f"{len(self.queries)} queries, {len(self.positives)} right answers"
            raise UsageError("there are no pairs to mine for", why, "give a right answer for each query")
        if min(self.positives) < 0 or max(self.positives) >= len(self.corpus):
            why = f"row {max(self.positives)} of {len(self.corpus)}"
            raise UsageError("a right answer is not in the corpus", why, "add the right answers to the corpus")
        if self.groups is not None and len(self.groups) != len(self.corpus):
            raise UsageError("groups and corpus do not fit", f"{len(self.groups)} for {len(self.corpus)} documents")


@dataclass(frozen=True, slots=True)
class Mined:
    """Negatives, and what became of every candidate.

    Attributes
    ----------
    found
        All candidates.
    rules
        Names of the rules in the order in which they applied.
    reason
        ``(m,)`` number of the rule that rejected a candidate, -1: none.
    chosen
        ``(m,)`` whether the candidate became a negative; of those that no rule rejects.
    blind
        ``(m,)`` what would have been chosen had nobody labelled anything: an honest sample for the rules' errors.
    negatives
        For each pair the rows of its negatives, hardest first.
    """

    found: Candidates
    rules: list[str]
    reason: NDArray[np.int64]
    chosen: NDArray[np.bool_]
    blind: NDArray[np.bool_]
    negatives: list[list[int]] = field(default_factory=list)

    def counts(self) -> dict[str, dict[str, int]]:
        """Return for each rule how many candidates came to it, how many it rejected, how many it kept."""
        told, left = {}, len(self.found)
        for number, name in enumerate(self.rules):
            rejected = int((self.reason == number).sum())
            told[name] = {"candidates": left, "rejected": rejected, "kept": left - rejected}
            left -= rejected
        return told

    def sample(self, count: int = 20, *, seed: int = 0, rule: str | None = None) -> NDArray[np.int64]:
        """Return places of candidates drawn at random, ascending: of the chosen ones, or of those a rule rejected.

        Parameters
        ----------
        count
            How many; fewer come where there are fewer.
        seed
            Of the draw.
        rule
            Name of a rule, ``"rejected"`` for those of any rule; None for chosen negatives.
        """
        flags = self.chosen if rule is None else self.reason >= 0
        if rule not in (None, "rejected"):
            flags = self.reason == self.rules.index(str(rule))
        places = np.flatnonzero(flags)
        drawn = generator(seed, "examples", rule or "chosen").permutation(len(places))[:count]
        return np.sort(places[drawn])


def mine_hard_negatives(
    pairs: Pairs,
    sources: Sequence[Source],
    *,
    limits: Limits = Limits(),  # noqa: B008 (frozen)
    per_query: int = 3,
    sampling: Sampling = "top",
    near: float | None = SIMILAR,
    check: Scorer | None = None,
    check_margin: float = 0.0,
    seed: int = 0,
    progress: Progress | None = None,
) -> Mined:
    """Mine negatives for pairs of a query and its right answer.

    Candidates come from one or several sources; rules then reject in this order: limits of rank and score, copies of
    the positive and of the query, the positive's own group, documents about the same topic, the check by a better
    judge, and what is labelled as right. Of what is left the hardest, or a random choice, become negatives.

    Parameters
    ----------
    pairs
        What is mined for, and where.
    sources
        Where candidates come from (:func:`isogloss.mining.candidates.source_of`); the first one scores.
    limits
        Ranks, scores and margins; by default the first hundred ranks and no limit of score.
    per_query
        Negatives a pair; fewer where the rules leave fewer.
    sampling
        ``"top"``: those with the highest scores; ``"random"``: drawn evenly among all that are left.
    near
        From which share of equal bins two texts are near duplicates; None: only equal texts are.
    check, check_margin
        A better judge, and by how much it must prefer the positive.
    seed
        Of the random choice.
    progress
        Told about the check.

    Raises
    ------
    UsageError
        Where a setting makes no sense, or the check does not answer with one finite number a document.

    Examples
    --------
    >>> from isogloss.mining.candidates import VectorSource
    >>> corpus = ["a warm slab", "A warm  slab", "a hot slab", "the tide", "bread"]
    >>> vectors = np.array([[1, 0], [1, 0], [0.97, 0.2], [0.6, 0.8], [0, 1]], np.float32)
    >>> pairs = Pairs(queries=["heat"], positives=np.array([0]), corpus=corpus)
    >>> source = VectorSource(vectors[:1], vectors)
    >>> mined = mine_hard_negatives(pairs, [source], limits=Limits(relative=0.05), per_query=1)
    >>> [corpus[row] for row in mined.negatives[0]], mined.counts()["relative margin"]["rejected"]
    (['the tide'], 2)
    """
    if per_query < 1 or sampling not in ("top", "random"):
        why = f"{per_query} a query, sampling {sampling!r}"
        raise UsageError("negatives cannot be chosen", why, "choose 1 or more, and top or random")
    queries, corpus, rows = pairs.queries, pairs.corpus, np.asarray(pairs.positives, np.int64)
    rules: dict[str, Rule] = limits.rules() | duplicate_rules(queries, corpus, rows, near=near)
    if pairs.groups is not None:
        rules["the positive's document"] = group_rule(pairs.groups, rows)
    if pairs.topics:
        rules["same topic"] = listed_rule(pairs.topics, len(corpus))
    if check is not None:
        told = progress or Silent()
        rules["check"] = scorer_rule(check, queries, corpus, rows, margin=check_margin, progress=told)
    if pairs.labelled:
        rules[LABELLED] = listed_rule(pairs.labelled, len(corpus))
    found = find_candidates(sources, rows, min(limits.last, len(corpus)))
    reason = apply_rules(rules, found)
    known = list(rules).index(LABELLED) if pairs.labelled else -1
    chosen = _choose(found, reason < 0, corpus, per_query, sampling, seed)
    blind = _choose(found, (reason < 0) | (reason == known), corpus, per_query, sampling, seed)
    negatives: list[list[int]] = [[] for _ in queries]
    for place in np.flatnonzero(chosen).tolist():
        negatives[int(found.pair[place])].append(int(found.row[place]))
    return Mined(found, list(rules), reason, chosen, blind, negatives)


def _choose(
    found: Candidates, free: NDArray[np.bool_], corpus: Sequence[str], count: int, sampling: Sampling, seed: int
) -> NDArray[np.bool_]:
    """Choose up to ``count`` candidates a pair, no text twice; candidates are ordered by pair and falling score."""
    chosen = np.zeros(len(found), bool)
    places = np.flatnonzero(free)
    for part in np.split(places, np.flatnonzero(np.diff(found.pair[places])) + 1):
        order = part
        if sampling == "random" and len(part):
            order = part[generator(seed, "negatives", int(found.pair[part[0]])).permutation(len(part))]
        texts: set[str] = set()
        for place in order.tolist():
            text = corpus[int(found.row[place])]
            if len(texts) < count and text not in texts:
                texts.add(text)
                chosen[place] = True
    return chosen
