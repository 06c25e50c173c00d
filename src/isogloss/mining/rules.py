"""Rules against false negatives: each says of every candidate whether it must go; they apply one after the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import Rows
from isogloss.corpus.dedup import SIMILAR, similarity, sketch, text_hash
from isogloss.errors import UsageError
from isogloss.mining.candidates import Candidates
from isogloss.protocols import Progress

Flags = NDArray[np.bool_]
Rule = Callable[[Candidates], Flags]
Scorer = Callable[[str, Sequence[str]], Any]
"""A Reranker's ``score``: one query and some documents to one number each."""
STEP = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How near to a query a negative may be; None: no such limit.

    Attributes
    ----------
    first, last
        Ranks that candidates come from, from 1 (the positive has a rank, too).
    most, least
        Greatest and smallest score.
    margin
        A negative scores at most ``positive - margin``.
    relative
        A negative scores at most ``positive - relative * |positive|``. NV-Retriever's TopK-PercPos with 95 % is
        ``relative=0.05``, its TopK-MarginPos is ``margin`` (Moreira et al., "NV-Retriever: Improving text embedding
        models with effective hard-negative mining", 2024, https://arxiv.org/abs/2407.15831).
    """

    first: int = 1
    last: int = 100
    most: float | None = None
    least: float | None = None
    margin: float | None = None
    relative: float | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.first <= self.last:
            raise UsageError("no rank is allowed", f"from {self.first} to {self.last}", "give ranks such as 1 to 100")
        for name in ("most", "least", "margin", "relative"):
            value = getattr(self, name)
            if value is not None and not np.isfinite(value):
                raise UsageError(f"the limit {name} is no number", f"it is {value}", "give a finite number")
        if self.relative is not None and not 0 <= self.relative < 1:
            raise UsageError("a relative margin is a share of the positive's score", f"{self.relative}", "such as 0.05")
        if self.margin is not None and self.margin < 0:
            raise UsageError("a margin is not negative", f"it is {self.margin}", "such as 0.1")

    def rules(self) -> dict[str, Rule]:
        """Return the limits that are set as rules by name, in the order in which they apply."""
        found: dict[str, Rule] = {"rank": lambda c: (c.rank < self.first) | (c.rank > self.last)}
        least, most, margin, relative = self.least, self.most, self.margin, self.relative
        if least is not None:
            found["too far"] = lambda c: c.score < least
        if most is not None:
            found["too near"] = lambda c: c.score > most
        if margin is not None:
            found["margin"] = lambda c: c.score > c.positive - margin
        if relative is not None:
            found["relative margin"] = lambda c: c.score > c.positive - relative * np.abs(c.positive)
        return found


def duplicate_rules(
    queries: Sequence[str], corpus: Sequence[str], positives: Rows, *, near: float | None = SIMILAR
) -> dict[str, Rule]:
    """Return the rules that drop copies of the positive and of the query, by text and nearly.

    Parameters
    ----------
    queries, corpus, positives
        Texts, and the row of each query's positive.
    near
        Share of equal bins of the two MinHash sketches (``isogloss.corpus.dedup``) from which two texts are near
        duplicates; None: equal texts only.
    """
    hashes = np.array([text_hash(text) for text in corpus], np.int64)
    asked = np.array([text_hash(text) for text in queries], np.int64)
    found: dict[str, Rule] = {
        "equals the positive": lambda c: hashes[c.row] == hashes[positives[c.pair]],
        "equals the query": lambda c: hashes[c.row] == asked[c.pair],
    }
    if near is not None:
        sketches, of_queries = sketch(corpus), sketch(queries)

        def alike(left: NDArray[np.uint64], right: NDArray[np.uint64]) -> Flags:
            flags = np.zeros(len(left), bool)
            for start in range(0, len(left), STEP):
                part = slice(start, start + STEP)
                flags[part] = np.asarray(similarity(left[part], right[part])) >= near - 1e-9
            return flags & left.any(axis=1)

        found["nearly the positive"] = lambda c: alike(sketches[c.row], sketches[positives[c.pair]])
        found["nearly the query"] = lambda c: alike(sketches[c.row], of_queries[c.pair])
    return found


def group_rule(groups: Sequence[Any], positives: Rows) -> Rule:
    """Return the rule that drops rows of the positive's own group: other passages of the same document.

    Examples
    --------
    >>> one = Candidates(np.array([0, 0]), np.array([1, 2]), np.ones(2, int), np.ones(2), np.ones(2))
    >>> group_rule(["a", "a", "b"], np.array([0]))(one).tolist()
    [True, False]
    """
    numbers = np.unique(np.array([str(group) for group in groups]), return_inverse=True)[1]
    return lambda c: numbers[c.row] == numbers[positives[c.pair]]


def listed_rule(rows: Mapping[int, Sequence[int]], size: int) -> Rule:
    """Return the rule that drops rows that are listed for a pair, such as those that a person called relevant.

    Parameters
    ----------
    rows
        For some pairs, by number, rows of the corpus.
    size
        Number of rows of the corpus.
    """
    codes = np.array([pair * size + row for pair, some in rows.items() for row in some], np.int64)
    return lambda c: np.isin(c.pair * size + c.row, codes)


def scorer_rule(
    score: Scorer, queries: Sequence[str], corpus: Sequence[str], positives: Rows, *, margin: float = 0.0,
    progress: Progress,
) -> Rule:  # fmt: skip
    """Return the rule that drops what a better judge scores above ``positive - margin``, by the judge's own scores.

    Qu et al., "RocketQA: An Optimized Training Approach to Dense Passage Retrieval" (2020,
    https://arxiv.org/abs/2010.08191), call it denoising with a cross-encoder.

    Parameters
    ----------
    score
        ``score(query, documents)``, a Reranker's method or any function; asked once a query.
    queries, corpus, positives
        Texts, and the row of each query's positive.
    margin
        In units of the judge.
    progress
        Told about queries.
    """

    def rule(found: Candidates) -> Flags:
        flags = np.zeros(len(found), bool)
        numbers = np.unique(found.pair)
        progress.start("check candidates", len(numbers), "queries")
        for number in numbers.tolist():
            places = np.flatnonzero(found.pair == number)
            texts = [corpus[positives[number]], *(corpus[row] for row in found.row[places].tolist())]
            values = np.asarray(score(queries[number], texts), np.float64).reshape(-1)
            if len(values) != len(texts) or not np.isfinite(values).all():
                why = f"{len(texts)} documents, {len(values)} scores, {int((~np.isfinite(values)).sum())} not finite"
                raise UsageError("the scorer that checks candidates does not answer as it should", why)
            flags[places] = values[1:] > values[0] - margin
            progress.advance(1)
        progress.finish()
        return flags

    return rule


def apply_rules(rules: Mapping[str, Rule], found: Candidates) -> NDArray[np.int64]:
    """Return for each candidate the number of the first rule that rejects it, -1 where none does ``(m,)``.

    A rule sees only what the ones before it left, so that expensive rules come last.

    Examples
    --------
    >>> found = Candidates(np.zeros(3, int), np.arange(3), np.array([1, 2, 3]), np.array([0.9, 0.5, 0.1]), np.ones(3))
    >>> apply_rules(Limits(first=2, most=0.4).rules(), found).tolist()
    [0, 1, -1]
    """
    reason = np.full(len(found), -1, np.int64)
    left = np.arange(len(found))
    for number, rule in enumerate(rules.values()):
        rejected = np.asarray(rule(found.take(left)), np.bool_)
        reason[left[rejected]] = number
        left = left[~rejected]
    return reason
