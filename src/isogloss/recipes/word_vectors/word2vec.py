"""Distributed Representations of Words and Phrases and their Compositionality (Mikolov et al., 2013).

Skip-gram learns a vector of each word by predicting the words around it; negative sampling replaces the soft-max by a
few logistic questions about words drawn as noise; frequent words are thinned out by a probability that falls with
their frequency, which saves work and leaves more of it to rare words. Pairs of words that stand together far more
often than chance become one word. Here on a million words instead of a billion, with a thinning to match.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

from isogloss.encoders.static import StaticEncoder
from isogloss.encoders.word_table import word_table
from isogloss.learners.cooccurrence import PpmiSvd
from isogloss.learners.phrases import Phrases
from isogloss.learners.skip_gram import SkipGram
from isogloss.learners.vocabulary_counts import WordCorpus, count_words, plain_words
from isogloss.recipes._card import Card
from isogloss.recipes._lab import Evidence, Lab, Run

CARD = Card(
    slug="word2vec",
    seed=185,
    title="Distributed Representations of Words and Phrases and their Compositionality",
    year=2013,
    url="https://arxiv.org/abs/1310.4546",
    family="word-vectors",
    sort="method",
    claim="Thinning out frequent words makes skip-gram's vectors better at word similarity, with less training.",
    regime="Skip-gram with negative sampling on running text, equal passes over it.",
    baseline="the same skip-gram that is trained on every word",
    placebo="as many words left out, but of all words alike: fewer words and wider windows without the mechanism",
    fidelity="same kind",
    needs={"text": "brown", "pairs": "word-similarity"},
    margin=0.005,
    minutes=5,
    deviations=(
        "a million words (Brown) instead of a billion, so t = 1e-4 instead of 1e-5, and 50 components instead of 300",
        "a learning rate of .1 instead of .025, chosen by the baseline's score on a seed that is not judged",
        "the authors' program's probability of keeping a word, which adds t / f to the paper's root of t / f",
        "similarity of words (MEN, WordSim-353) instead of analogies, which a million words do not carry",
        "phrases are part of make and not of the check",
    ),
)

_T, _SIZE, _EPOCHS, _RATE = 1e-4, 50, 5, 0.1


def make(
    texts: Sequence[str] | WordCorpus,
    *,
    t: float = 1e-5,
    k: int = 5,
    c: int = 5,
    size: int = 300,
    epochs: int = 5,
    phrases: Sequence[float] = (),
    min_count: int = 5,
    seed: int = 0,
    **more: Any,
) -> StaticEncoder:
    """Return an encoder that averages the vectors of a text's words.

    Parameters
    ----------
    texts
        Running text, or counted words.
    t, k, c, size, epochs
        Thinning, noise words, window, components, passes.
    phrases
        Thresholds of the passes that join phrases; none by default. A text is not cut into them when it is encoded.
    min_count, seed
        Of words that count; of every draw.
    more
        Further settings of ``SkipGram``.
    """
    if isinstance(texts, WordCorpus):
        corpus = texts
    else:
        words = [plain_words(text) for text in texts]
        joined = Phrases(thresholds=tuple(phrases)).fit(words)
        corpus = count_words([joined.join(one) for one in words], min_count=min_count)
    learner = SkipGram(dimensions=size, window=c, negatives=k, epochs=epochs, sample=t, **more)
    table = learner.fit(corpus, seed=seed)
    return word_table(table.words, table.vectors, name="word2vec")


def check(lab: Lab) -> Evidence:
    """Thinned against whole text and evenly thinned text on two lists of word pairs."""
    corpus = count_words(lab.texts("text"))
    men, wordsim = lab.judge("pairs", part="men-tr-3k"), lab.judge("pairs", part="ws-353-all")

    def learned(run: Run, t: float = _T, **more: Any) -> Any:
        return make(corpus, t=t, size=_SIZE, epochs=_EPOCHS, learning_rate=_RATE, seed=run.seed, **more)

    def counted(run: Run) -> Any:
        table = PpmiSvd(dimensions=_SIZE).fit(corpus)
        return word_table(table.words, table.vectors)

    def share_trained(run: Run, t: float = _T) -> float:
        return float(SkipGram(sample=t).kept(corpus) @ corpus.counts / corpus.counts.sum())

    whole, even = partial(learned, t=0.0), partial(learned, thinning="even")
    return lab.evidence(
        primary=lab.better(learned, whole, even, judge=men, name="thinned over whole text, MEN"),
        guards=[
            lab.exact(
                share_trained, invariant=lambda share: max(0.0, share - 0.7), within=0.0,
                broken=partial(share_trained, t=0.0), name="at most 70 % of the words are trained on",
            ),
            lab.reported(learned, judge=wordsim, name="thinned, WordSim-353"),
            lab.reported(whole, judge=wordsim, name="whole text, WordSim-353"),
            lab.reported(even, judge=wordsim, name="evenly thinned, WordSim-353"),
            lab.reported(counted, judge=men, name="factored counts (PPMI), MEN"),
        ],
    )  # fmt: skip
