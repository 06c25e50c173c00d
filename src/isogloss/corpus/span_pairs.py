"""Two stretches of each document: pairs of texts that belong together, without a label and without a question."""

from __future__ import annotations

from collections.abc import Sequence

from isogloss.errors import UsageError
from isogloss.seeding import generator


def span_pairs(
    texts: Sequence[str], count: int, *, shortest: float = 0.1, longest: float = 0.5, least: int = 4, seed: int = 0
) -> tuple[list[str], list[str]]:
    """Cut ``count`` pairs of stretches out of documents, each stretch drawn alone, so that two may overlap.

    What encoders learn documents from where nobody asked anything: independent cropping of Izacard et al. 2022,
    "Unsupervised Dense Information Retrieval with Contrastive Learning" (https://arxiv.org/abs/2112.09118).

    Parameters
    ----------
    texts
        Documents; those of fewer than ``2 * least`` words are left out. They are taken in turn, in a new order each
        time round.
    count
        Pairs.
    shortest, longest
        Words of a stretch as shares of its document's, drawn evenly between them.
    least
        Fewest words of a stretch.
    seed
        Of the order and the stretches.

    Returns
    -------
    tuple
        First and second stretches, ``count`` each.

    Raises
    ------
    UsageError
        Where no document is long enough, or the shares are no shares.

    Examples
    --------
    >>> first, second = span_pairs(["a b c d e f g h", "too short"], 2, least=3, longest=0.4)
    >>> [len(text.split()) for text in first + second]
    [3, 3, 3, 3]
    """
    if not 0 < shortest <= longest <= 1 or least < 1 or count < 1:
        why = f"from {shortest} to {longest}, {least} words at least, {count} pairs"
        raise UsageError("stretches are shares of a document", why, "take shares above 0, the first not the larger")
    whole = [words for words in (text.split() for text in texts) if len(words) >= 2 * least]
    if not whole:
        raise UsageError("no document is long enough", f"none of {len(texts):,} has {2 * least} words")
    draw = generator(seed, "span pairs")
    found: tuple[list[str], list[str]] = ([], [])
    order: list[int] = []
    for _ in range(count):
        order = order or draw.permutation(len(whole)).tolist()
        words = whole[order.pop()]
        for side in found:
            size = max(least, round(len(words) * float(draw.uniform(shortest, longest))))
            start = int(draw.integers(len(words) - size + 1))
            side.append(" ".join(words[start : start + size]))
    return found
