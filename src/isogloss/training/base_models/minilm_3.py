"""minilm-3: the first three layers of MiniLM, pre-trained but poor as a sentence encoder."""

from __future__ import annotations

from isogloss.training.base_models._minilm import row

DATA = ("wikitext2", "wiki-passages", "sts-b")

ROW = row(
    "minilm-3",
    layers=3,
    steps=80,
    rate=5e-4,
    what="The first three layers of MiniLM with a masked-language-model head, shortly trained on plain text",
    data=DATA,
)
