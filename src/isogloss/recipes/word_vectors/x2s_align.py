"""Combining Static and Contextualised Multilingual Embeddings (Hämmerl, Libovický, Fraser, 2022).

A masked model that read two languages, never a translation, gives each frequent word a static vector. The two sets are
aligned from words that are spelt alike; then the model learns on as before and, beside, to bring each word in its
context near its aligned vector. Here the model is made of gated convolutions and learns English and German from
nothing, on halves of translated sentences that share no row; a static vector is the mean of what it foretells for a
hidden word, so that letters shared by accident take no part.
"""

from collections.abc import Sequence
from functools import cache, partial
from typing import Any

import numpy as np

from isogloss.evaluation.neighbours import cosines, hits_at
from isogloss.evaluation.translations_found import loss_as_share, translations_found
from isogloss.recipes._card import Card
from isogloss.recipes._lab import Evidence, Lab, Run
from isogloss.training.bilingual_masked import Languages, in_rows
from isogloss.training.body_encoder import BodyEncoder
from isogloss.transforms.word_spaces import into_space, spelt_alike

CARD = Card(
    slug="x2s-align",
    seed=109,
    title="Combining Static and Contextualised Multilingual Embeddings",
    year=2022,
    url="https://arxiv.org/abs/2203.09326",
    family="word-vectors",
    sort="method",
    claim="A masked model of two languages that learns on with its words drawn to aligned static vectors finds more "
    "translations than one that learns on without.",
    regime="Plain text of each language, no translations; words that are spelt alike.",
    baseline="the same model, as many more steps of masked language modelling alone",
    placebo="as many steps with static vectors that were dealt out to the wrong words",
    fidelity="transposed",
    needs={"first": "sts-b", "second": "sts-b-multi", "dictionary": "bilingual-dictionaries"},
    margin=0.01,
    minutes=6,
    deviations=(
        "two languages and a model of two gated convolutions, from nothing, instead of XLM-R and 40 languages",
        "50,000 words of short sentences a language, no row of one translated in the other; Europarl is not at hand",
        "static vectors are means of hidden words' states, not learnt by X2Static; the loss of squared errors alone",
        "the second language is turned into the first one's space by the rotation of VecMap's dictionary",
        "judged by nDCG over all candidates, both ways",
    ),
)
_STEPS, _MORE, _WEIGHT, _PAIRS = 700, 100, 2.0, 500


def make(
    texts: Sequence[Sequence[str]], *, weight: float = _WEIGHT, steps: int = _STEPS, more: int = _MORE, seed: int = 0
) -> BodyEncoder:
    """Return an encoder whose words of two languages were drawn together.

    Parameters
    ----------
    texts
        Of the first and of the second language.
    weight, seed
        Of the alignment beside the masked loss; of everything drawn.
    steps, more
        Of training from nothing, and of going on with the alignment.
    """
    two = Languages.of(texts)
    base = two.pretrained(steps=steps, seed=seed)
    targets = _aligned(two, two.static(base))
    return two.encoder(two.continued(base, targets, weight=weight, steps=more, seed=seed))


def _aligned(two: Languages, static: Any) -> list[Any]:
    return [static[0], into_space(*static, pairs=spelt_alike(*two.known))]


def check(lab: Lab) -> Evidence:
    """Find translations after more steps with aligned vectors, without, and with vectors of the wrong words."""
    wanted = enumerate((("first", "train"), ("second", "de.train")))
    parts = [(lab.texts(role, part=part), in_rows(lab.data(role, part), odd)) for odd, (role, part) in wanted]
    two = Languages.of([[some[i] for i in kept] for some, kept in parts])
    read = {text for some in two.texts for text in some}
    tests = dict(zip(lab.data("first", "test").left, lab.data("second", "de.test").left, strict=True))
    held = [(one, other) for one, other in tests.items() if not {one, other} & read][:_PAIRS]
    flat = [text for pair in held for text in pair]
    rows = [{word: row for row, word in enumerate(known)} for known in two.known]
    entries = lab.data("dictionary", "en-de.train")
    lower = [(one.lower(), other.lower()) for one, other in zip(entries.source, entries.target, strict=True)]
    pairs = [(rows[0][a], rows[1][b]) for a, b in lower if a in rows[0] and b in rows[1] and a != b]
    asked, meant = np.array(pairs, np.int64).reshape(-1, 2).T
    base = cache(lambda run: two.pretrained(steps=_STEPS, seed=run.seed))
    static = cache(lambda run: two.static(base(run)))
    aligned = cache(lambda run: _aligned(two, static(run)))

    @cache
    def learned(run: Run, weight: float = 0.0, shuffled: bool = False) -> Any:
        draw, targets = lab.rng(run, "placebo"), aligned(run)
        targets = [draw.permutation(one) for one in targets] if shuffled else targets
        return two.continued(base(run), targets, weight=weight, steps=_MORE, seed=run.seed)

    def arm(run: Run, **how: Any) -> Any:
        return two.encoder(learned(run, **how))

    def nats(run: Run, worse: float = 1.0, **how: Any) -> Any:
        return two.nats(learned(run, **how), flat) * [worse, 1.0]

    def lexicon(run: Run, sides: Any = static) -> Any:
        first, second = (side - side.mean(0) for side in sides(run))
        return cosines(first[asked], second)

    treated, found = partial(arm, weight=_WEIGHT), partial(translations_found, pairs=held)
    return lab.evidence(
        primary=lab.better(treated, arm, partial(treated, shuffled=True), judge=found, name="translations found"),
        guards=[
            lab.not_worse(partial(nats, weight=_WEIGHT), nats, judge=loss_as_share, margin=0.03,
                          planted=partial(nats, worse=1.04), name="loss of hidden tokens, as a share"),
            *(lab.reported(partial(lexicon, sides=sides), judge=partial(hits_at, gold=meant, k=10), name=name)
              for name, sides in (("lexicon, first 10, unaligned", static), ("lexicon, first 10, aligned", aligned))),
        ],
        immune={"labels": "nobody labelled a text"},
    )  # fmt: skip
