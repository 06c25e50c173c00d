"""Candidates by their words, for learning to rerank and for judging it."""

from __future__ import annotations

from collections.abc import Sequence

from isogloss.encoders.lexical import WordEncoder
from isogloss.errors import CorpusError
from isogloss.mining.candidates import source_of
from isogloss.seeding import generator


def best_by_words(
    queries: Sequence[str], texts: Sequence[str], depth: int, *, language: str | None = "en"
) -> list[list[int]]:
    """Return for each query the numbers of the best texts by BM25, at most ``depth``, best first.

    Parameters
    ----------
    queries, texts
        What is asked, and what is searched.
    depth
        Most texts of a query; those that share no word with it are left out.
    language
        Whose endings are cut off (ISO 639-1); None for words as they stand.

    Examples
    --------
    >>> best_by_words(["warm seas", "tea"], ["The sea is warm.", "A cup of tea.", "A warm cup"], 2)
    [[0, 2], [1]]
    """
    words = WordEncoder(language=language)
    hits = source_of(words.encode(list(queries)), words.encode(list(texts))).search(depth)
    return [[int(row) for row in rows if row >= 0] for rows in hits.rows]


def wrong_answers(
    queries: Sequence[str], positives: Sequence[str], texts: Sequence[str], *, depth: int = 30, seed: int = 0,
    language: str | None = "en",
) -> list[str]:  # fmt: skip
    """Return for each query one text at random of the best by BM25 that is not its positive.

    A query with no such text gets any other one.

    Parameters
    ----------
    queries, positives
        What is asked, and the text that answers it.
    texts
        What is searched; equal texts count once.
    depth
        Of the search.
    seed
        Of the choice.
    language
        As for :func:`best_by_words`.

    Raises
    ------
    CorpusError
        Where fewer than two different texts are searched.

    Examples
    --------
    >>> wrong_answers(["warm seas"], ["The sea is warm."], ["The sea is warm.", "A cup.", "A warm cup"])
    ['A warm cup']
    """
    known = list(dict.fromkeys(texts))
    if len(known) < 2:
        raise CorpusError("there are no wrong answers", f"{len(known)} different texts", "search more texts")
    random, found = generator(seed, "wrong"), []
    for positive, rows in zip(positives, best_by_words(queries, known, depth, language=language), strict=True):
        wrong = [known[row] for row in rows if known[row] != positive] or [text for text in known if text != positive]
        found.append(wrong[int(random.integers(len(wrong)))])
    return found
