"""FastText.zip: Compressing text classification models (Joulin et al., 2016).

A classifier that averages the vectors of words and word pairs is pruned to the features with the longest rows, such
that every training text keeps one; a row becomes a byte for every two numbers and a byte for its length; the vectors of
the classes are learned anew. Here features are exact, not hashed into buckets: the whole is smaller than the paper's.
"""

from collections.abc import Sequence
from functools import cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isogloss.applications.compressed_classifier import CompressedClassifier, compressed, kept_features
from isogloss.learners.averaged_ngrams import AveragedNgrams
from isogloss.recipes._card import Card
from isogloss.recipes._lab import Evidence, Lab, Run

CARD = Card(
    slug="fasttext-zip",
    seed=228,
    title="FastText.zip: Compressing text classification models",
    year=2016,
    url="https://arxiv.org/abs/1612.03651",
    family="compression-and-storage",
    sort="method",
    claim="A classifier of averaged word and word-pair vectors fits into a fiftieth of its bytes at equal accuracy.",
    regime="News topics; pruned to 6,000 of 120,000 features, product codes, output learned anew.",
    baseline="the same classifier, every feature in float32",
    placebo="500 features drawn from the 2,000 longest, coded alike (for the choice of features)",
    fidelity="same kind",
    needs={"news": "ag-news"},
    margin=0.01,
    minutes=3,
    deviations=(
        "4,500 training texts a run instead of 120,000, sixteen components; a twentieth of the features is kept",
        "one logistic answer a class instead of a soft-max; features by exact hashes instead of buckets",
        "the classes' vectors, four rows, stay in float32",
        "bytes are those of the arrays, not of a compressed archive",
    ),
)

_TEXTS, _FEATURES, _FEW, _POOL, _RATE, _EPOCHS = 4500, 6000, 500, 2000, 0.1, 10


def make(
    texts: Sequence[str], labels: NDArray[np.int64], *, features: int = 10_000, d: int = 16, epochs: int = 10,
    rate: float = 0.1, seed: int = 0, **more: Any,
) -> CompressedClassifier:  # fmt: skip
    """Return a compressed classifier learned from labelled texts.

    Parameters
    ----------
    texts, labels
        Training texts and numbers of their classes.
    features, d
        Features to keep; components of a row.
    epochs, rate, seed
        Of the learning.
    more
        ``keep``, ``retrain``, ``lengths_apart`` of ``compressed``.
    """
    model = AveragedNgrams(dimensions=d, epochs=epochs, rate=rate, seed=seed).fit(texts, labels)
    return compressed(model, texts, labels, features=features, seed=seed, **more)


def check(lab: Lab) -> Evidence:
    """Weigh the compressed classifier against the whole one, then its parts one by one."""
    train = lab.data("news", "train")

    def drawn(run: Run) -> tuple[list[str], NDArray[np.int64]]:
        rows = lab.rng(run, "texts").permutation(len(train.texts))[:_TEXTS]
        return [train.texts[i] for i in rows], train.labels[rows]

    @cache
    def whole(run: Run) -> AveragedNgrams:
        return AveragedNgrams(epochs=_EPOCHS, rate=_RATE, seed=run.seed).fit(*drawn(run))

    def small(features: int = _FEATURES, **settings: Any) -> Any:
        return lambda run: compressed(whole(run), *drawn(run), features=features, seed=run.seed, **settings)

    def chance(run: Run) -> NDArray[np.int64]:
        longest = kept_features(whole(run), drawn(run)[0], _POOL, "norm")
        return np.sort(lab.rng(run, "features").permutation(longest)[:_FEW])

    def by_chance(run: Run) -> Any:
        model, rows = whole(run), chance(run)
        return compressed(model.with_rows(model.keys_[rows], model.rows_[rows]), *drawn(run), features=_FEW)

    def uncovered(run: Run, kept: Any = None) -> float:
        rows = kept_features(whole(run), drawn(run)[0], _FEW) if kept is None else kept(run)
        offsets, places = whole(run).features(drawn(run)[0])
        return float((np.add.reduceat(np.isin(places, rows), offsets[:-1]) == 0).sum())

    def weight(model: Any) -> float:
        return float(model.nbytes)

    accuracy = lab.judge("news")
    return lab.evidence(
        primary=lab.cheaper(small(), whole, judge=accuracy, cost=weight, factor=50, name="a fiftieth of the bytes"),
        guards=[
            lab.better(
                small(_FEW), small(_FEW, keep="norm"), by_chance, judge=accuracy, margin=0.005,
                name="500 features that cover all texts over the 500 longest",
            ),
            lab.exact(uncovered, invariant=abs, within=0, broken=partial(uncovered, kept=chance), name="all keep one"),
            lab.not_worse(small(), small(retrain=False), judge=accuracy, name="output learned anew"),
            lab.reported(small(lengths_apart=False), judge=accuracy, name="lengths not coded apart"),
        ],
        immune={"shuffled": "the texts that are fitted carry their labels"},
    )  # fmt: skip
