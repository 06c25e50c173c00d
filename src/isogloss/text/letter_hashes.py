"""Letter n-grams of many words at once as fastText hashes them, and whole words as :mod:`isogloss.text.hashing` does.

Both run over all words together, byte by byte: as many NumPy steps as the longest n-gram (or word) has bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isogloss.text.hashing import WIDTH

_START, _FACTOR = 2166136261, 16777619
_BASIS, _PRIME = np.uint32(_START), np.uint32(_FACTOR)
_WIDE_BASIS, _WIDE_PRIME = np.uint64(0xCBF29CE484222325), np.uint64(0x100000001B3)
_MIX = np.uint64(0xFF51AFD7ED558CCD), np.uint64(0xC4CEB9FE1A85EC53)
_SHIFT = np.uint64(33)


@dataclass(frozen=True, slots=True)
class LetterHashes:
    """Hashes of the n-grams of words.

    Attributes
    ----------
    hashes
        ``(T,)`` uint32, in the order of the words; within a word by place, then by length.
    offsets
        ``(n + 1,)`` int64: word ``i`` owns ``hashes[offsets[i] : offsets[i + 1]]``.
    """

    hashes: NDArray[np.uint32]
    offsets: NDArray[np.int64]


def letter_hashes(words: Sequence[str], shortest: int, longest: int) -> LetterHashes:
    """Return the 32-bit hashes of the n-grams of ``<word>``, the whole of it included where it is short enough.

    The hash is FNV-1a of the UTF-8 bytes, each taken as a signed number before it is mixed in, as in fastText's program
    (Bojanowski et al. 2017, https://arxiv.org/abs/1607.04606); letters are counted, not bytes. The marks alone are no
    n-gram of one letter.

    Parameters
    ----------
    words
        Any words.
    shortest, longest
        Letters of an n-gram, the marks ``<`` and ``>`` counted; none are made where ``longest`` is 0.

    Examples
    --------
    >>> found = letter_hashes(["as", ""], 3, 4)
    >>> found.offsets.tolist()
    [0, 3, 3]
    >>> found.hashes.tolist() == letter_hashes(["as"], 3, 4).hashes.tolist()
    True
    """
    pieces = [b"<" + word.encode("utf-8", "surrogatepass") + b">" for word in words]
    raw = np.frombuffer(b"".join(pieces), np.uint8)
    ends = np.cumsum([len(piece) for piece in pieces], dtype=np.int64)
    letter = np.append((raw & 0xC0) != 0x80, True)  # a byte that begins a letter
    mixed = raw.astype(np.int8).astype(np.int32).view(np.uint32)  # the sign spreads over all 32 bits
    start = np.flatnonzero(letter[:-1])
    owner = np.searchsorted(ends, start, "right")
    at, value = start.copy(), np.full(len(start), _BASIS)
    size = np.zeros(len(start), np.int32)
    found: list[tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.uint32]]] = []
    while len(at) and longest > 0:
        value = (value ^ mixed[at]) * _PRIME
        at = at + 1
        whole = letter[at]
        size = size + whole
        end = ends[owner]
        mark = (size == 1) & ((start == np.append(0, ends)[owner]) | (at == end))
        given = whole & (size >= shortest) & ~mark
        found.append((start[given], size[given], value[given]))
        on = (at < end) & ~(whole & (size >= longest))
        start, at, value, size, owner = start[on], at[on], value[on], size[on], owner[on]
    places = np.concatenate([part[0] for part in found]) if found else np.zeros(0, np.int64)
    sizes = np.concatenate([part[1] for part in found]) if found else np.zeros(0, np.int32)
    values = np.concatenate([part[2] for part in found]) if found else np.zeros(0, np.uint32)
    order = np.lexsort((sizes, places))
    bounds = np.searchsorted(places[order], np.append(0, ends))
    return LetterHashes(values[order], bounds.astype(np.int64))


def hashes_of(word: str, shortest: int, longest: int) -> list[int]:
    """Return :func:`letter_hashes` of one word, without the cost of starting up NumPy's loops.

    Examples
    --------
    >>> hashes_of("naïve", 3, 6) == letter_hashes(["naïve"], 3, 6).hashes.tolist()
    True
    """
    letters = [letter.encode("utf-8", "surrogatepass") for letter in f"<{word}>"]
    found = []
    for start in range(len(letters)):
        value = _START
        for size, letter in enumerate(letters[start : start + longest], 1):
            for byte in letter:
                value = ((value ^ (byte if byte < 128 else byte | 0xFFFFFF00)) * _FACTOR) & 0xFFFFFFFF
            if size >= shortest and (size > 1 or 0 < start < len(letters) - 1):
                found.append(value)
    return found


def whole_hashes(raw: NDArray[np.uint8], offsets: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return :func:`isogloss.text.hashing.hash_term` of many words that lie one behind the other.

    Parameters
    ----------
    raw
        The words' UTF-8 bytes.
    offsets
        ``(n + 1,)`` word ``i`` is ``raw[offsets[i] : offsets[i + 1]]``.

    Examples
    --------
    >>> from isogloss.text.hashing import hash_term
    >>> found = whole_hashes(np.frombuffer(b"heathead", np.uint8), np.array([0, 4, 8]))
    >>> found.tolist() == [hash_term("heat"), hash_term("head")]
    True
    """
    value = np.full(len(offsets) - 1, _WIDE_BASIS)
    lengths = np.diff(offsets)
    order = np.argsort(-lengths, kind="stable")  # words that are still being read stand in front
    sorted_lengths = lengths[order]
    for step in range(int(lengths.max(initial=0))):
        left = order[: np.searchsorted(-sorted_lengths, -step, "left")]
        value[left] = (value[left] ^ raw[offsets[left] + step].astype(np.uint64)) * _WIDE_PRIME
    for factor in _MIX:
        value ^= value >> _SHIFT
        value *= factor
    value ^= value >> _SHIFT
    return np.minimum((value >> np.uint64(1)).astype(np.int64), WIDTH - 1)
