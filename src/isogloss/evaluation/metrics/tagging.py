"""Metrics of tagged sentences: F1 of entities as the conlleval program counts them, accuracy of tags."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isogloss.errors import IsoglossError
from isogloss.evaluation.sample import Sample

Numbers = NDArray[np.float64]


def tags(predicted: Sequence[Sequence[str]], true: Sequence[Sequence[str]]) -> dict[str, Sample]:
    """Measure predicted tags against true ones, sentence by sentence.

    Returns
    -------
    dict
        ``accuracy`` of the tags; where the true tags mark entities (``O``, ``B-X``, ``I-X`` ...) also ``f1``,
        ``precision`` and ``recall`` of whole entities. Items are sentences.

    Raises
    ------
    IsoglossError
        Where there are no tags, or not equally many.

    Examples
    --------
    >>> found = tags([["I-PER", "O", "I-LOC"]], [["I-PER", "O", "O"]])
    >>> {name: round(sample.value(), 3) for name, sample in found.items()}
    {'accuracy': 0.667, 'f1': 0.667, 'precision': 0.5, 'recall': 1.0}
    """
    if len(predicted) != len(true) or any(len(a) != len(b) for a, b in zip(predicted, true, strict=True)):
        raise IsoglossError("predicted and true tags do not pair up", "", "give one tag for each word")
    rows = [
        (sum(a == b for a, b in zip(ours, theirs, strict=True)), len(theirs))
        for ours, theirs in zip(predicted, true, strict=True)
    ]
    if not rows or not sum(count for _, count in rows):
        raise IsoglossError("no tags to measure", "the sentences are empty", "check the data")
    samples = {"accuracy": Sample.of(np.array(rows, np.float64), aggregate=ratio, name="accuracy")}
    if any(len(tag) > 2 and tag[1] == "-" for sentence in true for tag in sentence):
        counts = []
        for ours, theirs in zip(predicted, true, strict=True):
            found, wanted = set(entities(ours)), set(entities(theirs))
            counts.append((len(found & wanted), len(found), len(wanted)))
        items = np.array(counts, np.float64)
        samples["f1"] = Sample.of(items, aggregate=entity_f1, name="f1")
        samples["precision"] = Sample.of(items[:, [0, 1]], aggregate=ratio, name="precision")
        samples["recall"] = Sample.of(items[:, [0, 2]], aggregate=ratio, name="recall")
    return samples


def entities(sentence: Sequence[str]) -> list[tuple[int, int, str]]:
    """Return the entities of a tagged sentence: first word, word after the last, type.

    An entity begins at ``B-``, or where the type differs from that of the word before; so both ways of writing
    (IOB1, where ``B-`` only parts neighbours, and IOB2) are read, as conlleval reads them.

    Examples
    --------
    >>> entities(["B-PER", "I-PER", "O", "I-LOC", "B-LOC"])
    [(0, 2, 'PER'), (3, 4, 'LOC'), (4, 5, 'LOC')]
    """
    found: list[tuple[int, int, str]] = []
    start, kind = 0, ""
    for place, tag in enumerate([*sentence, "O"]):
        mark, _, type_ = tag.partition("-")
        inside = type_ if mark != "O" else ""
        if kind and (inside != kind or mark == "B"):
            found.append((start, place, kind))
            kind = ""
        if inside and not kind:
            start, kind = place, inside
    return found


def ratio(items: NDArray[Any], weights: Numbers) -> Numbers:
    """Sum of the first column of ``items (n, 2)`` over that of the second, weighted; 0 where the second is 0.

    Examples
    --------
    >>> ratio(np.array([[1.0, 2.0], [3.0, 3.0]]), np.ones((1, 2))).tolist()
    [0.8]
    """
    top, bottom = (np.asarray(weights, np.float64) @ items).T
    return np.asarray(np.divide(top, bottom, out=np.zeros_like(top), where=bottom > 0), np.float64)


def entity_f1(items: NDArray[Any], weights: Numbers) -> Numbers:
    """F1 of ``items (n, 3)``: entities found and right, found, wanted, by sentence; 0 where there are none.

    Examples
    --------
    >>> entity_f1(np.array([[1.0, 2.0, 1.0]]), np.ones((1, 1))).round(3).tolist()
    [0.667]
    """
    right, found, wanted = (np.asarray(weights, np.float64) @ items).T
    total = found + wanted
    return np.asarray(np.divide(2 * right, total, out=np.zeros_like(right), where=total > 0), np.float64)
