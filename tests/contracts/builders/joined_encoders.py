"""Several encoders as one, likeness to concepts, and words by hashes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from contract_parts import Made, _static

from isogloss.encoders.concepts import ConceptEncoder
from isogloss.encoders.ensemble import joined
from isogloss.encoders.hashed_words import HashedWordEncoder

CONCEPTS = [
    "The heat of a slab flows.", "A wing in the wind of the heat.", "archives of paper", "Tea is steeped in the heat.",
    "eighty degrees they say", "a word", "a 🙂 in a slab",
]  # fmt: skip


def _fitted(join: Any, **settings: Any) -> Any:
    encoders = settings.pop("encoders", None) or [_static(), _static(seed=5)]
    drawn = np.random.default_rng(0)
    texts = ["".join(drawn.choice(list("abcdefgh "), 12)) for _ in range(60)]
    return joined(encoders, join, texts=texts, **{"dimensions": 12} | settings)


def _joined_made(join: Any, *changes: dict[str, Any]) -> Callable[[Path], Made]:
    def made(folder: Path) -> Made:
        others = [_fitted(join, **one) for one in changes]
        others.append(_fitted(join, encoders=[_static(), _static(seed=6)]))
        return Made(_fitted(join), _fitted(join), (*others, _fitted(join, weights=[1, 2])))

    return made


def _concepts_made(folder: Path) -> Made:
    changes: list[dict[str, Any]] = [{"most": 1}, {"prune": 0.9}, {"language": "en"}]
    others = (*(ConceptEncoder(CONCEPTS, **one) for one in changes), ConceptEncoder(CONCEPTS[:-1]))
    return Made(ConceptEncoder(CONCEPTS), ConceptEncoder(CONCEPTS), others)


def _hashed_made(folder: Path) -> Made:
    changes: list[dict[str, Any]] = [{"seed": 1}, {"hashes": 2}, {"width": 9}, {"rows": {"norm": 50, "prefix": 50}}]
    first = {"rows": {"norm": 50, "suffix": 50}, "width": 8}
    others = tuple(HashedWordEncoder.random(**first | one) for one in changes)
    return Made(HashedWordEncoder.random(**first), HashedWordEncoder.random(**first), others)


encoders: dict[str, Callable[[Path], Made]] = {
    "encoders.ensemble.EnsembleEncoder": _joined_made("concat"),
    "encoders.ensemble.EnsembleEncoder average": _joined_made("average"),
    "encoders.ensemble.EnsembleEncoder svd": _joined_made("svd", {"dimensions": 11}),
    "encoders.ensemble.EnsembleEncoder gcca": _joined_made("gcca", {"dimensions": 11}, {"ridge": 1.0}),
    "encoders.concepts.ConceptEncoder": _concepts_made,
    "encoders.hashed_words.HashedWordEncoder": _hashed_made,
}
