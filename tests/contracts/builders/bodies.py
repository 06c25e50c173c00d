"""Encoders over bodies that are pre-trained here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from contract_parts import TOKENS, Made

from isogloss.vocabulary.wordpiece import WordPiece


def _body(seed: int = 0, tokens: int = len(TOKENS), **settings: Any) -> Any:
    import torch

    from isogloss.nn.transformer import Transformer, TransformerConfig
    from isogloss.training.body_encoder import BodyEncoder

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        config = TransformerConfig(vocabulary=tokens, width=16, layers=2, heads=2, inner=32, positions=64)
        body = Transformer(config)
    for weights in body.parameters():
        if weights.ndim > 1:
            weights.data.mul_(5)
    return BodyEncoder(body, WordPiece(TOKENS[:tokens]), **{"before": [1], "after": [2], "window": 64} | settings)


def _made(folder: Path) -> Made:
    others = _body(seed=1), _body(tokens=len(TOKENS) - 1), _body(window=63), _body(after=[]), _body(pooling=["max"])
    return Made(_body(), _body(), others)


encoders: dict[str, Callable[[Path], Made]] = {"training.body_encoder.BodyEncoder": _made}
