"""tiny-mlm: a masked language model of two narrow layers, from scratch; its heads begin at a token's neighbours."""

from __future__ import annotations

from isogloss.nn.transformer import Transformer, TransformerConfig
from isogloss.protocols import Progress
from isogloss.training.base_models._admission import admit_masked
from isogloss.training.base_models._artifact import WINDOW, Pretrained, load_masked, masked_predictor
from isogloss.training.base_models._plan import BaseModel, Material
from isogloss.training.base_models._pretraining import pretrain_masked, seeded
from isogloss.training.base_models._text import DATA, VOCABULARY, learned
from isogloss.training.tokenizer_learning import word_pieces

STEPS, RATE = 400, 4e-3


def build(material: Material, seed: int, progress: Progress) -> Pretrained:
    """Return the trained model of a seed."""
    texts = learned(material)
    tokenizer = word_pieces(texts)
    config = TransformerConfig(
        vocabulary=VOCABULARY, width=128, layers=2, heads=4, inner=512, positions=WINDOW, types=0, norm_first=True,
        buckets=32, dropout=0.0,
    )  # fmt: skip
    with seeded(seed):
        predictor = masked_predictor(Transformer(config))
    pretrain_masked(predictor, tokenizer, texts, steps=STEPS, rate=RATE, window=WINDOW, seed=seed, progress=progress)
    return Pretrained(predictor, tokenizer)


ROW = BaseModel(
    name="tiny-mlm",
    what="Two layers of width 128 with relative positions and a masked-language-model head, from scratch",
    data=DATA,
    build=build,
    admit=admit_masked,
    load=load_masked,
    score="bits per byte",
    claims=("hidden tokens cost at least 5 % fewer bits than by Kneser-Ney unigrams",),
)
