"""From an encoder and a test collection to a ranked run: encode, put into the index that fits, search."""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from isogloss.arrays import CSR, Ragged, Vectors
from isogloss.corpus.judgements import RankedRun, TestCollection, distinct, judged_queries
from isogloss.errors import CorpusError, UsageError
from isogloss.evaluation.tasks.encode import Encoding
from isogloss.protocols import Encoder, EncodeReport, Index, Progress, Record, Silent

JOINED = "title + ' ' + text"
"""How a document's title and text become one; said in the details of results."""


def rank(
    encoder: Encoder,
    collection: TestCollection,
    *,
    k: int = 1000,
    progress: Progress | None = None,
    report: EncodeReport | None = None,
) -> RankedRun:
    """Rank the documents of a collection for each of its judged questions.

    Parameters
    ----------
    encoder
        Documents are encoded in the role ``document``, questions as ``query``; each distinct text once.
    collection
        Documents, questions and judgements; all questions are ranked where there are no judgements.
    k
        Answers a question, at most.
    progress
        Where the number of encoded texts goes.
    report
        Is added to: texts cut, tokens lost.

    Returns
    -------
    RankedRun
        In trec_eval's order; equal scores are in the order of falling document id at the last place too, so that
        which of them is left out does not depend on the order of the documents.

    Raises
    ------
    CorpusError
        Where there are no documents or questions, a document id occurs twice, or judged questions have no text.

    Examples
    --------
    >>> from isogloss.encoders.lexical import WordEncoder
    >>> documents = [Record("a", "heat flows"), Record("b", "cold water", title="Heat and"), Record("c", "a stone")]
    >>> run = rank(WordEncoder(), TestCollection(documents, {"q": "heat water"}, {"q": {"b": 1.0}}))
    >>> run.documents
    [['b', 'a']]
    """
    encoding = Encoding(encoder, progress or Silent(), report if report is not None else EncodeReport())
    return retrieve(encoding, collection, k=k)


def retrieve(encoding: Encoding, collection: TestCollection, *, k: int = 1000) -> RankedRun:
    """Rank as :func:`rank`, with an encoding that keeps count and vectors."""
    queries = _asked(collection)
    if not collection.documents:
        raise CorpusError("there is nothing to rank", f"the collection {collection.name} has no documents")
    distinct((record.id for record in collection.documents), "document")
    # equal scores come out by rising row, which are falling ids
    records = sorted(collection.documents, key=lambda record: record.id, reverse=True)
    vectors = encoding.of([document_text(record) for record in records], "document")
    index = fitting_index(encoding.encoder, vectors)
    index.add(np.arange(len(records)), vectors)
    asked = encoding.of([collection.queries[query] for query in queries], "query")
    hits = index.search(asked, min(k, len(records)))
    ids = np.array([record.id for record in records], object)
    documents, scores = [], []
    for rows, found in zip(hits.rows, hits.scores, strict=True):
        documents.append(cast("list[str]", ids[rows[rows >= 0]].tolist()))
        scores.append(found[rows >= 0].astype(np.float64))
    return RankedRun(queries, documents, scores, str(getattr(encoding.encoder, "name", "")))


def document_text(record: Record) -> str:
    """Return title and text as one, as MTEB joins them.

    Examples
    --------
    >>> document_text(Record("a", " long ago", title="Once")), document_text(Record("b", "long ago "))
    ('Once  long ago', 'long ago')
    """
    return f"{record.title} {record.text}".strip() if record.title else record.text.strip()


def fitting_index(encoder: Encoder, vectors: Vectors) -> Index:
    """Return an empty index for the encoder's vectors that searches without loss.

    Dense vectors get the exact index, sets of vectors MaxSim, and counts of words BM25 with the encoder's
    parameters.

    Raises
    ------
    UsageError
        For sparse vectors that are no counts of words: BM25 would weigh them anew.

    Examples
    --------
    >>> from isogloss.encoders.lexical import WordEncoder
    >>> encoder = WordEncoder(k1=1.2)
    >>> fitting_index(encoder, encoder.encode("heat")).k1
    1.2
    """
    if isinstance(vectors, CSR):
        from isogloss.index.inverted import Inverted

        if getattr(encoder, "kind", "words") != "words":
            raise UsageError("learned sparse vectors cannot be ranked yet", "BM25 would weigh them anew", "use words")
        given: dict[str, Any] = {
            name: getattr(encoder, name) for name in ("k1", "b", "variant") if hasattr(encoder, name)
        }
        return Inverted(**given)
    if isinstance(vectors, Ragged):
        from isogloss.index.late_interaction import MaxSim

        return MaxSim()
    from isogloss.index.exact import Exact

    return Exact(similarity=encoder.similarity)


def _asked(collection: TestCollection) -> list[str]:
    """Return the questions to rank: the judged ones, in the order of the judgements."""
    asked = judged_queries(collection.qrels) if collection.qrels else list(collection.queries)
    if not asked:
        why = (
            f"{len(collection.queries)} questions, {sum(map(len, collection.qrels.values()))} judgements, none above 0"
        )
        raise CorpusError(f"the collection {collection.name} has no question to rank for", why, "check the judgements")
    unknown = [query for query in asked if query not in collection.queries]
    if unknown:
        why = f"{len(unknown)} of {len(asked)} have no text, the first is {unknown[0]}"
        raise CorpusError("judged questions are missing", why, "give the file of questions that the judgements name")
    return asked
