"""Texts as counts of their words: the encoder of the word search."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Literal

from isogloss.arrays import CSR, Similarity
from isogloss.encoders.surface import EncoderSurface, as_texts
from isogloss.protocols import EncodeReport, Role
from isogloss.text.counting import count_terms
from isogloss.text.hashing import WIDTH
from isogloss.text.words import Word, WordRules


class WordEncoder(EncoderSurface):
    """Counts the words of texts; an ``Inverted`` index over the counts ranks by BM25.

    Columns are 63-bit hashes of the normalised words (``isogloss.text.hashing`` tells the chance of a collision), so
    there is no vocabulary to fit, to keep or to run out of. Words of any script are found as ``isogloss.text.words``
    says; queries and documents are treated alike.

    Parameters
    ----------
    language
        ISO 639-1 code: words are stemmed by its Snowball stemmer, so that ``connections`` finds ``connected``. None:
        any language, words are matched as they stand.
    stop_words
        Leave out the function words of ``language``.
    fold_accents
        Take accents off, so that ``naive`` finds ``naïve``.
    variant, k1, b
        How an index over these counts ranks (``Inverted``); the vectors do not depend on them, nor does the identity.

    Raises
    ------
    UsageError
        The language has no stemmer (or no list of function words, where they are to be left out).

    Examples
    --------
    >>> encoder = WordEncoder(language="en")
    >>> counts = encoder.encode(["Heat flows from hot to cold.", "It flowed."])
    >>> counts.shape == (2, 2**63 - 1), len(set(counts.row(0)[0].tolist()) & set(counts.row(1)[0].tolist()))
    (True, 1)
    """

    kind: Literal["words", "dense"] = "words"
    modality = "text"
    similarity = Similarity.DOT
    dimensions: int = WIDTH
    window: int = 0
    languages: frozenset[str] | None = None
    speed: Literal["fast", "slow"] = "fast"

    def __init__(
        self,
        *,
        language: str | None = None,
        stop_words: bool = False,
        fold_accents: bool = True,
        variant: Literal["lucene", "robertson"] = "lucene",
        k1: float = 0.9,
        b: float = 0.4,
    ) -> None:
        self.rules = WordRules(language=language, stop_words=stop_words, fold_accents=fold_accents)
        self.variant, self.k1, self.b = variant, float(k1), float(b)
        self.name: str = f"words:{language}" if language else "words"

    @property
    def identity(self) -> str:
        """Hash of the tokeniser's version, language and stemmer, stop words and folding."""
        return hashlib.sha256(self.rules.signature.encode()).hexdigest()

    def encode(
        self,
        inputs: str | Iterable[str],
        *,
        role: Role | None = None,
        instruction: str | None = None,
        report: EncodeReport | None = None,
    ) -> CSR:
        """Return the counts of words, ``(n, 2**63 - 1)``; no text is ever cut, role and instruction change nothing."""
        texts = as_texts(inputs)
        offsets, hashes, counts = count_terms(texts, self.rules)
        if report is not None:
            report.add(texts=len(texts), tokens=int(counts.sum(dtype="float64")))
        return CSR(offsets, hashes, counts, WIDTH)

    def words(self, text: str) -> list[Word]:
        """Return the words that a text is found by, with their spans in characters (for snippets)."""
        return self.rules.words(text)
