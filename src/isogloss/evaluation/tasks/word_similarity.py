"""Similarity of words: whether vectors of single words rank pairs as people do."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import CSR, Vectors
from isogloss.corpus.examples import ScoredPairs
from isogloss.errors import IsoglossError, IsoglossWarning
from isogloss.evaluation.metrics.correlation import correlations
from isogloss.evaluation.results import TaskResult
from isogloss.evaluation.tasks.encode import Encoding
from isogloss.evaluation.tasks.pairwise import OWN, similarities
from isogloss.protocols import Encoder, Progress, Silent


def run(
    encoder: Encoder, data: ScoredPairs, *, name: str, seed: int = 0, progress: Progress | None = None
) -> TaskResult:
    """Measure an encoder on pairs of words with human scores.

    A word that the encoder does not know has a vector of zeros. Pairs with such a word are left out of ``spearman``
    and have similarity 0 in ``spearman_all``: the first compares what is known, the second charges for what is not.

    Parameters
    ----------
    encoder, name, seed, progress
        As for :func:`isogloss.evaluation.tasks.sts.run`; nothing is random.
    data
        Pairs of words with their scores.

    Returns
    -------
    TaskResult
        ``spearman`` (counts), ``pearson``, ``spearman_all``, ``pearson_all``; the details hold how many words and
        pairs are unknown, and the share of pairs, ``unknown_share``.

    Raises
    ------
    IsoglossError
        Where fewer than two pairs are known, or scores are constant or not finite.

    Warns
    -----
    IsoglossWarning
        Where pairs were left out, with their count.

    Examples
    --------
    >>> from isogloss.encoders.lexical import WordEncoder
    >>> pairs = ScoredPairs(["dog", "cat"], ["dog", "bird"], np.array([9.0, 1.0]), np.arange(2))
    >>> round(run(WordEncoder(), pairs, name="two").scores()["spearman"], 6)
    1.0
    """
    encoding = Encoding(encoder, progress or Silent())
    encoding.need([data.left, data.right])
    left, right = encoding.of(data.left), encoding.of(data.right)
    known = filled(left) & filled(right)
    words = {word: bool(full) for side, flags in ((data.left, filled(left)), (data.right, filled(right)))
             for word, full in zip(side, flags, strict=True)}  # fmt: skip
    if known.sum() < 2:
        why = f"it knows both words of {int(known.sum())} of {len(known)} pairs"
        raise IsoglossError(f"the encoder knows too few words of {name}", why, "use an encoder of that language")
    if not known.all():
        left_out = f"{int((~known).sum())} of {len(known)} pairs hold a word without a vector"
        warnings.warn(f"{name}: {left_out}; left out of spearman", IsoglossWarning, stacklevel=2)
    found = similarities(left, right, encoder.similarity)[OWN]
    every = correlations(np.where(known, found, 0.0), data.scores, groups=data.groups)
    samples = correlations(found[known], data.scores[known], groups=data.groups[known])
    samples |= {f"{metric}_all": sample for metric, sample in every.items()}
    details = {
        "pairs": len(known), "pairs_known": int(known.sum()), "unknown_share": float(1 - known.mean()),
        "words": len(words), "words_unknown": sum(not full for full in words.values()), **encoding.details(),
    }  # fmt: skip
    return TaskResult(name, "word_similarity", "spearman", samples, details, encoding.seconds)


def filled(vectors: Vectors) -> NDArray[np.bool_]:
    """Say for each vector whether it is other than zero: ``(n,)``.

    Examples
    --------
    >>> filled(np.array([[0.0, 1.0], [0.0, 0.0]], np.float32)).tolist()
    [True, False]
    """
    if isinstance(vectors, np.ndarray):
        return np.asarray(vectors.any(1), np.bool_)
    if isinstance(vectors, CSR):
        return np.asarray(np.diff(vectors.offsets) > 0, np.bool_)
    return np.array([bool(np.any(rows)) for rows in vectors], np.bool_)
