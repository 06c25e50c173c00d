"""Token encoders and indexes over sets of vectors."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from contract_parts import IndexPart, Made, _tiny_model

from isogloss.arrays import Ragged
from isogloss.encoders.late_interaction import TokenVectorEncoder
from isogloss.encoders.transformer import TransformerEncoder
from isogloss.index.fixed_dimensional import FixedDimensionalEncoding
from isogloss.index.late_interaction import MaxSim
from isogloss.index.two_stage import TwoStage
from isogloss.transforms.projection import PCA


def _made(folder: Path) -> Made:
    base = TransformerEncoder(_tiny_model(folder / "base"), threads=1)
    other = TransformerEncoder(_tiny_model(folder / "other", seed=3), threads=1)
    vectors = np.random.default_rng(0).standard_normal((100, base.dimensions))
    settings: list[dict[str, Any]] = [
        {"layer": 0},
        {"normalised": False},
        {"special_tokens": True},
        {"transform": PCA(dimensions=8).fit(vectors)},
    ]
    others = [TokenVectorEncoder(base, **one) for one in settings]
    return Made(TokenVectorEncoder(base), TokenVectorEncoder(base), (*others, TokenVectorEncoder(other)))


def _sets(count: int, seed: int) -> Ragged:
    rng = np.random.default_rng(seed)
    # few distinct values, so that ties and duplicates occur
    sets = [rng.integers(-2, 3, (rng.integers(1, 5), 6)).astype(np.float32) for _ in range(count)]
    return Ragged.from_list(sets) if sets else Ragged(np.zeros((0, 6), np.float32), np.zeros(1, np.int64))


encoders: dict[str, Callable[[Path], Made]] = {"encoders.late_interaction.TokenVectorEncoder": _made}
indexes: dict[str, IndexPart] = {
    "index.late_interaction.MaxSim": IndexPart(MaxSim, _sets),
    "index.two_stage.TwoStage": IndexPart(lambda: TwoStage(FixedDimensionalEncoding(k_sim=2, repetitions=2)), _sets),
}
