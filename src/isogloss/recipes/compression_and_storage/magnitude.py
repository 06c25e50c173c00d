"""Magnitude: A Fast, Efficient Universal Vector Embedding Utility Package (Patel et al., 2018).

Word vectors of any origin become one mapped file that opens at once and is read where it is asked. A word that the file
lacks gets a vector from its letters: the mean of the three words of most similar spelling, mixed with a direction that
its letter n-grams draw, the same on every machine. Checked here is the latter; that opening takes milliseconds is
measured by the part's own tests and benchmark.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from isogloss.arrays import Dense, normalise
from isogloss.encoders.word_conversion import in_memory
from isogloss.encoders.word_store import Unknown
from isogloss.encoders.word_vector_encoder import WordVectorEncoder
from isogloss.evaluation.sample import Sample
from isogloss.evaluation.tasks.sts import run as sts_task
from isogloss.learners.cooccurrence import PpmiSvd
from isogloss.learners.vocabulary_counts import count_words
from isogloss.recipes._card import Card
from isogloss.recipes._lab import Evidence, Lab, Run
from isogloss.text.typos import typo, with_typos

CARD = Card(
    slug="magnitude",
    seed=237,
    title="Magnitude: A Fast, Efficient Universal Vector Embedding Utility Package",
    year=2018,
    url="https://arxiv.org/abs/1810.11190",
    family="compression-and-storage",
    sort="system",
    claim="Vectors of unknown words from words of like spelling make means of word vectors better on misspelt texts.",
    regime="Word vectors with a fixed vocabulary; a fifth of the longer words misspelt by one letter.",
    baseline="the same vectors, unknown words left out",
    placebo="a direction drawn from the letters of an unknown word alone, without words of like spelling",
    fidelity="same kind",
    needs={"text": "brown", "sts": "sts-b"},
    margin=0.005,
    minutes=2,
    deviations=(
        "vectors counted on a million words (Brown) instead of published ones",
        "the speed of look-ups against Gensim is no finding: clocks are not judged",
    ),
)

_SIZE, _RATE, _ASKED = 100, 0.2, 300


def make(words: Sequence[str], vectors: Dense, *, unknown: Unknown = "neighbours") -> WordVectorEncoder:
    """Return an encoder that averages the vectors of a text's words, with vectors for unknown ones.

    Parameters
    ----------
    words, vectors
        The vocabulary, the most frequent first, and its vectors ``(V, d)``.
    unknown
        What stands for a word outside it, as in ``WordStore.vectors``.

    Examples
    --------
    >>> encoder = make(["wing", "propeller"], np.eye(2, dtype=np.float32))
    >>> float(encoder.similarity(encoder.encode("propelller"), encoder.encode("propeller"))[0, 0]) > 0.5
    True
    """
    return WordVectorEncoder(in_memory(words, vectors, name="magnitude"), unknown=unknown)


def check(lab: Lab) -> Evidence:
    """Score misspelt pairs with and without vectors of unknown words, and find the words that were meant."""
    pairs, rng = lab.data("sts"), lab.rng(lab.runs(1)[0], "typos")
    misspelt = replace(pairs, left=with_typos(pairs.left, _RATE, rng), right=with_typos(pairs.right, _RATE, rng))

    @cache
    def table(run: Run) -> Any:
        return PpmiSvd(dimensions=_SIZE).fit(count_words(lab.texts("text", None, run)), seed=run.seed)

    def arm(unknown: Unknown) -> Any:
        return lambda run: make(table(run).words, table(run).vectors, unknown=unknown)

    def sts(encoder: Any, data: Any = misspelt) -> Sample:
        return sts_task(encoder, data, name="misspelt").samples["cosine_spearman"]

    def meant(encoder: Any) -> Sample:
        store = encoder.store
        long = [word for word in map(store.word, range(len(store))) if len(word) >= 6 and word.isalpha()]
        asked = [long[i] for i in np.linspace(0, len(long) - 1, _ASKED).astype(int)]
        slips = np.random.default_rng(0)
        typed = [typo(word, slips) for word in asked]
        near = (
            store.vectors(typed, unknown=encoder.unknown) @ normalise(store.arrays["embeddings"]).T
        )  # (n, d) -> (n, V)
        best = np.argsort(-near, axis=1, kind="stable")[:, :5]
        return Sample.of(
            np.array([store.row(word) in some for word, some in zip(asked, best, strict=True)], np.float64)
        )

    treated, control, placebo = arm("neighbours"), arm("skip"), arm("random")
    return lab.evidence(
        primary=lab.better(treated, control, placebo, judge=sts, name="unknown words over none, misspelt pairs"),
        guards=[
            lab.recovers(treated, placebo, truth=meant, at_least=0.5, name="the meant word is among the five nearest"),
            lab.reported(treated, judge=lambda encoder: sts(encoder, pairs), name="pairs as they were, unknown words"),
            lab.reported(control, judge=lambda encoder: sts(encoder, pairs), name="pairs as they were, none"),
        ],
        immune={"shuffled": "vectors of mixed-up text still tell words apart, and a misspelt word still finds its own"},
    )  # fmt: skip
