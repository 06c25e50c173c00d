"""N-gram language models with interpolated modified Kneser-Ney smoothing, over any symbols and over bytes of text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isogloss.errors import UsageError
from isogloss.protocols import Progress, Silent
from isogloss.seeding import generator


@dataclass(frozen=True, slots=True)
class Level:
    """All n-grams of one length that were seen.

    Attributes
    ----------
    keys
        ``(g,)`` int64, ascending: number of the n-gram without its last symbol (in the level below), times the
        number of symbols and one, plus the last symbol.
    kept
        ``(g,)`` float64: discounted count over the sum of counts of its context.
    spare
        ``(c,)`` float64 for each context (n-gram of the level below): what the discounts leave for the level below; 1
        for a context that was never seen as one.
    """

    keys: NDArray[np.int64]
    kept: NDArray[np.float64]
    spare: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class NgramModel:
    """Probabilities of symbols ``0 .. size - 1`` after up to ``order - 1`` others.

    Attributes
    ----------
    size
        Number of symbols, with the one that ends a sequence where there is one.
    levels
        From single symbols to n-grams of ``order`` symbols.
    """

    size: int
    levels: tuple[Level, ...]

    @property
    def order(self) -> int:
        """Symbols of the longest n-grams."""
        return len(self.levels)

    def probabilities(self, sequence: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the probability of each symbol of a sequence ``(t,)`` given those before it, ``(t,)``.

        What stands before the first symbol is the start of a sequence.
        """
        start = np.full(self.order - 1, self.size, np.int64)
        symbols = np.concatenate([start, np.asarray(sequence, np.int64)])
        base = self.size + 1  # the start is a symbol of contexts alone
        first = self.order - 1
        found = np.full(len(sequence), 1 / self.size)
        # context[i] is the number of the n-gram that ends before symbol i, -1 where it was not seen
        context = np.zeros(len(symbols) + 1, np.int64)
        for level in self.levels:
            keys = np.where(context[:-1] >= 0, context[:-1] * base + symbols, -1)
            places = np.minimum(np.searchsorted(level.keys, keys), len(level.keys) - 1)
            seen = (keys >= 0) & (level.keys[places] == keys)
            before = context[:-1][first:]
            spare = np.where(before >= 0, level.spare[np.maximum(before, 0)], 1.0)
            found = np.where(seen[first:], level.kept[places[first:]], 0.0) + spare * found
            context = np.concatenate([[-1], np.where(seen, places, -1)])
        return found

    def next_probabilities(self, before: Sequence[int]) -> NDArray[np.float64]:
        """Return the distribution of the symbol after a beginning of a sequence, ``(size,)``; it sums to 1."""
        base = self.size + 1
        padded = [self.size] * (self.order - 1) + list(before)
        found = np.full(self.size, 1 / self.size)
        for n, level in enumerate(self.levels):
            context = self._number(padded[len(padded) - n :])
            if context < 0:
                continue
            first, last = np.searchsorted(level.keys, [context * base, context * base + self.size])
            found = level.spare[context] * found
            found[level.keys[first:last] - context * base] += level.kept[first:last]
        return found

    def _number(self, ngram: Sequence[int]) -> int:
        """Return the number of an n-gram, -1 where it was not seen."""
        number = 0
        for level, symbol in zip(self.levels, ngram, strict=False):
            key = number * (self.size + 1) + symbol
            place = int(np.searchsorted(level.keys, key))
            if place == len(level.keys) or level.keys[place] != key:
                return -1
            number = place
        return number


