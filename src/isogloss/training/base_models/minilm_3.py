"""minilm-3: the first three layers of MiniLM, pre-trained but poor as a sentence encoder."""

from __future__ import annotations

from isogloss.protocols import Progress
from isogloss.training.base_models._artifact import MaskedBase, Pretrained, load_masked
from isogloss.training.base_models._minilm import admit_worse, relearned
from isogloss.training.base_models._plan import Admission, BaseModel, Material

DATA = ("wikitext2", "wiki-passages", "sts-b")
STEPS, RATE = 80, 5e-4


def build(material: Material, seed: int, progress: Progress) -> Pretrained:
    """Return the trained model of a seed."""
    return relearned(material, layers=3, steps=STEPS, rate=RATE, seed=seed, progress=progress)


def admit(model: MaskedBase, material: Material) -> Admission:
    """Demand a language model that is a poor sentence encoder."""
    return admit_worse(model, material, most=0.65)


ROW = BaseModel(
    name="minilm-3",
    what="The first three layers of MiniLM with a masked-language-model head, shortly trained on plain text",
    data=DATA,
    build=build,
    admit=admit,
    load=load_masked,
    score="sts-b",
    claims=(
        "hidden tokens cost at least 5 % fewer bits than by Kneser-Ney unigrams",
        "STS-B (dev) at most .65: poor as a sentence encoder",
    ),
)
