"""Longer windows without training: which trained position each place of a long text takes.

Absolute positions (a table with a row a place) are used again, grouped, or interpolated; rotary positions are turned
more slowly, or counted in groups beyond a neighbourhood ("LongEmbed: Extending Embedding Models for Long Context
Retrieval", Zhu et al. 2024, https://arxiv.org/abs/2404.12096, section 4). Pure functions on arrays.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import Dense
from isogloss.encoders.engines.rotary import Rotary, Turning
from isogloss.errors import UnsupportedModelError, UsageError

TableMethod: TypeAlias = Literal["grouped", "recurrent", "interpolated"]
RotaryMethod: TypeAlias = Literal["ntk", "linear", "self-extend"]
TABLE_METHODS: tuple[TableMethod, ...] = get_args(TableMethod)
"""Of models with a table of positions."""
ROTARY_METHODS: tuple[RotaryMethod, ...] = get_args(RotaryMethod)
"""Of models with rotary positions."""


def trained_places(method: TableMethod, window: int, trained: int) -> NDArray[np.float64]:
    """Return the trained position of each of ``window`` places, ``(window,)``; with the ratio r = window / trained.

    Parameters
    ----------
    method
        ``"grouped"``: ``floor(p / r)``, neighbours share a position; ``"recurrent"``: ``p mod trained``, the positions
        begin again; ``"interpolated"``: ``p / r``, between two of them, at most the last one.
    window
        Places that are wanted.
    trained
        Positions that there are.

    Raises
    ------
    UsageError
        For another method, or fewer than one place or position.

    Examples
    --------
    >>> [trained_places(method, 6, 4).round(2).tolist() for method in ("grouped", "recurrent", "interpolated")]
    [[0.0, 0.0, 1.0, 2.0, 2.0, 3.0], [0.0, 1.0, 2.0, 3.0, 0.0, 1.0], [0.0, 0.67, 1.33, 2.0, 2.67, 3.0]]
    """
    if window < 1 or trained < 1:
        raise UsageError("positions are counted from one", f"a window of {window}, {trained} trained positions")
    places = np.arange(window, dtype=np.int64)
    if method == "grouped":
        return (places * trained // window).astype(np.float64)  # in integers: p / r could fall below a whole number
    if method == "recurrent":
        return (places % trained).astype(np.float64)
    if method == "interpolated":
        return np.asarray(np.minimum(places * (trained / window), trained - 1), np.float64)
    raise UsageError(f"a table of positions is not extended by {method!r}", "", f"one of: {', '.join(TABLE_METHODS)}")


def rows_at(table: Dense, places: NDArray[np.float64]) -> Dense:
    """Return the rows of ``table (n, d)`` at ``places (m,)``: ``(m, d)``; between two rows their weighted mean.

    Raises
    ------
    UsageError
        Where a place lies outside of the table; the message counts them.

    Examples
    --------
    >>> rows_at(np.array([[0.0], [10.0]], np.float32), np.array([1.0, 0.25])).ravel().tolist()
    [10.0, 2.5]
    """
    places = np.asarray(places, np.float64)
    outside = (places < 0) | (places > len(table) - 1)
    if outside.any():
        raise UsageError(
            "a place lies outside of the positions", f"{int(outside.sum())} of {len(places)}, there are {len(table)}",
            f"give numbers from 0 to {len(table) - 1}",
        )  # fmt: skip
    below = np.floor(places).astype(np.int64)
    share = (places - below).astype(np.float32)[:, None]  # (m, 1)
    above = np.minimum(below + 1, len(table) - 1)
    mixed = table[below] * (1 - share) + table[above] * share  # (m, d)
    return np.asarray(np.where(share == 0, table[below], mixed), np.float32)


def ntk_theta(theta: float, ratio: float, size: int) -> float:
    """Return the base of rotary wave lengths for a window ``ratio`` times as long: ``theta r^(d / (d - 2))``.

    The fastest pair of components keeps its angle, the slowest turns ``ratio`` times more slowly, those between by
    degrees: "NTK-aware" scaling, as LongEmbed states it (https://arxiv.org/abs/2404.12096).

    Examples
    --------
    >>> ntk_theta(100.0, 3.0, 4)
    900.0
    """
    return float(theta * ratio ** (size / (size - 2)))


def stretched(rotary: Rotary, method: RotaryMethod, ratio: float) -> Rotary:
    """Return the rotary positions of a window ``ratio`` times as long, by another base or by slower turning.

    Layers that see through a window of their own stay as they are: inside it nothing is farther than in training.

    Parameters
    ----------
    rotary
        The model's.
    method
        ``"ntk"``: see :func:`ntk_theta`; ``"linear"``: every angle divided by ``ratio``
        ("Extending Context Window of Large Language Models via Position Interpolation", Chen et al. 2023,
        https://arxiv.org/abs/2306.15595).
    ratio
        How many times as long the window is.

    Raises
    ------
    UnsupportedModelError
        For ``"linear"`` where the positions are stretched already, or where layers with and without a window share a
        base.
    """
    if method == "linear":
        _need_plain(rotary)
    turnings = []
    for turning, window in zip(rotary.turnings, rotary.windows, strict=True):
        if window:
            turnings.append(turning)
        elif method == "ntk":
            turnings.append(replace(turning, theta=ntk_theta(turning.theta, ratio, rotary.head_size)))
        else:
            turnings.append(Turning(turning.theta, "linear", turning.factor * ratio))
    return replace(rotary, turnings=tuple(turnings))


def _need_plain(rotary: Rotary) -> None:
    pairs = list(zip(rotary.turnings, rotary.windows, strict=True))
    kinds = {turning.kind for turning, window in pairs if not window} - {"default", "linear"}
    near = {turning.theta for turning, window in pairs if window}
    if kinds or any(turning.theta in near for turning, window in pairs if not window):
        why = f"they are stretched by {', '.join(sorted(kinds))}" if kinds else "layers with a window share their base"
        raise UnsupportedModelError("these positions are not stretched linearly", why, "use ntk or self-extend")


@dataclass(frozen=True, slots=True)
class SelfExtend:
    """Distances in tokens near by, in groups beyond.

    "LLM Maybe LongLM: Self-Extend LLM Context Window Without Tuning" (Jin et al. 2024,
    https://arxiv.org/abs/2401.01325): within ``near`` tokens a key is as far from its query as it is; beyond, positions
    are divided by ``group`` and rounded down, and the distance is shifted so that it goes on where the neighbours end.

    Attributes
    ----------
    near
        Tokens to a side whose distances stay exact.
    group
        Tokens that share a position beyond.
    """

    near: int
    group: int

    @property
    def shift(self) -> int:
        """What is added to a distance between groups, so that it goes on where the neighbours end."""
        return self.near - self.near // self.group

    def farthest(self, window: int) -> int:
        """Return the longest distance that occurs in a text of ``window`` tokens."""
        return max(min(window, self.near) - 1, (window - 1) // self.group + self.shift if window > self.near else 0)

    def distance(self, query: NDArray[np.int64], key: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return how far keys count to be from queries; positive where the key stands before, shapes broadcast.

        Examples
        --------
        >>> SelfExtend(near=2, group=2).distance(np.array([6]), np.array([6, 5, 4, 3, 2, 1, 0, 9])).tolist()
        [0, 1, 2, 3, 3, 4, 4, -2]
        """
        plain = query - key
        grouped = query // self.group - key // self.group
        far = grouped + self.shift * np.sign(plain)
        return np.asarray(np.where(np.abs(plain) < self.near, plain, far), np.int64)


def self_extend_for(window: int, trained: int, near: int | None = None) -> SelfExtend:
    """Return the smallest groups with which no distance in ``window`` tokens is longer than in training.

    ``near`` is a quarter of the trained positions where it is not given.

    Raises
    ------
    UsageError
        Where ``near`` is below one, or leaves no position beyond.

    Examples
    --------
    >>> self_extend_for(2048, 512)
    SelfExtend(near=128, group=6)
    """
    near = max(1, trained // 4) if near is None else near
    if not 1 <= near < trained:
        raise UsageError("neighbours must fit the trained positions", f"{near} of {trained}", f"1 to {trained - 1}")
    sizes = (SelfExtend(near, group) for group in range(1, window + 1))
    return next(how for how in sizes if how.farthest(window) < trained)  # at the latest one group holds everything