def fit_ngrams(sequences: Iterable[NDArray[np.int64]], size: int, order: int) -> NgramModel:
    r"""Count n-grams and smooth them.

    With ``c`` the count of an n-gram for the highest order and, below, the number of different symbols seen before it,

    .. math:: p(w \mid h) = \frac{\max(c(hw) - D_{c(hw)}, 0)}{\sum_v c(hv)} + \gamma(h)\, p(w \mid h')

    where ``h'`` is ``h`` without its first symbol, the discounts ``D1``, ``D2`` and ``D3`` (three and more) follow from
    how many n-grams have the counts 1 to 4, and ``gamma(h)`` is what they leave. Below single symbols is an even
    distribution, so that no symbol is impossible.

    Source: Chen and Goodman 1998, "An Empirical Study of Smoothing Techniques for Language Modeling"
    (https://dash.harvard.edu/handle/1/25104739), section 3.

    Parameters
    ----------
    sequences
        Symbols ``0 .. size - 1`` each, with an end where the model is to know ends.
    size
        Number of symbols.
    order
        Symbols of the longest n-grams.

    Raises
    ------
    UsageError
        Where there is no symbol, or one outside its bounds.

    Examples
    --------
    >>> model = fit_ngrams([np.array([0, 1, 0, 1, 0])], size=3, order=2)
    >>> float(model.next_probabilities([0]).sum().round(12))
    1.0
    """
    rows = [np.asarray(row, np.int64) for row in sequences]
    flat = np.concatenate([np.zeros(0, np.int64), *rows])
    if not len(flat) or order < 1:
        raise UsageError(
            "there is nothing to learn from", f"{len(rows)} sequences hold {len(flat)} symbols, order {order}"
        )
    if flat.min() < 0 or flat.max() >= size:
        raise UsageError("a symbol is out of bounds", f"symbols go from {flat.min()} to {flat.max()} of {size}")
    start = np.full(order - 1, size, np.int64)
    symbols = np.concatenate([part for row in rows for part in (start, row)])
    # place in its own padded sequence: an n-gram must not begin in the sequence before
    places = np.concatenate([np.arange(len(row) + order - 1) for row in rows])
    ends = [_numbered(symbols, places, size)]
    for n in range(2, order + 1):
        ends.append(_longer(ends[-1], symbols, places, size, n))
    real = places >= order - 1  # what ends on a start symbol is a context, never predicted
    return NgramModel(size, tuple(_level(ends, n, symbols, real, size, order) for n in range(1, order + 1)))


@dataclass(frozen=True, slots=True)
class _Ends:
    """The n-gram that ends at each place (-1: none), and the keys of all."""

    numbers: NDArray[np.int64]
    keys: NDArray[np.int64]


def _numbered(symbols: NDArray[np.int64], places: NDArray[np.int64], size: int) -> _Ends:
    keys, numbers = np.unique(symbols, return_inverse=True)
    return _Ends(numbers.astype(np.int64), keys)


def _longer(shorter: _Ends, symbols: NDArray[np.int64], places: NDArray[np.int64], size: int, n: int) -> _Ends:
    """Return the n-grams of ``n`` symbols, made from those of one symbol less."""
    whole = np.flatnonzero(places >= n - 1)
    keys, numbers = np.unique(shorter.numbers[whole - 1] * (size + 1) + symbols[whole], return_inverse=True)
    ends = np.full(len(symbols), -1, np.int64)
    ends[whole] = numbers
    return _Ends(ends, keys)


def _level(
    ends: Sequence[_Ends], n: int, symbols: NDArray[np.int64], real: NDArray[np.bool_], size: int, order: int
) -> Level:
    here = ends[n - 1]
    count = len(here.keys)
    places = np.flatnonzero(real)
    if n == order:
        counts = np.bincount(here.numbers[places], minlength=count).astype(np.float64)
    else:  # how many different n-grams of one symbol more end with this one
        above = ends[n]
        _, first = np.unique(above.numbers[places], return_index=True)
        counts = np.bincount(here.numbers[places[first]], minlength=count).astype(np.float64)
    discounts = _discounts(counts)[np.minimum(counts, 3).astype(np.int64)]
    contexts = here.keys // (size + 1) if n > 1 else np.zeros(count, np.int64)
    number = len(ends[n - 2].keys) if n > 1 else 1
    sums = np.bincount(contexts, counts, number)
    left = np.bincount(contexts, np.minimum(discounts, counts), number)
    kept = np.maximum(counts - discounts, 0) / np.maximum(sums[contexts], 1)
    return Level(here.keys, kept, np.where(sums > 0, left / np.maximum(sums, 1), 1.0))


