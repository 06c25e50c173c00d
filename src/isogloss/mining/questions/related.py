"""Documents about the same topic as a question's own: for judging systems where people want more than one document."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from isogloss.mining.questions.vocabulary import Vocabulary

COUNT = 10
"""Documents that are taken to be about the topic, besides the question's own."""


def related_documents(
    vocabulary: Vocabulary, texts: Sequence[str], position: int, question: str, *, count: int = COUNT
) -> list[int]:
    """Return the documents whose words *other than the question's* are nearest to those of its document.

    The words of the question are left out on both sides, so that a document is not taken for related because it
    says what was asked: a system that only matches the question's words gets no gift.

    Parameters
    ----------
    vocabulary, texts
        Of all documents, as they were before anything was cut.
    position
        The question's document.
    question
        Its text.
    count
        How many documents; fewer where fewer share a word.

    Returns
    -------
    list of int
        Positions by falling cosine of rarity-weighted words, ties by position; never ``position`` itself.

    Examples
    --------
    >>> texts = ["fever aspirin dose", "fever aspirin tablets", "dose of wind", "sails and wind"]
    >>> related_documents(Vocabulary(texts), texts, 0, "what dose?", count=3)
    [1]
    """
    asked = set(vocabulary.rules.terms(question))
    words = [word for word in vocabulary.content(texts[position]) if word not in asked]
    near = vocabulary.cosines(words)
    near[position] = 0.0
    order = np.argsort(-near, kind="stable")[:count]
    return [int(i) for i in order if near[i] > 0]
