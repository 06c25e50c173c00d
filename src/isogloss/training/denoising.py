"""Pairs of token sequences made from plain text: spans to fill in, and sentences that follow or do not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from isogloss.errors import UsageError
from isogloss.seeding import generator

Ids = NDArray[np.int64]


def corrupted(
    ids: Ids, sentinels: Sequence[int], random: np.random.Generator, *, share: float = 0.15, length: float = 3.0
) -> tuple[Ids, Ids]:
    """Take spans out of a text: the source has a sentinel for each, the target the sentinels and what stood there.

    Raffel et al. 2020, "Exploring the Limits of Transfer Learning with a Unified Text-to-Text Transformer"
    (https://arxiv.org/abs/1910.10683), section 3.1.4.

    Parameters
    ----------
    ids
        ``(n,)`` tokens, at least two.
    sentinels
        Tokens that stand for the first, second ... span; no more spans are taken than there are.
    random
        Draws the spans.
    share
        Share of the tokens that is taken.
    length
        Mean length of a span.

    Returns
    -------
    source, target : ndarray
        Without special tokens around them.

    Raises
    ------
    UsageError
        Where there are fewer than two tokens, no sentinel, or share or length make no sense.

    Examples
    --------
    >>> source, target = corrupted(np.arange(10, 20), [1, 2], np.random.default_rng(0), share=0.3, length=1.5)
    >>> len(source), len(target), source[source < 3].tolist()
    (9, 5, [1, 2])
    """
    if len(ids) < 2 or not sentinels or not 0 < share < 1 or length < 1:
        raise UsageError(
            "no spans can be taken out of this text",
            f"{len(ids)} tokens, {len(sentinels)} sentinels, a share of {share}, spans of {length}",
            "take texts of two tokens or more, a share between 0 and 1 and spans of at least one token",
        )
    taken = min(max(1, round(len(ids) * share)), len(ids) - 1)
    spans = min(max(1, round(taken / length)), taken, len(ids) - taken, len(sentinels))
    gone, kept = _parts(taken, spans, random), _parts(len(ids) - taken, spans, random)
    source: list[Ids] = []
    target: list[Ids] = []
    place = 0
    for mark, stays, goes in zip(sentinels, kept, gone, strict=False):
        sentinel = np.array([mark], np.int64)
        source += [ids[place : place + stays], sentinel]
        target += [sentinel, ids[place + stays : place + stays + goes]]
        place += stays + goes
    return np.concatenate(source), np.concatenate(target)


def _parts(whole: int, parts: int, random: np.random.Generator) -> list[int]:
    """Cut a number into so many parts of at least one, every way equally likely."""
    cuts = np.sort(random.permutation(whole - 1)[: parts - 1]) + 1
    return [int(size) for size in np.diff(np.concatenate([[0], cuts, [whole]]))]


def continuations(
    documents: Sequence[Sequence[str]], count: int, seed: int, *, near: float = 0.5
) -> tuple[list[str], list[str], NDArray[np.int64]]:
    """Return sentences, others, and whether the other one followed in its document: half of them do.

    Devlin et al. 2019, "BERT" (https://arxiv.org/abs/1810.04805), section 3.1, with some negatives of the same
    document, which the topic alone does not tell.

    Parameters
    ----------
    documents
        Sentences in order.
    count
        How many pairs.
    seed
        Of the choice.
    near
        Share of the negatives that come from the same document, where it has enough sentences.

    Raises
    ------
    UsageError
        Where fewer than two documents have two sentences.

    Examples
    --------
    >>> first, second, follows = continuations([["a", "b"], ["c", "d"]], 4, 0)
    >>> sorted(follows.tolist()), {b for b, yes in zip(second, follows) if yes} <= {"b", "d"}
    ([0, 0, 1, 1], True)
    """
    usable = [list(sentences) for sentences in documents if len(sentences) > 1]
    if len(usable) < 2:
        raise UsageError(
            "continuations need two documents of two sentences", f"{len(usable)} of {len(documents)} have them"
        )
    random = generator(seed, "continuations")
    follows = random.permutation(np.arange(count) % 2).astype(np.int64)
    first, second = [], []
    for yes in follows:
        one = usable[int(random.integers(len(usable)))]
        place = int(random.integers(len(one) - 1))
        first.append(one[place])
        second.append(one[place + 1] if yes else _other(usable, one, place, random, near))
    return first, second, follows


def _other(usable: list[list[str]], one: list[str], place: int, random: np.random.Generator, near: float) -> str:
    """Return a sentence that does not follow ``one[place]``: of the same document or of another one."""
    rest = [i for i in range(len(one)) if i not in (place, place + 1)]
    if rest and random.random() < near:
        return one[rest[int(random.integers(len(rest)))]]
    other = usable[int(random.integers(len(usable)))]
    while other is one:
        other = usable[int(random.integers(len(usable)))]
    return other[int(random.integers(len(other)))]
