"""Tables of attributes (a speaker's height, a product's price) joined with the entities that they describe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isogloss.errors import CorpusError


@dataclass(frozen=True, slots=True)
class Joined:
    """Attributes of entities.

    Attributes
    ----------
    values
        ``(n,)`` float64, NaN where the table has none that can be used.
    rows
        For each entity the row of the table, -1 where there is none.
    counts
        ``joined``, ``missing`` (no row), ``no number``, ``out of range``, and ``unused`` rows of the table.
    """

    values: NDArray[np.float64]
    rows: NDArray[np.int64]
    counts: dict[str, int]


def join_attribute(
    entities: Sequence[str], table: Sequence[Mapping[str, Any]], *, key: str, value: str, low: float = -np.inf,
    high: float = np.inf,
) -> Joined:  # fmt: skip
    """Join a numeric attribute with entities, and count what could not be joined.

    Parameters
    ----------
    entities
        Names, such as speakers; each may occur several times.
    table
        Rows with a key and a value.
    key, value
        Names of the two columns.
    low, high
        Values outside cannot be right and are not used.

    Raises
    ------
    CorpusError
        Where a column is missing, or two rows have the same key and other values.

    Examples
    --------
    >>> rows = [{"id": "a", "cm": "170"}, {"id": "b", "cm": "17"}, {"id": "d", "cm": "180"}]
    >>> found = join_attribute(["a", "b", "c"], rows, key="id", value="cm", low=140, high=220)
    >>> found.values.tolist(), found.counts
    ([170.0, nan, nan], {'joined': 1, 'missing': 1, 'no number': 0, 'out of range': 1, 'unused': 1})
    """
    places: dict[str, int] = {}
    numbers = []
    for number, row in enumerate(table):
        if key not in row or value not in row:
            why = f"it has {', '.join(row)}"
            raise CorpusError(f"row {number + 1} lacks {key if key not in row else value}", why, "name other columns")
        numbers.append(_number(row[value]))
        first = places.setdefault(str(row[key]), number)
        if row[value] != table[first][value]:
            why = f"rows {first + 1} and {number + 1}: {table[first][value]} and {row[value]}"
            raise CorpusError(f"{row[key]} has two values", why, "repair the table")
    rows = np.array([places.get(entity, -1) for entity in entities], np.int64)
    found = np.array([numbers[row] if row >= 0 else np.nan for row in rows.tolist()], np.float64)
    outside = (found < low) | (found > high)
    counts = {
        "joined": int((np.isfinite(found) & ~outside).sum()), "missing": int((rows < 0).sum()),
        "no number": int((~np.isfinite(found) & (rows >= 0)).sum()), "out of range": int(outside.sum()),
        "unused": len(set(places) - set(entities)),
    }  # fmt: skip
    return Joined(np.where(outside, np.nan, found), rows, counts)


def _number(value: Any) -> float:
    try:
        found = float(value)
    except (TypeError, ValueError):
        return float("nan")
    return found if np.isfinite(found) else float("nan")


def means_by_group(values: NDArray[Any], groups: NDArray[Any], train: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return for each entity the mean of the training entities of its group: what any regression has to beat.

    Parameters
    ----------
    values
        ``(n,)`` attributes; NaN ones are left out.
    groups
        ``(n,)`` such as sex.
    train
        ``(n,)`` which entities the means are taken from.

    Examples
    --------
    >>> train = np.array([True, True, True, False])
    >>> means_by_group(np.array([1.0, 3.0, 8.0, 5.0]), np.array(["a", "a", "b", "a"]), train).tolist()
    [2.0, 2.0, 8.0, 2.0]
    """
    found = np.full(len(values), np.nan)
    for name in np.unique(groups):
        chosen = values[(groups == name) & train & np.isfinite(values)]
        found[groups == name] = chosen.mean() if len(chosen) else np.nan
    return found
