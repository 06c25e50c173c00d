"""A text as its likeness to documents that stand for concepts (explicit semantic analysis)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any, Literal

import numpy as np

from isogloss.arrays import CSR, Similarity
from isogloss.encoders.surface import EncoderSurface, as_texts
from isogloss.errors import UsageError
from isogloss.protocols import EncodeReport, Role
from isogloss.text.counting import count_terms
from isogloss.text.words import WordRules


class ConceptEncoder(EncoderSurface):
    """Explicit semantic analysis: component ``c`` is the TF-IDF likeness of a text to concept document ``c``.

    Words are weighted ``(1 + log tf) * log(n / df)`` over the ``n`` concept documents, whose vectors have length one; a
    text's vector is the sum of its words' rows in the table of words by concepts, cut to its ``most`` largest
    components and brought to length one, so that the dot product is the cosine. Concepts that share no word with the
    text are not stored. A text whose words stand in no concept has no component.

    Source: Gabrilovich and Markovitch 2007, "Computing Semantic Relatedness using Wikipedia-based Explicit Semantic
    Analysis" (https://www.ijcai.org/Proceedings/07/Papers/259.pdf).

    Parameters
    ----------
    concepts
        The concept documents, such as encyclopedia articles.
    names
        Their names, for :meth:`explain`; None: their numbers.
    most
        Components to keep of a text; 0 for all.
    prune
        A word's weight in a concept is dropped where it is below this share of the word's largest weight.
    language
        Words are stemmed by its rules; None: matched as they stand.
    name
        For messages.

    Raises
    ------
    UsageError
        Where there are fewer than two concepts, or no word tells any two of them apart.

    Examples
    --------
    >>> encoder = ConceptEncoder(["The cat purrs.", "A dog barks.", "Tax law of the cat."], names=["cat", "dog", "tax"])
    >>> [concept for concept, _ in encoder.explain("that cat purrs")]
    ['cat', 'tax']
    """

    modality = "text"
    kind: Literal["words", "dense"] = "words"
    speed: Literal["fast", "slow"] = "fast"
    window = 0
    similarity = Similarity.DOT
    languages: frozenset[str] | None = None

    def __init__(
        self,
        concepts: Sequence[str],
        *,
        names: Sequence[str] | None = None,
        most: int = 0,
        prune: float = 0.0,
        language: str | None = None,
        name: str = "concepts",
    ) -> None:
        import scipy.sparse

        self.rules, self.most, self.name = WordRules(language=language), most, name
        self.dimensions: int = len(concepts)
        self.names = [str(i) for i in range(len(concepts))] if names is None else list(names)
        if len(concepts) < 2 or len(self.names) != len(concepts):
            why = f"{len(concepts)} documents, {len(self.names)} names"
            raise UsageError("concepts need documents, and a name each", why, "give at least two documents")
        offsets, hashes, counts = count_terms(as_texts(concepts), self.rules)
        self.terms, columns = np.unique(hashes, return_inverse=True)
        shape = (len(concepts), len(self.terms))
        table = scipy.sparse.csr_matrix((1 + np.log(counts.astype(np.float64)), columns, offsets), shape=shape)
        self.idf = np.log(len(concepts) / np.bincount(columns, minlength=len(self.terms)))
        table = table.multiply(self.idf[None]).tocsr()
        lengths = np.sqrt(np.asarray(table.multiply(table).sum(1)).ravel())
        if not lengths.any():
            raise UsageError("the concepts cannot be told apart", f"{len(concepts)} documents hold the same words", "")
        table = scipy.sparse.diags(1 / np.where(lengths > 0, lengths, 1)) @ table
        self.table = _pruned(table.T.tocsr(), prune)  # (words, concepts)

    @cached_property
    def identity(self) -> str:
        """Hash of words, weights, and settings."""
        digest = hashlib.sha256(f"{self.rules.signature}\x1f{self.most}\x1f{self.table.shape}".encode())
        for array in (self.terms, self.idf, self.table.data, self.table.indices, self.table.indptr.astype(np.int64)):
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()

    def encode(
        self, inputs: str | Iterable[str], *, role: Role | None = None, instruction: str | None = None,
        report: EncodeReport | None = None,
    ) -> CSR:  # fmt: skip
        """Return the likeness to each concept, ``(n, concepts)`` sparse; role and instruction change nothing."""
        import scipy.sparse

        texts = as_texts(inputs)
        offsets, hashes, counts = count_terms(texts, self.rules)
        if report is not None:
            report.add(texts=len(texts), tokens=int(counts.sum(dtype="float64")))
        places = np.searchsorted(self.terms, hashes)
        known = places < len(self.terms)
        known[known] = self.terms[places[known]] == hashes[known]
        kept = np.concatenate([[0], np.cumsum(known)])[offsets]
        weights = (1 + np.log(counts[known].astype(np.float64))) * self.idf[places[known]]
        shape = (len(texts), len(self.terms))
        found = (scipy.sparse.csr_matrix((weights, places[known], kept), shape=shape) @ self.table).tocsr()
        found.sort_indices()
        return CSR.fromcsr(_cut(found, self.most))

    def explain(self, text: str, k: int = 10) -> list[tuple[str, float]]:
        """Return the ``k`` concepts that a text is most like, with its components."""
        columns, values = self.encode(text).row(0)
        order = np.argsort(-values, kind="stable")[:k]
        return [(self.names[int(columns[i])], float(values[i])) for i in order]


def _pruned(table: Any, share: float) -> Any:
    """Drop entries below a share of their row's largest."""
    if share > 0:
        largest = np.repeat(table.max(axis=1).toarray().ravel(), np.diff(table.indptr))
        table.data[table.data < share * largest] = 0
    table.eliminate_zeros()
    table.sort_indices()
    return table


def _cut(found: Any, most: int) -> Any:
    """Keep the ``most`` largest entries of each row, and bring rows to length one."""
    for row in range(found.shape[0]):
        start, stop = found.indptr[row : row + 2]
        values = found.data[start:stop]
        if most and len(values) > most:
            values[np.argsort(-values, kind="stable")[most:]] = 0
        length = np.sqrt((values**2).sum())
        values /= length if length else 1.0
    found.eliminate_zeros()
    return found
