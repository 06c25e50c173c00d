"""Encoders for texts that are longer than their model was trained for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from contract_parts import Made, _tiny_model

from isogloss.encoders.extended import extended
from isogloss.encoders.transformer import TransformerEncoder
from isogloss.encoders.windows import windowed

PLACES = np.arange(600) % 7


def _extended(folder: Path) -> Made:
    base = TransformerEncoder(_tiny_model(folder / "base"), threads=1)
    other = TransformerEncoder(_tiny_model(folder / "other", seed=3), threads=1)
    changes: list[tuple[Any, int]] = [("recurrent", 600), ("interpolated", 600), ("grouped", 601), (PLACES, 600)]
    others = tuple(extended(base, *one) for one in changes)
    plain = extended(base, "grouped", 512)  # nothing is to be extended
    again = extended(TransformerEncoder(folder / "base", threads=2), "grouped", 600)
    return Made(extended(base, "grouped", 600), again, (*others, plain, base, extended(other, "grouped", 600)))


def _windowed(folder: Path) -> Made:
    base = TransformerEncoder(_tiny_model(folder / "base"), threads=1, max_length=64)
    other = TransformerEncoder(_tiny_model(folder / "other", seed=3), threads=1, max_length=64)
    changes: list[dict[str, Any]] = [{"overlap": 9}, {"combine": "max"}, {"combine": "max", "overlap": 10}]
    others = tuple(windowed(base, **{"overlap": 8} | one) for one in changes)
    longer = TransformerEncoder(folder / "base", threads=2, max_length=65)
    again = windowed(TransformerEncoder(folder / "base", threads=2, max_length=64), overlap=8)
    return Made(
        windowed(base, overlap=8), again, (*others, base, windowed(longer, overlap=8), windowed(other, overlap=8))
    )


encoders: dict[str, Callable[[Path], Made]] = {
    "encoders.extended.ExtendedEncoder": _extended,
    "encoders.windows.WindowedEncoder": _windowed,
}
