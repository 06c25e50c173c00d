"""What learners of words give: words with their vectors, neighbours, and the text format of word2vec."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, cast

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import Dense, normalise
from isogloss.errors import CorpusError, NonFiniteError, UsageError


@dataclass(frozen=True)
class WordVectors:
    """Vectors of words.

    Attributes
    ----------
    words
        The vocabulary, the most frequent first.
    counts
        ``(V,)`` how often each occurred, zeros where that is not known.
    vectors
        ``(V, d)`` float32.
    epochs
        Times that the learner went through its texts; 0 where it does not work in passes.

    Examples
    --------
    >>> table = WordVectors(("a", "b", "c"), np.ones(3, np.int64), np.array([[1, 0], [1, 1], [0, 1]], np.float32))
    >>> [word for word, _ in table.nearest("a", 2)]
    ['b', 'c']
    """

    words: tuple[str, ...]
    counts: NDArray[np.int64]
    vectors: Dense
    epochs: int = 0

    def __post_init__(self) -> None:
        if not np.isfinite(self.vectors).all():
            raise NonFiniteError(
                "the learned vectors are not finite",
                f"{int((~np.isfinite(self.vectors).all(1)).sum()):,} of {len(self.words):,} words",
                "learn with a lower learning rate",
            )

    def __len__(self) -> int:
        return len(self.words)

    def __contains__(self, word: str) -> bool:
        return word in self.numbers

    @cached_property
    def numbers(self) -> dict[str, int]:
        """Row of each word."""
        return dict(zip(self.words, range(len(self.words)), strict=True))

    def vector(self, word: str) -> Dense:
        """Return the vector of a word, ``(d,)``.

        Raises
        ------
        UsageError
            Where the word is not in the vocabulary.
        """
        if word not in self.numbers:
            raise UsageError(f"{word!r} has no vector", f"it is none of {len(self):,} words", "learn from more texts")
        return cast(Dense, self.vectors[self.numbers[word]])

    def nearest(self, word: str, k: int = 5) -> list[tuple[str, float]]:
        """Return the ``k`` words with the highest cosine to a word, without itself, and that cosine."""
        scores = normalise(self.vectors) @ normalise(self.vector(word)[None])[0]
        if word in self.numbers:
            scores[self.numbers[word]] = -np.inf
        order = np.argsort(-scores, kind="stable")[: min(k, len(self) - (word in self.numbers))]
        return [(self.words[i], float(scores[i])) for i in order]

    def save_text(self, path: str | Path) -> None:
        """Write the text format of word2vec: a line with the numbers of words and components, then a word a line.

        Words with white space, which that format cannot hold, get a ``_`` in its place. Names that end in ``.gz`` are
        compressed. Numbers are written so that they are read back bit for bit.
        """
        with _opened(Path(path), "w") as out:
            out.write(f"{len(self.words)} {self.vectors.shape[1]}\n")
            for word, row in zip(self.words, self.vectors, strict=True):
                numbers = " ".join(np.format_float_positional(x, unique=True, trim="-") for x in row)
                out.write("_".join(word.split()) + " " + numbers + "\n")


def load_text(path: str | Path) -> WordVectors:
    """Read the text format of word2vec, or GloVe's, which lacks the first line.

    Raises
    ------
    CorpusError
        Where a line does not hold as many numbers as the others.
    """
    words: list[str] = []
    rows: list[NDArray[np.float32]] = []
    with _opened(Path(path), "r") as lines:
        for number, line in enumerate(lines, 1):
            word, *numbers = line.rstrip().split(" ")
            if number == 1 and len(numbers) == 1:
                continue
            try:
                row = np.array(numbers, np.float32)
            except ValueError:
                row = np.zeros(0, np.float32)
            if not len(row) or (rows and len(row) != len(rows[0])):
                raise CorpusError(
                    f"{path} is not a text file of word vectors",
                    f"line {number} holds {len(row)} numbers, {len(rows[0]) if rows else 'one or more'} are expected",
                )
            words.append(word)
            rows.append(row)
    if not rows:
        raise CorpusError(f"{path} holds no word vectors", "it has no line with a word and numbers")
    return WordVectors(tuple(words), np.zeros(len(words), np.int64), np.stack(rows))


def _opened(path: Path, mode: str) -> IO[str]:
    if path.suffix == ".gz":
        return cast("IO[str]", gzip.open(path, mode + "t", encoding="utf-8"))
    return path.open(mode, encoding="utf-8", newline="\n")
