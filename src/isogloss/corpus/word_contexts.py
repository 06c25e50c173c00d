"""Where words occur: short stretches of texts around each occurrence, chosen evenly over the texts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from isogloss.errors import UsageError
from isogloss.seeding import generator

_WORD = re.compile(r"\w+")


def word_contexts(
    texts: Iterable[str], words: Sequence[str], *, length: int = 50, most: int = 100, seed: int = 0
) -> dict[str, list[str]]:
    """Find contexts of words: for each word up to ``most`` stretches of about ``length`` words that hold it.

    Words are compared whole and without regard to case; a word of several parts (``shock wave``, ``x-ray``) is found
    where the parts follow each other. One text gives a word at most one context, drawn among its occurrences, and the
    occurrence stands anywhere in the stretch.

    Parameters
    ----------
    texts
        Where to look.
    words
        What to look for.
    length
        Words of a stretch; punctuation is kept as it stands.
    most
        Contexts a word; of more, a random choice.
    seed
        Of the choices. A word's contexts depend on it, the texts and the word alone, not on the other words.

    Returns
    -------
    dict
        For each word its contexts in the order of the texts; an empty list where it does not occur.

    Raises
    ------
    UsageError
        Where a word has no letter or digit, or a length or number is below one.

    Examples
    --------
    >>> word_contexts(["a wing in a wind", "no", "Wing!"], ["wing"], length=2, seed=3)
    {'wing': ['wing in', 'Wing!']}
    """
    if length < 1 or most < 1:
        raise UsageError("contexts have at least one word", f"length {length}, most {most}", "ask for 50 and 100")
    parts = {word: tuple(_WORD.findall(word.lower())) for word in words}
    blank = [word for word, found in parts.items() if not found]
    if blank:
        raise UsageError("a word has neither letter nor digit", f"{len(blank)} of {len(words)}: {blank[0]!r}")
    by_first: dict[str, list[str]] = {}
    for word, found in parts.items():
        by_first.setdefault(found[0], []).append(word)
    kept: dict[str, list[tuple[int, str]]] = {word: [] for word in words}
    for number, text in enumerate(texts):
        spans = [match.span() for match in _WORD.finditer(text)]
        for word, places in _occurrences(text, spans, by_first, parts).items():
            draw = generator(seed, "context", word, number)
            place = places[int(draw.integers(len(places)))]
            before = int(draw.integers(max(1, length - len(parts[word]) + 1)))
            kept[word].append((number, _cut(text, spans, place - before, max(length, len(parts[word])))))
    return {word: _chosen(found, most, seed, word) for word, found in kept.items()}


def _occurrences(
    text: str, spans: list[tuple[int, int]], by_first: dict[str, list[str]], parts: dict[str, tuple[str, ...]]
) -> dict[str, list[int]]:
    """Return for each word that a text holds the places of its first part."""
    plain = [text[start:end].lower() for start, end in spans]
    found: dict[str, list[int]] = {}
    for place, one in enumerate(plain):
        for word in by_first.get(one, ()):
            if tuple(plain[place : place + len(parts[word])]) == parts[word]:
                found.setdefault(word, []).append(place)
    return found


def _cut(text: str, spans: list[tuple[int, int]], first: int, length: int) -> str:
    """Return ``length`` words from word ``first``, moved into the text where it would reach over its ends."""
    first = max(0, min(first, len(spans) - length))
    last = min(len(spans), first + length) - 1
    start = spans[first][0] if first else 0
    end = spans[last + 1][0] if last + 1 < len(spans) else len(text)
    return text[start:end].strip()


def _chosen(found: list[tuple[int, str]], most: int, seed: int, word: str) -> list[str]:
    if len(found) > most:
        picked = sorted(generator(seed, "contexts", word).permutation(len(found))[:most].tolist())
        found = [found[i] for i in picked]
    return [text for _, text in found]
