"""What a sparse vector over tokens owes to its weights and to its text: weights exchanged, tokens from elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from isogloss.arrays import CSR
from isogloss.errors import UsageError

_BROKEN = "�"


def exchanged(vectors: CSR, rng: np.random.Generator) -> CSR:
    """Return sparse vectors whose weights were exchanged by chance within each row; its columns stay.

    A placebo of learned weights: the same words, the same numbers, but not each word its own.

    Parameters
    ----------
    vectors
        ``(n, V)``.
    rng
        Of the exchange.

    Examples
    --------
    >>> csr = CSR(np.array([0, 1, 3]), np.array([4, 0, 2]), np.array([9.0, 1.0, 2.0], np.float32), 5)
    >>> sorted(exchanged(csr, np.random.default_rng(0)).row(1)[1].tolist())
    [1.0, 2.0]
    """
    rows = np.repeat(np.arange(len(vectors)), np.diff(vectors.offsets))
    order = np.lexsort((rng.random(len(rows)), rows))
    return replace(vectors, values=vectors.values[order])


def foreign_tokens(vectors: CSR, texts: Sequence[str], tokenizer: Any) -> int:
    """Count entries of sparse vectors over tokens whose letters do not stand in the text, whatever their case.

    Parameters
    ----------
    vectors
        ``(n, V)``, a column a token.
    texts
        Their texts.
    tokenizer
        A ``tokenizers.Tokenizer``; tokens that are a part of a character count where the text is plain ASCII.

    Raises
    ------
    UsageError
        Where there are not as many texts as vectors.

    Examples
    --------
    >>> from tokenizers import Tokenizer, models
    >>> tokenizer = Tokenizer(models.WordLevel({"dog": 0, "cat": 1}, unk_token="dog"))
    >>> csr = CSR(np.array([0, 2]), np.array([0, 1]), np.ones(2, np.float32), 2)
    >>> foreign_tokens(csr, ["Dogs bark."], tokenizer)
    1
    """
    if len(texts) != len(vectors):
        raise UsageError("each vector needs its text", f"{len(vectors)} vectors, {len(texts)} texts")
    foreign = 0
    for number, text in enumerate(texts):
        lower = text.lower()
        for token in vectors.row(number)[0].tolist():
            letters = str(tokenizer.decode([token])).strip()
            whole = lower.isascii() or _BROKEN not in letters
            foreign += whole and letters not in lower
    return foreign
