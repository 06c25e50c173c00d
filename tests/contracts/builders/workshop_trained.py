"""Encoders made of torch modules."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from contract_parts import Made, _tiny_model

from isogloss.training.models import keep_layers, load_trainable
from isogloss.training.trained_encoder import TrainedEncoder


def _trained_made(folder: Path) -> Made:
    first = _tiny_model(folder / "first", prompts={"query": "query: ", "document": ""})
    changes: list[dict[str, Any]] = [{"pooling": "cls"}, {"normalise": False}, {"seed": 3}, {"dense": True}]
    others = [TrainedEncoder.of(load_trainable(_tiny_model(folder / str(i), **one))) for i, one in enumerate(changes)]
    shorter = TrainedEncoder.of(load_trainable(first, max_length=16))
    shallow = TrainedEncoder.of(keep_layers(load_trainable(first), [0]))
    one, again = (TrainedEncoder.of(load_trainable(first)) for _ in range(2))
    return Made(one, again, (*others, shorter, shallow))


encoders: dict[str, Callable[[Path], Made]] = {"training.trained_encoder.TrainedEncoder": _trained_made}
