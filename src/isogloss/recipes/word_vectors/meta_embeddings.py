"""A Common Semantic Space for Monolingual and Cross-Lingual Meta-Embeddings (Garcia-Ferrero et al., 2020).

Sets of word vectors from several sources are turned onto one of them by the orthogonal map of the words they share; a
word that a source lacks is the mean of its neighbours there; the average of all has the size of one. Here three sets
are counted on three corpora.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

from isogloss.encoders.static import StaticEncoder
from isogloss.encoders.word_ensemble import WordSet, meta_embedding
from isogloss.encoders.word_table import word_table
from isogloss.evaluation.selection import choose
from isogloss.evaluation.tasks.word_similarity import run as similarity
from isogloss.learners.cooccurrence import PpmiSvd
from isogloss.learners.vocabulary_counts import count_words
from isogloss.recipes._card import Card
from isogloss.recipes._lab import Evidence, Lab, Run

CARD = Card(
    slug="meta-embeddings",
    seed=102,
    title="A Common Semantic Space for Monolingual and Cross-Lingual Meta-Embeddings",
    year=2020,
    url="https://arxiv.org/abs/2001.06381",
    family="word-vectors",
    sort="method",
    claim="The average of word vectors from several sources, mapped into one space, ranks pairs of words better than "
    "the best source, at its size.",
    regime="Sources that know different words and uses; words compared by people.",
    baseline="the best single source, chosen on another list of pairs",
    placebo="the same average after maps learned from wrong pairs of words",
    fidelity="same kind",
    needs={"news": "brown", "wiki": "wikitext2", "books": "gutenberg", "pairs": "word-similarity"},
    margin=0.01,
    minutes=3,
    deviations=(
        "three sets counted on half a million to a million words each instead of published vectors; one language",
        "the orthogonal map without VecMap's re-weighting",
        "similarity of words alone; part-of-speech tagging and sentence pairs are left out",
    ),
)

_SIZE, _ROLES = 100, ("news", "wiki", "books")


def make(sources: Sequence[WordSet], **settings: Any) -> StaticEncoder:
    """Return an encoder that averages the joint vectors of a text's words.

    Parameters
    ----------
    sources
        Words and vectors of each source; the first is the space that the others are mapped to.
    settings
        Of ``meta_embedding``: ``align``, ``missing``, ``neighbours``, ``combine``.
    """
    words, vectors = meta_embedding(sources, **settings)
    return word_table(words, vectors, name="meta-embeddings")


def check(lab: Lab) -> Evidence:
    """Compare the mapped average with the best source, and with other ways to join, on MEN."""
    men = lab.judge("pairs", metric="spearman_all", part="men-tr-3k")
    choosing = lab.data("pairs", "ws-353-all")

    @cache
    def sources(run: Run) -> list[WordSet]:
        tables = [
            PpmiSvd(dimensions=_SIZE).fit(count_words(lab.texts(role, None, run)), seed=run.seed) for role in _ROLES
        ]
        return [(table.words, table.vectors) for table in tables]

    def arm(**settings: Any) -> Any:
        return lambda run: make(sources(run), seed=run.seed, **settings)

    def best(run: Run) -> Any:
        alone = {role: make([one]) for role, one in zip(_ROLES, sources(run), strict=True)}
        found = choose(alone, lambda one: similarity(one, choosing, name="WordSim").samples["spearman_all"])
        return alone[found.best]

    mapped, wrong, unmapped = arm(), arm(align="shuffled"), arm(align="none")
    return lab.evidence(
        primary=lab.better(mapped, best, wrong, judge=men, name="the mapped average over the best source"),
        guards=[
            lab.better(mapped, unmapped, wrong, judge=men, name="the mapped average over the unmapped"),
            lab.not_worse(mapped, arm(combine="concat"), judge=men, name="a third of the size of the concatenation"),
            lab.reported(arm(missing="zeros"), judge=men, name="missing words left out of the average"),
            lab.reported(best, judge=men, name="the best source"),
        ],
    )  # fmt: skip
