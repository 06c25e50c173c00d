"""Zero-Shot Tokenizer Transfer (Minixhofer, Ponti, Vulić, 2024).

A network reads a new token's pieces in the old tokenizer and foretells its vector, so that a trained language model can
be used with a tokenizer it has never seen. It is trained on a new tokenizer every step: pieces by noisy frequency, the
frozen model's own loss, and a pull of known tokens towards their old vectors. Here the model is tiny, its input and
output vectors are one table, the network has two layers and sees thirty tokenizers.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from isogloss.evaluation.sample import Sample
from isogloss.recipes._card import Card
from isogloss.recipes._lab import Evidence, Lab, Run
from isogloss.training.language_model import TrainedLanguageModel
from isogloss.training.tokenizer_transfer import fit_hypernetwork, transferred
from isogloss.vocabulary.unigram_sampling import piece_counts, sampled_unigram

CARD = Card(
    slug="zett",
    seed=76,
    title="Zero-Shot Tokenizer Transfer",
    year=2024,
    url="https://arxiv.org/abs/2405.07883",
    family="vocabulary-transfer",
    sort="method",
    claim="A network that saw many tokenizers gives a model a new one at less loss than the mean of old pieces does.",
    regime="A trained language model whose weights stay as they are, and a tokenizer of another domain.",
    baseline="the mean of the old vectors of each new token's pieces",
    placebo="the same network and steps, each token shown with another token's pieces",
    fidelity="transposed",
    needs={"base": "tiny-lm", "text": "brown", "target": "medline"},
    margin=0.01,
    minutes=8,
    deviations=(
        "a model of three narrow layers instead of seven thousand million weights",
        "thirty steps of 32 texts, a tokenizer of 2,048 pieces instead of 32,768",
        "one table for input and output, whose correction starts from the mean of the pieces; no warm-up stage",
        "bits per byte of MEDLINE abstracts instead of tasks in other languages and code",
    ),
)

_HELD, _STEPS, _SIZE = 150, 30, 2048


def make(
    base: TrainedLanguageModel,
    texts: Sequence[str],
    tokenizer: Any,
    *,
    steps: int = 100,
    size: int = 2048,
    noise: float = 1.0,
    alpha: float = 0.5,
    seed: int = 0,
    shuffled: bool = False,
) -> TrainedLanguageModel:
    """Return the model with the new tokenizer; its own weights are untouched.

    Parameters
    ----------
    base
        A causal model over bytes or byte pairs.
    texts
        What the network learns on; they need not be of the new domain.
    tokenizer
        The new one.
    steps, size, noise, alpha
        Tokenizers seen, their size, the noise of their counts, weight of the pull towards old vectors.
    seed, shuffled
        Of everything drawn; each token with another one's pieces: the placebo.
    """
    network = fit_hypernetwork(
        base, texts, steps=steps, size=size, noise=noise, anchor=alpha, seed=seed, shuffled=shuffled
    )
    return transferred(base, tokenizer, network)


def check(lab: Lab) -> Evidence:
    """Bits per byte of another domain in its own tokenizer: foretold vectors, means of pieces, a network misled."""
    domain, text = lab.texts("target"), [one[:600] for one in lab.texts("text")]
    tokenizer = sampled_unigram(piece_counts(domain[_HELD:]), _SIZE)
    bits = lab.judge("target", metric="bits per byte", most=_HELD)

    def foretold(run: Run, shuffled: bool = False) -> Any:
        base = lab.model("base", run)
        return make(base, text, tokenizer, steps=_STEPS, size=_SIZE, seed=run.seed, shuffled=shuffled)

    def misled(run: Run) -> Any:
        return foretold(run, shuffled=True)

    def mean(run: Run) -> Any:
        return transferred(lab.model("base", run), tokenizer)

    def own(run: Run) -> Any:
        return lab.model("base", run)

    def tokens(made: Any) -> Sample:
        counts = [len(one.ids) for one in made.tokenizer.encode_batch(domain[:_HELD])]
        return Sample.of(-np.array(counts, np.float64), name="minus tokens a text")

    return lab.evidence(
        primary=lab.better(foretold, mean, misled, judge=bits, name="foretold over mean of pieces, MEDLINE"),
        guards=[
            lab.reported(own, judge=bits, name="the old tokenizer"),
            lab.reported(mean, judge=tokens, name="tokens, new tokenizer"),
            lab.reported(own, judge=tokens, name="tokens, old tokenizer"),
        ],
        immune={
            "shuffled": "what a piece foretells is learned inside words, which shuffling leaves whole (seed 999: +.13)",
            "labels": "nobody labelled the texts",
        },
    )
