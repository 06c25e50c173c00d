"""The one step that word vectors, sub-word vectors and document vectors share: rows in, logistic answers out.

An example has input rows, whose mean is the hidden vector ``h``, and output rows with labels 0 or 1. Each output row
``c`` answers ``sigmoid(h . c)``; the gradient of the log-likelihood moves it and, summed, every input row.
Negative sampling and hierarchical soft-max, skip-gram, CBOW and paragraph vectors differ only in which rows these are.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import charge
from isogloss.compiled import inline, kernel, numba_available

LIMIT, STEPS = 16, 256
"""The sigmoid is read from a table over +-16 with 256 steps a unit, between two entries by a straight line: 2e-7."""


class Tables(NamedTuple):
    """What is trained: input rows ``(V, d)`` and output rows ``(V', d)``, float32, and which of them are fixed.

    Input rows below ``first`` and, unless ``outputs_move``, all output rows stay as they are.
    """

    inputs: NDArray[np.float32]
    outputs: NDArray[np.float32]
    first: int = 0
    outputs_move: bool = True


class Bags(NamedTuple):
    """Input rows of examples: example ``i`` has bag ``which[i]``, the rows ``rows[offsets[b]:offsets[b + 1]]``."""

    which: NDArray[np.int32]
    offsets: NDArray[np.int64]
    rows: NDArray[np.int32]


class Answers(NamedTuple):
    """Output rows of examples: ``rows[offsets[i]:offsets[i + 1]]`` with their labels; a row of -1 is passed over."""

    offsets: NDArray[np.int64]
    rows: NDArray[np.int32]
    labels: NDArray[np.float32]


@functools.cache
def sigmoid_table() -> NDArray[np.float32]:
    """Return the sigmoid at ``-16, -16 + 1/256, ..., 16``."""
    return (1 / (1 + np.exp(-np.arange(-LIMIT * STEPS, LIMIT * STEPS + 2) / STEPS))).astype(np.float32)


def train_pairs(
    tables: Tables, inputs: NDArray[np.int32], targets: NDArray[np.int32], rate: float, compiled: bool | None = None
) -> None:
    """Train on examples of one input row each, in order; ``tables`` are changed in place.

    Parameters
    ----------
    tables
        What is trained.
    inputs
        ``(n,)`` input rows.
    targets
        ``(n, m)`` output rows: the first of each example is right (label 1), the others are noise; -1 is passed over.
    rate
        Learning rate.
    compiled
        Use the kernel; None: where Numba is there.
    """
    charge(multiply_adds=3 * targets.size * tables.inputs.shape[1], random_reads=targets.size)
    if numba_available() if compiled is None else compiled:
        _pairs(tables, inputs, targets, np.float32(rate), sigmoid_table())
        return
    for row, answers in zip(inputs, targets, strict=True):
        moved = _answered(tables, tables.inputs[row], answers, np.arange(len(answers)) == 0, rate)
        if row >= tables.first:
            tables.inputs[row] += moved


def train_bags(tables: Tables, bags: Bags, answers: Answers, rate: float, compiled: bool | None = None) -> None:
    """Train on examples of several input rows each, in order; ``tables`` are changed in place.

    The hidden vector is the mean of the input rows; as in the authors' programs (word2vec, fastText) each of them
    moves by the whole gradient of the hidden vector, not by its share.

    Parameters
    ----------
    tables, rate, compiled
        As for :func:`train_pairs`.
    bags
        Input rows of the examples.
    answers
        Output rows of the examples.
    """
    charge(multiply_adds=3 * len(answers.rows) * tables.inputs.shape[1], random_reads=len(answers.rows))
    if not len(bags.which):
        return
    if numba_available() if compiled is None else compiled:
        _bags(tables, bags, answers, np.float32(rate), sigmoid_table())
        return
    for i, bag in enumerate(bags.which):
        rows = bags.rows[bags.offsets[bag] : bags.offsets[bag + 1]]
        if len(rows):
            part = slice(answers.offsets[i], answers.offsets[i + 1])
            hidden = tables.inputs[rows].mean(0)
            moved = _answered(tables, hidden, answers.rows[part], answers.labels[part], rate)
            np.add.at(tables.inputs, rows[rows >= tables.first], moved)


def _answered(
    tables: Tables, hidden: NDArray[np.float32], rows: NDArray[np.int32], labels: NDArray[Any], rate: float
) -> NDArray[np.float32]:
    """Move output rows by one example and return by how much its input moves."""
    moved, outputs = np.zeros_like(hidden), tables.outputs
    known = rows >= 0
    scores = np.clip(outputs[rows[known]].astype(np.float64) @ hidden, -LIMIT, LIMIT)
    errors = (rate * (labels[known] - 1 / (1 + np.exp(-scores)))).astype(np.float32)
    for row, error in zip(rows[known], errors, strict=True):
        moved += error * outputs[row]
        if tables.outputs_move:
            outputs[row] += error * hidden
    return moved


@inline
def product(first: Any, row: Any, second: Any, other: Any) -> Any:
    """Return the dot product of two rows."""
    total = np.float32(0)
    for z in range(first.shape[1]):
        total += first[row, z] * second[other, z]
    return total


@inline
def logistic(score: Any, sigmoid: Any) -> Any:
    """Return the sigmoid, from the table."""
    place = (min(max(score, np.float32(-LIMIT)), np.float32(LIMIT)) + np.float32(LIMIT)) * np.float32(STEPS)
    step = np.uint64(place)
    return sigmoid[step] + (place - np.float32(step)) * (sigmoid[step + np.uint64(1)] - sigmoid[step])


@kernel(fastmath=True)
def _pairs(tables: Any, rows: Any, targets: Any, rate: Any, sigmoid: Any) -> None:  # noqa: C901 - one loop
    inputs, outputs = tables.inputs, tables.outputs
    width, answers = inputs.shape[1], targets.shape[1]
    moved, errors = np.empty(width, np.float32), np.empty(answers, np.float32)
    for i in range(len(rows)):
        row = np.uint64(rows[i])
        for q in range(answers):
            if targets[i, q] >= 0:
                right = np.float32(1) if q == 0 else np.float32(0)
                errors[q] = rate * (right - logistic(product(inputs, row, outputs, np.uint64(targets[i, q])), sigmoid))
        moved[:] = np.float32(0)
        for q in range(answers):
            if targets[i, q] >= 0:
                target, error = np.uint64(targets[i, q]), errors[q]
                for z in range(width):
                    moved[z] += error * outputs[target, z]
                if tables.outputs_move:
                    for z in range(width):
                        outputs[target, z] += error * inputs[row, z]
        if rows[i] >= tables.first:
            for z in range(width):
                inputs[row, z] += moved[z]


@kernel(fastmath=True)
def _bags(  # noqa: C901 - one loop
    tables: Any, bags: Any, answers: Any, rate: Any, sigmoid: Any
) -> None:
    inputs, outputs = tables.inputs, tables.outputs
    width = inputs.shape[1]
    moved, hidden = np.empty(width, np.float32), np.empty((1, width), np.float32)
    errors = np.empty(np.diff(answers.offsets).max(), np.float32)
    for i in range(len(bags.which)):
        start, stop = bags.offsets[bags.which[i]], bags.offsets[bags.which[i] + 1]
        if start == stop:
            continue
        hidden[:] = np.float32(0)
        moved[:] = np.float32(0)
        for j in range(start, stop):
            row = np.uint64(bags.rows[j])
            for z in range(width):
                hidden[0, z] += inputs[row, z]
        for z in range(width):
            hidden[0, z] /= np.float32(stop - start)
        begin, end = answers.offsets[i], answers.offsets[i + 1]
        for q in range(begin, end):
            score = product(hidden, 0, outputs, np.uint64(max(answers.rows[q], 0)))
            # a row of -1 is passed over: it has no error
            asked = rate if answers.rows[q] >= 0 else np.float32(0)
            errors[q - begin] = asked * (answers.labels[q] - logistic(score, sigmoid))
        for q in range(begin, end):
            target, error = np.uint64(max(answers.rows[q], 0)), errors[q - begin]
            for z in range(width):
                moved[z] += error * outputs[target, z]
            if tables.outputs_move:
                for z in range(width):
                    outputs[target, z] += error * hidden[0, z]
        for j in range(start, stop):
            if bags.rows[j] >= tables.first:
                for z in range(width):
                    inputs[np.uint64(bags.rows[j]), z] += moved[z]
