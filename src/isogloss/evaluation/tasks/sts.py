"""Semantic similarity of pairs: whether the likeness of two vectors ranks pairs of texts as people do."""

from __future__ import annotations

from isogloss.corpus.examples import ScoredPairs
from isogloss.evaluation.metrics.correlation import correlations
from isogloss.evaluation.results import TaskResult
from isogloss.evaluation.sample import Sample
from isogloss.evaluation.tasks.encode import Encoding
from isogloss.evaluation.tasks.pairwise import OWN, similarities
from isogloss.protocols import Encoder, Progress, Silent


def run(
    encoder: Encoder, data: ScoredPairs, *, name: str, seed: int = 0, progress: Progress | None = None
) -> TaskResult:
    """Measure an encoder on pairs of texts with human scores, as MTEB's STS tasks do.

    Every task has this signature: ``run(encoder, data, *, name, seed=0, progress=None) -> TaskResult``; a task's own
    parameters are further keywords with the protocol's defaults.

    Parameters
    ----------
    encoder
        What is measured; texts are encoded once each, in no role.
    data
        Pairs with finite scores that are not all equal.
    name
        Name of the data set, for the result.
    seed
        Of random draws; this task has none.
    progress
        Where the number of encoded texts goes.

    Returns
    -------
    TaskResult
        Samples ``pearson`` and ``spearman`` by the encoder's own similarity, and where the vectors allow them
        ``cosine_``, ``manhattan_`` and ``euclidean_`` before both names; the one that counts is ``cosine_spearman``
        (``spearman`` where the vectors know no cosine).

    Raises
    ------
    IsoglossError
        Where there are fewer than two pairs, or their scores are constant or not finite.

    Warns
    -----
    IsoglossWarning
        Where the encoder gives all pairs one similarity: correlations are NaN.

    Examples
    --------
    >>> import numpy as np
    >>> from isogloss.encoders.lexical import WordEncoder
    >>> pairs = ScoredPairs(["a dog", "a cat"], ["the dog", "two birds"], np.array([4.0, 1.0]), np.arange(2))
    >>> round(run(WordEncoder(), pairs, name="two pairs").scores()["cosine_spearman"], 9)
    1.0
    """
    encoding = Encoding(encoder, progress or Silent())
    encoding.need([data.left, data.right])
    found = similarities(encoding.of(data.left), encoding.of(data.right), encoder.similarity)
    samples: dict[str, Sample] = {}
    warned = False
    for kind in (kind for kind in (OWN, "cosine", "manhattan", "euclidean") if kind in found):
        prefix = "" if kind == OWN else f"{kind}_"
        samples |= correlations(found[kind], data.scores, groups=data.groups, prefix=prefix, warn=not warned)
        warned = warned or len(set(found[kind].tolist())) == 1
    main = "cosine_spearman" if "cosine_spearman" in samples else "spearman"
    details = {"pairs": len(data.left), "similarity": encoder.similarity.value, **encoding.details()}
    return TaskResult(name, "sts", main, samples, details, encoding.seconds)
