"""minilm-mlm: MiniLM as a plain language model again: hidden words of plain text undo its sentence training."""

from __future__ import annotations

from isogloss.training.base_models._minilm import row

DATA = ("wikitext2", "wiki-passages", "sts-b")

ROW = row(
    "minilm-mlm",
    layers=6,
    steps=120,
    rate=1e-3,  # at half of it STS-B stays above .7: large moves are what undoes the sentence training
    what="MiniLM after masked-language-model training on plain text, with the head",
    data=DATA,
)
