"""tiny-moe: a masked language model whose tokens go through two of four experts in every layer, from scratch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from isogloss.nn.moe import MixtureTransformer, load_balance
from isogloss.nn.packing import pack
from isogloss.nn.transformer import TransformerConfig
from isogloss.objectives.contract import Batch, Losses, weighted_sum
from isogloss.objectives.masked import MaskedLanguageModelling
from isogloss.protocols import Progress
from isogloss.training.base_models._admission import CLEARLY, masked_bits
from isogloss.training.base_models._artifact import WINDOW, MaskedBase, Pretrained, load_masked, masked_predictor
from isogloss.training.base_models._plan import Admission, BaseModel, Material
from isogloss.training.base_models._pretraining import pretrain_masked, seeded
from isogloss.training.base_models._text import DATA, VOCABULARY, held_out, learned
from isogloss.training.tokenizer_learning import word_pieces

STEPS, RATE = 240, 4e-3
EXPERTS, TOP, BALANCE = 4, 2, 0.05


class BalancedMasking:
    """Masked language modelling plus a little for uneven experts, which the passes of the body leave behind.

    Parameters
    ----------
    body
        Whose experts are kept busy.
    """

    cacheable = False

    def __init__(self, body: MixtureTransformer) -> None:
        self.body = body

    def __call__(self, outputs: torch.Tensor, batch: Batch) -> Losses:
        """Return one value of the whole batch."""
        uneven = torch.stack([load_balance(one.routing, TOP) for one in self.body.mixtures])  # (layers,)
        parts = {"words": (1.0, MaskedLanguageModelling()(outputs, batch)), "balance": (BALANCE, Losses(uneven))}
        return weighted_sum(parts)


def build(material: Material, seed: int, progress: Progress) -> Pretrained:
    """Return the trained model of a seed."""
    texts = learned(material)
    tokenizer = word_pieces(texts)
    config = TransformerConfig(
        vocabulary=VOCABULARY, width=128, layers=2, heads=4, inner=256, positions=WINDOW, types=0, norm_first=True,
        buckets=32, dropout=0.0,
    )  # fmt: skip
    with seeded(seed):
        predictor = masked_predictor(_mixture(config))
    pretrain_masked(
        predictor, tokenizer, texts, steps=STEPS, rate=RATE, window=WINDOW, seed=seed, progress=progress,
        objective=BalancedMasking(predictor.body),  # type: ignore[arg-type]
    )  # fmt: skip
    return Pretrained(predictor, tokenizer)


def _mixture(config: TransformerConfig) -> MixtureTransformer:
    return MixtureTransformer(config, experts=EXPERTS, top=TOP)


def _body(sizes: Mapping[str, Any]) -> MixtureTransformer:
    return _mixture(TransformerConfig(**sizes))


def load(folder: Path) -> MaskedBase:
    """Load the model."""
    return load_masked(folder, _body)


def admit(model: MaskedBase, material: Material) -> Admission:
    """Demand fewer bits than by single tokens, and that every expert of every layer is used, none by all tokens."""
    measured = masked_bits(model, material)
    body: MixtureTransformer = model.predictor.body  # type: ignore[assignment]
    with torch.inference_mode():
        routed = body.routed(pack(model.tokenizer(held_out(material)[:40]).ids))  # (T, layers, experts)
    best = routed.topk(TOP, dim=2).indices  # (T, layers, top)
    shares = torch.stack([(best == expert).any(2).float().mean(0) for expert in range(EXPERTS)])  # (experts, layers)
    measured |= {"least used expert": float(shares.min()), "most used expert": float(shares.max())}
    demands = {
        "bits per byte at least 5 % below the unigram model's": measured["bits per byte"]
        < CLEARLY * measured["unigram"],
        "every expert takes at least 5 % of the tokens": measured["least used expert"] >= 0.05,
        "no expert takes all tokens": measured["most used expert"] < 0.98,
    }
    return Admission.of(measured, demands)


ROW = BaseModel(
    name="tiny-moe",
    what="Two layers of width 128 with two of four experts a token and a masked-language-model head, from scratch",
    data=DATA,
    build=build,
    admit=admit,
    load=load,
    score="bits per byte",
    claims=(
        "hidden tokens cost at least 5 % fewer bits than by Kneser-Ney unigrams",
        "in every layer each expert takes at least 5 % of the tokens, and none takes all",
    ),
)
