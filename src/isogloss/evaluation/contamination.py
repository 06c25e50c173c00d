"""Overlap of training and test texts: equal texts, near copies, and test texts whose word runs occur in training."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isogloss.corpus.dedup import SIMILAR, WORDS, similarity, sketch
from isogloss.errors import UsageError
from isogloss.evaluation.results import Interval
from isogloss.evaluation.statistics.proportion import share_interval
from isogloss.text.folding import normal_form
from isogloss.text.hashing import hash_terms

CONTAINED = 0.5
"""Share of a test text's word runs that must occur in training for it to count as contained."""

_BATCH = 4096
_PAIRS = 1 << 18
_WORD = re.compile(r"\w+")
_FACTOR = np.uint64(0x9E3779B97F4A7C15)
_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Overlap:
    """How many test texts overlap with training in one way.

    Attributes
    ----------
    count
        Test texts that do.
    of
        Test texts that could be looked at (those of 13 words or more, for word runs).
    share, interval
        ``count / of`` and its interval.
    """

    count: int
    of: int
    share: float
    interval: Interval


@dataclass(frozen=True, slots=True)
class Found:
    """A test text and the training text that it overlaps with.

    Attributes
    ----------
    kind
        ``exact``, ``near`` or ``contained``.
    test, train
        Numbers of the two texts; of several training texts the first (for word runs, the first with any of them).
    degree
        1 for equal texts, estimated Jaccard similarity of near ones, share of word runs of contained ones.
    test_text, train_text
        Their first 200 characters.
    """

    kind: str
    test: int
    train: int
    degree: float
    test_text: str
    train_text: str


