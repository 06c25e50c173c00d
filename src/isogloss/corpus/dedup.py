"""Equal and nearly equal texts: normalised hashes, MinHash sketches of 128 bytes, and groups found by sorting."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from isogloss.compiled import kernel, numba_available

VERSION = "1"
"""Changes when the same text would give another hash or sketch."""

WORDS = 16
"""64-bit words of a sketch: 64 bins of 16 bits, 128 bytes."""

SIMILAR = 0.8
"""Share of equal bins from which two texts are near duplicates."""

_BINS = 64
_WIDTH = 9
_SHORTEST = 40
_MULTIPLIER = 0x9E3779B97F4A7C15
_MIX = 0xBF58476D1CE4E5B9
_EMPTY = 0xFFFFFFFFFFFFFFFF
_BATCH = 4096
_NEIGHBOURS = 4


def normalise_text(text: str) -> str:
    r"""Fold what does not make a text another one: compatibility forms (NFKC), case, and white space.

    Examples
    --------
    >>> normalise_text("  Ｔｈｅ \n ﬁne  STRASSE ") == normalise_text("the fine Straße")
    True
    """
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text).casefold()
        text = unicodedata.normalize("NFKC", text)  # folding can bring back composed forms
    else:
        text = text.lower()
    return " ".join(text.split())


def text_hash(text: str) -> int:
    r"""Return a 63-bit hash of the normalised text; equal texts have equal hashes.

    Two different texts collide with probability 2^-63: among a million documents, once in 18 million corpora.

    Examples
    --------
    >>> text_hash("Heat flow") == text_hash("heat\nFLOW "), text_hash("heat") == text_hash("heath")
    (True, False)
    """
    digest = blake2b(normalise_text(text).encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


def sketch(texts: Sequence[str], *, compiled: bool | None = None) -> NDArray[np.uint64]:
    """Return MinHash sketches, from which the Jaccard similarity of two texts' shingles can be estimated.

    Shingles are all runs of nine bytes of the normalised text in UTF-8. One hash a shingle fills 64 bins by its top
    six bits (one-permutation hashing: Li, Owen and Zhang, "One Permutation Hashing", 2012,
    https://arxiv.org/abs/1208.1259), empty bins borrow from the next full one with a shifted value (Shrivastava and
    Li, "Densifying One Permutation Hashing via Rotation", 2014, https://arxiv.org/abs/1406.4784), and 16 bits a bin
    are kept (Li and König, "b-Bit Minwise Hashing", 2010, https://arxiv.org/abs/0910.3349). Texts below 40 bytes
    get a sketch of their whole, which equals that of equal texts only; empty ones get zeros.

    Parameters
    ----------
    texts
        Any texts.
    compiled
        Use the Numba kernel; None: where there is Numba and enough to do.

    Returns
    -------
    ndarray of uint64, shape (n, 16)
        128 bytes a text; the same with and without Numba, on every machine.

    Examples
    --------
    >>> a = "The experimental wing was tested in a slipstream at several angles of attack."
    >>> first, second, other = sketch([a, a.upper(), "A study of heat transfer through thin boundary layers of air."])
    >>> similarity(first, second), similarity(first, other) < 0.2
    (1.0, True)
    """
    if compiled is None:
        compiled = numba_available() and len(texts) >= 2000
    out = np.zeros((len(texts), WORDS), np.uint64)
    starts = range(0, len(texts), _BATCH)

    def work(start: int) -> None:
        part = [normalise_text(text).encode("utf-8", "surrogatepass") for text in texts[start : start + _BATCH]]
        data = np.frombuffer(b"".join(part) + b"\0" * 8, np.uint8)
        offsets = np.zeros(len(part) + 1, np.int64)
        np.cumsum([len(text) for text in part], out=offsets[1:])
        bins = np.full((len(part), _BINS), _EMPTY, np.uint64)
        if compiled:
            _fill_bins(data, offsets, bins, _WIDTH, _SHORTEST, np.uint64(_MULTIPLIER), np.uint64(_MIX))
        else:
            _fill_bins_numpy(data, offsets, bins)
        out[start : start + _BATCH] = _packed(bins)

    if compiled and len(starts) > 1:
        work(0)  # compiles once
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(work, starts[1:]))
    else:
        for start in starts:
            work(start)
    return out


def similarity(first: NDArray[np.uint64], second: NDArray[np.uint64]) -> float | NDArray[np.float64]:
    """Return the share of equal bins of two sketches (or of two arrays of sketches, row by row).

    Estimates the Jaccard similarity J of the shingle sets with standard deviation sqrt(J (1 - J) / 64), at most .0625.
    """
    a = np.ascontiguousarray(np.atleast_2d(first)).view(np.uint16)
    b = np.ascontiguousarray(np.atleast_2d(second)).view(np.uint16)
    equal: NDArray[np.float64] = (a == b).mean(axis=1)
    return float(equal[0]) if np.ndim(first) == 1 and np.ndim(second) == 1 else equal


def near_groups(sketches: NDArray[np.uint64], *, similar: float = SIMILAR) -> NDArray[np.int64]:
    """Group texts whose sketches agree in at least ``similar`` of their bins, and equal texts.

    Each of the 16 words (four bins) is a band: texts that share a band are compared, so a pair with J = .8 is looked
    at with probability 1 - (1 - .8^4)^16 = .9998. Groups are the connected components, so that the ends of a chain
    may be less alike than ``similar``. Among texts that share a band each is compared with the four before it and
    with the first, which keeps the work linear.

    Parameters
    ----------
    sketches
        ``(n, 16)`` from ``sketch``; those of earlier runs can be stored and joined.
    similar
        Share of equal bins, above 0.

    Returns
    -------
    ndarray of int64, shape (n,)
        Number of the group, from 0 in the order of the groups' first texts; -1 for texts in no group.

    Examples
    --------
    >>> near_groups(sketch(["a text", "another one", "A  text"]))
    array([ 0, -1,  0])
    """
    count = len(sketches)
    rows = np.flatnonzero(sketches.any(axis=1)).astype(np.int64)
    if not len(rows):
        return np.full(count, -1, np.int64)
    # equal sketches are joined first, so that a thousand copies cost no pairs
    factors = np.arange(1, sketches.shape[1] + 1, dtype=np.uint64) * np.uint64(_MULTIPLIER) | np.uint64(1)
    with np.errstate(over="ignore"):
        keys = ((sketches[rows] ^ (sketches[rows] >> np.uint64(29))) * factors).sum(axis=1, dtype=np.uint64)
    _, first, same = np.unique(keys, return_index=True, return_inverse=True)
    found = [_band_pairs(rows[first], sketches[rows[first], band], count) for band in range(sketches.shape[1])]
    codes = np.unique(np.concatenate(found))
    left, right = codes // count, codes % count
    keep = np.zeros(len(codes), bool)
    for start in range(0, len(codes), 1 << 16):
        part = slice(start, start + (1 << 16))
        keep[part] = np.asarray(similarity(sketches[left[part]], sketches[right[part]])) >= similar - 1e-9
    copies = np.flatnonzero(first[same] != np.arange(len(rows)))
    left = np.concatenate([left[keep], rows[first[same[copies]]]])
    return _components(count, left, np.concatenate([right[keep], rows[copies]]))


def _band_pairs(rows: NDArray[np.int64], keys: NDArray[np.uint64], count: int) -> NDArray[np.int64]:
    """Return candidate pairs among rows of equal keys, coded as ``smaller * count + larger``."""
    order = np.argsort(keys, kind="stable")
    rows, keys = rows[order], keys[order]
    new = np.ones(len(keys), bool)
    new[1:] = keys[1:] != keys[:-1]
    first = np.flatnonzero(new)[np.cumsum(new) - 1]
    here = np.arange(len(keys))
    pairs = [(first[~new], here[~new])]
    for step in range(1, _NEIGHBOURS + 1):
        later = here[step:]
        later = later[first[later] <= later - step]
        pairs.append((later - step, later))
    a = rows[np.concatenate([pair[0] for pair in pairs])]
    b = rows[np.concatenate([pair[1] for pair in pairs])]
    codes: NDArray[np.int64] = np.minimum(a, b) * count + np.maximum(a, b)
    return np.unique(codes)


def _components(count: int, left: NDArray[np.int64], right: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return connected components by spreading the smallest row number, with pointer jumping."""
    label = np.arange(count, dtype=np.int64)
    while len(left):
        low = np.minimum(label[left], label[right])
        before = label.copy()
        np.minimum.at(label, label[left], low)
        np.minimum.at(label, label[right], low)
        np.minimum.at(label, left, low)
        np.minimum.at(label, right, low)
        label = label[label]
        if np.array_equal(before, label):
            break
    members = np.zeros(count, bool)
    members[left] = members[right] = True
    groups = np.full(count, -1, np.int64)
    if members.any():
        groups[members] = np.unique(label[members], return_inverse=True)[1]
    return groups


def _packed(bins: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Fill empty bins from the next full one, and keep 16 bits of each, four bins a word."""
    empty = bins == np.uint64(_EMPTY)
    none = empty.all(axis=1)
    place = np.where(np.concatenate([empty, empty], axis=1), 4 * _BINS, np.arange(2 * _BINS))
    following = np.minimum.accumulate(place[:, ::-1], axis=1)[:, ::-1][:, :_BINS]
    following[none] = 0
    distance = (following - np.arange(_BINS)).astype(np.uint64)
    values = np.take_along_axis(bins, following % _BINS, axis=1)
    with np.errstate(over="ignore"):
        values = (values ^ (distance * np.uint64(_MULTIPLIER))) * np.uint64(_MIX)
    small = (values >> np.uint64(40)).astype(np.uint16)
    small[none] = 0
    return np.ascontiguousarray(small).view(np.uint64)


def _fill_bins_numpy(data: NDArray[np.uint8], offsets: NDArray[np.int64], bins: NDArray[np.uint64]) -> None:
    """Fill the bins as the kernel does, by array operations."""
    lengths = np.diff(offsets)
    width = np.where(lengths < _SHORTEST, lengths, _WIDTH)
    shingles = np.where(lengths == 0, 0, lengths - width + 1)
    owner = np.repeat(np.arange(len(lengths)), shingles)
    first = np.repeat(offsets[:-1] - (np.cumsum(shingles) - shingles), shingles) + np.arange(int(shingles.sum()))
    spans = width[owner]
    hashes = np.zeros(len(owner), np.uint64)
    multiplier = np.uint64(_MULTIPLIER)
    with np.errstate(over="ignore"):
        for step in range(int(width.max(initial=0))):
            use = spans > step
            byte = data[first[use] + step].astype(np.uint64)
            hashes[use] = (hashes[use] + byte + np.uint64(1)) * multiplier
        hashes ^= hashes >> np.uint64(31)
        hashes *= np.uint64(_MIX)
        hashes ^= hashes >> np.uint64(29)
    whole = lengths[owner] < _SHORTEST
    where = owner * _BINS + np.where(whole, 0, (hashes >> np.uint64(58)).astype(np.int64))
    np.minimum.at(bins.reshape(-1), where, hashes)


@kernel
def _fill_bins(
    data: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    bins: NDArray[np.uint64],
    width: int,
    shortest: int,
    multiplier: np.uint64,
    mix: np.uint64,
) -> None:
    for i in range(len(offsets) - 1):
        start, length = offsets[i], offsets[i + 1] - offsets[i]
        if length == 0:
            continue
        span = width if length >= shortest else length
        for first in range(start, start + length - span + 1):
            value = np.uint64(0)
            for at in range(first, first + span):
                value = (value + np.uint64(data[at]) + np.uint64(1)) * multiplier
            value ^= value >> np.uint64(31)
            value *= mix
            value ^= value >> np.uint64(29)
            place = np.int64(value >> np.uint64(58)) if length >= shortest else 0
            if value < bins[i, place]:
                bins[i, place] = value
