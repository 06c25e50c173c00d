"""How much of a question is copied from its document, and weights that give the mix of real questions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

EDGES = (0.2, 0.4, 0.6, 0.8)
"""Where the strata of overlap end: below .2, below .4, ... and from .8."""

REAL = (0.14, 0.20, 0.23, 0.23, 0.20)
"""Share of human questions in each stratum of their overlap with a text that answers them.

Mean of ten collections with human questions (Natural Questions, SQuAD on new Wikipedia pages, XQuAD in English,
PubMedQA, SciTLDR, a COVID FAQ, Climate-FEVER, StrategyQA, CoSQA, DRCD; 12,014 question-document pairs), none of
which is a collection of the proof. They differ widely: the mean overlap is .24 for claims and evidence sentences, .56
to .73 where one passage answers (``docs/questions.md``).
"""

LARGEST = 3.0
"""No question counts more than this many times, or less than one such part, of what it would count unweighted."""


def stratum(overlap: NDArray[np.float64] | Sequence[float]) -> NDArray[np.int64]:
    """Return the number of the stratum of each overlap, 0 for the lowest.

    Examples
    --------
    >>> stratum([0.0, 0.2, 1.0]).tolist()
    [0, 1, 4]
    """
    return np.asarray(np.searchsorted(EDGES, np.asarray(overlap, np.float64), side="right"), np.int64)


def real_mix_weights(overlap: Sequence[float], mix: Sequence[float] = REAL) -> NDArray[np.float64]:
    """Weight questions so that their strata of overlap count as in ``mix``; ``(n,)`` with the mean 1.

    Parameters
    ----------
    overlap
        Overlap of each question, in 0 ... 1.
    mix
        Share that each stratum should have. Strata without a question leave their share to the others.

    Returns
    -------
    ndarray of float64
        Between a third and three times the mean before the last scaling, so that a few rare questions never decide.

    Examples
    --------
    >>> real_mix_weights([0.9, 0.9, 0.9, 0.7]).round(2).tolist()
    [0.62, 0.62, 0.62, 2.14]
    """
    strata = stratum(overlap)
    if not len(strata):
        return np.zeros(0)
    counts = np.bincount(strata, minlength=len(mix)).astype(np.float64)
    wanted = np.where(counts > 0, np.asarray(mix, np.float64), 0.0)
    if not wanted.sum():
        return np.ones(len(strata))
    ratio = np.divide(wanted / wanted.sum(), counts / counts.sum(), out=np.ones_like(wanted), where=counts > 0)
    weights = np.clip(ratio, 1 / LARGEST, LARGEST)[strata]
    return np.asarray(weights / weights.mean(), np.float64)
