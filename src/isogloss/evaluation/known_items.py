"""Questions that each have one right text, cut out of a test collection: small enough for tables of scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isogloss.corpus.judgements import TestCollection
from isogloss.errors import CorpusError
from isogloss.evaluation.neighbours import known_item
from isogloss.evaluation.sample import Sample


@dataclass(frozen=True)
class KnownItems:
    """Texts, questions, and which text each question is about.

    Attributes
    ----------
    texts
        What is searched.
    questions
        What is asked.
    gold
        ``(questions,)`` numbers of the right texts; also what is resampled.
    """

    texts: list[str]
    questions: list[str]
    gold: NDArray[np.int64]

    def ndcg(self, scores: Any) -> Sample:
        """Return nDCG@10 of a table of scores, ``(questions, texts)``; equal scores count against the right text."""
        return known_item(scores, self.gold, groups=self.gold)


def known_items(collection: TestCollection, *, texts: int, questions: int) -> KnownItems:
    """Return the first so many texts of a collection, and so many of the questions about them, evenly spread.

    Parameters
    ----------
    collection
        Documents (their texts alone, without titles), questions and judgements; grades of 0 count for nothing.
    texts, questions
        At most so many of each; a question with two right texts is asked once for each.

    Raises
    ------
    CorpusError
        Where no question is about these texts.

    Examples
    --------
    >>> from isogloss.protocols import Record
    >>> documents = [Record("a", "heat flows"), Record("b", "a stone")]
    >>> known_items(TestCollection(documents, {"q": "what flows"}, {"q": {"a": 1.0}}), texts=2, questions=9).gold
    array([0])
    """
    places = {record.id: number for number, record in enumerate(collection.documents[:texts])}
    known = [(collection.queries[query], places[document]) for query, judged in collection.qrels.items()
             for document, grade in judged.items() if grade > 0 and document in places]  # fmt: skip
    if not known:
        raise CorpusError("no question is about these texts", f"{len(places)} of {len(collection.documents)} texts")
    kept = known[:: max(1, len(known) // questions)][:questions]
    found = [record.text for record in collection.documents[:texts]]
    return KnownItems(found, [question for question, _ in kept], np.array([place for _, place in kept], np.int64))
