"""A folder of word vectors that opens in milliseconds at any size: everything in it is mapped, nothing is read."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import Dense, normalise
from isogloss.encoders.static import read_arrays
from isogloss.encoders.unknown_words import Candidates, from_letters, random_direction
from isogloss.errors import ModelError, UsageError
from isogloss.text.hashing import hash_term
from isogloss.text.letter_hashes import letter_hashes

ARRAYS, SETTINGS, KIND, VERSION = "model.safetensors", "config.json", "isogloss-word-vectors", 1
Unknown = Literal["skip", "letters", "neighbours", "random"]
_SCANNED = 65536
_NEEDED = ("embeddings", "words", "word_offsets", "hashes", "hash_rows", "counts")


@dataclass(frozen=True)
class WordStore:
    """Words and their vectors, mapped from a folder that :func:`~isogloss.encoders.word_conversion.convert` wrote.

    Attributes
    ----------
    arrays
        ``embeddings (V, d)`` float32, ``words`` (their bytes, one behind the other), ``word_offsets (V + 1,)``,
        ``hashes (V,)`` ascending with ``hash_rows (V,)``, ``counts (V,)`` or empty; where the source has letter
        n-grams, ``buckets (B, d)``; where spelling neighbours are kept, their lists (``Candidates``).
    settings
        What ``config.json`` says.

    Examples
    --------
    With a file of vectors::

        store = WordStore.load(convert("wiki-news-300d-1M.vec", "wiki-news"))
        store.vector("isogloss"), store.vectors(["isoglos"], unknown="neighbours")
    """

    arrays: Mapping[str, NDArray[Any]]
    settings: Mapping[str, Any]
    _rows: dict[str, int] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def load(cls, folder: str | Path) -> WordStore:
        """Open a folder.

        Raises
        ------
        ModelError
            Where it is none of ours, not whole, or of a later version.
        """
        folder = Path(folder)
        try:
            settings = json.loads((folder / SETTINGS).read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise ModelError(
                f"{folder} holds no word vectors", f"{SETTINGS}: {error}", "convert the file anew"
            ) from error
        if settings.get("model_type") != KIND or settings.get("version") != VERSION:
            why = f"{settings.get('model_type')!r}, version {settings.get('version')}; {KIND!r}, {VERSION} is expected"
            raise ModelError(f"{folder} cannot be opened as word vectors", why, "convert the file anew")
        arrays, _ = read_arrays(folder / ARRAYS)
        missing = [name for name in _NEEDED if name not in arrays]
        if missing or len(arrays["embeddings"]) != settings["words"]:
            why = f"{len(arrays.get('embeddings', ())):,} of {settings['words']:,} words; missing: {missing}"
            raise ModelError(f"{folder} is not whole", why, "convert the file anew")
        return cls(arrays, settings)

    def __len__(self) -> int:
        return len(self.arrays["embeddings"])

    def __contains__(self, word: str) -> bool:
        return self.row(word) >= 0

    @property
    def dimensions(self) -> int:
        """Components of a vector."""
        return int(self.arrays["embeddings"].shape[1])

    @property
    def identity(self) -> str:
        """Hash of words and vectors, taken when the folder was written."""
        return str(self.settings["digest"])

    @property
    def has_letters(self) -> bool:
        """Say whether there are rows for letter n-grams, as in fastText's models."""
        return "buckets" in self.arrays

    @property
    def has_neighbours(self) -> bool:
        """Say whether words of like spelling can be found."""
        return "gram_keys" in self.arrays

    def word(self, row: int) -> str:
        """Return the word of a row."""
        first, last = self.arrays["word_offsets"][row : row + 2]
        return self.arrays["words"][first:last].tobytes().decode("utf-8")

    def row(self, word: str) -> int:
        """Return the row of a word, -1 where it is not in the vocabulary."""
        found = self._rows.get(word)
        if found is not None:
            return found
        key, raw = hash_term(word), word.encode("utf-8", "surrogatepass")
        hashes, offsets, found = self.arrays["hashes"], self.arrays["word_offsets"], -1
        for place in range(int(np.searchsorted(hashes, key)), len(hashes)):
            if hashes[place] != key:
                break
            row = int(self.arrays["hash_rows"][place])
            if self.arrays["words"][offsets[row] : offsets[row + 1]].tobytes() == raw:
                found = row
                break
        if len(self._rows) < 1 << 18:
            self._rows[word] = found
        return found

    def rows(self, words: Sequence[str]) -> NDArray[np.int64]:
        """Return the rows of words, ``(n,)``, -1 for those outside the vocabulary."""
        return np.array([self.row(word) for word in words], np.int64)

    def vector(self, word: str) -> Dense:
        """Return the vector of a word, ``(d,)``.

        Raises
        ------
        UsageError
            Where the word is not in the vocabulary and no letter n-grams are known.
        """
        row = self.row(word)
        if row >= 0:
            return np.array(self.arrays["embeddings"][row], np.float32)
        if not self.has_letters:
            raise UsageError(
                f"{word!r} has no vector", f"it is none of {len(self):,} words", "ask with unknown='neighbours'"
            )
        return np.asarray(self.of_letters([word])[0], np.float32)

    def vectors(self, words: Sequence[str], *, unknown: Unknown = "skip") -> Dense:
        """Return the vectors of words, ``(n, d)``.

        Parameters
        ----------
        words
            Any words.
        unknown
            What stands for a word outside the vocabulary: zeros (``skip``); the mean of the rows of its letter n-grams
            (``letters``, fastText's models only); a mixture of the words of like spelling and of a direction drawn
            from its letters (``neighbours``); that direction alone (``random``). The last two are those of Patel et
            al. 2018, "Magnitude" (https://arxiv.org/abs/1810.11190).

        Raises
        ------
        UsageError
            Where the store lacks what is asked for.
        """
        rows = self.rows(words)
        out = np.zeros((len(rows), self.dimensions), np.float32)
        out[rows >= 0] = self.arrays["embeddings"][rows[rows >= 0]]
        missing = [word for word, row in zip(words, rows, strict=True) if row < 0]
        if missing and unknown != "skip":
            out[rows < 0] = self.of_unknown(missing, unknown)
        return out

    def of_unknown(self, words: Sequence[str], manner: Unknown) -> Dense:
        """Return what stands for words outside the vocabulary, ``(n, d)``."""
        if manner == "letters":
            return self.of_letters(words)
        length = float(self.settings["length"])
        if manner == "random":
            found = [random_direction(word, self.dimensions) for word in words]
        else:
            found = [from_letters(word, self._candidates, self._spelled, self.dimensions) for word in words]
        return np.asarray(length * np.stack(found), np.float32)

    def of_letters(self, words: Sequence[str]) -> Dense:
        """Return the means of the rows of words' letter n-grams, ``(n, d)``; zeros where a word has none.

        Raises
        ------
        UsageError
            Where the store has no rows for n-grams.
        """
        if not self.has_letters:
            why = f"{self.settings['name']} was read from a file of whole words"
            raise UsageError("there are no vectors of letter n-grams", why, "give fastText's .bin file")
        buckets = self.arrays["buckets"]
        found = letter_hashes(words, self.settings["shortest"], self.settings["longest"])
        return mean_rows(buckets, found.hashes % np.uint32(len(buckets)), found.offsets)

    def nearest(self, word: str | Dense, k: int = 10, *, unknown: Unknown = "neighbours") -> list[tuple[str, float]]:
        """Return the ``k`` words of highest cosine to a word (without itself) or to a vector, by an exact scan."""
        own = self.row(word) if isinstance(word, str) else -1
        query = self.vectors([word], unknown=unknown)[0] if isinstance(word, str) else np.asarray(word, np.float32)
        unit, scores = normalise(query[None])[0], np.empty(len(self), np.float32)
        for start in range(0, len(self), _SCANNED):
            scores[start : start + _SCANNED] = normalise(self.arrays["embeddings"][start : start + _SCANNED]) @ unit
        if own >= 0:
            scores[own] = -np.inf
        order = np.argsort(-scores, kind="stable")[: min(k, len(self) - (own >= 0))]
        return [(self.word(int(row)), float(scores[row])) for row in order]

    @cached_property
    def _candidates(self) -> Candidates:
        if not self.has_neighbours:
            why = f"{self.settings['name']} was converted without them"
            raise UsageError("words of like spelling cannot be found", why, "convert the file with neighbours=True")
        keys, offsets, rows = (self.arrays[f"gram_{name}"] for name in ("keys", "offsets", "rows"))
        return Candidates(keys, offsets, rows, len(self))

    def _spelled(self, rows: NDArray[np.int64]) -> tuple[list[str], Dense]:
        return [self.word(int(row)) for row in rows], np.asarray(self.arrays["embeddings"][rows], np.float32)


def mean_rows(table: Dense, rows: NDArray[Any], offsets: NDArray[np.int64]) -> Dense:
    """Return the mean of some rows of a table for each item, ``(n, d)``; zeros where an item has none.

    Examples
    --------
    >>> mean_rows(np.eye(3, dtype=np.float32), np.array([0, 1, 2]), np.array([0, 2, 2, 3])).tolist()
    [[0.5, 0.5, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
    """
    lengths = np.diff(offsets)
    out = np.zeros((len(lengths), table.shape[1]), np.float32)
    if len(rows):
        full = lengths > 0
        out[full] = np.add.reduceat(np.asarray(table[rows], np.float32), offsets[:-1][full], axis=0)
        out[full] /= lengths[full, None]
    return out
