"""Ranking of known paraphrases among many other texts: an intrinsic score without graded similarity."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import Dense
from isogloss.corpus.examples import ScoredPairs
from isogloss.errors import IsoglossError
from isogloss.evaluation.results import TaskResult
from isogloss.evaluation.sample import Sample
from isogloss.evaluation.tasks.encode import Encoding
from isogloss.protocols import Encoder, Progress, Silent

_BLOCK = 256  # anchors scored at once


@dataclass(frozen=True, slots=True)
class RankedPositives:
    """Pairs of texts that mean the same, and a background of texts that mean something else.

    Attributes
    ----------
    left, right
        The pairs; ``right[i]`` is looked for from ``left[i]``.
    background
        Other texts, distinct.
    """

    left: list[str]
    right: list[str]
    background: list[str]


def ranked_positives(pairs: ScoredPairs, background: Iterable[str], *, at_least: float = 4.0) -> RankedPositives:
    """Take the pairs that people find alike, and clean the background.

    Pairs whose two sides are equal after normalisation (Unicode, letter case, everything but letters and digits) say
    nothing and are left out, as are background texts that equal a text of a pair or another background text.

    Parameters
    ----------
    pairs
        Pairs with human scores.
    background
        Texts to rank among.
    at_least
        Lowest human score of a positive pair: 4 of 5 in the paper.

    Raises
    ------
    IsoglossError
        Where no pair is left.

    Examples
    --------
    >>> pairs = ScoredPairs(["a dog", "x"], ["one hound", "y"], np.array([4.5, 1.0]), np.arange(2))
    >>> ranked_positives(pairs, ["A dog!", "rain", "Rain"])
    RankedPositives(left=['a dog'], right=['one hound'], background=['rain'])
    """
    keys = [(_key(a), _key(b)) for a, b in zip(pairs.left, pairs.right, strict=True)]
    kept = [i for i, (a, b) in enumerate(keys) if pairs.scores[i] >= at_least and a != b]
    if not kept:
        raise IsoglossError("there is no positive pair", f"none of {len(keys)} reaches {at_least:g}", "lower at_least")
    seen = {key for i in kept for key in keys[i]}
    others: dict[str, str] = {}
    for text in background:
        key = _key(text)
        if key not in seen:
            others.setdefault(key, text)
    return RankedPositives([pairs.left[i] for i in kept], [pairs.right[i] for i in kept], list(others.values()))


def _key(text: str) -> str:
    return "".join(letter for letter in unicodedata.normalize("NFKC", text).casefold() if letter.isalnum())


def run(
    encoder: Encoder,
    data: RankedPositives,
    *,
    name: str,
    seed: int = 0,
    progress: Progress | None = None,
    k: Sequence[int] = (1, 3),
) -> TaskResult:
    """Rank all texts by their likeness to the left side of each pair and look where the right side stands.

    The texts ranked are the background and all texts of the pairs, without the left side itself and its other known
    partners. Equal similarities share the mean of their ranks, so that a constant encoder gains nothing.

    Source: Wang et al. 2022, "Just Rank: Rethinking Evaluation with Word and Sentence Similarities"
    (https://arxiv.org/abs/2203.02679).

    Parameters
    ----------
    encoder
        Gives dense vectors; they are compared by its own similarity.
    data
        See :func:`ranked_positives`.
    name
        Name of the data, for the result.
    seed
        Not used: nothing is drawn.
    progress
        Where the number of encoded texts goes.
    k
        For ``hits@k``.

    Returns
    -------
    TaskResult
        Samples ``mrr`` (the main one) and ``hits@k``, an item a pair.

    Raises
    ------
    IsoglossError
        Where vectors are not dense.
    """
    pool = list(dict.fromkeys([*data.left, *data.right, *data.background]))
    encoding = Encoding(encoder, progress or Silent())
    vectors = encoding.of(pool)
    if not isinstance(vectors, np.ndarray):
        raise IsoglossError(
            "EvalRank ranks dense vectors", f"{type(vectors).__name__} are given", "use a dense encoder"
        )
    place = {text: i for i, text in enumerate(pool)}
    ranks = _ranks(encoder, vectors, [place[text] for text in data.left], [place[text] for text in data.right])
    samples = {"mrr": Sample.of(1 / ranks, name="mrr")}
    samples |= {f"hits@{one}": Sample.of((ranks <= one).astype(float), name=f"hits@{one}") for one in k}
    details = {"pairs": len(ranks), "pool": len(pool), **encoding.details()}
    return TaskResult(name, "eval_rank", "mrr", samples, details, encoding.seconds)


def _ranks(encoder: Encoder, vectors: Dense, left: list[int], right: list[int]) -> NDArray[np.float64]:
    """Return the rank of each right side, counted from 1, ties by their mean."""
    partners: dict[int, set[int]] = {}
    for a, b in zip(left, right, strict=True):
        partners.setdefault(a, set()).add(b)
        partners.setdefault(b, set()).add(a)
    ranks = np.empty(len(left))
    for start in range(0, len(left), _BLOCK):
        anchors = left[start : start + _BLOCK]
        scores = encoder.similarity(vectors[anchors], vectors)
        for row, (a, b) in enumerate(zip(anchors, right[start : start + _BLOCK], strict=True)):
            own = scores[row, b]
            scores[row, [a, *partners[a]]] = -np.inf
            ties = int((scores[row] == own).sum())
            ranks[start + row] = 1 + int((scores[row] > own).sum()) + ties / 2
    return ranks
