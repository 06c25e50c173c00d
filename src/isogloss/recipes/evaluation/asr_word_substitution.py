"""Investigating the Effects of Word Substitution Errors on Sentence Embeddings (Voleti et al., 2018).

Words are replaced by words that sound and are used alike, as recognisers of speech confuse them, and sentence
similarity is measured on what is left. The study finds pre-trained neural encoders robust and unweighted averages of
word vectors quickly worse. Here sounds follow from letters by rules, likely words from static vectors, and both sides
of STS-B pairs are corrupted.
"""

import re
from typing import Any

import numpy as np

from isogloss.arrays import normalise
from isogloss.encoders.late_interaction import TokenVectorEncoder
from isogloss.encoders.layers import LayerEncoder
from isogloss.evaluation.metrics.correlation import spearman
from isogloss.evaluation.sample import Sample
from isogloss.recipes._card import Card
from isogloss.recipes._lab import Evidence, Lab, Run
from isogloss.text.noise import SpokenSubstitution

CARD = Card(
    slug="asr-word-substitution",
    seed=240,
    title="Investigating the Effects of Word Substitution Errors on Sentence Embeddings",
    year=2018,
    url="https://arxiv.org/abs/1811.07021",
    family="evaluation",
    sort="protocol",
    claim="Where 30 % of the words are misheard a neural encoder's lead over unweighted word vectors grows.",
    regime="English text as a recogniser would misspell it: substitutions that sound alike.",
    baseline="the unweighted mean of static word vectors, on the same corrupted pairs",
    placebo="the neural model's own input embeddings, averaged: the same words, no encoder",
    fidelity="same kind",
    needs={"base": "minilm", "static": "static", "sts": "sts-b"},
    margin=0.005,
    minutes=12,
    deviations=(
        "letter-to-sound rules instead of a pronouncing dictionary",
        "600 pairs; MiniLM instead of USE and ELMo",
    ),
)
_RATE = 0.3


def make(words: list[str], encoder: Any, *, neighbours: int = 1000, most: int = 15, by: str = "sound") -> Any:
    """Return the noise for a vocabulary: ``corrupt(texts, rate, seed=)``.

    Parameters
    ----------
    words
        Distinct lower-case words.
    encoder
        Gives the words' vectors: which words stand in like places.
    neighbours, most
        Words considered, and of them the nearest in sound that are drawn from.
    by
        ``sound`` or ``chance``.

    Examples
    --------
    >>> from isogloss.encoders.static import bundled_static
    >>> make(["night", "knight", "day"], bundled_static()).corrupt(["a night"], rate=0.0)
    ['a night']
    """
    return SpokenSubstitution(words, encoder.encode(words), neighbours=neighbours, most=most, by=by)


def check(lab: Lab) -> Evidence:
    """Correlate with human scores on clean and on misheard pairs; MiniLM, its input embeddings, word vectors."""
    pairs, base, static = lab.data("sts"), lab.model("base"), lab.model("static")
    rows = lab.rng(lab.runs(1)[0], "pairs").permutation(len(pairs.left))[:600]
    left, right = ([side[i] for i in rows] for side in (pairs.left, pairs.right))
    words = sorted({word for text in left + right for word in re.findall("[a-z]+", text.lower())})
    noises = {by: make(words, static, by=by) for by in ("sound", "chance")}

    def unweighted(texts: list[str]) -> Any:
        return np.stack([tokens.mean(0) for tokens in TokenVectorEncoder(static, layer=0).encode(texts)])

    def cosines(encode: Any, rate: float, seed: int, by: str = "sound") -> Any:
        heard = [noises[by].corrupt(side, rate, seed=seed + place) for place, side in ((0, left), (1_000_000, right))]
        one, other = (normalise(np.asarray(encode(side))) for side in heard)
        return (one * other).sum(1)

    def correlation(found: Any) -> Sample:
        return Sample.of(np.stack([found, pairs.scores[rows]], 1), aggregate=spearman, name="spearman")

    def arm(encode: Any) -> Any:
        return lambda run: {"clean": cosines(encode, 0.0, 0), "misheard": cosines(encode, _RATE, run.seed)}

    def louder(run: Run) -> Any:
        return cosines(base.encode, float(run.size or 0), run.seed)

    return lab.evidence(
        primary=lab.interaction(
            arm(base.encode), arm(unweighted), here=lambda found: correlation(found["misheard"]),
            there=lambda found: correlation(found["clean"]), placebo=arm(LayerEncoder(base, layers=(0,)).encode),
            name="MiniLM's lead grows where words are misheard",
        ),
        guards=[
            lab.trend(louder, (0.0, 0.1, 0.3, 0.5), judge=correlation, direction="falling", name="more noise"),
            lab.reported(lambda run: cosines(base.encode, _RATE, run.seed, "chance"), judge=correlation, name="chance"),
            lab.reported(lambda run: cosines(base.encode, _RATE, run.seed), judge=correlation, name="MiniLM"),
            lab.reported(lambda run: cosines(unweighted, _RATE, run.seed), judge=correlation, name="word vectors"),
        ],
        immune={"shuffled": "nothing is fitted"},
    )  # fmt: skip
