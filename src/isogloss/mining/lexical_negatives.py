"""BM25 over plain texts: scores of all pairs, and hard negatives that do not hold a question's answer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from isogloss.encoders.lexical import WordEncoder
from isogloss.errors import UsageError
from isogloss.mining.candidates import WordSource
from isogloss.mining.hard_negatives import Pairs, mine_hard_negatives
from isogloss.mining.rules import Limits


def bm25_table(questions: Sequence[str], corpus: Sequence[str], *, language: str = "en") -> NDArray[np.float64]:
    """Return the BM25 score of every question and text, ``(q, n)``; 0 where they share no word.

    Parameters
    ----------
    questions, corpus
        Texts; a table for small corpora, which an index would not need.
    language
        Of the words.

    Examples
    --------
    >>> (bm25_table(["a warm slab"], ["the slab is warm", "bread", "a slab"]) > 0).tolist()
    [[True, False, True]]
    """
    encode, shape = WordEncoder(language=language).encode, (len(questions), len(corpus))
    rows = np.indices(shape).reshape(2, -1)
    return WordSource(encode(questions), encode(corpus)).scores(rows[0], rows[1]).reshape(shape)


def answerless_negatives(
    questions: Sequence[str], answers: Sequence[str], corpus: Sequence[str], gold: Sequence[int] | NDArray[np.int64], *,
    per_query: int = 1, depth: int = 100, language: str = "en",
) -> list[list[int]]:  # fmt: skip
    """Return for each question the rows of the texts that BM25 puts highest and that lack its answer's words.

    Karpukhin et al. 2020, "Dense Passage Retrieval for Open-Domain Question Answering"
    (https://arxiv.org/abs/2004.04906), section 3.2: one such passage a question is its hard negative.

    Parameters
    ----------
    questions, answers
        A question and the words that answer it; a text holds them in whatever case.
    corpus, gold
        Texts, and the row of each question's right one.
    per_query, depth
        How many, of how many of the nearest; fewer come where there are no more.
    language
        Of the words.

    Raises
    ------
    UsageError
        Where questions and answers differ in number, or there are none.

    Examples
    --------
    >>> corpus = ["Nine people came.", "Who came? Nine did.", "The people came late."]
    >>> answerless_negatives(["How many people came?"], ["nine"], corpus, [0])
    [[2]]
    """
    if len(questions) != len(answers):
        why = f"{len(questions)} questions, {len(answers)} answers"
        raise UsageError("each question needs its answer", why, "give one answer a question")
    lower = [text.lower() for text in corpus]
    holds = {i: [row for row, text in enumerate(lower) if one.lower() in text] for i, one in enumerate(answers)}
    pairs = Pairs(queries=questions, positives=np.asarray(gold, np.int64), corpus=corpus, labelled=holds)
    encode = WordEncoder(language=language).encode
    source, limits = WordSource(encode(questions), encode(corpus)), Limits(last=depth)
    return mine_hard_negatives(pairs, [source], limits=limits, per_query=per_query, near=None).negatives
