"""Vectors of spans in the context of their document: encode first, cut afterwards (late chunking)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import Dense, Ragged, normalise
from isogloss.errors import UsageError

Span = tuple[int, int]
_SLICE = 256  # windows whose token vectors lie in memory at once


def late_chunks(
    encoder: Any, texts: Sequence[str], spans: Sequence[Sequence[Span]], *, layer: int = -1, overlap: int = 0,
    special_tokens: bool = True, normalised: bool = True,
) -> Ragged:  # fmt: skip
    """Return one vector for each span of each text, pooled from token vectors that saw the whole text.

    The text goes through the encoder once and the token vectors inside a span are averaged ("Late Chunking:
    Contextual Chunk Embeddings Using Long-Context Embedding Models", 2024, https://arxiv.org/abs/2409.04701). A text
    longer than the encoder's window is cut into windows at the borders of its spans, each with up to ``overlap``
    tokens of the spans before it as context; every span belongs to one window, the one that it ends.

    Parameters
    ----------
    encoder
        An encoder with ``states``; for windows also with ``tokenizer`` and ``window``.
    texts
        The documents.
    spans
        For each text its chunks as (start, end) in characters, ascending and disjoint.
    layer
        Whose output is pooled, -1 for the last.
    overlap
        Tokens of context that a later window repeats.
    special_tokens
        Whether the tokens that the tokenizer adds count for the first and last span of a window: with them a window
        of one span equals the ordinary mean of that text.
    normalised
        Scale each vector to length one.

    Returns
    -------
    Ragged
        Values ``(chunks, d)`` float32, ragged over the texts.

    Raises
    ------
    UsageError
        Where spans are empty, overlap, leave the text, or one alone is longer than the window.

    Examples
    --------
    With a model on the machine (``isogloss pull minilm``)::

        late_chunks(load_encoder("minilm"), ["Berlin is large. It has lakes."], [[(0, 16), (17, 30)]])
    """
    pieces: list[str] = []
    places: list[list[Span]] = []  # of each window's spans, in the window's own text
    own: list[int] = []  # how many of them, from the end, belong to the window
    for text, chunks in zip(texts, spans, strict=True):
        _check(text, chunks)
        for context, first, end in _windows(encoder, text, chunks, overlap) if chunks else []:
            base = chunks[context][0]
            pieces.append(text[base : chunks[end - 1][1]])
            places.append([(start - base, stop - base) for start, stop in chunks[context:end]])
            own.append(end - first)
    vectors = []
    for start in range(0, len(pieces), _SLICE):
        states, tokens = encoder.states(pieces[start : start + _SLICE], [layer])
        for i, (one, where) in enumerate(zip(states, tokens, strict=True), start):
            pooled = _pooled(one[:, 0], where, places[i], special_tokens)  # (L, 1, d) -> (L, d) -> (spans, d)
            vectors.append(pooled[len(pooled) - own[i] :])
    offsets = np.cumsum([0, *(len(chunks) for chunks in spans)]).astype(np.int64)
    values = np.concatenate(vectors) if vectors else np.zeros((0, getattr(encoder, "dimensions", 0)), np.float32)
    return Ragged(normalise(values) if normalised and len(values) else values, offsets)


def _check(text: str, chunks: Sequence[Span]) -> None:
    end = 0
    for start, stop in chunks:
        if not end <= start < stop <= len(text):
            raise UsageError(
                "a span does not fit its text",
                f"({start}, {stop}) after {end} in a text of {len(text)} characters",
                "give spans ascending, disjoint, not empty",
            )
        end = stop


def _windows(encoder: Any, text: str, chunks: Sequence[Span], overlap: int) -> list[tuple[int, int, int]]:
    """Return (first span of the context, first own span, end of own spans) of each window."""
    window = int(getattr(encoder, "window", 0))
    if not window:
        return [(0, 0, len(chunks))]
    tokenizer = encoder.tokenizer
    extra = tokenizer.before + tokenizer.after
    # what stands between two spans is read with the later one
    starts = [chunks[0][0], *(stop for _, stop in chunks[:-1])]
    pieces = [text[start:stop] for start, (_, stop) in zip(starts, chunks, strict=True)]
    lengths = (tokenizer(pieces).full - extra).tolist()
    room = window - extra
    if max(lengths) > room:
        raise UsageError(
            "a chunk is longer than the encoder's window",
            f"it has {max(lengths)} tokens, there is room for {room}",
            "make shorter chunks",
        )
    windows, own = [], 0
    while own < len(chunks):
        context, used = own, 0
        while context > 0 and used + lengths[context - 1] <= min(overlap, room - lengths[own]):
            context -= 1
            used += lengths[context]
        end = own
        while end < len(chunks) and used + lengths[end] <= room:
            used += lengths[end]
            end += 1
        windows.append((context, own, end))
        own = end
    return windows


def _pooled(tokens: Dense, where: NDArray[np.int64], chunks: Sequence[Span], special: bool) -> Dense:
    owner = _owners(where, chunks, special)
    vectors = []
    for number in range(len(chunks)):
        inside = owner == number
        # a span without a token of its own (white space, a cut emoji) takes the mean of the window
        vectors.append(tokens[inside].mean(0) if inside.any() else tokens.mean(0))
    return np.asarray(vectors, np.float32)


def _owners(places: NDArray[np.int64], chunks: Sequence[Span], special: bool) -> NDArray[np.int64]:
    """Return for each token the span that its first character lies in, -1 for none; every token has one owner."""
    starts = np.array([start for start, _ in chunks])
    owner = np.searchsorted(starts, places[:, 0], "right") - 1
    added = places[:, 1] <= places[:, 0]
    owner[added] = -1
    if special and added.any():
        content = np.flatnonzero(~added)
        first, last = (content[0], content[-1]) if len(content) else (0, len(places) - 1)
        numbers = np.arange(len(places))
        owner[added & (numbers < first)] = 0
        owner[added & (numbers > last)] = len(chunks) - 1
    return np.asarray(owner, np.int64)
