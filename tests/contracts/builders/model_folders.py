"""Encoders that are read from folders of several modules: sparse, late-interaction, static with more, routed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from contract_parts import Made, _static, _tiny_model

from isogloss.arrays import Similarity
from isogloss.encoders.engine_encoder import EngineEncoder
from isogloss.encoders.learned_sparse import LearnedSparseEncoder, SparsePooling, WeightedTokensEncoder
from isogloss.encoders.model_plan import NormaliseStep
from isogloss.encoders.router import RoutedEncoder
from isogloss.encoders.static_chain import StaticChainEncoder
from isogloss.encoders.token_folder import LateInteractionEncoder
from isogloss.encoders.token_settings import Expansion, TokenSettings
from isogloss.encoders.tokenizer_file import TokenizerFile
from isogloss.encoders.transformer import TransformerEncoder


def _with_words(folder: Path, **settings: Any) -> TransformerEncoder:
    """Write the tiny BERT with a head over its words; some words are likely everywhere, most nowhere."""
    from safetensors.numpy import load_file, save_file

    folder = _tiny_model(folder, **settings)
    tensors, rng = load_file(folder / "model.safetensors"), np.random.default_rng(7)
    words = json.loads((folder / "config.json").read_text())["vocab_size"]
    head = "cls.predictions."
    tensors[head + "transform.dense.weight"] = rng.standard_normal((32, 32)).astype(np.float32)
    for name in ("transform.dense.bias", "transform.LayerNorm.bias"):
        tensors[head + name] = np.zeros(32, np.float32)
    tensors[head + "transform.LayerNorm.weight"] = np.ones(32, np.float32)
    tensors[head + "bias"] = np.full(words, -9, np.float32)
    save_file(tensors, folder / "model.safetensors")
    return TransformerEncoder(folder, threads=1)


def _sparse(folder: Path) -> Made:
    base = _with_words(folder / "base")
    others = [LearnedSparseEncoder(base, one) for one in (SparsePooling("sum"), SparsePooling("max", twice=True))]
    others.append(LearnedSparseEncoder(_with_words(folder / "other", seed=3), SparsePooling()))
    others.append(LearnedSparseEncoder(base, SparsePooling(), similarity=Similarity.COSINE))
    again = LearnedSparseEncoder(TransformerEncoder(folder / "base", threads=2), SparsePooling())
    return Made(LearnedSparseEncoder(base, SparsePooling()), again, tuple(others))


def _weighted(folder: Path) -> Made:
    tokenizer = TokenizerFile(_tiny_model(folder / "base"), max_length=64)
    weights = np.random.default_rng(0).random(tokenizer.tokenizer.get_vocab_size()).astype(np.float32)
    other = TokenizerFile(folder / "base", max_length=16)
    others = [WeightedTokensEncoder(tokenizer, weights * 2), WeightedTokensEncoder(other, weights)]
    others.append(WeightedTokensEncoder(tokenizer, weights, prompts={"query": "query: ", "document": "", "": ""}))
    others.append(WeightedTokensEncoder(tokenizer, weights, similarity=Similarity.COSINE))
    return Made(WeightedTokensEncoder(tokenizer, weights), WeightedTokensEncoder(tokenizer, weights), tuple(others))


def _tokens(folder: Path) -> Made:
    base = TransformerEncoder(_tiny_model(folder / "base"), threads=1)
    other = TransformerEncoder(_tiny_model(folder / "other", seed=3), threads=1)
    settings = [
        TokenSettings(expansion=Expansion(8, token="[UNK]")),
        TokenSettings(document_length=12),
        TokenSettings(skipped=(",", ".")),
    ]
    others = [LateInteractionEncoder(base, one) for one in settings]
    again = LateInteractionEncoder(TransformerEncoder(folder / "base", threads=2), TokenSettings())
    last = LateInteractionEncoder(other, TokenSettings())
    return Made(LateInteractionEncoder(base, TokenSettings()), again, (*others, last))


def _chain(folder: Path) -> Made:
    steps = (NormaliseStep(),)
    others = [StaticChainEncoder(_static(finish="mean")), StaticChainEncoder(_static(seed=1, finish="mean"), steps)]
    others.append(StaticChainEncoder(_static(finish="mean"), steps, prompts={"query": "heat "}))
    others.append(StaticChainEncoder(_static(finish="mean"), steps, similarity=Similarity.DOT))
    made, again = (StaticChainEncoder(_static(finish="mean"), steps) for _ in range(2))
    return Made(made, again, tuple(others))


def _routed(folder: Path) -> Made:
    query, document = _static(seed=1), _static()
    others = (
        RoutedEncoder(document, query, query),
        RoutedEncoder(query, document, query),
        RoutedEncoder(query, document),
    )
    return Made(RoutedEncoder(query, document, document), RoutedEncoder(_static(seed=1), _static(), _static()), others)


def _on_engine(folder: Path) -> Made:
    def made(place: Path) -> EngineEncoder:
        return EngineEncoder.of(TransformerEncoder(place, threads=1), "onnx", "fp32")

    base, other = _tiny_model(folder / "base"), _tiny_model(folder / "other", seed=3)
    return Made(made(base), made(base), (made(other),))


encoders: dict[str, Callable[[Path], Made]] = {
    "encoders.learned_sparse.LearnedSparseEncoder": _sparse,
    "encoders.learned_sparse.WeightedTokensEncoder": _weighted,
    "encoders.token_folder.LateInteractionEncoder": _tokens,
    "encoders.static_chain.StaticChainEncoder": _chain,
    "encoders.router.RoutedEncoder": _routed,
    "encoders.engine_encoder.EngineEncoder": _on_engine,
}
