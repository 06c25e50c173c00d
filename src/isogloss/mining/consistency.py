"""Round trips: a query is kept where it finds the document that it was made from, or that merely stands with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from isogloss.arrays import Rows
from isogloss.corpus.selection import Selection
from isogloss.errors import UsageError
from isogloss.mining.candidates import Source, source_of

FOUND, LOST = "finds its document", "does not find its document"


def round_trip(source: Source, positives: Rows, *, k: int = 1, groups: Sequence[str] | None = None) -> Selection:
    """Keep the queries whose own document is among the best ``k`` rows.

    Dai et al., "Promptagator: Few-shot Dense Retrieval From 8 Examples" (2022, https://arxiv.org/abs/2209.11755), keep
    generated queries with k = 1.

    Parameters
    ----------
    source
        Ranks the corpus for the queries (:func:`isogloss.mining.candidates.source_of`).
    positives
        ``(q,)`` row of the document that each query was made from.
    k
        How far down it may stand.
    groups
        A name a row (its document): another passage of the same document counts, too.

    Returns
    -------
    Selection
        A row a query; ``score`` is 1 / rank of the best row that counts, 0 where it is not among the ``k``.

    Raises
    ------
    UsageError
        Where ``k`` is below 1 or there is not one document a query.

    Examples
    --------
    >>> from isogloss.mining.candidates import VectorSource
    >>> documents = np.array([[1, 0], [0, 1]], np.float32)
    >>> made = round_trip(VectorSource(documents, documents), np.array([0, 0]))
    >>> made.keep.tolist(), made.score.tolist()
    ([True, False], [1.0, 0.0])
    """
    hits = source.search(k).rows if k >= 1 else np.zeros((0, 0), np.int64)
    if k < 1 or len(hits) != len(positives):
        raise UsageError("round trips cannot be made", f"k = {k}, {len(positives)} documents, {len(hits)} queries")
    if groups is None:
        same = hits == np.asarray(positives)[:, None]  # (q, k)
    else:
        numbers = np.unique(np.array([str(group) for group in groups]), return_inverse=True)[1]
        same = (numbers[np.maximum(hits, 0)] == numbers[positives][:, None]) & (hits >= 0)
    keep = same.any(axis=1)
    score = np.where(keep, 1.0 / (same.argmax(axis=1) + 1), 0.0)
    return Selection(keep, [FOUND if one else LOST for one in keep.tolist()], score)


def consistent_pairs(encoder: Any, queries: Sequence[str], documents: Sequence[str], *, k: int = 2) -> Selection:
    """Keep the pairs whose query finds its own document among the best ``k`` of all documents.

    Wang et al., "Text Embeddings by Weakly-Supervised Contrastive Pre-training" (2022,
    https://arxiv.org/abs/2212.03533), filter noisy pairs by a model that learned from all of them, with k = 2 and a
    million passages: a model learns what is consistent before it learns the noise.

    Parameters
    ----------
    encoder
        Dense, or of words.
    queries, documents
        Document ``i`` stands with query ``i``; equal documents are one.
    k
        How far down the own document may stand.

    Returns
    -------
    Selection
        A row a pair, as :func:`round_trip` gives it.

    Raises
    ------
    UsageError
        Where ``k`` is below 1, or queries and documents are not equally many.

    Examples
    --------
    >>> from isogloss.encoders.lexical import WordEncoder
    >>> queries = ["red apples", "blue whales", "green tea", "old maps"]
    >>> documents = ["apples are red", "whales are huge", "tea grows here", "a new bridge"]
    >>> consistent_pairs(WordEncoder(), queries, documents, k=1).keep.tolist()
    [True, True, True, False]
    """
    if len(queries) != len(documents):
        raise UsageError("each query needs its document", f"{len(queries)} queries, {len(documents)} documents")
    source = source_of(encoder.encode(list(queries), role="query"), encoder.encode(list(documents), role="document"))
    return round_trip(source, np.arange(len(documents)), k=k, groups=documents)
