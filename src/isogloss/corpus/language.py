"""The language of each text: py3langid's model (139 languages), classified in batches.

The model is a multinomial naive Bayes classifier over byte n-grams, found by one automaton (Lui and Baldwin,
"langid.py: An Off-the-shelf Language Identification Tool", 2012, https://aclanthology.org/P12-3005/), retrained and
published as py3langid (BSD-3-Clause). Answers equal the library's own.
"""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from isogloss.compiled import kernel, numba_available

VERSION = "1"
"""Changes when the same text would be given another language."""

HEAD = 300
"""Characters of each text that are looked at."""

SURE = 0.5
"""Least probability of a named language; below it the answer is ``und``."""

_LETTERS = 6
_BATCH = 2048
# labels of the model that are forms or neighbours of a language with a code that model cards use
_FOLDED = {"hbo": "he", "grc": "el", "gug": "gn", "kik": "ki", "uzs": "uz", "ary": "ar", "arz": "ar", "wuu": "zh"}
_FOLDED |= {"yue": "zh", "fuv": "ff"}
# Nigerian Pidgin takes 0.7 % of English passages and 1 % of biographies, and no text here is written in it
_NOT_TOLD = frozenset({"pcm", "zxx", "ext", "gcf"})


@dataclass(frozen=True, slots=True)
class _Model:
    table: NDArray[np.float32]
    prior: NDArray[np.float32]
    labels: tuple[str, ...]
    column: NDArray[np.int64]
    moves: NDArray[np.uint32]
    base: NDArray[np.int64]
    feature: NDArray[np.int32]


def detect(texts: Sequence[str], *, compiled: bool | None = None) -> list[tuple[str, float]]:
    """Tell the language of each text from its first 300 characters.

    Parameters
    ----------
    texts
        Any texts.
    compiled
        Use the Numba kernel; None: where there is Numba and enough to do.

    Returns
    -------
    list of (str, float)
        ISO 639-1 code where there is one, else ISO 639-3, and its probability; ``("und", p)`` for texts of fewer than
        six letters, for mere symbols, and where the best language is less likely than one half. ``und`` means "not
        known", not "foreign".

    Examples
    --------
    >>> [code for code, _ in detect(["The wing was tested at high speed.", "Der Flügel wurde geprüft.", "1 + 1 = 2"])]
    ['en', 'de', 'und']
    """
    if compiled is None:
        compiled = numba_available() and len(texts) >= 1000
    result: list[tuple[str, float]] = [("und", 0.0)] * len(texts)
    heads = [_head(text) for text in texts]
    wanted = [i for i, head in enumerate(heads) if head]
    if not wanted:
        return result
    model = _model()
    for start in range(0, len(wanted), _BATCH):
        part = wanted[start : start + _BATCH]
        best, probability = _classify(model, [heads[i] for i in part], compiled)
        for i, label, p in zip(part, best.tolist(), probability.tolist(), strict=True):
            result[i] = (model.labels[label] if p >= SURE else "und", p)
    return result


def labels() -> tuple[str, ...]:
    """Return the codes that ``detect`` can answer, besides ``und``."""
    return _model().labels


def _head(text: str) -> bytes:
    """Return the bytes that the classifier sees: upper-case texts folded, NFC, UTF-8; none where letters are few."""
    head = text[:HEAD].strip()
    if sum(map(str.isalpha, head[:60])) < _LETTERS:
        found = [letter for letter in head if letter.isalpha()]
        # two characters of Chinese, Japanese or Korean are a word
        if len(found) < _LETTERS and sum(ord(letter) > 0x2E7F for letter in found) < 2:
            return b""
    if head.isupper():
        head = head.lower()
    if not head.isascii():
        head = unicodedata.normalize("NFC", head)
    return head.encode("utf-8", "surrogatepass")


