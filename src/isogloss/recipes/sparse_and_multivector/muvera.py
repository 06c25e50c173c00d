"""MUVERA: Multi-Vector Retrieval via Fixed Dimensional Encodings (Dhulipala et al., 2024).

Sets of token vectors become single vectors whose dot product approximates MaxSim: space is cut into cells by random
hyperplanes, a query sums its vectors in each cell, a document averages its own (empty cells take the nearest of its
vectors), blocks are projected by random signs, and the whole is repeated and joined. An ordinary index finds
candidates, exact MaxSim orders them. Here token vectors are those of a static model, centred, reduced and scaled: the
contextual token vectors of a mean-pooled model share a direction, and a plain mean is then nearly exact.
"""

from typing import Any

import numpy as np

from isogloss.arrays import Ragged
from isogloss.encoders.late_interaction import TokenVectorEncoder
from isogloss.evaluation.neighbours import cosines, recall_of_best
from isogloss.evaluation.sample import Sample
from isogloss.index.fixed_dimensional import FixedDimensionalEncoding
from isogloss.index.late_interaction import max_sim
from isogloss.index.two_stage import TwoStage
from isogloss.recipes._card import Card
from isogloss.recipes._lab import Evidence, Lab, Run
from isogloss.transforms.projection import PCA

CARD = Card(
    slug="muvera",
    seed=181,
    title="MUVERA: Multi-Vector Retrieval via Fixed Dimensional Encodings",
    year=2024,
    url="https://arxiv.org/abs/2405.19504",
    family="sparse-and-multivector",
    sort="method",
    claim="A fixed-dimensional encoding finds the best documents by MaxSim with far fewer candidates than one pooled "
    "vector a text does.",
    regime="Token vectors that are not already pooled by the model; thousands of dimensions for the encoding.",
    baseline="cosine of the mean token vectors, the same number of candidates",
    placebo="an encoding of the same length with a single cell: projections and repetitions without a partition",
    fidelity="transposed",
    needs={"base": "static", "passages": "squad-newwiki-retrieval"},
    margin=0.1,
    minutes=4,
    deviations=("a static model's token vectors, not ColBERTv2's", "400 passages, 100 questions; no product codes"),
)


def make(
    *, k_sim: int = 5, d_proj: int = 16, repetitions: int = 20, rerank: bool = True, seed: int = 0
) -> TwoStage:  # fmt: skip
    """Return an empty index over sets of vectors: candidates by encodings, order by MaxSim (``effort``: their share).

    Parameters
    ----------
    k_sim, d_proj, repetitions
        Hyperplanes, dimensions of a block, repetitions: 2**5 * 16 * 20 = 10,240 dimensions by default.
    rerank
        Whether MaxSim orders the candidates.

    Examples
    --------
    >>> len(make(k_sim=2, repetitions=1))
    0
    """
    encoding = FixedDimensionalEncoding(k_sim=k_sim, d_proj=d_proj, repetitions=repetitions, seed=seed)
    return TwoStage(encoding, rerank=rerank)


def check(lab: Lab) -> Evidence:
    """Compare whose first twenty hold MaxSim's best ten: encodings, pooled vectors, encodings of one cell."""
    collection = lab.data("passages")
    words = TokenVectorEncoder(lab.model("base"), layer=0, normalised=False)
    passages = [record.text for record in collection.documents[:400]]
    known = {record.id for record in collection.documents[:400]}
    asked = [q for q, judged in collection.qrels.items() if known & set(judged)]
    order = lab.rng(lab.runs(1)[0], "questions").permutation(len(asked))[:100]
    reduced = PCA(dimensions=128).fit(words.encode(passages).values)
    tokens = TokenVectorEncoder(lab.model("base"), layer=0, transform=reduced)
    documents = tokens.encode(passages)
    queries = tokens.encode([collection.queries[asked[i]] for i in order])
    truth = np.stack([max_sim(query, documents) for query in queries])

    def found(scores: Any) -> Sample:
        return recall_of_best(scores, truth, best=10, within=20)

    def means(sets: Ragged) -> Any:
        return np.stack([one.mean(0) for one in sets])

    def encoded(run: Run, **settings: Any) -> Any:
        one = FixedDimensionalEncoding(**{"seed": run.seed, **settings})
        return one.queries(queries) @ one.documents(documents).T

    def searched(run: Run) -> Any:
        index = make(seed=run.seed)
        index.add(np.arange(len(documents)), documents)
        rows = index.search(queries, 20, effort=50 / len(documents)).rows
        scores = np.zeros(truth.shape, np.float32)
        np.put_along_axis(scores, rows, np.arange(20, 0, -1, dtype=np.float32)[None], 1)
        return scores

    def one_cell(run: Run) -> Any:
        one = FixedDimensionalEncoding(k_sim=0, d_proj=None, repetitions=1)
        sums = np.stack([query.sum(0) for query in queries])
        return one.queries(queries) @ one.documents(documents).T - sums @ means(documents).T

    return lab.evidence(
        primary=lab.better(
            encoded, lambda run: cosines(means(queries), means(documents)),
            lambda run: encoded(run, k_sim=0, d_proj=512), judge=found,
        ),
        guards=[
            lab.trend(lambda run: encoded(run, k_sim=int(run.size or 0)), (1, 3, 5), judge=found, direction="rising",
                      margin=0.05, name="more cells find more"),
            lab.exact(one_cell, invariant=lambda gap: float(np.abs(gap).max()), within=1e-3, name="one cell"),
            lab.reported(searched, judge=found, name="50 candidates ordered by MaxSim"),
            lab.reported(lambda run: encoded(run, cells="random"), judge=found, name="cells of chance"),
            lab.reported(lambda run: encoded(run, document="sum"), judge=found, name="documents summed"),
            lab.reported(lambda run: encoded(run, fill_empty=False), judge=found, name="empty cells stay"),
        ],
        immune={"shuffled": "nothing but PCA is fitted", "labels": "the truth is MaxSim itself"},
    )  # fmt: skip
