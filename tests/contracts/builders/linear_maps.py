"""Linear transforms of vectors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from isogloss.transforms.centering import Centering
from isogloss.transforms.projection import TopComponentsRemoval
from isogloss.transforms.rotation import Rotation
from isogloss.transforms.whitening import Whitening

transforms: dict[str, Callable[[], Any]] = {
    "transforms.centering.Centering": Centering,
    "transforms.projection.TopComponentsRemoval": TopComponentsRemoval,
    "transforms.rotation.Rotation": Rotation,
    "transforms.whitening.Whitening": Whitening,
    "transforms.whitening.Whitening zca": lambda: Whitening(kind="zca"),
    "transforms.whitening.Whitening shrunk": lambda: Whitening(shrinkage=0.1),
}
