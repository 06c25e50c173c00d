"""Masked language models as encoders."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from contract_parts import LETTERS, Made

MARKS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
TOKENS = [*MARKS, *LETTERS, *(f"##{letter}" for letter in LETTERS)]


def masked(folder: Path, kind: str, seed: int = 0, window: int = 64) -> Any:
    """Write the tokenizer into the folder and return a tiny model of one of the classes."""
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    from isogloss.encoders.tokenizer_file import TokenizerFile
    from isogloss.nn.transformer import Transformer, TransformerConfig
    from isogloss.training.base_models._artifact import MaskedBase, masked_predictor
    from isogloss.training.masked_model import MaskedModel

    tokenizer = Tokenizer(models.WordPiece({token: i for i, token in enumerate(TOKENS)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    around = [("[CLS]", 2), ("[SEP]", 3)]
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=around)
    (folder / "tokenizer.json").write_text(tokenizer.to_str(), encoding="utf-8")
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        sizes = {"vocabulary": len(TOKENS), "width": 16, "layers": 2, "heads": 2, "inner": 32, "positions": 64}
        predictor = masked_predictor(Transformer(TransformerConfig(**sizes, dropout=0.0)))
    for weights in predictor.parameters():
        if weights.ndim > 1:
            weights.data.mul_(5)
    return {"MaskedModel": MaskedModel, "MaskedBase": MaskedBase}[kind](
        predictor, TokenizerFile(folder, max_length=window)
    )


def _maker(kind: str) -> Callable[[Path], Made]:
    def made(folder: Path) -> Made:
        others = masked(folder, kind, seed=1), masked(folder, kind, window=63)
        return Made(masked(folder, kind), masked(folder, kind), others)

    return made


encoders: dict[str, Callable[[Path], Made]] = {
    "training.masked_model.MaskedModel": _maker("MaskedModel"),
    "training.base_models._artifact.MaskedBase": _maker("MaskedBase"),
}
