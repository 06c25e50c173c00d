"""Counts of terms of many texts: one kernel over bytes for bulk, plain Python for a few texts, with equal results."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isogloss.compiled import kernel, numba_available, numba_loaded
from isogloss.text.hashing import Scanned, hash_terms, scan_words
from isogloss.text.words import WordRules

BLOCK = 8_000_000
"""Characters that the kernel is given at a time, which bounds the memory."""
BULK = 300_000
"""From so many characters on the kernel is used where Numba is imported already."""
BULK_COLD = 8_000_000
"""From so many characters on it is worth importing Numba."""

Counts = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]


def count_terms(texts: Sequence[str], rules: WordRules) -> Counts:
    """Count the terms of each text.

    Parameters
    ----------
    texts
        ``n`` texts of any length and script; lone surrogates part words.
    rules
        What a term is.

    Returns
    -------
    tuple
        Offsets ``(n + 1,)`` int64, term hashes ``(nnz,)`` int64 ascending and distinct within a text, and counts
        ``(nnz,)`` float32: the parts of a CSR matrix.

    Examples
    --------
    >>> offsets, hashes, counts = count_terms(["heat of heat", ""], WordRules())
    >>> offsets.tolist(), sorted(counts.tolist())
    ([0, 2, 2], [1.0, 2.0])
    """
    size = sum(map(len, texts))
    if size >= (BULK if numba_loaded() else BULK_COLD) and numba_available():
        return _joined([_count_block(block, rules) for block in _blocks(texts)])
    return _count_few(texts, rules)


def _count_few(texts: Sequence[str], rules: WordRules) -> Counts:
    """Count without a kernel: the twin of ``_count_block``."""
    offsets = np.zeros(len(texts) + 1, np.int64)
    hashes: list[int] = []
    counts: list[int] = []
    for i, text in enumerate(texts):
        found = sorted(Counter(rules.hashes(text)).items())
        hashes.extend(term for term, _ in found)
        counts.extend(count for _, count in found)
        offsets[i + 1] = len(hashes)
    return offsets, np.array(hashes, np.int64), np.array(counts, np.float32)


def _count_block(texts: Sequence[str], rules: WordRules) -> Counts:
    if len(texts) == 1 and len(texts[0]) > BLOCK:
        return _count_long(texts[0], rules)
    raw, bounds = _bytes_of(texts)
    scanned = scan_words(np.frombuffer(raw, np.uint8), bounds)
    tokens, offsets = scanned[0], scanned[1]
    terms, lengths = _terms_of(raw, scanned, rules)
    starts = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=starts[1:])
    # ranks instead of hashes, so that a rank and a count fit one integer to sort by
    distinct, ranks = np.unique(terms, return_inverse=True)
    out_offsets, cells = _count(tokens, offsets, starts, ranks.astype(np.int64), len(distinct))
    return out_offsets, distinct[cells >> 32], (cells & 0xFFFFFFFF).astype(np.float32)


def _count_long(text: str, rules: WordRules) -> Counts:
    """Count a text that is longer than a block in pieces, cut at spaces."""
    pieces, start = [], 0
    while start < len(text):
        cut = text.rfind(" ", start, start + BLOCK) if len(text) - start > BLOCK else len(text)
        cut = cut if cut > start else text.find(" ", start + BLOCK)
        pieces.append(text[start : cut if cut > start else len(text)])
        start += len(pieces[-1])
    # a piece without any space stays whole, however long it is
    parts = [_count_block([piece, ""], rules) for piece in pieces]
    hashes, places = np.unique(np.concatenate([part[1] for part in parts]), return_inverse=True)
    counts = np.bincount(places, np.concatenate([part[2] for part in parts]), len(hashes))
    return np.array([0, len(hashes)]), hashes, counts.astype(np.float32)


def _bytes_of(texts: Sequence[str]) -> tuple[bytes, NDArray[np.int64]]:
    """Return all texts as UTF-8, each followed by a line feed, and where each begins."""
    joined = "\n".join(texts) + "\n"
    bounds = np.zeros(len(texts) + 1, np.int64)
    if joined.isascii():
        raw, lengths = joined.encode("ascii"), map(len, texts)
    else:
        parts = [text.encode("utf-8", "surrogatepass") for text in texts]
        raw, lengths = b"\n".join(parts) + b"\n", map(len, parts)
    np.cumsum([length + 1 for length in lengths], out=bounds[1:])
    return raw, bounds


def _terms_of(raw: bytes, scanned: Scanned, rules: WordRules) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the term hashes of each distinct token, one after the other, and how many each has."""
    _, _, keys, first, last, rough = scanned
    lengths = np.ones(len(keys), np.int64)
    chunks = np.flatnonzero(rough)
    terms = [
        rules.terms(raw[a:b].decode("utf-8", "surrogatepass"))
        for a, b in zip(first[chunks].tolist(), last[chunks].tolist(), strict=True)
    ]
    lengths[chunks] = list(map(len, terms))
    plain = ~rough
    stems: list[str] = []
    if rules.changes_ascii:
        spans = zip(first[plain].tolist(), last[plain].tolist(), strict=True)
        words = b" ".join([raw[a:b] for a, b in spans]).decode("ascii").lower().split()
        stems = rules.finished(words)
        lengths[plain] = [stem != "" for stem in stems]
    hashes = np.empty(int(lengths.sum()), np.int64)
    from_chunks = np.repeat(rough, lengths)
    hashes[from_chunks] = hash_terms([term for found in terms for term in found])
    hashes[~from_chunks] = hash_terms([stem for stem in stems if stem]) if rules.changes_ascii else keys[plain]
    return hashes, lengths


@kernel
def _count(tokens: Any, offsets: Any, starts: Any, ranks: Any, distinct: Any) -> Any:
    seen = np.full(distinct, -1, np.int32)
    place = np.empty(distinct, np.int64)
    total = 0
    for token in tokens:
        total += starts[token + 1] - starts[token]
    cells = np.empty(total, np.int64)
    out = np.zeros(len(offsets), np.int64)
    used = 0
    for text in range(len(offsets) - 1):
        begin = used
        for i in range(offsets[text], offsets[text + 1]):
            for j in range(starts[tokens[i]], starts[tokens[i] + 1]):
                rank = ranks[j]
                if seen[rank] != text:
                    seen[rank], place[rank] = text, used
                    cells[used] = rank << 32
                    used += 1
                cells[place[rank]] += 1
        cells[begin:used].sort()
        out[text + 1] = used
    return out, cells[:used]


def _blocks(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    """Cut the texts into runs of about ``BLOCK`` characters."""
    start = size = 0
    for i, text in enumerate(texts):
        if size and size + len(text) > BLOCK:
            yield texts[start:i]
            start, size = i, 0
        size += len(text)
    yield texts[start:]


def _joined(parts: list[Counts]) -> Counts:
    if len(parts) == 1:
        return parts[0]
    ends = np.cumsum([0, *(part[0][-1] for part in parts)])
    offsets = [part[0][1:] + shift for part, shift in zip(parts, ends[:-1], strict=True)]
    return (
        np.concatenate([np.zeros(1, np.int64), *offsets]),
        np.concatenate([part[1] for part in parts]),
        np.concatenate([part[2] for part in parts]),
    )
