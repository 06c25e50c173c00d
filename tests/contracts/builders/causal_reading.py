"""Encoders that read a causal language model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from contract_parts import Made

ALPHABET = ["<s>", *(chr(code) for code in range(32, 127))]


def _reader(seed: int = 0, window: int = 96, **reading: Any) -> Any:
    import torch
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers

    from isogloss.nn.transformer import Transformer, TransformerConfig
    from isogloss.training.causal_encoder import CausalEncoder, Reading

    numbers = {token: number for number, token in enumerate([*ALPHABET, "[UNK]"])}
    tokenizer = Tokenizer(models.WordLevel(numbers, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        sizes = {"vocabulary": len(numbers), "width": 16, "layers": 2, "heads": 2, "inner": 32, "positions": 96}
        body = Transformer(TransformerConfig(**sizes, types=0, causal=True, norm_first=True, dropout=0.0))
    for weights in body.layers.parameters():
        if weights.ndim > 1:
            weights.data.mul_(10)  # a new model hardly attends to anything
    reading = {"pooling": "mean"} | reading
    return CausalEncoder(body.eval(), tokenizer, begin=0, reading=Reading(**reading), window=window)


def _made(folder: Path) -> Made:
    readings = ({"pooling": "weighted"}, {"layer": 1}, {"bidirectional": True}, {"prompts": ("Say {text} now",)})
    return Made(_reader(), _reader(), (_reader(seed=1), _reader(window=95), *(_reader(**one) for one in readings)))


encoders: dict[str, Callable[[Path], Made]] = {"training.causal_encoder.CausalEncoder": _made}
