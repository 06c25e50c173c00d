"""Tiny models of every shape, with random weights, and a tiny folder to fine-tune."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


def _writer() -> Any:
    path = Path(__file__).parents[2] / "encoders" / "conftest.py"
    spec = importlib.util.spec_from_file_location("tiny_models_of_encoders", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.write_tiny_model


@pytest.fixture
def tiny_folder(tmp_path: Path) -> Callable[..., Path]:
    """Write a tiny BERT: ``tiny_folder("name", pooling="cls", ...)``; options as of the encoders' tests."""
    write = _writer()
    return lambda name="tiny", **options: write(tmp_path / name, **options)


SHAPES = {
    "bert": ("BertConfig", "BertModel", {"num_hidden_layers": 2, "hidden_size": 32, "num_attention_heads": 4}),
    "roberta": (
        "RobertaConfig", "RobertaModel",
        {"num_hidden_layers": 2, "hidden_size": 32, "num_attention_heads": 4, "pad_token_id": 0},
    ),
    "mpnet": (  # transformers takes 1 for its padding whatever the config says
        "MPNetConfig", "MPNetModel",
        {"num_hidden_layers": 2, "hidden_size": 32, "num_attention_heads": 4, "pad_token_id": 1},
    ),
    "distilbert": ("DistilBertConfig", "DistilBertModel", {"n_layers": 2, "dim": 32, "n_heads": 4, "hidden_dim": 64}),
}  # fmt: skip


@pytest.fixture
def shaped_folder(tiny_folder: Callable[..., Path]) -> Callable[[str], Path]:
    """Write a tiny model of a shape of transformers: ``shaped_folder("mpnet")``."""

    def write(kind: str) -> Path:
        import torch
        import transformers

        folder = tiny_folder(kind)
        words = json.loads((folder / "config.json").read_text())["vocab_size"]
        config_name, model_name, sizes = SHAPES[kind]
        rest = {} if kind == "distilbert" else {"intermediate_size": 64}
        config = getattr(transformers, config_name)(
            vocab_size=words, max_position_embeddings=300, hidden_act="gelu", **sizes, **rest
        )
        torch.manual_seed(1)
        model = getattr(transformers, model_name)(config)
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, std=0.3)
        (folder / "model.safetensors").unlink()
        model.save_pretrained(folder)
        special = {f"{name}_token": f"[{name.upper()}]" for name in ("pad", "unk", "cls", "sep")}
        rest = {"model_max_length": 256, "tokenizer_class": "PreTrainedTokenizerFast"}
        (folder / "tokenizer_config.json").write_text(json.dumps(special | rest))
        return folder

    return write