@dataclass(frozen=True, slots=True)
class Contamination:
    """The report.

    Attributes
    ----------
    train, test
        How many texts there were.
    exact, near, touched, contained, any
        Test texts that are equal to a training text; equal or nearly so; share at least one word run; share at
        least ``CONTAINED`` of their word runs; are exact, near or contained.
    rows
        Numbers of the test texts counted in ``any``, to leave them out.
    short
        Test texts with fewer words than a run, about which ``touched`` and ``contained`` say nothing.
    examples
        Some that were found, by falling degree within each kind.
    words
        Length of a word run.
    """

    train: int
    test: int
    exact: Overlap
    near: Overlap
    touched: Overlap
    contained: Overlap
    any: Overlap
    rows: list[int]
    short: int
    words: int
    examples: list[Found] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data."""
        return asdict(self)


def contamination(
    train: Iterable[str], test: Sequence[str], *, words: int = 13, similar: float = SIMILAR,
    contained: float = CONTAINED, examples: int = 10, level: float = 0.95,
) -> Contamination:  # fmt: skip
    """Look for test texts in training texts.

    Texts are compared in normal form (case, compatibility forms, white space). Near copies are found by the sketches
    of ``corpus.dedup``; word runs are those of Brown et al., "Language Models are Few-Shot Learners" (2020, appendix C,
    https://arxiv.org/abs/2005.14165), who call a text dirty that shares a single run of 13 words (``touched``).

    Parameters
    ----------
    train
        Texts of training; read once, a block at a time, so that a stream will do.
    test
        Texts of the test.
    words
        Length of a word run.
    similar
        Share of equal bins of two sketches from which texts are near copies. The sketches see only texts of 40 bytes
        or more; shorter ones are found where they are equal.
    contained
        Share of word runs from which a text counts as contained.
    examples
        How many to keep of each kind.
    level
        Of the intervals, which hold for other test texts of the same kind.

    Raises
    ------
    UsageError
        No training or no test texts, runs of no words.

    Examples
    --------
    >>> train = ["The wing was tested in a slipstream.", "Heat flows."]
    >>> found = contamination(train, ["heat  FLOWS.", "Nothing of the kind."])
    >>> found.exact.count, found.exact.share, [(one.kind, one.train) for one in found.examples]
    (1, 0.5, [('exact', 1)])
    """
    if words < 1 or not test:
        raise UsageError("nothing to compare", f"{len(test)} test texts, runs of {words} words", "give texts to test")
    looks = (_Exact(test), _Near(test, similar), _Runs(test, words))
    count = 0
    for block in _blocks(train):
        for look in looks:
            look.read(block, count)
        count += len(block)
    if not count:
        raise UsageError("nothing to compare", "no training texts", "give the texts that the model was trained on")
    exact, near, runs = looks
    held = runs.degree >= contained
    flags = {
        "exact": exact.degree > 0,
        "near": (near.degree > 0) | (exact.degree > 0),
        "touched": runs.degree > 0,
        "contained": held & (runs.degree > 0),
    }
    flags["any"] = flags["near"] | flags["contained"]
    counts = {
        name: _overlap(flag, runs.total > 0 if name in ("touched", "contained") else np.ones(len(test), bool), level)
        for name, flag in flags.items()
    }
    listed = [
        found
        for kind, look, flag in (
            ("exact", exact, flags["exact"]),
            ("near", near, flags["near"] & ~flags["exact"]),
            ("contained", runs, flags["contained"] & ~flags["near"]),
        )
        for found in _listed(kind, look, flag, test, examples)
    ]
    return Contamination(
        count, len(test), **counts, rows=np.flatnonzero(flags["any"]).tolist(), short=int((runs.total == 0).sum()),
        words=words, examples=listed,
    )  # fmt: skip


class _Look:
    """What one way of looking has found: for each test text the degree, and the training text."""

    def __init__(self, count: int) -> None:
        self.degree = np.zeros(count)
        self.train = np.full(count, -1, np.int64)
        self.texts: dict[int, str] = {}

    def note(self, test: int, train: int, degree: float, text: str) -> None:
        """Keep a finding that is better than the one before."""
        if degree > self.degree[test]:
            self.degree[test], self.train[test], self.texts[test] = degree, train, text[:_SHOWN]


class _Exact(_Look):
    """Equal in normal form."""

    def __init__(self, test: Sequence[str]) -> None:
        super().__init__(len(test))
        self.rows: dict[str, list[int]] = {}
        for row, text in enumerate(test):
            self.rows.setdefault(_plain(text), []).append(row)
        self.rows.pop("", None)  # two empty texts are no finding

    def read(self, block: Sequence[str], first: int) -> None:
        for at, text in enumerate(block):
            for row in self.rows.get(_plain(text), ()):
                self.note(row, first + at, 1.0, text)


class _Near(_Look):
    """Sketches that agree in most bins."""

    def __init__(self, test: Sequence[str], similar: float) -> None:
        super().__init__(len(test))
        self.similar, self.sketches = similar, sketch(test)
        some = np.flatnonzero(self.sketches.any(axis=1))
        self.orders = [some[np.argsort(self.sketches[some, band], kind="stable")] for band in range(WORDS)]
        self.keys = [self.sketches[order, band] for band, order in enumerate(self.orders)]

    def read(self, block: Sequence[str], first: int) -> None:
        found = sketch(block)
        for band in range(WORDS):
            for rows, tests in _matches(self.keys[band], self.orders[band], found[:, band]):
                close = np.asarray(similarity(found[rows], self.sketches[tests]))
                for at in np.flatnonzero(close >= self.similar - 1e-9):
                    row = int(rows[at])
                    self.note(int(tests[at]), first + row, float(close[at]), block[row])


class _Runs(_Look):
    """Runs of words that occur in training."""

    def __init__(self, test: Sequence[str], words: int) -> None:
        super().__init__(len(test))
        self.words = words
        self.hashes: dict[str, int] = {}
        hashes, owners = self._runs(test)
        self.runs, self.place = np.unique(hashes, return_inverse=True)
        self.owners, self.seen = owners, np.zeros(len(self.runs), bool)
        self.total = np.bincount(owners, minlength=len(test))

    def read(self, block: Sequence[str], first: int) -> None:
        if not len(self.runs):
            return
        hashes, owners = self._runs(block)
        at = np.minimum(np.searchsorted(self.runs, hashes), len(self.runs) - 1)
        known = self.runs[at] == hashes
        fresh, firsts = np.unique(at[known], return_index=True)
        fresh, rows = fresh[~self.seen[fresh]], owners[known][firsts[~self.seen[fresh]]]
        if not len(fresh):
            return
        self.seen[fresh] = True
        where = np.full(len(self.runs), -1, np.int64)
        where[fresh] = rows
        for entry in np.flatnonzero(where[self.place] >= 0):
            row, test = int(where[self.place[entry]]), int(self.owners[entry])
            if self.train[test] < 0:
                self.train[test], self.texts[test] = first + row, block[row][:_SHOWN]
        hits = np.bincount(self.owners[self.seen[self.place]], minlength=len(self.total))
        self.degree = hits / np.maximum(self.total, 1)

    def _runs(self, texts: Sequence[str]) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
        """Return the hashes of all word runs, and the text of each."""
        words = [_WORD.findall(normal_form(text)) for text in texts]
        fresh = list({word for text in words for word in text} - self.hashes.keys())
        if len(self.hashes) + len(fresh) > 1 << 21:  # a stream of any length stays bounded
            self.hashes = {}
            fresh = list({word for text in words for word in text})
        self.hashes.update(zip(fresh, hash_terms(fresh).tolist(), strict=True))
        flat = np.fromiter((self.hashes[word] for text in words for word in text), np.uint64)
        lengths = np.array([len(text) for text in words], np.int64)
        owner = np.repeat(np.arange(len(texts)), lengths)
        count = max(0, len(flat) - self.words + 1)
        mixed = np.zeros(count, np.uint64)
        with np.errstate(over="ignore"):
            for step in range(self.words):
                mixed = (mixed ^ flat[step : step + count]) * _FACTOR
                mixed ^= mixed >> np.uint64(29)
        whole = owner[:count] == owner[self.words - 1 :] if count else np.zeros(0, bool)
        return mixed[whole], owner[:count][whole]


def _plain(text: str) -> str:
    return " ".join(normal_form(text).split())


def _blocks(texts: Iterable[str]) -> Iterator[list[str]]:
    stream = iter(texts)
    while block := list(islice(stream, _BATCH)):
        yield block


def _matches(
    keys: NDArray[np.uint64], order: NDArray[np.intp], asked: NDArray[np.uint64]
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Yield pairs of (row of ``asked``, test text) of equal keys, in pieces."""
    low, high = np.searchsorted(keys, asked, "left"), np.searchsorted(keys, asked, "right")
    counts = high - low
    ends = np.cumsum(counts)
    start = 0
    while start < len(asked):
        stop = max(start + 1, int(np.searchsorted(ends, (ends[start - 1] if start else 0) + _PAIRS, "right")))
        some = slice(start, stop)
        rows = np.repeat(np.arange(start, min(stop, len(asked))), counts[some])
        before = np.repeat(ends[some] - counts[some], counts[some])
        places = np.repeat(low[some], counts[some]) + np.arange(len(rows)) + (ends[start - 1] if start else 0) - before
        if len(rows):
            yield rows, order[places]
        start = stop


def _overlap(flags: NDArray[np.bool_], looked: NDArray[np.bool_], level: float) -> Overlap:
    count, of = int((flags & looked).sum()), int(looked.sum())
    return Overlap(count, of, count / of if of else float("nan"), share_interval(count, of, level))


def _listed(kind: str, look: _Look, flags: NDArray[np.bool_], test: Sequence[str], most: int) -> list[Found]:
    found = np.flatnonzero(flags)
    rows = found[np.argsort(-look.degree[found], kind="stable")][:most].tolist()
    return [
        Found(kind, row, int(look.train[row]), float(look.degree[row]), test[row][:_SHOWN], look.texts[row])
        for row in rows
    ]