@functools.cache
def _model() -> _Model:
    """Load the model of py3langid as arrays, with aliases and untold labels taken care of."""
    import py3langid.langid
    from py3langid.modelio import load_model

    table, prior, names, moves, row, feature = load_model(
        Path(py3langid.langid.MODEL_DIR) / py3langid.langid.MODEL_FILE
    )
    keep = [i for i, name in enumerate(names) if name not in _NOT_TOLD]
    folded = [_FOLDED.get(names[i], names[i]) for i in keep]
    labels = tuple(dict.fromkeys(folded))
    return _Model(
        np.ascontiguousarray(np.asarray(table)[:, keep]).astype(np.float32),
        np.asarray(prior, np.float32)[keep],
        labels,
        np.array([labels.index(name) for name in folded], np.int64),
        np.frombuffer(moves, np.uint16 if moves.itemsize == 2 else np.uint32).astype(np.uint32, copy=False),
        np.frombuffer(row, np.uint16 if row.itemsize == 2 else np.uint32).astype(np.int64) << 8,
        np.asarray(feature, np.int32),
    )


def _classify(model: _Model, heads: list[bytes], compiled: bool) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the best label of each text and its probability, temperature sqrt(bytes) as the library has it."""
    lengths = np.array([len(head) for head in heads], np.int64)
    data = np.frombuffer(b"".join(heads), np.uint8)
    offsets = np.zeros(len(heads) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    if compiled:
        scores = np.zeros((len(heads), len(model.prior)), np.float32)
        _score(data, offsets, model.moves, model.base, model.feature, model.table, scores)
    else:
        scores = _score_numpy(model, data, offsets)
    raw = (scores + model.prior).astype(np.float64) / np.sqrt(lengths)[:, None]
    raw = np.exp(raw - raw.max(axis=1, keepdims=True))
    raw /= raw.sum(axis=1, keepdims=True)
    merged = np.zeros((len(model.labels), len(heads)))
    np.add.at(merged, model.column, raw.T)
    best = merged.argmax(axis=0)
    return best, merged[best, np.arange(len(heads))]


def _score_numpy(model: _Model, data: NDArray[np.uint8], offsets: NDArray[np.int64]) -> NDArray[np.float32]:
    """Walk all texts through the automaton side by side, and sum their features' weights."""
    count = len(offsets) - 1
    lengths = np.diff(offsets)
    order = np.argsort(-lengths, kind="stable")
    state = np.zeros(count, np.int64)
    visits = []
    active = count
    for step in range(int(lengths.max(initial=0))):
        while lengths[order[active - 1]] <= step:
            active -= 1
        rows = order[:active]
        state[:active] = model.moves[model.base[state[:active]] + data[offsets[rows] + step]]
        feature = model.feature[state[:active]]
        hit = feature >= 0
        visits.append(rows[hit] * np.int64(len(model.table)) + feature[hit])
    scores = np.zeros((count, len(model.prior)), np.float32)
    keys, times = np.unique(np.concatenate(visits), return_counts=True)
    rows, features = keys // len(model.table), keys % len(model.table)
    weights = np.log1p(times.astype(np.float32))
    bounds = np.searchsorted(rows, np.arange(count + 1))
    for i in range(count):
        part = slice(bounds[i], bounds[i + 1])
        scores[i] = weights[part] @ model.table[features[part]]
    return scores


@kernel
def _score(
    data: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    moves: NDArray[np.uint32],
    base: NDArray[np.int64],
    feature: NDArray[np.int32],
    table: NDArray[np.float32],
    scores: NDArray[np.float32],
) -> None:
    times = np.zeros(len(table), np.int32)
    for i in range(len(offsets) - 1):
        visited = np.empty(offsets[i + 1] - offsets[i], np.int32)
        found = 0
        state = np.int64(0)
        for at in range(offsets[i], offsets[i + 1]):
            state = np.int64(moves[base[state] + data[at]])
            hit = feature[state]
            if hit >= 0:
                if times[hit] == 0:
                    visited[found] = hit
                    found += 1
                times[hit] += 1
        for k in range(found):
            hit = visited[k]
            weight = np.log1p(np.float32(times[hit]))
            times[hit] = 0
            for column in range(table.shape[1]):
                scores[i, column] += weight * table[hit, column]
