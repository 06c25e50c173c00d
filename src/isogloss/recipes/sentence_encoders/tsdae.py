"""TSDAE: Using Transformer-based Sequential Denoising Auto-Encoder (Wang, Reimers, Gurevych, 2021).

An encoder reads a sentence from which 60 % of the tokens were deleted and gives one vector; its own layers, reading
from left to right, write the whole sentence again from that vector. What the vector does not hold cannot be written, so
that raw sentences of a domain are enough to learn from. Every layer of the decoder attends to it.
"""

from collections.abc import Sequence
from functools import cache, partial
from typing import Any

from isogloss.evaluation.neighbours import cosines
from isogloss.evaluation.same_class import same_class_precision
from isogloss.evaluation.sample import Sample
from isogloss.recipes._card import Card
from isogloss.recipes._lab import Evidence, Lab, Run
from isogloss.training.autoencoding import autoencoded, filled_in, told_by_vector
from isogloss.training.masked_model import MaskedModel

CARD = Card(
    slug="tsdae",
    seed=182,
    title="TSDAE: Using Transformer-based Sequential Denoising Auto-Encoder for Unsupervised Sentence Embedding "
    "Learning",
    year=2021,
    url="https://arxiv.org/abs/2104.06979",
    family="sentence-encoders",
    sort="method",
    claim="On raw sentences of a domain, writing them again from the vector of a damaged copy teaches a sentence "
    "encoder more than going on with masked words.",
    regime="A masked language model that is poor at sentences; unlabelled sentences of the domain that is judged.",
    baseline="masked language modelling on the same sentences",
    placebo="the same writing with noughts in place of the vector",
    fidelity="transposed",
    needs={"base": "minilm-3", "domain": "banking77"},
    margin=0.02,
    minutes=6,
    deviations=(
        "three layers, a token table at rest and 40 batches of 16 sentences instead of 100,000 batches of 8",
        "questions to a bank, judged by whether those of one intent stand together, instead of AskUbuntu's duplicates",
        "the decoder's attention to the vector has the weights of its attention to tokens",
        "tuning on labelled pairs before or after is left out",
    ),
)
_TRAINING: Any = {"steps": 40, "batch_size": 16, "learning_rate": 5e-4, "table": False}


def make(base: MaskedModel, texts: Sequence[str], *, ratio: float = 0.6, seed: int = 0, **training: Any) -> MaskedModel:
    """Return a sentence encoder, trained on raw sentences of a domain.

    Parameters
    ----------
    base
        A masked language model with its head; it is changed in place.
    texts
        Sentences.
    ratio
        Share of the tokens that are deleted before the encoder reads.
    seed, training
        Seed, and settings of ``autoencoded``: ``steps``, ``batch_size``, ``learning_rate``, ``longest``, ``blind``.
    """
    return autoencoded(base, texts, deleted=ratio, seed=seed, **training)


def check(lab: Lab) -> Evidence:
    """Written again from the vector, from nought, from the whole sentence; masked words; and nothing at all."""
    asked = lab.data("domain")
    rows = range(0, len(asked.texts), 3)
    texts, intents = [asked.texts[i] for i in rows], [asked.labels[i] for i in rows]

    @cache
    def trained(run: Run, kind: str = "written") -> Any:
        shown, base = lab.texts("domain", 640, run), lab.model("base", run).fresh()
        if kind == "masked":
            return filled_in(base, shown, seed=run.seed, **_TRAINING)
        return make(
            base, shown, ratio=0.0 if kind == "whole" else 0.6, seed=run.seed, blind=kind == "nought", **_TRAINING
        )

    def untrained(run: Run) -> Any:
        return lab.model("base", run)

    def together(encoder: Any) -> Sample:
        vectors = encoder.encode(texts)
        return same_class_precision(cosines(vectors, vectors), intents)

    def told(encoder: Any) -> Sample:
        return Sample.of(told_by_vector(encoder, texts[:200]), name="nats a token by the vector")

    masked, nought, whole = (partial(trained, kind=kind) for kind in ("masked", "nought", "whole"))
    return lab.evidence(
        primary=lab.better(trained, masked, nought, judge=together, name="written again over masked words"),
        guards=[
            lab.better(trained, untrained, nought, judge=together, name="written again over nothing learned"),
            lab.better(trained, whole, nought, judge=together, margin=0.01, name="60 % deleted over nothing deleted"),
            lab.recovers(trained, nought, truth=told, at_least=0.5, margin=0.5, name="the vector tells the words"),
        ],
        immune={"shuffled": "sentences without partners: words in another order go through the vector as well"},
    )  # fmt: skip
