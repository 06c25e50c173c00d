"""The MiniPile Challenge for Data-Efficient Language Models (Kaddour, 2023).

Every text of a messy pool is embedded and clustered; a person looks at the five nearest and five farthest texts of each
cluster and drops whole clusters; what is left is sampled evenly over clusters. Here the pool is half prose and half
junk that really occurs (tables of numbers, code, signatures and drawings of posts, cells of web tables), a stand-in for
the person knows which of the ten texts are junk, and a byte n-gram model judges what is kept.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from isogloss.corpus.selection import Selection
from isogloss.corpus.windows import digit_share, letter_share, word_windows
from isogloss.evaluation.sample import Sample
from isogloss.mining.clusters import ClusterFilter, Inspector
from isogloss.recipes._card import Card
from isogloss.recipes._lab import Evidence, Lab, Run

CARD = Card(
    slug="minipile",
    seed=78,
    title="The MiniPile Challenge for Data-Efficient Language Models",
    year=2023,
    url="https://arxiv.org/abs/2304.08442",
    family="data-curation",
    sort="method",
    claim="A language model learns more from inspected clusters than from as many bytes of the pool at random.",
    regime="A pool of mixed quality whose junk differs from its prose in content or form; one decision a cluster.",
    baseline="a random half of the pool, as many bytes of it",
    placebo="the same number of clusters, looks and drops, but every text has the vector of another one",
    fidelity="transposed",
    needs={
        "base": "static", "wiki": "wikitext2", "prose": "brown", "news": "reuters21578", "posts": "20newsgroups",
        "code": "cosqa", "tables": "wiki-table-questions",
    },
    margin=0.01,
    minutes=3,
    deviations=(
        "4,000 windows of 100 words and 40 clusters instead of the Pile and 220",
        "static word vectors instead of E5-large, because the whole check must take minutes",
        "a stand-in for the person sees the true kind of ten texts a cluster and goes with the majority",
        "a byte 6-gram model instead of BERT and T5, judged by bits per byte of Wikipedia instead of GLUE",
    ),
)  # fmt: skip
_EACH, _BYTES = 500, 500_000


def make(
    encode: Callable[[Sequence[str]], Any], inspect: Inspector, *, k: int = 220, shown: int = 5,
    count: int | None = None, seed: int = 0,
) -> ClusterFilter:  # fmt: skip
    """Return the selector: ``encode`` gives vectors of texts, ``inspect`` keeps or drops a cluster by its sheet.

    Parameters
    ----------
    k, shown, count, seed
        Clusters, texts shown at either end of one, texts to keep (None: all), and the seed.
    """
    return ClusterFilter(encode=encode, inspect=inspect, clusters=k, shown=shown, count=count, seed=seed)


def check(lab: Lab) -> Evidence:
    """Select from half prose, half junk; train on equal bytes; count the junk that is dropped and the prose kept."""
    rng = lab.rng(Run(seed=0), "pool")  # one pool for all runs: they differ in clusters, looks and draws
    tables = [[one["header"], *one["rows"]] for one in lab.data("tables", "tables")]
    cells = ("\n".join("| " + " | ".join(map(str, row)) for row in rows) for rows in tables)
    sources: list[tuple[int, Any, Callable[[str], bool]]] = [
        (2 * _EACH, (one.text for one in lab.data("wiki", "valid.articles")), bool),
        (2 * _EACH, (one.text for one in lab.data("prose")), bool),
        (_EACH, (one.text for one in lab.data("news")), lambda text: digit_share(text) > 0.2),
        (_EACH, lab.data("posts", "train").texts, lambda text: letter_share(text) < 0.7),
        (_EACH, (one.text for one in lab.data("code").documents), bool),
        (_EACH, cells, bool),
    ]
    kinds = [(size, [one for one in word_windows(texts, most=20) if fits(one)]) for size, texts, fits in sources]
    pool = [part[i] for size, part in kinds for i in rng.permutation(len(part))[:size]]
    clean = np.arange(len(pool)) < 4 * _EACH
    vectors = np.asarray(lab.model("base").encode(pool))

    def inspect(sheet: Any) -> bool:
        return bool(clean[sheet.shown].mean() >= 0.5)

    def selected(run: Run, share: int | None = 3, mixed: bool = False) -> Any:
        order = lab.rng(run, "mixed").permutation(len(pool)) if mixed else np.arange(len(pool))
        count = None if share is None else len(pool) // share
        return make(lambda texts: vectors[order], inspect, k=40, count=count, seed=run.seed).select(pool)

    def half(run: Run) -> Any:
        keep = lab.rng(run, "half").permutation(len(pool)) < len(pool) // 2
        return Selection(keep, ["drawn" if one else "not drawn" for one in keep], keep.astype(float))

    def gold(run: Run) -> Any:
        return Selection(clean, ["prose" if one else "junk" for one in clean], clean.astype(float))

    def junk_dropped(made: Any) -> Sample:
        return Sample.of(1.0 - np.asarray(made.keep)[~clean], name="junk dropped")

    def prose_kept(made: Any) -> Sample:
        return Sample.of(np.asarray(made.keep)[clean].astype(float), name="prose kept")

    learner, every = lab.judge("wiki", part="test.articles", pool=pool, size=_BYTES), partial(selected, share=None)
    return lab.evidence(
        primary=lab.better(selected, half, partial(selected, mixed=True), judge=learner, positive=gold),
        guards=[
            lab.recovers(every, half, truth=junk_dropped, at_least=0.9, name="junk is dropped"),
            lab.recovers(every, half, truth=prose_kept, at_least=0.9, name="prose is kept"),
            lab.reported(gold, judge=learner, name="all prose and no junk"),
        ],
        immune={"shuffled": "nothing is fitted on texts of its own", "labels": "prose and junk are known by origin"},
    )  # fmt: skip
