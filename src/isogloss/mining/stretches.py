"""Random stretches of passages: inputs as long as synthetic queries that are no queries."""

from __future__ import annotations

from collections.abc import Sequence

from isogloss.errors import UsageError
from isogloss.seeding import generator


def like_stretches(
    queries: Sequence[tuple[str, int]], passages: Sequence[str], *, words: int, seed: int
) -> list[tuple[str, int]]:
    """Return for each query a random stretch, as many words long, of the beginning of its passage.

    Parameters
    ----------
    queries
        With the number of the passage that each is about.
    passages
        The passages.
    words
        Words of a passage that count as its beginning.
    seed
        Of the stretches.

    Raises
    ------
    UsageError
        Where a query's passage does not exist or has no words.

    Examples
    --------
    >>> like_stretches([("x y", 0)], ["a b c d"], words=3, seed=1)[0][0] in ("a b", "b c")
    True
    """
    random = generator(seed, "stretches")
    beginnings = [text.split()[:words] for text in passages]
    found = []
    for text, number in queries:
        if not 0 <= number < len(passages) or not beginnings[number]:
            raise UsageError(f"there is no passage {number} to cut from", f"{len(passages)} passages")
        row = beginnings[number]
        size = min(len(text.split()), len(row))
        start = int(random.integers(len(row) - size + 1))
        found.append((" ".join(row[start : start + size]), number))
    return found
