"""tiny-mlm: a masked language model of three narrow layers, from scratch."""

from __future__ import annotations

from isogloss.nn.transformer import Transformer, TransformerConfig
from isogloss.protocols import Progress
from isogloss.training.base_models._admission import admit_masked
from isogloss.training.base_models._artifact import WINDOW, Pretrained, load_masked, masked_predictor
from isogloss.training.base_models._plan import BaseModel, Material
from isogloss.training.base_models._pretraining import pretrain_masked, seeded
from isogloss.training.base_models._text import DATA, VOCABULARY, learned
from isogloss.training.tokenizer_learning import word_pieces

STEPS, RATE = 2000, 1e-3


def build(material: Material, seed: int, progress: Progress) -> Pretrained:
    """Return the trained model of a seed."""
    texts = learned(material)
    tokenizer = word_pieces(texts)
    with seeded(seed):
        body = Transformer(
            TransformerConfig(
                vocabulary=VOCABULARY, width=128, layers=3, heads=2, inner=512, positions=WINDOW, dropout=0.0
            )
        )
        predictor = masked_predictor(body)
    pretrain_masked(
        predictor, tokenizer, texts, steps=STEPS, rate=RATE, window=WINDOW, seed=seed, progress=progress
    )  # fmt: skip
    return Pretrained(predictor, tokenizer)


ROW = BaseModel(
    name="tiny-mlm",
    what="Three layers of width 128 and a masked-language-model head, from scratch",
    data=DATA,
    build=build,
    admit=admit_masked,
    load=load_masked,
    score="bits per byte",
    claims=("hidden tokens cost at least 5 % fewer bits than by Kneser-Ney unigrams",),
)
