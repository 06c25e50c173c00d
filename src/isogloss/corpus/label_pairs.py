"""Pairs of texts that carry the same label: classes of texts as training pairs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isogloss.corpus.examples import LabelledTexts
from isogloss.errors import UsageError


@dataclass(frozen=True, slots=True)
class LabelPairs:
    """Pairs of texts of one label.

    Attributes
    ----------
    left, right
        The texts, equally many; never the same text twice.
    labels
        ``(n,)`` number of the label of each pair: pairs of one label answer alike and should not share a batch.
    """

    left: list[str]
    right: list[str]
    labels: NDArray[np.int64]

    @property
    def columns(self) -> list[list[str]]:
        """Return both columns, as training takes them."""
        return [self.left, self.right]


def pairs_of_labels(data: LabelledTexts, count: int, draw: np.random.Generator) -> LabelPairs:
    """Draw pairs of different texts that carry the same label, each label as often as any other.

    The labels come in rounds, so that no label leads another by more than one pair; inside a label, two texts are drawn
    without replacement for each pair.

    Parameters
    ----------
    data
        Texts with labels; a label with fewer than two different texts gives no pair.
    count
        How many pairs.
    draw
        Where chance comes from.

    Raises
    ------
    UsageError
        Where no label has two different texts.

    Examples
    --------
    >>> data = LabelledTexts(["a", "b", "c"], np.array([0, 0, 1]), ["x", "y"])
    >>> pairs = pairs_of_labels(data, 2, np.random.default_rng(0))
    >>> sorted(zip(pairs.left, pairs.right)) in ([("a", "b")] * 2, [("a", "b"), ("b", "a")], [("b", "a")] * 2)
    True
    """
    texts: dict[int, list[str]] = {}
    for text, label in dict.fromkeys(zip(data.texts, data.labels.tolist(), strict=True)):
        texts.setdefault(label, []).append(text)
    usable = [label for label, some in texts.items() if len(some) > 1]
    if not usable:
        raise UsageError("no label has two texts", f"{len(data.texts)} texts, {len(texts)} labels", "give more texts")
    rounds = [draw.permutation(usable) for _ in range(-(-count // len(usable)))]
    labels = np.concatenate([np.zeros(0, np.int64), *rounds])[:count].astype(np.int64)
    drawn = [(texts[label], draw.choice(len(texts[label]), 2, replace=False)) for label in labels.tolist()]
    return LabelPairs([some[a] for some, (a, _) in drawn], [some[b] for some, (_, b) in drawn], labels)
