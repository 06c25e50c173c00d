"""Multi hash embeddings in spaCy (Miranda et al., 2022).

A word's normal form, first letter, last letters and shape each have four rows of a small table, chosen by hashes and
summed; a maxout layer mixes them, layers over neighbours and a tagger follow, all trained together. Words share rows
but hardly ever all of them, so that tables may have far fewer rows than there are words.
"""

from typing import Any

from isogloss.corpus.examples import TaggedSentences
from isogloss.evaluation.metrics.tagging import tags
from isogloss.evaluation.sample import Sample
from isogloss.recipes._card import Card
from isogloss.recipes._lab import Evidence, Lab, Run
from isogloss.training.word_tagger import WordTagger

CARD = Card(
    slug="spacy-hash",
    seed=99,
    title="Multi hash embeddings in spaCy",
    year=2022,
    url="https://arxiv.org/abs/2212.09255",
    family="word-vectors",
    sort="method",
    claim="Hashed tables with a tenth of the numbers find names as well as tables with a row for every word.",
    regime="Named entities, trained from scratch on a few thousand sentences.",
    baseline="a row for every value of the same four features that training has seen, and one for all others",
    placebo="one hash, its row taken four times: as much work, more collisions",
    fidelity="same data",
    needs={"names": "conll2002-esp"},
    margin=0.015,
    minutes=4,
    deviations=(
        "2,000 training sentences a run, width 32, two layers, six passes",
        "gated convolutions instead of maxout windows, and a tag chosen by itself instead of a transition system",
    ),
)

_TRAIN, _TEST = 2000, 1000
_ROWS = {"norm": 750, "prefix": 100, "suffix": 300, "shape": 100}
_SMALL = _ROWS | {"norm": 500}


def make(data: TaggedSentences, *, rows: dict[str, int] | None = None, width: int = 96, **settings: Any) -> WordTagger:
    """Return a tagger trained on tagged sentences.

    Parameters
    ----------
    data
        Sentences as words with a tag each.
    rows
        Features and the rows of their tables; None: spaCy's.
    width
        Of the tables and states.
    settings
        Of ``WordTagger``: ``hashes``, ``tables``, ``distinct``, ``layers``, ``epochs``, ``seed`` ...
    """
    sizes = rows or {"norm": 5000, "prefix": 1000, "suffix": 2500, "shape": 2500}
    return WordTagger(sizes, width=width, **settings).fit(data)


def check(lab: Lab) -> Evidence:
    """Tag with small hashed tables and with a row a word; then one hash, and features left out, at fewer rows."""
    train, test = lab.data("names", "train"), lab.data("names", "test")
    asked, wanted = test.words[:_TEST], test.tags[:_TEST]

    def arm(rows: dict[str, int] = _SMALL, **settings: Any) -> Any:
        def learned(run: Run) -> WordTagger:
            picked = lab.rng(run, "sentences").permutation(len(train.words))[:_TRAIN]
            data = TaggedSentences([train.words[i] for i in picked], [train.tags[i] for i in picked])
            return make(data, rows=rows, width=32, layers=2, epochs=6, seed=run.seed, **settings)

        return learned

    def names(tagger: Any) -> Sample:
        return tags(tagger.predict(asked), wanted)["f1"]

    def numbers(tagger: Any) -> float:
        return float(tagger.table_size)

    plain = arm(_ROWS, tables="words")
    return lab.evidence(
        primary=lab.cheaper(arm(_ROWS), plain, judge=names, cost=numbers, factor=10, name="a tenth of the numbers"),
        guards=[
            lab.better(
                arm(), arm(hashes=1), arm(tables="repeated"), judge=names, margin=0.02,
                name="four hashes over one, 500 rows",
            ),
            lab.reported(arm({"norm": 500}), judge=names, name="normal form alone, 500 rows"),
        ],
        immune={"shuffled": "the words that are fitted carry their tags"},
    )  # fmt: skip
