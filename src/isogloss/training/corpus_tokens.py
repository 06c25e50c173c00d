"""Texts as token ids, made once: one sequence a text, or blocks of one length cut from all texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import Ragged
from isogloss.errors import CorpusError, UsageError
from isogloss.vocabulary.buffers import SURROGATES


def token_ids(texts: Sequence[str], tokenizer: Any) -> Ragged:
    """Return the token numbers of each text, without special tokens: ``values (T,)`` int64, ``offsets (n + 1,)``.

    Parameters
    ----------
    texts
        Any texts.
    tokenizer
        One of ``isogloss.vocabulary`` (its ``ids(texts)``), or a ``tokenizers.Tokenizer``.
    """
    if hasattr(tokenizer, "ids"):
        found = tokenizer.ids(list(texts))
    else:
        clean = [SURROGATES.sub("", text) for text in texts]
        encodings = tokenizer.encode_batch(clean, add_special_tokens=False)
        found = Ragged.from_list([np.array(one.ids, np.int64) for one in encodings])
    return Ragged(np.asarray(found.values, np.int64), found.offsets)


def sentences(
    tokens: Ragged, longest: int, *, before: Sequence[int] = (), after: Sequence[int] = (), shortest: int = 1
) -> Ragged:
    """Return one sequence a text, cut at ``longest`` tokens, the special ones around it counted.

    Parameters
    ----------
    tokens
        From :func:`token_ids`.
    longest
        Most tokens of a sequence.
    before, after
        Special tokens around each: ``[CLS]`` and ``[SEP]``, or the marks of begin and end.
    shortest
        Texts with fewer tokens of their own are left out.

    Raises
    ------
    CorpusError
        Where no text is long enough.

    Examples
    --------
    >>> rows = Ragged.from_list([np.array([5, 6, 7]), np.array([8])])
    >>> [row.tolist() for row in sentences(rows, 4, before=[1], after=[2])]
    [[1, 5, 6, 2], [1, 8, 2]]
    """
    room = longest - len(before) - len(after)
    if room < 1:
        raise UsageError(f"{longest} tokens leave no room for text", f"{longest - room} special tokens stand around it")
    first, last = np.asarray(before, np.int64), np.asarray(after, np.int64)
    kept = [np.concatenate([first, row[:room], last]) for row in tokens if len(row) >= shortest]
    if not kept:
        raise CorpusError("no text is long enough", f"{len(tokens)} texts, none of {shortest} tokens or more")
    return Ragged.from_list(kept)


def blocks(
    tokens: Ragged, length: int, *, before: Sequence[int] = (), after: Sequence[int] = (), between: Sequence[int] = ()
) -> Ragged:
    """Return all texts end to end, cut into sequences of one length; the rest at the end is left out.

    Parameters
    ----------
    tokens
        From :func:`token_ids`.
    length
        Tokens of a sequence, the special ones around it counted.
    before, after
        Special tokens around each sequence.
    between
        Special tokens after each text.

    Raises
    ------
    CorpusError
        Where the tokens do not fill one sequence.

    Examples
    --------
    >>> rows = Ragged.from_list([np.array([5, 6, 7]), np.array([8, 9])])
    >>> [row.tolist() for row in blocks(rows, 4, before=[1], between=[2])]
    [[1, 5, 6, 7], [1, 2, 8, 9]]
    """
    room = length - len(before) - len(after)
    if room < 1:
        raise UsageError(f"{length} tokens leave no room for text", f"{length - room} special tokens stand around it")
    flat = _joined(tokens, np.asarray(between, np.int64))
    count = len(flat) // room
    if not count:
        raise CorpusError("the texts do not fill one block", f"{len(flat)} tokens, a block takes {room}")
    body = flat[: count * room].reshape(count, room)
    around = [np.broadcast_to(np.asarray(one, np.int64), (count, len(one))) for one in (before, after)]
    rows = np.concatenate([around[0], body, around[1]], axis=1)  # (count, length)
    return Ragged(rows.reshape(-1), np.arange(count + 1, dtype=np.int64) * length)


def _joined(tokens: Ragged, between: NDArray[np.int64]) -> NDArray[np.int64]:
    if not len(between):
        return np.asarray(tokens.values, np.int64)
    return np.concatenate([part for row in tokens for part in (row, between)])
