"""Base models out of MiniLM: its layers, or the first of them, as a masked language model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from isogloss.protocols import Progress
from isogloss.training.base_models._admission import CLEARLY, masked_bits, similarity_score
from isogloss.training.base_models._artifact import WINDOW, MaskedBase, Pretrained, load_masked, masked_predictor
from isogloss.training.base_models._plan import Admission, BaseModel, Material
from isogloss.training.base_models._pretraining import pretrain_masked, seeded
from isogloss.training.base_models._text import learned
from isogloss.training.models import keep_layers, load_trainable

READ = 1500
"""Passages that are read; MiniLM's own tokens are kept, because its table is half of what it knows."""
POOR = 0.65
"""Highest score on STS-B (dev) of a poor sentence encoder."""


def row(name: str, *, layers: int, steps: int, rate: float, what: str, data: Sequence[str]) -> BaseModel:
    """Return a row: the first ``layers`` of MiniLM with a new head, trained on hidden words of plain text."""

    def build(material: Material, seed: int, progress: Progress) -> Pretrained:
        return relearned(material, layers=layers, steps=steps, rate=rate, seed=seed, progress=progress)

    claims = (
        "hidden tokens cost at least 5 % fewer bits than by Kneser-Ney unigrams",
        f"STS-B (dev) at most {POOR:g}: a poor sentence encoder",
    )
    return BaseModel(
        name=name, what=what, data=data, build=build, admit=admit_poor, load=load_masked, score="sts-b", claims=claims
    )


def relearned(material: Material, *, layers: int, steps: int, rate: float, seed: int, progress: Progress) -> Pretrained:
    """Return the first ``layers`` of MiniLM with a new head, trained on hidden words of plain text."""
    trainable = keep_layers(load_trainable("minilm"), range(layers))
    body = trainable.model.transformer
    body.config = replace(body.config, dropout=0.0)
    body.embeddings.word.requires_grad_(False)  # half of the weights, the best trained of them, and the head's table
    tokenizer = trainable.tokenizer.tokenizer
    with seeded(seed):
        predictor = masked_predictor(body)
    pretrain_masked(
        predictor, tokenizer, learned(material)[::5][:READ], steps=steps, rate=rate, window=WINDOW, seed=seed,
        progress=progress,
    )  # fmt: skip
    return Pretrained(predictor, tokenizer)


def admit_poor(model: MaskedBase, material: Material) -> Admission:
    """Demand fewer bits than by single tokens, and at most a score on STS-B."""
    measured = masked_bits(model, material)
    measured["sts-b"] = similarity_score(model, material)
    demands = {
        "bits per byte at least 5 % below the unigram model's": measured["bits per byte"]
        < CLEARLY * measured["unigram"],
        f"STS-B at most {POOR:g}": measured["sts-b"] <= POOR,
    }
    return Admission.of(measured, demands)
