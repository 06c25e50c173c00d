"""What spaCy's embedding layers see of a word: normal form, first letter, last part and shape, as hashed rows."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from isogloss.text.hashing import hash_terms

FEATURES = ("norm", "prefix", "suffix", "shape")
TOKEN = re.compile(r"\w+|[^\w\s]")
_LONGEST_RUN = 4
_LONG = re.compile(r"(.)\1{4,}", re.DOTALL)


def shape_of(word: str) -> str:
    """Return a word with ``X`` for capitals, ``x`` for other letters, ``d`` for digits; runs are cut at four.

    Examples
    --------
    >>> [shape_of(word) for word in ("Isogloss", "C3PO", "12:45", "ﬁve")]
    ['Xxxxx', 'XdXX', 'dd:dd', 'xxx']
    """
    kinds = ["X" if c.isupper() else "x" if c.isalpha() else "d" if c.isdigit() else c for c in word]
    return _LONG.sub(lambda run: run[1] * _LONGEST_RUN, "".join(kinds))


def word_features(words: Sequence[str]) -> dict[str, list[str]]:
    """Return the features of words: lower-case form, first letter, last three letters, shape.

    Examples
    --------
    >>> {name: values[0] for name, values in word_features(["Vienna"]).items()}
    {'norm': 'vienna', 'prefix': 'V', 'suffix': 'nna', 'shape': 'Xxxxx'}
    """
    return {
        "norm": [word.lower() for word in words],
        "prefix": [word[:1] for word in words],
        "suffix": [word[-3:] for word in words],
        "shape": [shape_of(word) for word in words],
    }


def feature_rows(values: Sequence[str], rows: int, hashes: int = 4) -> NDArray[np.int64]:
    """Return which rows of a table stand for each value, ``(n, hashes)``: the same on every machine.

    Each of ``hashes`` functions mixes the value's 63-bit hash with its own number (the finaliser of MurmurHash3,
    Appleby, https://github.com/aappleby/smhasher) and takes it modulo ``rows``.

    Examples
    --------
    >>> feature_rows(["heat", "heat"], 500).shape
    (2, 4)
    """
    distinct = list(dict.fromkeys(values))
    place = {value: i for i, value in enumerate(distinct)}
    mixed = hash_terms(distinct).astype(np.uint64)[:, None] ^ (
        np.arange(1, hashes + 1, dtype=np.uint64)[None] * np.uint64(0x9E3779B97F4A7C15)
    )  # (u, hashes)
    for factor in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
        mixed = (mixed ^ (mixed >> np.uint64(33))) * np.uint64(factor)
    mixed ^= mixed >> np.uint64(33)
    chosen = (mixed % np.uint64(rows)).astype(np.int64)
    return chosen[[place[value] for value in values]] if len(values) else chosen
