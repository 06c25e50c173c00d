"""Long anchors out of documents, and short spans around each of them: what belongs together without a label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isogloss.errors import UsageError
from isogloss.seeding import generator


@dataclass(frozen=True, slots=True)
class AnchorSpans:
    """Spans of words, by document and place.

    Attributes
    ----------
    documents
        ``(n,)`` the document of each anchor.
    anchors
        ``(n, 2)`` its first word and the one after its last.
    positives
        ``(n, p, 2)`` the same of its positives.
    columns
        The texts: anchors, first positives, second positives ...
    """

    documents: NDArray[np.int64]
    anchors: NDArray[np.int64]
    positives: NDArray[np.int64]
    columns: list[list[str]]


def anchor_spans(
    texts: Sequence[str], documents: int, *, anchors: int = 2, positives: int = 2, shortest: int = 32,
    longest: int = 512, anchor_shape: tuple[float, float] = (4, 2), positive_shape: tuple[float, float] = (2, 4),
    seed: int = 0,
) -> AnchorSpans:  # fmt: skip
    """Draw anchors of documents, and positives that overlap with their anchor, lie in it, or touch it.

    "DeCLUTR: Deep Contrastive Learning for Unsupervised Textual Representations" (https://arxiv.org/abs/2006.03659),
    section 3.1: lengths are ``shortest + b (longest - shortest)`` with ``b`` from a Beta distribution, long for
    anchors and short for positives. An anchor stands anywhere in its document; a positive begins anywhere from its own
    length before the anchor's first word to just behind the anchor's last. Words instead of tokens are counted here.

    Parameters
    ----------
    texts
        Documents; those with fewer than ``longest`` words are left out. They are taken in turn, in a new order each
        time round.
    documents
        How many draws of a document.
    anchors, positives
        Of a document drawn, and of each anchor.
    shortest, longest
        Words of a span.
    anchor_shape, positive_shape
        Of the two Beta distributions.
    seed
        Of everything.

    Raises
    ------
    UsageError
        Where no document is long enough, or a number makes no sense.

    Examples
    --------
    >>> made = anchor_spans(["a b c d e f g h"], 1, anchors=1, positives=1, shortest=2, longest=6)
    >>> [len(column) for column in made.columns], 2 <= len(made.columns[0][0].split()) <= 6
    ([1, 1], True)
    """
    if not 0 < shortest <= longest or min(documents, anchors, positives, *anchor_shape, *positive_shape) <= 0:
        found = f"{shortest} to {longest} words, {documents} documents, {anchors} anchors, {positives} positives"
        raise UsageError("spans need lengths and counts above 0", f"{found}, {anchor_shape}, {positive_shape}")
    words = [row for row in (text.split() for text in texts) if len(row) >= longest]
    if not words:
        why = f"none of {len(texts):,} has {longest} words"
        raise UsageError("no document is long enough", why, "take shorter spans")
    draw = generator(seed, "anchor spans")
    rounds = [draw.permutation(len(words)) for _ in range(-(-documents // len(words)))]
    chosen = np.concatenate(rounds)[:documents].repeat(anchors)  # (n,)
    sizes = np.array([len(row) for row in words])[chosen]  # (n,)

    def lengths(shape: tuple[float, float], *count: int) -> NDArray[np.int64]:
        return np.rint(shortest + draw.beta(*shape, size=(len(chosen), *count)) * (longest - shortest)).astype(np.int64)

    long, short = lengths(anchor_shape), lengths(positive_shape, positives)  # (n,), (n, p)
    begin = draw.integers(0, sizes - long + 1)  # (n,)
    low = np.maximum(0, begin[:, None] - short)  # (n, p)
    high = np.minimum(sizes[:, None] - short, (begin + long)[:, None])  # (n, p)
    start = draw.integers(low, high + 1)  # (n, p)
    places = np.stack([begin, begin + long], 1), np.stack([start, start + short], 2)  # (n, 2), (n, p, 2)
    spans = [places[0], *places[1].transpose(1, 0, 2)]
    columns = [[" ".join(words[i][a:b]) for i, (a, b) in zip(chosen, column.tolist(), strict=True)] for column in spans]
    kept = np.flatnonzero([len(text.split()) >= longest for text in texts])
    return AnchorSpans(kept[chosen].astype(np.int64), *places, columns)
