"""DefSent: Sentence Embeddings using Definition Sentences (Tsukagoshi, Sasano, Takeda, 2021).

A masked language model reads the definition of a word; the mean of its states goes through the model's own word head,
which stays at rest, and must foretell the word. So a sentence's vector comes to lie where words of its meaning lie.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from isogloss.corpus.dictionaries import definitions_of
from isogloss.evaluation.neighbours import hits_at
from isogloss.evaluation.sample import Sample
from isogloss.nn.pooling import PoolingMode
from isogloss.recipes._card import Card
from isogloss.recipes._lab import Evidence, Lab, Run
from isogloss.training.definitions import defined, foretold
from isogloss.training.masked_model import MaskedModel

CARD = Card(
    slug="defsent", seed=204, title="DefSent: Sentence Embeddings using Definition Sentences", year=2021,
    url="https://arxiv.org/abs/2105.04339", family="sentence-encoders", sort="method",
    claim="Taught to foretell words from definitions, a language model's mean states rank pairs of sentences better.",
    regime="A masked language model with its word head, a dictionary, no other labels.",
    baseline="the mean of the states of the same model, untuned",
    placebo="the same tuning towards the longest word of the definition itself", fidelity="same kind",
    needs={"base": "minilm-3", "dictionary": "wordnet", "sts": "sts-b"}, margin=0.05, minutes=4,
    deviations=(
        "three layers and 3,840 definitions of WordNet instead of twelve layers and 97,000 of the Oxford dictionary",
        "80 steps at a high rate instead of one pass at a low one; held-out words are found among held-out words",
        "words of other definitions are no placebo: at this rate they break the space (STS-B .20 in a trial)",
        "mean states alone; transfer to other tasks (SentEval) and tuning on inference pairs are no findings",
    ),
)  # fmt: skip
_STEPS, _BATCH, _HELD, _ASKED = 80, 48, 0.1, 800


def make(base: MaskedModel, definitions: Sequence[str], words: Sequence[int], *, pooling: PoolingMode = "mean",
         steps: int = 1000, batch_size: int = 16, learning_rate: float = 5e-6, seed: int = 0,
) -> MaskedModel:  # fmt: skip
    """Return the model tuned on definitions; it is changed in place.

    Parameters
    ----------
    base, definitions, words
        A masked language model with its head; texts, and the token that each stands for.
    pooling, steps, batch_size, learning_rate, seed
        Of the tuning.
    """
    own: Any = {"pooling": pooling, "steps": steps, "batch_size": batch_size, "learning_rate": learning_rate}
    return defined(base, definitions, words, seed=seed, **own)


def check(lab: Lab) -> Evidence:
    """Tune towards the defined word, or one of the definition's own; judge by STS-B and by words that were held out."""
    tokens = lab.model("base").tokenizer.tokenizer.get_vocab()
    known = {word: number for word, number in tokens.items() if word.isalpha() and len(word) > 2}
    whole = definitions_of(lab.data("dictionary"), known)
    taught, held = whole.apart(_HELD, lab.rng(Run(0), "words"))
    asked, words = held.some(_ASKED, lab.rng(Run(0), "asked")), sorted({known[word] for word in held.words})
    gold = np.searchsorted(words, [known[word] for word in asked.words])

    @cache
    def tuned(run: Run, defined: bool) -> Any:
        some = taught.some(_STEPS * _BATCH, lab.rng(run, "definitions"))
        some = some if defined else some.under_own_words(known)
        own: Any = {"steps": _STEPS, "batch_size": _BATCH, "learning_rate": 1e-3, "seed": run.seed}
        return make(lab.model("base", run).fresh(), some.texts, [known[word] for word in some.words], **own)

    def right(run: Run) -> Any:
        return tuned(run, defined=True)

    def own_word(run: Run) -> Any:
        return tuned(run, defined=False)

    def untuned(run: Run) -> Any:
        return lab.model("base", run)

    def foretelling(model: Any) -> Sample:
        return hits_at(foretold(model, asked.texts)[:, words], gold, groups=gold)

    return lab.evidence(
        primary=lab.better(right, untuned, own_word, judge=lab.judge("sts"), name="definitions over the untuned model"),
        guards=[lab.recovers(right, untuned, truth=foretelling, at_least=0.1, placebo=own_word,
                             name="words that were held out")],
        immune={"shuffled": "word and definition stand in one row of the dictionary, which the Lab does not part"},
    )  # fmt: skip
