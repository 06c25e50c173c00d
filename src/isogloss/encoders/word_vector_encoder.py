"""A text as the mean of its words' vectors, from a file of word vectors in any common format."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import Dense, Similarity, normalise
from isogloss.encoders.surface import EncoderSurface, as_texts
from isogloss.encoders.word_store import Unknown, WordStore
from isogloss.errors import UsageError
from isogloss.protocols import EncodeReport, Role

RULES = 1
"""Changes whenever a text may be cut otherwise than before; part of the encoder's identity."""

_TOKEN = re.compile(r"\w+(?:[-'’.]\w+)*")
_INNER = re.compile(r"\w+")
_SLICE = 512
_ZIPF_SHIFT = 2.7


class WordVectorEncoder(EncoderSurface):
    """The (weighted) mean of the vectors of a text's words.

    A word is a run of letters and digits, with single hyphens, apostrophes and full stops inside it. It is looked up as
    it stands, then in lower case; where both are missing and it has signs inside, so are its parts. What is still not
    found is an unknown word. A text without any word has a vector of zeros.

    Parameters
    ----------
    store
        The words and their vectors.
    unknown
        What stands for unknown words, as in :meth:`WordStore.vectors`; None: their letters where the store has rows for
        them (fastText), else nothing (``"skip"``).
    weights
        ``(V,)`` how much each word counts, as from :func:`sif_weights` or :func:`idf_weights`; unknown words count as
        much as the word that counts most. None: all the same.
    unit_words
        Scale each word's vector to length one first, as fastText's sentence vectors do.
    finish
        ``"unit"`` (vectors of length one) or ``"mean"``.
    name
        For messages and the index; None: the file's.

    Raises
    ------
    UsageError
        Where the store lacks what ``unknown`` needs, or there are not as many weights as words.

    Examples
    --------
    With a file of vectors::

        encoder = load_encoder("wiki-news-300d-1M.vec")
        encoder.encode(["a small dog"])  # (1, 300)
    """

    modality = "text"
    kind: Literal["words", "dense"] = "dense"
    speed: Literal["fast", "slow"] = "fast"
    window = 0
    similarity = Similarity.COSINE
    languages: frozenset[str] | None = None

    def __init__(
        self,
        store: WordStore,
        *,
        unknown: Unknown | None = None,
        weights: NDArray[np.floating[Any]] | None = None,
        unit_words: bool = False,
        finish: Literal["unit", "mean"] = "unit",
        name: str | None = None,
    ) -> None:
        self.store, self.unit_words, self.finish = store, unit_words, finish
        self.unknown: Unknown = unknown or ("letters" if store.has_letters else "skip")
        self.name: str = name or str(store.settings["name"])
        self.dimensions: int = store.dimensions
        lacking = (self.unknown == "letters" and not store.has_letters) or (
            self.unknown == "neighbours" and not store.has_neighbours
        )
        if lacking or self.unknown not in ("skip", "letters", "neighbours", "random"):
            raise UsageError(
                f"unknown words cannot be given a vector by {self.unknown!r}",
                f"{self.name} has {len(store):,} words, and nothing of that kind",
                "letters need fastText's .bin file, neighbours a conversion with neighbours",
            )
        if weights is not None and (len(weights) != len(store) or not np.isfinite(weights).all()):
            raise UsageError("weights and words do not belong together", f"{len(weights):,} for {len(store):,} words")
        self.weights = None if weights is None else np.asarray(weights, np.float32)

    @classmethod
    def load(cls, folder: str | Path, *, name: str | None = None) -> WordVectorEncoder:
        """Open a folder that :func:`~isogloss.encoders.word_conversion.convert` wrote, with the settings it keeps.

        Raises
        ------
        ModelError
            Where it is none of ours, or not whole.
        UsageError
            Where a setting is not known.
        """
        store = WordStore.load(folder)
        kept = dict(store.settings.get("encoder") or {})
        sif = kept.pop("sif", None)
        if set(kept) - {"unknown", "unit_words", "finish"}:
            raise UsageError(f"{folder} has settings that are not known", f"{sorted(kept)}", "convert the file anew")
        weights = None if sif is None else sif_weights(store, a=float(sif))
        return cls(store, weights=weights, name=name, **kept)

    @cached_property
    def identity(self) -> str:
        """Hash of words, vectors, weights, and how they are joined."""
        digest = hashlib.sha256(self.store.identity.encode())
        digest.update(f"\x1f{RULES}\x1f{self.unknown}\x1f{self.unit_words}\x1f{self.finish}\x1fcosine".encode())
        if self.weights is not None:
            digest.update(self.weights.tobytes())
        return digest.hexdigest()

    def encode(
        self,
        inputs: str | Iterable[str],
        *,
        role: Role | None = None,
        instruction: str | None = None,
        report: EncodeReport | None = None,
    ) -> Dense:
        """Encode texts as ``(n, d)`` float32; ``role`` and ``instruction`` make no difference here."""
        texts = as_texts(inputs)
        parts = [self._some(texts[start : start + _SLICE], report) for start in range(0, len(texts), _SLICE)]
        return np.concatenate(parts) if parts else np.zeros((0, self.dimensions), np.float32)

    def words(self, text: str) -> list[str]:
        """Return the words of a text as they are looked up; unknown ones as they stand."""
        return [piece for token in _TOKEN.findall(text) for piece in self._pieces(token)]

    def _pieces(self, token: str) -> list[str]:
        for form in (token, token.lower()):
            if form in self.store:
                return [form]
        parts = _INNER.findall(token)
        if len(parts) == 1:
            return [token]
        return [form if form in self.store else form.lower() for form in parts]

    def _some(self, texts: list[str], report: EncodeReport | None) -> Dense:
        tokens = [_TOKEN.findall(text) for text in texts]
        pieces = {token: self._pieces(token) for token in dict.fromkeys(token for some in tokens for token in some)}
        numbers = {word: i for i, word in enumerate(dict.fromkeys(word for some in pieces.values() for word in some))}
        slots = {token: [numbers[word] for word in some] for token, some in pieces.items()}
        flat = [[slot for token in some for slot in slots[token]] for some in tokens]
        vectors, weights = self._resolved(list(numbers))
        offsets = np.cumsum([0, *map(len, flat)], dtype=np.int64)
        chosen = np.array([slot for some in flat for slot in some], np.int64)
        if report is not None:
            report.add(texts=len(texts), tokens=len(chosen))
        out = np.zeros((len(texts), self.dimensions), np.float32)
        full = np.diff(offsets) > 0
        if len(chosen):
            starts = offsets[:-1][full]
            total = np.add.reduceat(weights[chosen].astype(np.float64), starts)
            sums = np.add.reduceat(vectors[chosen] * weights[chosen, None], starts, axis=0)
            out[full] = sums / np.where(total > 0, total, 1)[:, None]
        return normalise(out) if self.finish == "unit" else out

    def _resolved(self, words: Sequence[str]) -> tuple[Dense, Dense]:
        """Return the vectors of distinct words, ``(u, d)``, and how much each counts, ``(u,)``: 0 without a vector."""
        vectors = self.store.vectors(words, unknown=self.unknown)
        rows = self.store.rows(words)
        if self.weights is None:
            weights = np.ones(len(words), np.float32)
        else:
            weights = np.where(rows >= 0, self.weights[rows], self.weights.max()).astype(np.float32)
        weights[~vectors.any(1)] = 0
        return normalise(vectors) if self.unit_words else vectors, weights


