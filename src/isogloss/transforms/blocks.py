"""Blocks of rows, so that a large input costs no more memory than itself, its result and one block between."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

ROWS = 8192
"""Rows of a block."""


def blocks(count: int, rows: int = ROWS) -> Iterator[slice]:
    """Yield slices that cover ``count`` rows in order.

    Examples
    --------
    >>> list(blocks(5, 3))
    [slice(0, 3, None), slice(3, 5, None)]
    """
    for start in range(0, count, rows):
        yield slice(start, min(start + rows, count))


def by_blocks(function: Callable[[NDArray[Any]], NDArray[Any]], matrix: NDArray[Any], rows: int = ROWS) -> NDArray[Any]:
    """Return what ``function`` makes of the rows of ``matrix (n, ...)``, asked for one block after the other.

    Parameters
    ----------
    function
        Makes ``(b, ...)`` of ``(b, ...)``, each row by itself, always of one type and width.
    matrix
        One row or more.
    rows
        Of a block.

    Examples
    --------
    >>> by_blocks(lambda part: part.sum(1), np.arange(6.0).reshape(3, 2), rows=2).tolist()
    [1.0, 5.0, 9.0]
    """
    first = function(matrix[:rows])
    if len(matrix) <= rows:
        return first
    out = np.empty((len(matrix), *first.shape[1:]), first.dtype)
    out[:rows] = first
    for part in blocks(len(matrix) - rows, rows):
        out[rows:][part] = function(matrix[rows:][part])
    return out
