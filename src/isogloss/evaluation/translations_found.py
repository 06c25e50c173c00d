"""How well an encoder finds the translation of a sentence among all others, and by what share a loss has changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isogloss.evaluation.neighbours import cosines, known_item
from isogloss.evaluation.sample import Sample


def translations_found(encoder: Any, pairs: Sequence[tuple[str, str]]) -> Sample:
    """Return nDCG over all candidates of each sentence's translation, from the first language and from the second.

    Each language's mean is taken off first: what tells the languages apart is no reason to rank one sentence before
    another. A pair is one group.

    Parameters
    ----------
    encoder
        Of texts.
    pairs
        Sentence and translation.

    Examples
    --------
    >>> class Letters:
    ...     def encode(self, texts):
    ...         return np.array([[text.count("a"), text.count("o")] for text in texts], np.float32)
    >>> translations_found(Letters(), [("cat", "Katze"), ("dog", "Dogge")]).value()
    1.0
    """
    sides = [np.asarray(encoder.encode([pair[side] for pair in pairs]), np.float32) for side in (0, 1)]
    near = cosines(*(side - side.mean(0) for side in sides))  # (n, n)
    gold = np.tile(np.arange(len(pairs)), 2)
    return known_item(np.vstack([near, near.T]), gold, k=len(pairs), groups=gold)


def loss_as_share(rows: NDArray[np.float64]) -> Sample:
    """Return minus the logarithm of a mean loss, so that a difference of two is a share and not an amount.

    Parameters
    ----------
    rows
        ``(m, 2)``: losses above 0, and the number of the text that each belongs to.

    Examples
    --------
    >>> worse = loss_as_share(np.array([[2.06, 0.0], [4.12, 1.0]])).value()
    >>> round(loss_as_share(np.array([[2.0, 0.0], [4.0, 1.0]])).value() - worse, 3)
    0.03
    """
    return Sample.of(rows, groups=rows[:, 1].astype(np.int64), aggregate=_minus_log_mean, name="minus log loss")


def _minus_log_mean(items: NDArray[Any], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(-np.log(weights @ items[:, 0] / weights.sum(1)), np.float64)  # (b, m) @ (m,) -> (b,)
