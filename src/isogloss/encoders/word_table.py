"""A static encoder from vectors of whole words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import Dense
from isogloss.encoders.static import StaticEncoder, TokenVectors
from isogloss.errors import UsageError
from isogloss.vocabulary.wordpiece import WordPiece


def word_table(
    words: Sequence[str],
    vectors: Dense,
    *,
    weights: NDArray[np.floating] | None = None,
    pieces: Sequence[tuple[str, Dense]] = (),
    name: str = "word-vectors",
    threads: int | None = None,
) -> StaticEncoder:
    """Return an encoder that averages the vectors of a text's words; words without a vector are left out.

    Texts are cut by the rules of uncased BERT, so a word is found where it is lower-case, without accents and free of
    punctuation; others are in the table and never met.

    Parameters
    ----------
    words, vectors
        The vocabulary and its vectors ``(V, d)``.
    weights
        ``(V,)`` how much each word counts; None: all the same.
    pieces
        Beginnings of words, and (with ``##`` in front) parts inside them, with a vector each: words outside the
        vocabulary are cut into the longest of them from the left. Those that are words already are left out.
    name
        Of the encoder.
    threads
        As in :class:`StaticEncoder`.

    Raises
    ------
    UsageError
        Where words and vectors are not equally many, or a word occurs twice.

    Examples
    --------
    >>> table = word_table(["red", "blue"], np.eye(2, dtype=np.float32))
    >>> table.encode(["Red!", "blue, green"]).round(3).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    taken = set(words)
    if len(words) != len(vectors) or len(taken) != len(words) or "[UNK]" in taken:
        raise UsageError(
            "words and vectors do not belong together",
            f"{len(words):,} words, {len(taken):,} of them different, {len(vectors):,} vectors",
        )
    more = [(piece, row) for piece, row in pieces if piece not in taken]
    unknown = np.zeros((1, vectors.shape[1]), np.float32)
    rows = np.concatenate([unknown, np.asarray(vectors, np.float32), *(row[None] for _, row in more)])
    scale = np.ones(len(rows), np.float32)
    if weights is not None:
        scale[1 : len(words) + 1] = weights
    vocabulary = WordPiece(["[UNK]", *words, *(piece for piece, _ in more)])
    table = TokenVectors(np.ascontiguousarray(rows, np.float32), scale)
    return StaticEncoder(vocabulary, table, skip_unknown=True, name=name, threads=threads)
