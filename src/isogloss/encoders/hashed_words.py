"""Words without a vocabulary: each feature of a word has several rows of a small table, chosen by hashes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import Dense, Similarity, normalise
from isogloss.encoders.surface import EncoderSurface, as_texts
from isogloss.errors import UsageError
from isogloss.protocols import EncodeReport, Role
from isogloss.seeding import generator
from isogloss.text.word_features import FEATURES, feature_rows, word_features
from isogloss.text.word_features import TOKEN as _TOKEN

_SLICE = 512


class HashedWordEncoder(EncoderSurface):
    """The mean of words' vectors that are made from hashed features, as spaCy's multi hash embeddings are.

    A word has a normal form, a first letter, a last part and a shape; the 64-bit hash of each chooses several rows of
    that feature's table, whose sum stands for it: words share rows, but hardly ever all of them. A word's vector is the
    features' vectors one behind the other. Tables are what training made them, or random rows, which keep words apart.

    Source: Miranda et al. 2022, "Multi hash embeddings in spaCy" (https://arxiv.org/abs/2212.09255).

    Parameters
    ----------
    tables
        For each of ``features`` its rows ``(R_f, width)``.
    features
        Names out of ``norm``, ``prefix``, ``suffix``, ``shape``.
    hashes
        Rows that a feature has.
    name
        For messages and the index.

    Raises
    ------
    UsageError
        Where tables and features do not belong together.

    Examples
    --------
    >>> encoder = HashedWordEncoder.random({"norm": 500, "suffix": 200}, width=32)
    >>> encoder.encode(["a small dog", "Köln"]).shape
    (2, 64)
    """

    modality = "text"
    kind: Literal["words", "dense"] = "dense"
    speed: Literal["fast", "slow"] = "fast"
    window = 0
    similarity = Similarity.COSINE
    languages: frozenset[str] | None = None

    def __init__(
        self,
        tables: Sequence[NDArray[np.floating]],
        *,
        features: Sequence[str] = FEATURES,
        hashes: int = 4,
        name: str = "hashed-words",
    ) -> None:
        wrong = set(features) - set(FEATURES)
        if wrong or len(tables) != len(features) or not tables or hashes < 1:
            why = f"{len(tables)} tables for {list(features)}, {hashes} hashes"
            raise UsageError("tables and features do not belong together", why, f"features are {', '.join(FEATURES)}")
        self.tables = [np.ascontiguousarray(table, np.float32) for table in tables]
        self.features, self.hashes, self.name = tuple(features), hashes, name
        self.dimensions: int = sum(table.shape[1] for table in self.tables)

    @classmethod
    def random(
        cls, rows: dict[str, int] | None = None, *, width: int = 96, hashes: int = 4, seed: int = 0
    ) -> HashedWordEncoder:
        """Return one with random tables; ``rows`` names features and sizes, by default spaCy's."""
        sizes = rows or {"norm": 5000, "prefix": 1000, "suffix": 2500, "shape": 2500}
        drawn = [
            generator(seed, "hashed words", feature).standard_normal((size, width)) for feature, size in sizes.items()
        ]
        return cls([np.asarray(table, np.float32) for table in drawn], features=tuple(sizes), hashes=hashes)

    @cached_property
    def identity(self) -> str:
        """Hash of the tables, features, and number of hashes."""
        digest = hashlib.sha256(f"{self.features}\x1f{self.hashes}\x1fcosine".encode())
        for table in self.tables:
            digest.update(str(table.shape).encode() + table.tobytes())
        return digest.hexdigest()

    def word_vectors(self, words: Sequence[str]) -> Dense:
        """Return the vectors of words, ``(n, d)``: no word is unknown."""
        values = word_features(words)
        parts = [
            table[feature_rows(values[feature], len(table), self.hashes)].sum(1)  # (n, hashes, width) -> (n, width)
            for feature, table in zip(self.features, self.tables, strict=True)
        ]
        return np.concatenate(parts, axis=1) if words else np.zeros((0, self.dimensions), np.float32)

    def encode(
        self,
        inputs: str | Iterable[str],
        *,
        role: Role | None = None,
        instruction: str | None = None,
        report: EncodeReport | None = None,
    ) -> Dense:
        """Encode texts as ``(n, d)`` float32 of length one; ``role`` and ``instruction`` make no difference here."""
        texts = as_texts(inputs)
        out = np.zeros((len(texts), self.dimensions), np.float32)
        for start in range(0, len(texts), _SLICE):
            words = [_TOKEN.findall(text) for text in texts[start : start + _SLICE]]
            numbers = {word: i for i, word in enumerate(dict.fromkeys(word for some in words for word in some))}
            vectors = self.word_vectors(list(numbers))
            for place, some in enumerate(words, start):
                if some:
                    out[place] = vectors[[numbers[word] for word in some]].mean(0)
            if report is not None:
                report.add(texts=len(words), tokens=sum(map(len, words)))
        return normalise(out)
