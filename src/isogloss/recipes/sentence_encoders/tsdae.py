"""TSDAE: Using Transformer-based Sequential Denoising Auto-Encoder (Wang, Reimers, Gurevych, 2021).

An encoder reads a sentence without 60 % of its tokens and gives one vector, from which its own layers, reading from
left to right, write the whole sentence again. What the vector does not hold cannot be written.
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
    slug="tsdae", seed=182, year=2021, url="https://arxiv.org/abs/2104.06979",
    title="TSDAE: Using Transformer-based Sequential Denoising Auto-Encoder for Unsupervised Sentence Embedding "
    "Learning",
    claim="Writing raw sentences of a domain again from the vector of a damaged copy makes a sentence encoder better "
    "than it was, and better than masked words on the same sentences do.",
    regime="A masked language model that is poor at sentences; unlabelled sentences of the domain that is judged.",
    baseline="the model as it was; in a guard masked language modelling on the same sentences",
    placebo="the same writing with noughts in place of the vector",
    fidelity="transposed", family="sentence-encoders", sort="method",
    needs={"base": "minilm-3", "domain": "banking77"}, margin=0.02, minutes=4,
    deviations=(
        "three layers, a token table at rest, 40 batches of 20 sentences of at most 16 tokens",
        "rates by each arm's own loss on unseen sentences, tried with seed 999: 3e-4, and 5e-4 for masked words",
        "questions to a bank, judged by whether those of one intent stand together, instead of AskUbuntu's duplicates",
        "the decoder's attention to the vector has the weights of its attention to tokens",
        "deleting 60 % is not compared with deleting nothing; no tuning on labelled pairs before or after",
    ),
)  # fmt: skip
_TRAINING: Any = {"steps": 40, "batch_size": 20, "longest": 16, "table": False}


def make(base: MaskedModel, texts: Sequence[str], *, ratio: float = 0.6, seed: int = 0, **training: Any) -> MaskedModel:
    """Return a sentence encoder, trained on raw sentences of a domain.

    Parameters
    ----------
    base, texts
        A masked language model with its head, which is changed in place; sentences.
    ratio
        Share of the tokens that are deleted before the encoder reads.
    seed, training
        Seed, and settings of ``autoencoded``: ``steps``, ``batch_size``, ``learning_rate``, ``longest``, ``blind``.
    """
    return autoencoded(base, texts, deleted=ratio, seed=seed, **training)


def check(lab: Lab) -> Evidence:
    """Written again from the vector and from nought, masked words, and nothing learned."""
    asked = lab.data("domain")

    @cache
    def trained(run: Run, kind: str = "written") -> Any:
        shown, base = lab.texts("domain", 800, run), lab.model("base", run).fresh()
        if kind == "masked":
            return filled_in(base, shown, seed=run.seed, learning_rate=5e-4, **_TRAINING)
        return make(base, shown, seed=run.seed, blind=kind == "nought", learning_rate=3e-4, **_TRAINING)

    def untrained(run: Run) -> Any:
        return lab.model("base", run)

    def together(encoder: Any) -> Sample:
        vectors = encoder.encode(asked.texts[::3])
        return same_class_precision(cosines(vectors, vectors), asked.labels[::3])

    def told(encoder: Any) -> Sample:
        return Sample.of(told_by_vector(encoder, asked.texts[::39], longest=16), name="nats a token by the vector")

    masked, nought = partial(trained, kind="masked"), partial(trained, kind="nought")
    return lab.evidence(
        primary=lab.better(trained, untrained, nought, judge=together, name="written again over nothing learned"),
        guards=[
            lab.better(trained, masked, nought, judge=together, name="written again over masked words"),
            lab.recovers(trained, nought, truth=told, at_least=0.5, name="the vector tells the words"),
        ],
        immune={"shuffled": "sentences without partners: words in another order go through the vector as well"},
    )
