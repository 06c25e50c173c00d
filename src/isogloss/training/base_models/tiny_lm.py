"""tiny-lm: a causal language model of two narrow layers, from scratch; no byte of a text is lost to its tokens."""

from __future__ import annotations

from isogloss.nn.transformer import Transformer, TransformerConfig
from isogloss.protocols import Progress
from isogloss.training.base_models._admission import admit_causal
from isogloss.training.base_models._artifact import WINDOW, Pretrained, causal_predictor, load_causal
from isogloss.training.base_models._plan import BaseModel, Material
from isogloss.training.base_models._pretraining import pretrain_causal, seeded
from isogloss.training.base_models._text import DATA, VOCABULARY, learned
from isogloss.training.tokenizer_learning import byte_pairs

STEPS, RATE = 600, 4e-3


def build(material: Material, seed: int, progress: Progress) -> Pretrained:
    """Return the trained model of a seed."""
    texts = learned(material)
    tokenizer = byte_pairs(texts)
    config = TransformerConfig(
        vocabulary=VOCABULARY, width=128, layers=2, heads=2, inner=512, positions=WINDOW, types=0, causal=True,
        norm_first=True, dropout=0.0,
    )  # fmt: skip
    with seeded(seed):
        predictor = causal_predictor(Transformer(config))
    pretrain_causal(predictor, tokenizer, texts, steps=STEPS, rate=RATE, window=WINDOW, seed=seed, progress=progress)
    return Pretrained(predictor, tokenizer)


ROW = BaseModel(
    name="tiny-lm",
    what="Two causal layers of width 128 over byte pairs, from scratch",
    data=DATA,
    build=build,
    admit=admit_causal,
    load=load_causal,
    score="bits per byte",
    claims=(
        "held-out text costs at least 15 % fewer bits than by Kneser-Ney unigrams of the same tokens and text",
        "a changed token leaves the states before it as they were, and changes its own",
    ),
)
