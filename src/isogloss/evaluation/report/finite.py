"""Plain data that JSON can say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def finite(value: Any) -> Any:
    """Return a value as plain JSON data: numbers of NumPy as Python's, NaN and infinities as null.

    Examples
    --------
    >>> finite({"a": (1, float("nan"))})
    {'a': [1, None]}
    """
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, float):
        return value if value == value and abs(value) != float("inf") else None
    if isinstance(value, Mapping):
        return {str(key): finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [finite(item) for item in value]
    return value if value is None or isinstance(value, (str, int, bool)) else str(value)
