"""Which word is trained against which: kept words, windows of random reach, and noise, drawn piece by piece."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isogloss.learners.logistic_steps import Answers
from isogloss.learners.vocabulary_counts import WordCorpus


@dataclass(frozen=True, slots=True)
class Windows:
    """Neighbours in one piece of a corpus.

    Attributes
    ----------
    ids
        ``(n,)`` int32: the words that were kept.
    texts
        ``(n,)`` int64: the text of each.
    centres, contexts
        ``(p,)`` int64: places in ``ids`` of a word and of a neighbour in its window, by centre.
    """

    ids: NDArray[np.int32]
    texts: NDArray[np.int64]
    centres: NDArray[np.int64]
    contexts: NDArray[np.int64]


def draw_windows(
    corpus: WordCorpus, start: int, stop: int, keep: NDArray[np.float32], window: int, draw: np.random.Generator
) -> Windows:
    """Thin out the words ``start`` to ``stop`` of a corpus and pair each with those around it.

    Words that are not kept are taken out before windows are laid, so that a window reaches further there; its reach
    is drawn evenly from 1 to ``window``, so that near words count more. No window leaves its text.

    Source: Mikolov et al. 2013, "Efficient Estimation of Word Representations in Vector Space"
    (https://arxiv.org/abs/1301.3781), section 3.2, and the authors' program.

    Parameters
    ----------
    corpus, start, stop
        Which words.
    keep
        ``(V,)`` with which probability each word is kept.
    window
        Largest reach to each side.
    draw
        Where random numbers come from.

    Examples
    --------
    >>> corpus = WordCorpus(("a", "b"), np.array([2, 1]), np.array([0, 1, 0], np.int32), np.array([0, 2, 3]), 3)
    >>> found = draw_windows(corpus, 0, 3, np.ones(2, np.float32), 1, np.random.default_rng(0))
    >>> found.centres.tolist(), found.contexts.tolist()
    ([0, 1], [1, 0])
    """
    ids = corpus.ids[start:stop]
    places = np.flatnonzero(draw.random(len(ids), np.float32) < keep[ids])
    ids = ids[places]
    texts = np.searchsorted(corpus.offsets, places + start, "right") - 1
    reach = draw.integers(1, window + 1, len(ids), np.int8)
    steps = np.array([step for step in range(-window, window + 1) if step], np.int64)
    valid = np.abs(steps) <= reach[:, None]  # (n, 2 * window)
    for column, step in enumerate(steps):
        inside = valid[: max(0, len(ids) - step), column] if step > 0 else valid[-step:, column]
        inside &= texts[step:] == texts[:-step] if step > 0 else texts[:step] == texts[-step:]
        (valid[max(0, len(ids) - step) :, column] if step > 0 else valid[:-step, column])[:] = False
    centres, columns = np.nonzero(valid)
    return Windows(ids, texts, centres, centres + steps[columns])


def with_noise(
    right: NDArray[np.int32], table: NDArray[np.int32], negatives: int, draw: np.random.Generator
) -> NDArray[np.int32]:
    """Return for each right word ``(p,)`` itself and its noise words, ``(p, 1 + negatives)``.

    A noise word that happens to be the right one becomes -1, which is passed over.
    """
    noise = table[draw.integers(0, len(table), (len(right), negatives), np.uint32)]
    noise[noise == right[:, None]] = -1
    return np.concatenate([right[:, None], noise], axis=1)


def noise_answers(targets: NDArray[np.int32]) -> Answers:
    """Return targets ``(n, m)`` of :func:`with_noise` as answers of examples with several input rows."""
    count, width = targets.shape
    labels = np.zeros(targets.shape, np.float32)
    labels[:, 0] = 1
    return Answers(np.arange(count + 1) * width, targets.ravel(), labels.ravel())


def bags_of(owners: NDArray[np.int64], rows: NDArray[np.int32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return which owners have rows, and where those of each begin: rows come sorted by owner.

    Examples
    --------
    >>> [part.tolist() for part in bags_of(np.array([0, 0, 2]), np.array([5, 6, 7], np.int32))]
    [[0, 2], [0, 2, 3]]
    """
    first = np.flatnonzero(np.diff(owners, prepend=-1))
    return owners[first], np.append(first, len(rows)).astype(np.int64)
