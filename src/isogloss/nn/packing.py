"""Tokens of several texts, one after another without padding: what every model of the workshop takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Packed:
    """Token ids of ``n`` texts laid end to end.

    Attributes
    ----------
    ids
        ``(T,)`` int64.
    offsets
        ``(n + 1,)`` int64 on the CPU: text ``i`` has the tokens ``offsets[i]`` to ``offsets[i + 1]``.
    types
        ``(T,)`` int64 token types (0 for the first text of a pair, 1 for the second), or None: all 0.

    Examples
    --------
    >>> packed = pack([np.array([7, 8]), np.array([9])])
    >>> packed.ids.tolist(), packed.lengths.tolist(), packed.positions().tolist(), packed.texts().tolist()
    ([7, 8, 9], [2, 1], [0, 1, 0], [0, 0, 1])
    """

    ids: Tensor
    offsets: Tensor
    types: Tensor | None = None

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> Tensor:
        """Tokens of each text, ``(n,)``."""
        return self.offsets.diff()

    def positions(self) -> Tensor:
        """Return the place of each token in its own text, ``(T,)``, on the ids' device."""
        starts = torch.repeat_interleave(self.offsets[:-1], self.lengths)  # (T,)
        return (torch.arange(len(self.ids)) - starts).to(self.ids.device)

    def texts(self) -> Tensor:
        """Return the number of the text that each token belongs to, ``(T,)``, on the ids' device."""
        return torch.repeat_interleave(torch.arange(len(self)), self.lengths).to(self.ids.device)

    def take(self, start: int, stop: int) -> Packed:
        """Return the texts ``start`` to ``stop`` (without copying tokens)."""
        first, last = int(self.offsets[start]), int(self.offsets[stop])
        types = None if self.types is None else self.types[first:last]
        return Packed(self.ids[first:last], self.offsets[start : stop + 1] - first, types)

    def to(self, device: torch.device | str) -> Packed:
        """Return the same tokens on another device."""
        types = None if self.types is None else self.types.to(device, non_blocking=True)
        return Packed(self.ids.to(device, non_blocking=True), self.offsets, types)


def pack(ids: Sequence[NDArray[np.int64]], types: Sequence[NDArray[np.int64]] | None = None) -> Packed:
    """Lay token ids of several texts end to end.

    Parameters
    ----------
    ids
        One ``(length,)`` array a text.
    types
        Token types in the same shapes, or None.
    """
    offsets = np.zeros(len(ids) + 1, np.int64)
    np.cumsum([len(one) for one in ids], out=offsets[1:])
    flat = np.concatenate(ids) if len(ids) else np.zeros(0, np.int64)
    flat_types = None if types is None else torch.from_numpy(np.concatenate(types).astype(np.int64))
    return Packed(torch.from_numpy(flat.astype(np.int64)), torch.from_numpy(offsets), flat_types)


def join(parts: Sequence[Packed]) -> Packed:
    """Lay the texts of several packs end to end, in order.

    Examples
    --------
    >>> one, two = pack([np.array([7, 8])]), pack([np.array([9]), np.array([5, 6])])
    >>> join([one, two]).offsets.tolist()
    [0, 2, 3, 5]
    """
    offsets = torch.cat([torch.zeros(1, dtype=torch.int64), torch.cat([part.lengths for part in parts]).cumsum(0)])
    types = [torch.zeros_like(part.ids) if part.types is None else part.types for part in parts]
    some = any(part.types is not None for part in parts)
    return Packed(torch.cat([part.ids for part in parts]), offsets, torch.cat(types) if some else None)
