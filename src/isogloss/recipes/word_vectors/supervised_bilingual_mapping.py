"""Mapping Supervised Bilingual Word Embeddings from English to Low-Resource Languages (Dutta, 2019).

Word vectors of two languages are learnt apart. From a small dictionary comes a linear map of one space into the other,
orthogonal (Procrustes) or by least squares; a word is translated by looking for its mapped vector's neighbours among
all words of the other language: by cosine, by the inverted soft-max, or by CSLS, which makes hubs pay. Here from
English to Portuguese news, with a dictionary counted from translated sentences that neither space has read.
"""

from functools import cache, partial
from typing import Any

import numpy as np

from isogloss.evaluation.neighbours import cosines, hits_at, known_item
from isogloss.learners.skip_gram import SkipGram
from isogloss.learners.vocabulary_counts import count_words, plain_words
from isogloss.learners.word_association import associated_words
from isogloss.recipes._card import Card
from isogloss.recipes._lab import Evidence, Lab, Run
from isogloss.seeding import derive
from isogloss.transforms.alignment import LinearAlignment, Procrustes, RidgeAlignment
from isogloss.transforms.hubness import CSLS, InvertedSoftmax

CARD = Card(
    slug="supervised-bilingual-mapping",
    seed=190,
    title="Mapping Supervised Bilingual Word Embeddings from English to Low-Resource Languages",
    year=2019,
    url="https://arxiv.org/abs/1910.06411",
    family="word-vectors",
    sort="method",
    claim="A linear map learnt from a small dictionary brings words near to translations that it was never shown.",
    regime="Two sets of word vectors learnt apart, and some bilingual data.",
    baseline="the two spaces as they were learnt, compared without a map",
    placebo="the same map fitted on the same dictionary with its translations shuffled",
    fidelity="same kind",
    needs={"source": "reuters21578", "target": "mac-morpho", "first": "sts-b", "second": "sts-b-multi"},
    margin=0.01,
    minutes=5,
    deviations=(
        "skip-gram vectors of 50 components from a million words a language instead of fastText's from billions",
        "Portuguese instead of Estonian, Slovenian, Slovak and Hungarian, of which the data hold too little text",
        "the dictionary is counted (Dice) from translated STS sentences, so that some of its pairs are wrong",
        "judged by nDCG over all candidates, in which chance is the same for every arm; precision is reported",
    ),
)
_HELD, _PAIRS, _CANDIDATES = 300, 1000, 5000


def make(first: Any, second: Any, *, ridge: float | None = None) -> LinearAlignment:
    """Return the map between two spaces of word vectors, both centred and scaled to length one.

    Parameters
    ----------
    first, second
        ``(n, d)`` and ``(n, e)``: vectors of words and of their translations.
    ridge
        Penalty of the least squares map; None for the orthogonal one.
    """
    if ridge is None:
        return Procrustes(normalise=True, centre=True).fit(first, second)
    return RidgeAlignment(ridge=ridge, normalise=True, centre=True).fit(first, second)


def check(lab: Lab) -> Evidence:
    """Translate 300 held-out words by a map from 1,000 pairs, by none, and by one from shuffled pairs."""
    corpora = [count_words(lab.texts(role), min_count=10) for role in ("source", "target")]
    numbers = [{word: row for row, word in enumerate(corpus.words)} for corpus in corpora]
    sides = lab.data("first", "train"), lab.data("second", "pt.train")
    words = [[plain_words(text) for text in (*side.left, *side.right)] for side in sides]
    found = associated_words(*words, least=0.4)
    pairs = np.array([(numbers[0][x], numbers[1][y]) for x, y in found if x in numbers[0] and y in numbers[1]])
    pairs = pairs[lab.rng(lab.runs(1)[0], "held out").permutation(len(pairs))]
    held, free = pairs[:_HELD], pairs[_HELD:]
    candidates = np.union1d(np.arange(_CANDIDATES), held[:, 1])
    gold = np.searchsorted(candidates, held[:, 1])

    @cache
    def spaces(seed: int) -> list[Any]:
        learner = SkipGram(dimensions=50, epochs=3, sample=1e-4, learning_rate=0.1)
        return [learner.fit(one, seed=derive(seed, role)).vectors for role, one in zip("ab", corpora, strict=True)]

    def fitted(run: Run, *, shuffled: bool = False, ridge: float | None = None, count: int = _PAIRS) -> LinearAlignment:
        known = free[lab.rng(run, "dictionary").permutation(len(free))[:count]]
        targets = lab.rng(run, "placebo").permutation(known[:, 1]) if shuffled else known[:, 1]
        first, second = spaces(run.seed)
        return make(first[known[:, 0]], second[targets], ridge=ridge)

    def scored(first: Any, second: Any, scaling: Any = CSLS) -> Any:
        if scaling is None:
            return cosines(first[held[:, 0]], second[candidates])
        fair = scaling().fit(first[:_CANDIDATES])
        return fair.queries(first[held[:, 0]]) @ fair.transform(second[candidates]).T

    def mapped(run: Run, *, scaling: Any = CSLS, **how: Any) -> Any:
        mapping, (first, second) = fitted(run, **how), spaces(run.seed)
        return scored(mapping.transform(first), mapping.transform_target(second), scaling)

    def turning(run: Run, **how: Any) -> Any:
        weights = fitted(run, **how).weights_
        return weights.T @ weights

    def alone(run: Run) -> Any:
        return scored(*spaces(run.seed))

    judge, plain = partial(known_item, gold=gold, k=len(candidates)), partial(mapped, scaling=None)
    ridge, few = partial(mapped, ridge=1.0), partial(mapped, count=200)
    shown: Any = {"CSLS": mapped, "cosine": plain, "inverted soft-max": partial(mapped, scaling=InvertedSoftmax),
                  "no map": alone, "ridge": ridge, "200 pairs": few}  # fmt: skip
    return lab.evidence(
        primary=lab.better(mapped, alone, partial(mapped, shuffled=True), judge=judge, name="a map over none"),
        guards=[
            lab.not_worse(mapped, plain, judge=judge, name="CSLS against the cosine"),
            lab.exact(turning, invariant=lambda square: float(np.abs(square - np.eye(len(square))).max()), within=1e-5,
                      broken=partial(turning, ridge=1.0), name="the map is a rotation"),
            *(lab.reported(arm, judge=partial(hits_at, gold=gold, k=5), name=f"first 5 of 5,000, {name}")
              for name, arm in shown.items()),
        ],
        immune={"labels": "nobody labelled a word: the dictionary is counted from translated sentences"},
    )  # fmt: skip