def _discounts(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the discounts of counts 0, 1, 2 and 3 or more; 0, .5, 1, 1.5 where counts are too few or too odd for them.

    A discount that is not above zero would leave nothing to what was never seen, and give it probability 0.
    """
    usual = np.array([0.0, 0.5, 1.0, 1.5])
    having = np.bincount(np.minimum(counts, 5).astype(np.int64), minlength=6)[1:5].astype(np.float64)
    if (having == 0).any():
        return usual
    y = having[0] / (having[0] + 2 * having[1])
    found = np.array([k - (k + 1) * y * having[k] / having[k - 1] for k in (1, 2, 3)])
    if (found <= 0).any():
        return usual
    return np.concatenate([[0.0], np.minimum(found, np.array([1.0, 2.0, 3.0]))])


END = 256
"""The symbol behind the last byte of a text."""


@dataclass(frozen=True, slots=True)
class ByteLanguageModel:
    """A language model of texts as bytes; it gives every text a probability, in any script.

    Attributes
    ----------
    ngrams
        Over the 256 bytes and the end of a text.
    """

    ngrams: NgramModel

    def nll(self, texts: Sequence[str]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Return for each text its negative log-probability in nats and its bytes, ``(n,)`` each.

        The end of a text is predicted too, but is no byte: bits a byte are ``nats.sum() / bytes.sum() / ln 2``.
        """
        nats = [-np.log(self.ngrams.probabilities(_symbols(text))).sum() for text in texts]
        return np.array(nats, np.float64), np.array([len(_symbols(text)) - 1 for text in texts], np.int64)

    def generate(self, prompts: Sequence[str], *, most: int = 200, seed: int = 0) -> list[str]:
        """Return a drawn continuation of each prompt, of at most ``most`` bytes; broken characters are left out."""
        found = []
        for number, prompt in enumerate(prompts):
            draw, symbols = generator(seed, "generate", number), _symbols(prompt)[:-1].tolist()
            begun = len(symbols)
            while len(symbols) < begun + most:
                symbol = int(draw.choice(257, p=_whole(self.ngrams.next_probabilities(symbols[-self.ngrams.order :]))))
                if symbol == END:
                    break
                symbols.append(symbol)
            found.append(bytes(symbols[begun:]).decode("utf-8", "ignore"))
        return found


def _whole(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(probabilities / probabilities.sum(), np.float64)


def _symbols(text: str) -> NDArray[np.int64]:
    raw = np.frombuffer(text.encode("utf-8", "surrogatepass"), np.uint8)
    return np.append(raw.astype(np.int64), END)


@dataclass(frozen=True, slots=True, kw_only=True)
class KneserNey:
    """Learns a :class:`ByteLanguageModel` by counting.

    Attributes
    ----------
    order
        Bytes of the longest n-grams.

    Examples
    --------
    >>> model = KneserNey(order=4).fit(["the cat sat on the mat"] * 3)
    >>> nats, size = model.nll(["the cat", "xq zvk!"])
    >>> bool(nats[0] < nats[1]), size.tolist()
    (True, [7, 7])
    """

    order: int = 6

    def fit(
        self, data: Sequence[str], budget: float | None = None, seed: int = 0, *, progress: Progress | None = None
    ) -> ByteLanguageModel:
        """Learn from texts; nothing is random, and there are no passes that a budget could choose.

        Raises
        ------
        UsageError
            Where no text holds anything.
        """
        if not any(data):
            raise UsageError("there is nothing to learn from", f"{len(data)} texts hold no character", "give texts")
        shown = progress or Silent()
        shown.start("counting n-grams", len(data), "texts")
        model = ByteLanguageModel(fit_ngrams([_symbols(text) for text in data], 257, self.order))
        shown.advance(len(data))
        shown.finish()
        return model
