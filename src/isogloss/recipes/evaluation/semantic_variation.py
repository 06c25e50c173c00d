"""A Comparative Study of Sentence Embedding Models for Assessing Semantic Variation (Mistry and Minai, 2023).

Encoders are compared by the shape that they give to a book: the similarity of each sentence with the next, and the
matrix of all similarities. The study finds that most encoders infer highly correlated patterns. Here three novels are
read by MiniLM, by static vectors and by word counts projected at random, which know only which words recur; borders
between joined Wikipedia passages, found in the same curves, are the test against a truth.
"""

from functools import partial
from typing import Any

import numpy as np

from isogloss.applications.segmentation import segment
from isogloss.evaluation.sample import Sample
from isogloss.evaluation.tasks.encode import Encoding
from isogloss.evaluation.variation import agreement, p_k, similarity_series
from isogloss.recipes._card import Card
from isogloss.recipes._lab import Evidence, Lab, Run
from isogloss.text.sentences import sentences

CARD = Card(
    slug="semantic-variation",
    seed=148,
    title="A Comparative Study of Sentence Embedding Models for Assessing Semantic Variation",
    year=2023,
    url="https://arxiv.org/abs/2308.04625",
    family="evaluation",
    sort="protocol",
    claim="Two different sentence encoders infer correlated patterns of similarity from sentence to sentence.",
    regime="Books in the encoders' language, read sentence by sentence.",
    baseline="the same two series after the sentences of one were put in another order",
    placebo="one encoder against word counts projected at random: agreement by repeated words alone",
    fidelity="same kind",
    needs={"base": "minilm", "static": "static", "words": "words", "books": "gutenberg", "articles": "wiki-passages"},
    margin=0.05,
    minutes=8,
    deviations=(
        "800 sentences of three novels",
        "the static vectors were learned from MiniLM's: not quite two encoders",
    ),
)


def make(encoder: Any, *, window: int = 1) -> Any:
    """Return a function from sentences to the series of their similarities from one to the next.

    Parameters
    ----------
    encoder
        Any dense encoder.
    window
        Places of the moving mean.

    Examples
    --------
    >>> from isogloss.encoders.static import bundled_static
    >>> make(bundled_static())(["A dog ran.", "The dog barked.", "Taxes rise."]).shape
    (2,)
    """
    return lambda texts: similarity_series(encoder.encode(list(texts)), window=window)


def check(lab: Lab) -> Evidence:
    """Correlate the curves of two encoders over novels; then find borders between articles in them."""
    found = {role: Encoding(lab.model(role)) for role in ("base", "static")}
    books = [book.text for book in lab.data("books")[:3]]
    parts = [[book[a:b] for a, b in sentences(book) if b - a > 25][100:900] for book in books]
    articles = [[one.text[a:b] for a, b in sentences(one.text)] for one in lab.data("articles")]
    articles = [one for one in articles if len(one) >= 3][:40]
    joined = [sentence for one in articles for sentence in one]
    borders = np.cumsum([len(one) for one in articles])[:-1].tolist()

    def vectors(role: str, part: list[str], run: Run) -> Any:
        if role != "words":
            return np.asarray(found[role].of(part))
        counts: Any = lab.model("words").encode(part)
        columns, place = np.unique(counts.indices, return_inverse=True)
        random = lab.rng(run, "projection").standard_normal((len(columns), 256)).astype(np.float32)
        out = np.zeros((len(part), 256), np.float32)
        np.add.at(out, np.repeat(np.arange(len(part)), np.diff(counts.offsets)), random[place] * counts.values[:, None])
        return out

    def curves(run: Run, left: str, right: str, *, shuffled: bool = False) -> Any:
        pairs = []
        for part in parts:
            other = [part[i] for i in lab.rng(run, "order").permutation(len(part))] if shuffled else part
            pairs.append([similarity_series(vectors(left, part, run)), similarity_series(vectors(right, other, run))])
        return np.concatenate(pairs, axis=1)  # (2, places)

    def agree(series: Any) -> Sample:
        return agreement(series[0], series[1])

    def near(series: Any) -> Sample:
        return Sample.of(series[0], groups=np.arange(len(series[0])) // 25, name="similarity to the next sentence")

    def borders_found(places: Any) -> Sample:
        return Sample.of([1 - p_k(borders, np.flatnonzero(places).tolist(), len(joined))], name="1 - Pk")

    def cut(run: Run, how: str) -> Any:
        places = np.zeros(len(joined))
        regular = np.linspace(0, len(joined), len(articles) + 1)[1:-1].astype(int)
        chance = 1 + lab.rng(run, "cuts").permutation(len(joined) - 1)[: len(borders)]
        known = {"regular": regular, "chance": chance}
        places[known.get(how) if how in known else segment(vectors(how, joined, run), segments=len(articles))] = 1
        return places

    return lab.evidence(
        primary=lab.recovers(
            lambda run: curves(run, "base", "static"), lambda run: curves(run, "base", "static", shuffled=True),
            truth=agree, at_least=0.35, placebo=lambda run: curves(run, "base", "words"), name="curves agree",
        ),
        guards=[
            lab.reported(lambda run: curves(run, "base", "words"), judge=agree, name="MiniLM and repeated words"),
            lab.reported(lambda run: curves(run, "base", "static"), judge=near, name="next sentence, MiniLM"),
            *(lab.reported(partial(cut, how=how), judge=borders_found, name=f"borders, {how}")
              for how in ("base", "static", "regular", "chance")),
        ],
        immune={"shuffled": "nothing is fitted", "labels": "a book has no labels"},
    )  # fmt: skip
