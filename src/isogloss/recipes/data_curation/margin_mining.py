"""Margin-based Parallel Corpus Mining with Multilingual Sentence Embeddings (Artetxe and Schwenk, 2018).

Some sentences are near to everything, so a cosine of .8 may be a translation or nothing. The score of a pair is its
cosine over the mean cosine of both sentences with their nearest neighbours in the other language; both directions are
searched, and pairs are taken from the best down, no sentence twice, until a threshold that was chosen where the
translations are known. Here the encoder is a bag of hashed letter n-grams that learnt from translated captions.
"""

from functools import cache, partial
from typing import Any, cast

import numpy as np

from isogloss.corpus.translations import HiddenTranslations, hide_translations, translations_of
from isogloss.evaluation.pairs_found import pairs_found
from isogloss.evaluation.sample import Sample
from isogloss.mining.bitext_miner import BitextMiner
from isogloss.objectives.in_batch import InBatchSoftmax
from isogloss.recipes._card import Card
from isogloss.recipes._lab import Evidence, Lab, Run
from isogloss.training.static_training import new_static, train_static
from isogloss.vocabulary.letter_grams import LetterGrams

CARD = Card(
    slug="margin-mining", seed=197,
    title="Margin-based Parallel Corpus Mining with Multilingual Sentence Embeddings",
    year=2018, url="https://arxiv.org/abs/1811.01136", family="data-curation", sort="method",
    claim="Translations are mined better by the ratio of their cosine to their neighbours', searched both ways, than "
    "by the cosine, searched one way.",
    regime="An encoder of both languages; piles of sentences of which some have their translation on the other side.",
    baseline="the best target of each source sentence by cosine, above the best threshold",
    placebo="the ratio to the mean of another sentence's neighbours, searched both ways",
    fidelity="same kind", needs={"first": "sts-b", "second": "sts-b-multi"}, margin=0.03, minutes=4,
    deviations=(
        "a bag of letter n-grams, trained on 10,500 translated sentences, instead of a BiLSTM and Europarl",
        "about 500 translations hidden among 1,000 other sentences a side; nothing is translated with what is mined",
        "translations are a machine's, and sentences beside each other are often about the same",
    ),
)  # fmt: skip
_SETTINGS: Any = {"steps": 60, "batch_size": 256, "learning_rate": 0.01}
_BOTH = InBatchSoftmax(temperature=0.05, directions=("query_document", "document_query"))


def make(encoder: Any, source: Any, target: Any, gold: Any, **how: Any) -> BitextMiner:
    """Return a miner whose threshold finds known translations with the best F1.

    Parameters
    ----------
    encoder
        Of both languages; None where vectors are given in the place of sentences.
    source, target, gold
        Two piles, and the row of each source sentence's translation, -1 where it has none.
    how
        ``k`` (4), ``margin`` (``"ratio"``) and ``retrieval`` (``"max"``).
    """
    return BitextMiner(encoder=encoder, **how).tuned(source, target, gold)


def check(lab: Lab) -> Evidence:
    """Ratio, distance and cosine, both ways and one way, in German and French."""

    @cache
    def pairs(language: str) -> list[dict[str, str]]:
        parts = ("train", "dev", "test")
        return [translations_of(lab.data("first", part), lab.data("second", f"{language}.{part}")) for part in parts]

    @cache
    def piles(language: str, part: int) -> HiddenTranslations:
        return hide_translations(pairs(language)[part], without=pairs(language)[:part])

    @cache
    def vectors(run: Run, language: str) -> list[Any]:
        grams: Any = LetterGrams()
        columns = [[*pairs(language)[0].values()], lab.texts("first", part="train")]
        encoder = train_static(new_static(grams, 256, seed=run.seed), columns, _BOTH, seed=run.seed, **_SETTINGS)
        return [
            [encoder.encode(side) for side in (one.source, one.target)] for one in map(partial(piles, language), (1, 2))
        ]

    def mined(run: Run, language: str = "de", strange: bool = False, **how: Any) -> Any:
        (source, target), asked = vectors(run, language)
        strangers = run.seed if strange else None
        miner = make(None, source, target, piles(language, 1).gold, strangers=strangers, **how)
        pairs, partners = miner.mine(*asked), np.full(len(piles(language, 2).gold), -1)
        partners[pairs.source] = pairs.target  # one array: two would be mixed up alike, and stay pairs
        return partners

    def found(made: Any, language: str = "de", precision: bool = False, gold: Any = None) -> Sample:
        source, known = np.flatnonzero(made >= 0), piles(language, 2).gold if gold is None else gold
        return pairs_found(source, made[source], known, precision=precision)

    def by_chance(made: Any) -> float:
        return found(made, gold=np.random.default_rng(0).permutation(piles("de", 2).gold)).value()

    cosine, strange = partial(mined, margin="absolute", retrieval="forward"), partial(mined, strange=True)
    one_way, in_french = partial(mined, retrieval="forward"), cast(Any, {"language": "fr"})
    return lab.evidence(
        primary=lab.better(mined, cosine, strange, judge=found, name="ratio both ways over cosine one way"),
        guards=[
            lab.better(partial(mined, **in_french), partial(cosine, **in_french), partial(strange, **in_french),
                       judge=partial(found, **in_french), name="French"),
            lab.not_worse(mined, partial(mined, margin="distance"), judge=found, margin=0.01,
                          name="ratio not worse than distance"),
            lab.better(mined, one_way, strange, judge=partial(found, precision=True), margin=0.01,
                       name="precision both ways over one way"),
            lab.exact(mined, invariant=by_chance, within=0.02, name="F1 with the wrong key"),
            lab.reported(one_way, judge=found, name="ratio, one way"),
            lab.reported(partial(cosine, retrieval="max"), judge=found, name="cosine, both ways"),
            lab.reported(partial(cosine, retrieval="intersection"), judge=found, name="cosine, where both agree"),
        ],
        immune={"labels": "nobody labelled a sentence: what is a translation is known from where it was taken",
                "shuffled": "names and words that both languages spell alike are found without any training"},
    )  # fmt: skip