def sif_weights(store: WordStore, *, a: float = 1e-3) -> NDArray[np.float32]:
    """Return ``a / (a + p(word))``, ``(V,)``: what a word counts in smooth inverse frequency weighting.

    Where the file has no counts, the share ``p`` of the word on place ``r`` is taken as ``1 / (r + 2.7)`` over their
    sum (Zipf and Mandelbrot): files have their most frequent words first.

    Source: Arora et al. 2017, "A Simple but Tough-to-Beat Baseline for Sentence Embeddings"
    (https://openreview.net/forum?id=SyK00v5xx); its removal of the first component is a transform.
    """
    counts = store.arrays["counts"]
    shares = counts.astype(np.float64) if len(counts) and counts.any() else 1 / (np.arange(len(store)) + _ZIPF_SHIFT)
    return np.asarray(a / (a + shares / shares.sum()), np.float32)


def idf_weights(store: WordStore, texts: Sequence[str]) -> NDArray[np.float32]:
    """Return ``log((1 + n) / (1 + df)) + 1`` of each word, ``(V,)``, over ``n`` texts of which ``df`` have the word."""
    encoder = WordVectorEncoder(store, unknown="skip")
    found = np.zeros(len(store), np.int64)
    for text in texts:
        rows = np.unique(store.rows(encoder.words(text)))
        found[rows[rows >= 0]] += 1
    return np.asarray(np.log((1 + len(texts)) / (1 + found)) + 1, np.float32)
