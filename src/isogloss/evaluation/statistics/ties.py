"""Tie groups instead of ranks: systems that the items cannot tell apart stand together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from isogloss.errors import UsageError


def tie_groups(systems: Sequence[str], separable: NDArray[np.bool_]) -> list[list[str]]:
    """Return maximal runs of systems no two of which can be told apart.

    Being tied is not transitive: the first may tie with the second and the second with the third while first and
    third differ. So a system may stand in two groups, and every system stands in at least one.

    Parameters
    ----------
    systems
        Names, best first.
    separable
        ``(systems, systems)``: whether two of them were told apart, in the same order.

    Examples
    --------
    >>> apart = np.zeros((3, 3), bool)
    >>> apart[0, 2] = apart[2, 0] = True
    >>> tie_groups(["a", "b", "c"], apart)
    [['a', 'b'], ['b', 'c']]
    """
    if separable.shape != (len(systems), len(systems)):
        raise UsageError("tie groups need one decision a pair", f"{len(systems)} systems, {separable.shape}")
    either = separable | separable.T
    groups: list[list[str]] = []
    reached = 0
    for first in range(len(systems)):
        stop = first + 1
        while stop < len(systems) and not either[stop, first:stop].any():
            stop += 1
        if stop > reached:
            groups.append(list(systems[first:stop]))
            reached = stop
    return groups
