"""Word analogies: a is to b as c is to which word, by sums or products of cosines."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import normalise
from isogloss.corpus.examples import Analogies
from isogloss.errors import IsoglossError, IsoglossWarning
from isogloss.evaluation.probes import dense
from isogloss.evaluation.results import TaskResult
from isogloss.evaluation.sample import Sample
from isogloss.evaluation.tasks.encode import Encoding
from isogloss.evaluation.tasks.word_similarity import filled
from isogloss.protocols import Encoder, Progress, Silent

_EPSILON = 0.001
_BLOCK = 20_000_000


def run(
    encoder: Encoder, data: Analogies, *, name: str, seed: int = 0, progress: Progress | None = None,
    vocabulary: list[str] | None = None,
) -> TaskResult:  # fmt: skip
    """Measure an encoder by word analogies: the best word but the three given ones must be the fourth.

    Mikolov, Yih and Zweig (3CosAdd), https://aclanthology.org/N13-1090; Levy and Goldberg (3CosMul),
    https://aclanthology.org/W14-1618.

    Parameters
    ----------
    encoder, name, seed, progress
        As for :func:`isogloss.evaluation.tasks.sts.run`; nothing is random.
    data
        Rows of four words. Rows with a word without a vector are left out and counted.
    vocabulary
        Words to choose from, those of the data always among them. Where None only these: then the task is easier
        than with the 30,000 to 400,000 words that papers use.

    Returns
    -------
    TaskResult
        ``accuracy`` (3CosAdd, counts), ``accuracy_mul`` (3CosMul), over rows as items, grouped by the pair (a, b);
        the details hold the accuracy of each section and how many rows were left out.

    Raises
    ------
    IsoglossError
        Where no row is known.

    Warns
    -----
    IsoglossWarning
        Where rows were left out.
    """
    words = list(dict.fromkeys([*(word for row in data.rows for word in row), *(vocabulary or [])]))
    encoding = Encoding(encoder, progress or Silent())
    vectors = normalise(dense(encoding.of(words)))
    known = filled(vectors)
    number = {word: place for place, word in enumerate(words)}
    table = np.array([[number[word] for word in row] for row in data.rows], np.int64).reshape(-1, 4)
    kept = known[table].all(1)
    if not kept.any():
        raise IsoglossError(f"the encoder knows no row of {name}", f"0 of {len(table)}", "use another encoder")
    if not kept.all():
        said = f"{name}: {int((~kept).sum())} of {len(table)} analogies hold a word without a vector and are left out"
        warnings.warn(said, IsoglossWarning, stacklevel=2)
    table = table[kept]
    added, multiplied = answers(vectors, table, known)
    groups = np.unique(table[:, :2], axis=0, return_inverse=True)[1].ravel().astype(np.int64)
    right = {"accuracy": added == table[:, 3], "accuracy_mul": multiplied == table[:, 3]}
    samples = {
        metric: Sample.of(values.astype(np.float64), groups=groups, name=metric) for metric, values in right.items()
    }
    sections = np.array(data.sections)[kept]
    details = {
        "rows": len(data.rows), "rows_known": int(kept.sum()), "words": len(words),
        "words_unknown": int((~known).sum()),
        "sections": {str(section): float(right["accuracy"][sections == section].mean())
                     for section in dict.fromkeys(sections.tolist())},
        **encoding.details(),
    }  # fmt: skip
    return TaskResult(name, "analogies", "accuracy", samples, details, encoding.seconds)


def answers(
    vectors: NDArray[Any], rows: NDArray[np.int64], allowed: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Answer analogies by 3CosAdd and by 3CosMul.

    Parameters
    ----------
    vectors
        ``(v, d)`` of length one.
    rows
        ``(n, 4)`` numbers of words; the fourth is not looked at.
    allowed
        ``(v,)`` which words may be answers; the three of a row never are.

    Returns
    -------
    tuple
        The two answers ``(n,)`` as numbers of words; of equally good ones the first.

    Examples
    --------
    >>> x = normalise(np.array([[1, 0.1], [1, 1], [0.1, 1], [0.2, 1.9]], np.float32))
    >>> [found.tolist() for found in answers(x, np.array([[0, 1, 2, 3]]), np.ones(4, bool))]
    [[3], [3]]
    """
    added, multiplied = np.empty(len(rows), np.int64), np.empty(len(rows), np.int64)
    size = max(1, _BLOCK // len(vectors))
    for start in range(0, len(rows), size):
        part = rows[start : start + size]
        a, b, c = (vectors[part[:, place]] @ vectors.T for place in range(3))
        barred = np.tile(~allowed, (len(part), 1))
        np.put_along_axis(barred, part[:, :3], True, axis=1)
        added[start : start + size] = np.where(barred, -np.inf, b - a + c).argmax(1)
        # cosines from 0 to 1, so that products mean something
        a, b, c = ((1 + table) / 2 for table in (a, b, c))
        multiplied[start : start + size] = np.where(barred, -np.inf, b * c / (a + _EPSILON)).argmax(1)
    return added, multiplied
