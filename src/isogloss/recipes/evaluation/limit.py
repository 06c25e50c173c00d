"""On the Theoretical Limitations of Embedding-Based Retrieval (Weller et al., 2025).

Which sets of documents a question can retrieve is bounded by the dimension of the vectors: the sign rank of the
relevance matrix. Free vectors of questions and documents, optimised on the test judgements themselves, find all pairs
of documents only up to a number of documents that grows with the dimension. LIMIT turns this into a data set: simple
questions ("who likes X?") whose answers are all pairs of 46 people. Here the experiment runs at 24 documents, and
LIMIT's small corpus is ranked by words, by one vector a text and by one vector a token. The limit is one of training at
a precision: exact constructions serve all pairs in four dimensions.
"""

from typing import Any

import numpy as np

from isogloss.encoders.late_interaction import TokenVectorEncoder
from isogloss.evaluation.limits import all_pairs, free_embeddings, moment_curve, pair_world, pairs_found
from isogloss.evaluation.neighbours import recall_of_best
from isogloss.evaluation.sample import Sample
from isogloss.index.inverted import Inverted
from isogloss.index.late_interaction import max_sim
from isogloss.recipes._card import Card
from isogloss.recipes._lab import Evidence, Lab, Run
from isogloss.vocabulary.wordpiece import bundled

CARD = Card(
    slug="limit",
    seed=46,
    title="On the Theoretical Limitations of Embedding-Based Retrieval",
    year=2025,
    url="https://arxiv.org/abs/2508.21038",
    family="evaluation",
    sort="theory",
    claim="The share of pairs of documents that freely optimised vectors can retrieve grows with their dimension.",
    regime="Every pair of documents is the answer of some question; vectors found by training, not by construction.",
    baseline="the same optimisation at the next smaller dimension",
    placebo="the same optimisation where the answers are disjoint pairs, which any dimension above one can serve",
    fidelity="same kind",
    needs={"base": "minilm", "words": "words", "limit": "limit-small"},
    margin=0.01,
    minutes=6,
    deviations=(
        "24 documents in 3 to 6 dimensions instead of up to 1,700 in 45",
        "LIMIT's small corpus of 46 documents",
    ),
)


def make(*, documents: int = 46, pattern: str = "dense", questions: int = 1000, seed: int = 0) -> Any:
    """Return a test collection after LIMIT's rule: people, what they like, and questions with two right people each.

    Parameters
    ----------
    documents, questions, pattern
        Sizes; ``dense`` (all pairs), ``random``, ``cycle`` or ``disjoint``.

    Examples
    --------
    >>> len(make(documents=10, questions=45).documents)
    10
    """
    tokens = bundled().tokens
    words = [token for token in tokens if token.isascii() and token.isalpha() and len(token) > 4]
    return pair_world(words, documents=documents, pattern=pattern, questions=questions, seed=seed)  # type: ignore[arg-type]


def check(lab: Lab) -> Evidence:
    """Let the dimension grow; then rank LIMIT by words, by one vector a text and by one vector a token."""
    model: Any = lab.model("base")
    words: Any = lab.model("words")
    hard = lab.data("limit")
    easy = make(pattern="disjoint", questions=200)
    disjoint = all_pairs(24)[np.diff(all_pairs(24), axis=1)[:, 0] == 1][::2]

    def share(made: Any) -> Sample:
        found = pairs_found(made["questions"] @ made["documents"].T, made["pairs"].astype(int))
        return Sample.of(found.astype(float), name="share of pairs found")

    def free(run: Run, pairs: Any) -> Any:
        vectors = free_embeddings(24, int(run.size or 0), pairs=pairs, seed=run.seed, restarts=1, steps=800)
        return {"questions": vectors[0], "documents": vectors[1], "pairs": pairs}

    def two_best(collection: Any) -> Any:
        asked = [collection.queries[query] for query in collection.qrels]
        texts = [record.text for record in collection.documents]
        judged = collection.qrels.values()
        truth = np.array([[one.get(record.id, 0.0) for record in collection.documents] for one in judged])
        return lambda ranker: recall_of_best(ranker(asked, texts), truth, best=2, within=2)

    def by_words(questions: list[str], documents: list[str]) -> Any:
        index = Inverted()
        index.add(np.arange(len(documents)), words.encode(documents, role="document"))
        asked = words.encode(questions, role="query")
        return np.stack([index.score_all(asked.take(np.array([i])))[1] for i in range(len(questions))])

    def by_text(questions: list[str], documents: list[str]) -> Any:
        return model.similarity(model.encode_query(questions), model.encode_document(documents))

    def by_token(questions: list[str], documents: list[str]) -> Any:
        sets = TokenVectorEncoder(model).encode(documents)
        return np.stack([max_sim(query, sets) for query in TokenVectorEncoder(model).encode(questions)])

    return lab.evidence(
        primary=lab.trend(
            lambda run: free(run, all_pairs(24)), (3, 4, 5, 6), judge=share, direction="rising",
            placebo=lambda run: free(run, disjoint),
            name="free vectors serve more pairs with every dimension",
        ),
        guards=[
            lab.interaction(
                lambda run: by_words, lambda run: by_text, here=two_best(hard), there=two_best(easy), margin=0.1,
                name="words beat one vector a text where all pairs are asked for",
            ),
            lab.exact(
                lambda run: moment_curve(46), invariant=lambda found: float(1 - np.mean(found)), within=0.0,
                broken=lambda run: moment_curve(46, np.float16), name="four dimensions serve all pairs by construction",
            ),
            lab.reported(lambda run: by_token, judge=two_best(hard), name="one vector a token, LIMIT small"),
        ],
        immune={"shuffled": "nothing is fitted", "labels": "the pairs of the free experiment are all pairs"},
    )  # fmt: skip
