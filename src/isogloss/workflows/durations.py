"""Times as people write them."""

from __future__ import annotations

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}


def seconds_of(text: str) -> float:
    """Read a time such as ``90``, ``90s``, ``10m`` or ``1.5h`` as seconds.

    Raises
    ------
    ValueError
        Where it is none, or not above zero.

    Examples
    --------
    >>> seconds_of("90"), seconds_of("10m"), seconds_of("1.5h")
    (90.0, 600.0, 5400.0)
    """
    unit = text[-1:] if text[-1:] in _UNITS else ""
    seconds = float(text.removesuffix(unit)) * _UNITS.get(unit, 1.0)
    if not 0 < seconds < 1e7:
        raise ValueError(text)
    return seconds
