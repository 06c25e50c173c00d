"""tiny-moe: a causal language model whose tokens go through two of eight experts in every layer, from scratch."""

from __future__ import annotations

from pathlib import Path

import torch

from isogloss.nn.moe import MixtureTransformer
from isogloss.nn.packing import pack
from isogloss.nn.transformer import TransformerConfig
from isogloss.protocols import Progress
from isogloss.training.base_models._admission import FAR, causal_bits, future_seen
from isogloss.training.base_models._artifact import (
    WINDOW,
    CausalBase,
    Pretrained,
    causal_predictor,
    load_causal_body,
)
from isogloss.training.base_models._plan import Admission, BaseModel, Material
from isogloss.training.base_models._pretraining import pretrain_balanced, seeded
from isogloss.training.base_models._text import DATA, VOCABULARY, held_out, learned
from isogloss.training.corpus_tokens import token_ids
from isogloss.training.tokenizer_learning import byte_pairs

STEPS, RATE = 450, 4e-3
EXPERTS, TOP, BALANCE = 8, 2, 0.05
LEAST, MOST = 0.05, 0.9
"""Shares of the tokens that an expert must take and must not exceed; evenly spread, each of eight takes a quarter."""
_ROUTED, _ROUNDING = 40, 1e-4


def build(material: Material, seed: int, progress: Progress) -> Pretrained:
    """Return the trained model of a seed."""
    texts = learned(material)
    tokenizer = byte_pairs(texts)
    config = TransformerConfig(
        vocabulary=VOCABULARY, width=128, layers=4, heads=2, inner=192, positions=WINDOW, types=0, causal=True,
        norm_first=True, dropout=0.0,
    )  # fmt: skip
    with seeded(seed):
        predictor = causal_predictor(_mixture(config))
    pretrain_balanced(
        predictor, tokenizer, texts, top=TOP, balance=BALANCE, steps=STEPS, rate=RATE, window=WINDOW, seed=seed,
        progress=progress,
    )  # fmt: skip
    return Pretrained(predictor, tokenizer)


def _mixture(config: TransformerConfig) -> MixtureTransformer:
    return MixtureTransformer(config, experts=EXPERTS, top=TOP)


def load(folder: Path) -> CausalBase:
    """Load the model."""
    return load_causal_body(folder, _mixture)


def admit(model: CausalBase, material: Material) -> Admission:
    """Demand what is demanded of ``tiny-lm``, and that every expert of every layer is used, none by all tokens."""
    measured = causal_bits(model, material)
    shares, (before, own) = expert_shares(model, held_out(material)[:_ROUTED]), future_seen(model)
    measured |= {"least used expert": float(shares.min()), "most used expert": float(shares.max())}
    demands = {
        "bits per byte at least 15 % below the unigram model's": measured["bits per byte"] < FAR * measured["unigram"],
        "states do not change with later tokens": before < _ROUNDING < own,
        "every expert takes at least 5 % of the tokens": measured["least used expert"] >= LEAST,
        "no expert takes 90 % of the tokens": measured["most used expert"] < MOST,
    }
    return Admission.of(measured, demands)


def expert_shares(model: CausalBase, texts: list[str]) -> torch.Tensor:
    """Return which share of the tokens of texts takes each expert, ``(layers, experts)``; rows sum to ``TOP``."""
    body: MixtureTransformer = model.predictor.body  # type: ignore[assignment]
    rows = list(token_ids(texts, model.tokenizer))
    with torch.inference_mode():
        routed = body.routed(pack([row[:WINDOW] for row in rows]))  # (T, layers, experts)
    best = routed.topk(TOP, dim=2).indices  # (T, layers, top)
    return torch.nn.functional.one_hot(best, EXPERTS).sum(2).float().mean(0)  # (layers, experts)


ROW = BaseModel(
    name="tiny-moe",
    what="Four causal layers of width 128 over byte pairs with two of eight experts a token, from scratch",
    data=DATA,
    build=build,
    admit=admit,
    load=load,
    score="bits per byte",
    claims=(
        "held-out text costs at least 15 % fewer bits than by Kneser-Ney unigrams of the same tokens and text",
        "a changed token leaves the states before it as they were, and changes its own",
        "in every layer each expert takes at least 5 % of the tokens, and none takes 90 %",
    ),
)
