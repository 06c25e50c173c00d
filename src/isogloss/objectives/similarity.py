"""Similarities and distances of vectors whose values and gradients stay finite: for zero, equal and huge vectors."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from isogloss.errors import UsageError

Kind = Literal["cosine", "dot"]
Distance = Literal["cosine", "euclidean", "manhattan"]


def full(vectors: Tensor) -> Tensor:
    """Return half-precision numbers as float32: a cosine in bfloat16 has two digits, a logit at t = .05 not one.

    Examples
    --------
    >>> full(torch.ones(1, dtype=torch.bfloat16)).dtype, full(torch.ones(1, dtype=torch.float64)).dtype
    (torch.float32, torch.float64)
    """
    return vectors.float() if vectors.dtype in (torch.bfloat16, torch.float16) else vectors


def unit(vectors: Tensor) -> Tensor:
    """Return ``(..., d)`` vectors at length 1; a zero vector stays zero and passes a finite gradient on.

    Half precision becomes float32 here and in all functions of this module.

    Examples
    --------
    >>> unit(torch.tensor([[3.0, 4.0], [0.0, 0.0], [1e30, 0.0]])).tolist()
    [[0.6..., 0.8...], [0.0, 0.0], [1.0, 0.0]]
    """
    vectors = full(vectors)
    largest = vectors.detach().abs().amax(-1, keepdim=True)  # (..., 1)
    scaled = vectors / torch.where(largest > 0, largest, torch.ones_like(largest))  # squares cannot overflow now
    squares = scaled.square().sum(-1, keepdim=True)  # (..., 1)
    length = torch.where(squares > 0, squares, torch.ones_like(squares)).sqrt()
    return scaled / length


def matrix(left: Tensor, right: Tensor, kind: Kind = "cosine") -> Tensor:
    """Return the similarities of all pairs: ``(n, d)`` and ``(m, d)`` to ``(n, m)``.

    Examples
    --------
    >>> matrix(torch.tensor([[2.0, 0.0]]), torch.tensor([[1.0, 0.0], [0.0, 3.0]])).tolist()
    [[1.0, 0.0]]
    """
    return unit(left) @ unit(right).T if kind == "cosine" else full(left) @ full(right).T  # (n, m)


def rowwise(left: Tensor, right: Tensor, kind: Kind = "cosine") -> Tensor:
    """Return the similarities of the pairs in the same row: ``(..., d)`` twice to ``(...)``."""
    return (unit(left) * unit(right)).sum(-1) if kind == "cosine" else (full(left) * full(right)).sum(-1)  # (...)


def root(squares: Tensor) -> Tensor:
    """Return square roots whose gradient at 0 is 0 instead of infinite."""
    positive = squares > 0
    return torch.where(positive, torch.where(positive, squares, torch.ones_like(squares)).sqrt(), squares * 0)


def distances(left: Tensor, right: Tensor, *, squared: bool = False) -> Tensor:
    """Return the Euclidean distances of all pairs: ``(n, d)`` and ``(m, d)`` to ``(n, m)``.

    Examples
    --------
    >>> distances(torch.tensor([[0.0, 0.0]]), torch.tensor([[3.0, 4.0], [0.0, 0.0]])).tolist()
    [[5.0, 0.0]]
    """
    left, right = full(left), full(right)
    lengths = left.square().sum(-1)[:, None] + right.square().sum(-1)[None, :]  # (n, m)
    squares = (lengths - 2 * left @ right.T).clamp_min(0)  # rounding can make it negative
    return squares if squared else root(squares)


def apart(left: Tensor, right: Tensor, kind: Distance = "cosine") -> Tensor:
    """Return the distances of the pairs in the same row, ``(n, d)`` twice to ``(n,)``; ``cosine`` is 1 less the cosine.

    Examples
    --------
    >>> pair = torch.tensor([[3.0, 4.0]]), torch.tensor([[0.0, 0.0]])
    >>> [float(apart(*pair, kind)) for kind in ("cosine", "euclidean", "manhattan")]
    [1.0, 5.0, 7.0]
    """
    if kind == "cosine":
        return 1 - rowwise(left, right)  # (n,)
    difference = full(left) - full(right)  # (n, d)
    return difference.abs().sum(-1) if kind == "manhattan" else root(difference.square().sum(-1))  # (n,)


def all_apart(left: Tensor, right: Tensor, kind: Distance = "cosine") -> Tensor:
    """Return the distances of all pairs, ``(n, d)`` and ``(m, d)`` to ``(n, m)``."""
    if kind == "cosine":
        return 1 - matrix(left, right)  # (n, m)
    return torch.cdist(full(left), full(right), p=1) if kind == "manhattan" else distances(left, right)  # (n, m)


def same(numbers: Tensor, others: Tensor) -> Tensor:
    """Return where ``(n,)`` and ``(m,)`` numbers are equal, ``(n, m)``."""
    return numbers[:, None] == others[None, :]


def need_columns(outputs: tuple[Tensor, ...], least: int, what: str) -> tuple[Tensor, ...]:
    """Return columns of vectors in full precision, or raise where they are too few or of unlike lengths.

    Raises
    ------
    UsageError
        With the counts that were found.
    """
    rows = [len(column) for column in outputs]
    if len(outputs) < least:
        raise UsageError(
            f"{what} needs at least {least} columns of vectors", f"there are {len(outputs)}",
            "give it data with that many columns",
        )  # fmt: skip
    if len(set(rows)) > 1:
        raise UsageError(f"{what} needs columns of one length", f"they have {rows} rows")
    return tuple(full(column) for column in outputs)


def need_labels(labels: Tensor | None, rows: int, what: str) -> Tensor:
    """Return the labels, or raise where there are none, too few, or ones that are not numbers.

    Raises
    ------
    UsageError
        With the counts that were found.
    """
    if labels is None:
        raise UsageError(f"{what} needs labels", "the batch has none", "name the column that holds the labels")
    if len(labels) != rows:
        raise UsageError(f"{what} needs a label for each item", f"{len(labels)} labels, {rows} items")
    if labels.is_floating_point() and not bool(labels.isfinite().all()):
        missing = int((~labels.isfinite()).sum())
        raise UsageError(f"{what} needs finite labels", f"{missing} of {labels.numel()} are NaN or infinite")
    return labels


def need_classes(labels: Tensor | None, rows: int, what: str) -> Tensor:
    """Return the labels as ``(rows,)`` int64 classes, or raise where they are no whole numbers.

    Raises
    ------
    UsageError
        With the counts that were found.
    """
    given = need_labels(labels, rows, what).reshape(rows, -1)
    if given.shape[1] != 1:
        raise UsageError(f"{what} needs one class for each item", f"the labels have {given.shape[1]} columns")
    whole = given[:, 0].long()
    if not bool((whole == given[:, 0]).all()):
        odd = int((whole != given[:, 0]).sum())
        raise UsageError(f"{what} needs whole numbers as classes", f"{odd} of {rows} labels are none")
    return whole


def weighted(weights: Tensor | None, rows: int, like: Tensor) -> Tensor:
    """Return the items' weights ``(rows,)``, ones where there are none."""
    return torch.ones(rows, dtype=like.dtype, device=like.device) if weights is None else weights.to(like.dtype)
