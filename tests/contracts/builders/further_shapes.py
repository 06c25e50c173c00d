"""Transformers of the further shapes: ELECTRA's with widened embeddings, ModernBERT's with rotary positions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from contract_parts import Made, _tiny_model, encoders

from isogloss.encoders.engines.architectures import _rotary_shapes, read_architecture
from isogloss.encoders.engines.shapes import read_shape
from isogloss.encoders.shaped_transformer import RotaryEncoder, ShapedEncoder

ELECTRA = {"model_type": "electra", "architectures": ["ElectraModel"], "embedding_size": 16, "type_vocab_size": 2}
MODERN = {
    "model_type": "modernbert", "architectures": ["ModernBertModel"], "local_attention": 8,
    "global_attn_every_n_layers": 2, "hidden_activation": "gelu", "norm_eps": 1e-5,
}  # fmt: skip


def _rewritten(folder: Path, kind: dict[str, Any], *, seed: int = 0, **settings: Any) -> Path:
    """Write the tiny BERT's folder with the sizes of another kind and random weights of its names."""
    from safetensors.numpy import save_file

    _tiny_model(folder, **settings)
    config = json.loads((folder / "config.json").read_text("utf-8")) | kind
    (folder / "config.json").write_text(json.dumps(config), "utf-8")
    arch = read_architecture(config) if kind is MODERN else None
    shapes = _rotary_shapes(arch, arch.rotary) if arch and arch.rotary else read_shape(config).tensors()
    rng = np.random.default_rng(seed)
    tensors = {name: 0.3 * rng.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}
    for name in tensors:
        if "norm" in name.lower() and name.endswith("weight"):
            tensors[name] += 1
    save_file(tensors, folder / "model.safetensors")
    return folder


def _made(kind: dict[str, Any], encoder: type[ShapedEncoder | RotaryEncoder], folder: Path) -> Made:
    from isogloss.encoders.model_folder import resolve_any

    def of(place: str, threads: int = 1, **settings: Any) -> Any:
        if not (folder / place).is_dir():
            _rewritten(folder / place, kind, **settings)
        return encoder.from_plan(resolve_any(folder / place), threads=threads)

    changes: list[dict[str, Any]] = [{"pooling": "cls"}, {"normalise": False}, {"seed": 3}, {"max_length": 16}]
    others = [of(str(number), **one) for number, one in enumerate(changes)]
    return Made(of("first"), of("first", threads=2), tuple(others))


encoders["encoders.shaped_transformer.ShapedEncoder"] = lambda folder: _made(ELECTRA, ShapedEncoder, folder)
encoders["encoders.shaped_transformer.RotaryEncoder"] = lambda folder: _made(MODERN, RotaryEncoder, folder)
