"""Encoders over the inner layers and attention heads of a model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from contract_parts import Made, _tiny_model

from isogloss.encoders.diagonal_attention import DiagonalAttentionEncoder
from isogloss.encoders.layers import LayerEncoder
from isogloss.encoders.transformer import TransformerEncoder


def _varied(kind: Any, folder: Path, first: dict[str, Any], changes: list[dict[str, Any]]) -> Made:
    base = TransformerEncoder(_tiny_model(folder / "base"), threads=1)
    other = TransformerEncoder(_tiny_model(folder / "other", seed=3), threads=1)
    others = tuple(kind(base, **first | change) for change in changes)
    return Made(kind(base, **first), kind(base, **first), (*others, kind(other, **first)))


def _layers_made(folder: Path) -> Made:
    changes: list[dict[str, Any]] = [{"layers": (0,)}, {"pooling": "max"}, {"combine": "concat"}]
    return _varied(LayerEncoder, folder, {"layers": (1, -1)}, [*changes, {"special_tokens": False}])


def _diagonal_made(folder: Path) -> Made:
    changes: list[dict[str, Any]] = [{"head": 1}, {"states": (1,)}, {"weights": "permuted"}, {"weights": "uniform"}]
    return _varied(DiagonalAttentionEncoder, folder, {"layer": 0, "head": 0}, changes)


encoders: dict[str, Callable[[Path], Made]] = {
    "encoders.layers.LayerEncoder": _layers_made,
    "encoders.diagonal_attention.DiagonalAttentionEncoder": _diagonal_made,
}
