"""What comes next, from vectors of items alone: no training, no other users."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import Similarity
from isogloss.errors import UsageError

Item = TypeVar("Item", bound=Hashable)


def leave_last_out(
    sequences: Sequence[Sequence[int]], *, shortest: int = 3
) -> tuple[list[list[int]], NDArray[np.int64], NDArray[np.int64]]:
    """Split each sequence into what was before and the last item, which is to be found.

    Parameters
    ----------
    sequences
        For each user the items, oldest first.
    shortest
        Shorter sequences are left out.

    Returns
    -------
    histories
        Items before the last one.
    targets : ``(users,)``
        The last items.
    users : ``(users,)``
        Numbers of the sequences that were long enough.

    Examples
    --------
    >>> leave_last_out([[1, 2, 3], [4]])
    ([[1, 2]], array([3]), array([0]))
    """
    kept = [number for number, items in enumerate(sequences) if len(items) >= shortest]
    if not kept:
        raise UsageError("no sequence is long enough", f"{len(sequences)} sequences, {shortest} items are needed")
    histories = [list(sequences[number][:-1]) for number in kept]
    return histories, np.array([sequences[number][-1] for number in kept]), np.array(kept)


def next_item_scores(
    histories: Sequence[Sequence[int]], vectors: NDArray[Any], *, last: int = 10, decay: float = 0.8,
    repeat: bool = False,
) -> NDArray[np.float32]:  # fmt: skip
    """Score every item by its cosine with the fading mean of a user's last items.

    The user's vector is the mean of the unit vectors of the ``last`` items, the one before the latest counting
    ``decay`` of it, and so on: the training-free recommender of frozen item texts.

    Parameters
    ----------
    histories
        For each user item numbers, oldest first, at least one.
    vectors
        ``(items, d)``.
    last, decay
        How many items count, and how fast they fade (1: a plain mean).
    repeat
        Whether items of the history may come again; else they score -inf.

    Returns
    -------
    ``(users, items)`` float32

    Examples
    --------
    >>> vectors = np.array([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0]])
    >>> next_item_scores([[0]], vectors).argmax(1).tolist()
    [1]
    """
    if not 0 < decay <= 1 or last < 1:
        raise UsageError("no such profile", f"last={last}, decay={decay}", "last from 1, decay above 0 up to 1")
    vectors = np.asarray(vectors, np.float32)
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = vectors / np.where(norms > 0, norms, 1)
    profiles = np.zeros((len(histories), vectors.shape[1]), np.float32)
    for user, history in enumerate(histories):
        if not len(history):
            raise UsageError("a history is empty", f"user {user} has none", "leave the user out")
        recent = np.asarray(history[-last:])
        profiles[user] = decay ** np.arange(len(recent))[::-1] @ unit[recent]  # (t,) @ (t, d) -> (d,)
    scores = Similarity.COSINE(profiles, vectors)  # (users, d), (items, d) -> (users, items)
    if not repeat:
        for user, history in enumerate(histories):
            scores[user, np.asarray(history)] = -np.inf
    return scores


def in_order(users: Sequence[Item], items: Sequence[int], times: Sequence[float]) -> list[list[int]]:
    """Return each user's items by rising time (equal times by item), users in order of their first row.

    Examples
    --------
    >>> in_order(["u", "v", "u"], [5, 6, 7], [2, 0, 1])
    [[7, 5], [6]]
    """
    if not len(users) == len(items) == len(times):
        raise UsageError("users, items and times do not match", f"{len(users)}, {len(items)}, {len(times)} rows")
    rows: dict[Item, list[tuple[float, int]]] = {}
    for user, item, time in zip(users, items, times, strict=True):
        rows.setdefault(user, []).append((time, item))
    return [[item for _, item in sorted(events)] for events in rows.values()]
