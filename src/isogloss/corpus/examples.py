"""Labelled examples as plain data: pairs with scores or labels, texts with labels, parallel texts, tagged sentences."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ScoredPairs:
    """Pairs of texts with a human score each (semantic similarity, word similarity).

    Attributes
    ----------
    left, right
        The texts, equally many.
    scores
        ``(n,)`` float64, higher is more alike.
    groups
        ``(n,)`` the unit that is resampled (the document or source of a pair); its own number where none is known.
    """

    left: list[str]
    right: list[str]
    scores: NDArray[np.float64]
    groups: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class LabelledPairs:
    """Pairs of texts that are the same (1) or not (0); fields as in :class:`ScoredPairs`, ``labels (n,)`` int64."""

    left: list[str]
    right: list[str]
    labels: NDArray[np.int64]
    groups: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class LabelledTexts:
    """Texts with one label each.

    Attributes
    ----------
    texts
        The texts.
    labels
        ``(n,)`` int64, numbers of ``names``.
    names
        Names of the labels.
    """

    texts: list[str]
    labels: NDArray[np.int64]
    names: list[str]


@dataclass(frozen=True, slots=True)
class ScoredTexts:
    """Texts with a number each (regression): ``targets (n,)`` float64."""

    texts: list[str]
    targets: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ParallelTexts:
    """Sentences and their translations, line by line, with the two languages."""

    source: list[str]
    target: list[str]
    languages: tuple[str, str]


@dataclass(frozen=True, slots=True)
class TextPairs:
    """Pairs of texts that belong together, without a score: question and answer, sentence and paraphrase.

    Attributes
    ----------
    queries, positives
        The texts, equally many.
    negatives
        For each pair a text that does not belong to the first, or an empty list.
    """

    queries: list[str]
    positives: list[str]
    negatives: list[str]


@dataclass(frozen=True, slots=True)
class Candidates:
    """Questions with a list of candidate texts each, of which some are right (reranking, answer selection).

    Attributes
    ----------
    queries
        The questions.
    texts
        For each question its candidates.
    grades
        For each question the grade of each candidate, float64, above 0 is right.
    """

    queries: list[str]
    texts: list[list[str]]
    grades: list[NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class Analogies:
    """``a`` is to ``b`` as ``c`` is to ``d``: four words a row, with the section that each row belongs to."""

    rows: list[tuple[str, str, str, str]]
    sections: list[str]


@dataclass(frozen=True, slots=True)
class TaggedSentences:
    """Sentences as words with one tag each."""

    words: list[list[str]]
    tags: list[list[str]]


@dataclass(frozen=True, slots=True)
class Summaries:
    """Machine summaries with human scores beside human summaries of the same text.

    Attributes
    ----------
    references
        For each text its human summaries.
    machines
        For each text its machine summaries.
    scores
        For each text the human score of each machine summary, float64.
    """

    references: list[list[str]]
    machines: list[list[str]]
    scores: list[NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class Splits(Generic[T]):
    """The parts of a data set by name (``train``, ``dev``, ``test`` ...)."""

    parts: dict[str, T] = field(default_factory=dict)

    def __getitem__(self, name: str) -> T:
        return self.parts[name]
