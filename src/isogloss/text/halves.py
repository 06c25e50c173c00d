"""Texts cut in two: the parts that a text is composed of."""

from __future__ import annotations

from collections.abc import Sequence


def halves(texts: Sequence[str]) -> tuple[list[str], list[str]]:
    """Cut each text after half of its words; the first half is the shorter one where their number is odd.

    The contiguous phrases of "Composition-contrastive Learning for Sentence Embeddings"
    (https://arxiv.org/abs/2307.07380), section 3, cut in the middle. A text of one word is both of its halves.

    Parameters
    ----------
    texts
        Any texts; words are parted by blanks, which become single ones.

    Returns
    -------
    tuple
        First and second halves, one a text.

    Examples
    --------
    >>> halves(["a small dog barks aloud", "hello"])
    (['a small', 'hello'], ['dog barks aloud', 'hello'])
    """
    words = [text.split() for text in texts]
    first = [" ".join(row[: len(row) // 2] or row) for row in words]
    return first, [" ".join(row[len(row) // 2 :]) for row in words]
