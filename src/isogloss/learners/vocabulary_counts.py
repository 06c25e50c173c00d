"""A corpus as word numbers: which words count, how often each is kept, and which are drawn as noise."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isogloss.errors import UsageError
from isogloss.seeding import generator

_ASCII = re.compile(r"[0-9a-z]+")
_DROPPED = {code: None for code in (*range(9), 11, 12, *range(14, 32), 127)}
"""Control characters, which stand between no two words."""
_ANY = re.compile(r"[^\W_]+")
NOISE_SLOTS = 1 << 20
"""Entries of the table that noise is drawn from."""


def plain_words(text: str) -> list[str]:
    """Return the words of a text under the rules of uncased BERT: lower case, accents off, a Chinese character each.

    These are the words that a static model with a whole-word vocabulary looks up, so that what is learned is found.

    Examples
    --------
    >>> plain_words("The Café's re-opening_hours: 大熊")
    ['the', 'cafe', 's', 're', 'opening', 'hours', '大', '熊']
    """
    if text.isascii():
        return _ASCII.findall(text.lower().translate(_DROPPED))
    return _ANY.findall(_normalizer().normalize_str(text.encode("utf-8", "ignore").decode("utf-8")))


_normalizers: list[Any] = []


def _normalizer() -> Any:
    if not _normalizers:
        from tokenizers.normalizers import BertNormalizer

        _normalizers.append(BertNormalizer(lowercase=True))
    return _normalizers[0]


@dataclass(frozen=True, slots=True)
class WordCorpus:
    """Texts as word numbers, words outside the vocabulary left out.

    Attributes
    ----------
    words
        The vocabulary, the most frequent first.
    counts
        ``(V,)`` int64: how often each occurs.
    ids
        ``(T,)`` int32 word numbers, text after text.
    offsets
        ``(n + 1,)`` int64: text ``i`` has the words ``offsets[i]`` to ``offsets[i + 1]``. No window reaches over an
        end.
    read
        Words read, with those left out.
    """

    words: tuple[str, ...]
    counts: NDArray[np.int64]
    ids: NDArray[np.int32]
    offsets: NDArray[np.int64]
    read: int

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def rows(self) -> Iterator[NDArray[np.int32]]:
        """Yield the word numbers of each text."""
        for start, stop in zip(self.offsets[:-1], self.offsets[1:], strict=True):
            yield self.ids[start:stop]

    def numbers(self) -> dict[str, int]:
        """Return the number of each word."""
        return dict(zip(self.words, range(len(self.words)), strict=True))


def count_words(texts: Iterable[str | Sequence[str]], *, min_count: int = 5, largest: int | None = None) -> WordCorpus:
    """Count words, keep the frequent ones, and number the texts.

    Parameters
    ----------
    texts
        Texts, cut by :func:`plain_words`, or lists of words, taken as they are. They are gone through once.
    min_count
        A word must occur so often.
    largest
        Largest vocabulary; None for no limit.

    Raises
    ------
    UsageError
        Where fewer than two words are left, with what was found: no text, no word, or none frequent enough; and where
        all of several texts are equal.

    Examples
    --------
    >>> corpus = count_words(["a rose is a rose", "a nose"], min_count=2)
    >>> corpus.words, corpus.counts.tolist(), corpus.ids.tolist(), corpus.offsets.tolist()
    (('a', 'rose'), [3, 2], [0, 1, 0, 1, 0], [0, 4, 5])
    """
    first: dict[str, int] = {}  # numbers in order of appearance
    flat: list[int] = []
    ends = [0]
    for text in texts:
        for word in plain_words(text) if isinstance(text, str) else text:
            flat.append(first.setdefault(word, len(first)))
        ends.append(len(flat))
    seen = np.array(flat, np.int64)
    counts = np.bincount(seen, minlength=len(first))
    # the most frequent first; words equally frequent in the order in which they appear
    order = np.argsort(-counts, kind="stable")
    kept = order[counts[order] >= min_count][:largest]
    _enough(len(ends) - 1, len(first), len(seen), len(kept), min_count)
    _varied(seen, np.array(ends))
    numbers = np.full(len(first), -1, np.int32)
    numbers[kept] = np.arange(len(kept), dtype=np.int32)
    ids = numbers[seen]
    known = ids >= 0
    offsets = np.concatenate([[0], np.cumsum(known)])[np.array(ends)].astype(np.int64)
    names = list(first)
    return WordCorpus(tuple(names[i] for i in kept), counts[kept], ids[known], offsets, len(seen))


def shuffled_words(corpus: WordCorpus, seed: int) -> WordCorpus:
    """Return the corpus with its words in random order over all texts: equal counts, contexts that mean nothing.

    Examples
    --------
    >>> corpus = count_words(["a b b a", "a c"], min_count=1)
    >>> sorted(shuffled_words(corpus, 0).ids.tolist()) == sorted(corpus.ids.tolist())
    True
    """
    return replace(corpus, ids=generator(seed, "shuffled words").permutation(corpus.ids))


def _enough(texts: int, distinct: int, read: int, kept: int, min_count: int) -> None:
    """Raise where nothing can be learned."""
    if kept > 1:
        return
    if not texts:
        raise UsageError("there is nothing to learn from", "there is no text", "give texts")
    if distinct < 2:
        found = "no word" if not distinct else f"one word, {read:,} times"
        raise UsageError("there is nothing to learn from", f"{texts:,} texts hold {found}", "give texts of sentences")
    raise UsageError(
        "too few words are frequent enough to learn from",
        f"{kept} of {distinct:,} distinct words occur {min_count} times or more in {texts:,} texts",
        "give more texts, or a lower min_count",
    )


def _varied(seen: NDArray[np.int64], ends: NDArray[Any]) -> None:
    """Raise where several texts are all the same."""
    texts, length = len(ends) - 1, int(ends[1])
    if texts > 1 and (np.diff(ends) == length).all() and (seen.reshape(texts, length) == seen[:length]).all():
        raise UsageError(
            "all texts are equal", f"{texts:,} texts of the same {length:,} words", "give texts that differ"
        )


def keep_probabilities(counts: NDArray[np.int64], sample: float) -> NDArray[np.float32]:
    r"""Return with which probability an occurrence of each word is trained on: frequent words are thinned out.

    .. math:: p(w) = \min(1, \sqrt{t / f(w)} + t / f(w))

    with the share ``f`` of all words, as the authors' program does it; equation 5 of Mikolov et al. 2013, "Distributed
    Representations of Words and Phrases and their Compositionality" (https://arxiv.org/abs/1310.4546) is the first
    term alone.

    Parameters
    ----------
    counts
        ``(V,)``.
    sample
        ``t``; 0 keeps all.

    Examples
    --------
    >>> [round(float(p), 3) for p in keep_probabilities(np.array([99, 1]), 0.25)]
    [0.755, 1.0]
    """
    if sample <= 0:
        return np.ones(len(counts), np.float32)
    ratio = sample * counts.sum() / np.maximum(counts, 1)
    return np.asarray(np.minimum(1.0, np.sqrt(ratio) + ratio), np.float32)


def noise_table(counts: NDArray[np.int64], power: float = 0.75, slots: int = NOISE_SLOTS) -> NDArray[np.int32]:
    """Return a table ``(slots,)`` in which each word has a share proportional to ``count ** power``.

    Drawing a slot evenly draws a word from the noise distribution of negative sampling, rounded to whole slots.

    Examples
    --------
    >>> np.bincount(noise_table(np.array([16, 1]), 0.5, 10)).tolist()
    [8, 2]
    """
    weights = np.cumsum(np.asarray(counts, np.float64) ** power)
    return np.asarray(np.searchsorted(weights, (np.arange(slots) + 0.5) / slots * weights[-1]), np.int32)
