"""Texts as they were written, and texts with a few letters swapped: an acceptability task that anybody can make."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from isogloss.corpus.examples import LabelledTexts, Splits
from isogloss.errors import CorpusError


def swapped_letters(texts: Sequence[str], draw: np.random.Generator, *, swaps: int = 3) -> Splits[LabelledTexts]:
    """Swap neighbouring letters in half of the texts; the first half of all is for learning, the rest for testing.

    As SentEval's bigram shift (https://arxiv.org/abs/1805.01070), with letters for words.

    Parameters
    ----------
    texts
        Plain texts, in any order; each is used once, as it is or swapped.
    draw
        Decides which, and where.
    swaps
        Swaps of a text, of letters that differ; less where it has fewer places.

    Returns
    -------
    Splits
        ``train`` and ``test``, labelled ``whole`` and ``swapped``.

    Raises
    ------
    CorpusError
        Where there are fewer than four texts.

    Examples
    --------
    >>> data = swapped_letters(["abcd"] * 4, np.random.default_rng(0), swaps=1)
    >>> len(data["train"].texts), sorted({len(text) for text in data["test"].texts})
    (2, [4])
    """
    if len(texts) < 4:
        raise CorpusError("too few texts to learn from and to test on", f"{len(texts)}, 4 are needed")
    labels = draw.permutation(np.arange(len(texts)) % 2)
    made = [_swapped(text, draw, swaps) if label else text for text, label in zip(texts, labels, strict=True)]
    cut, names = len(texts) // 2, ["whole", "swapped"]
    return Splits({
        "train": LabelledTexts(made[:cut], labels[:cut], names), "test": LabelledTexts(made[cut:], labels[cut:], names),
    })  # fmt: skip


def _swapped(text: str, draw: np.random.Generator, swaps: int) -> str:
    letters = list(text)
    places = [i for i, (a, b) in enumerate(pairwise(text)) if a.isalpha() and b.isalpha() and a != b]
    for i in draw.permutation(np.array(places, np.int64))[:swaps]:
        letters[i], letters[i + 1] = letters[i + 1], letters[i]
    return "".join(letters)
