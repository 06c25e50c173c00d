"""Codes given back to the transform that made them: whole numbers of its range and width, in the type they came in."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def checked_codes(X: Any, width: int, lowest: int, highest: int) -> NDArray[Any]:
    """Return codes ``(n, width)`` as integers; those of an integer type come back as they are, uncopied.

    Parameters
    ----------
    X
        ``(n, width)``, integers or floats that are whole.
    width
        Columns there must be.
    lowest, highest
        Smallest and largest code.

    Raises
    ------
    ValueError
        Where a code is none of theirs; the message says what was found.

    Examples
    --------
    >>> checked_codes([[0.0, 255.0]], 2, 0, 255).tolist()
    [[0, 255]]
    """
    codes = np.asarray(X)
    if codes.ndim != 2 or codes.shape[1] != width or not len(codes):
        raise ValueError(f"codes of shape {codes.shape} must be (n, {width}), as transform gave them")
    if codes.dtype.kind not in "iuf":
        raise ValueError(f"codes of type {codes.dtype} are no whole numbers")
    least, most = codes.min(), codes.max()
    if not (lowest <= least and most <= highest):  # NaN fails as well
        raise ValueError(f"codes must lie in {lowest}..{highest}, but they reach from {least} to {most}")
    if codes.dtype.kind != "f":
        return codes
    whole = codes.astype(np.int64)
    if (whole != codes).any():
        raise ValueError(f"{int((whole != codes).sum())} of {codes.size} codes are no whole numbers")
    return whole
