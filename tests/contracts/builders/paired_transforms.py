"""Transforms that learn from two sets of vectors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from isogloss.transforms.alignment import Procrustes, RidgeAlignment
from isogloss.transforms.canonical_correlation import CanonicalCorrelation
from isogloss.transforms.rcsls import RCSLS
from isogloss.transforms.vecmap import VecMap

transforms: dict[str, Callable[[], Any]] = {
    "transforms.alignment.Procrustes": Procrustes,
    "transforms.alignment.Procrustes prepared": lambda: Procrustes(normalise=True, centre=True, scale=True),
    "transforms.alignment.RidgeAlignment": lambda: RidgeAlignment(ridge=0.1),
    "transforms.canonical_correlation.CanonicalCorrelation": CanonicalCorrelation,
    "transforms.rcsls.RCSLS": lambda: RCSLS(neighbours=3, steps=2),
    "transforms.vecmap.VecMap": lambda: VecMap(neighbours=3, interval=2),
}
