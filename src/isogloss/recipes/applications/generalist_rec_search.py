"""Do We Really Need Specialization? Generalist Embeddings for Recommendation and Search (Attimonelli et al., 2025).

Item texts become frozen vectors of a general sentence encoder; they serve product search by cosine and recommendation
by the user's last items, without training. The study finds generalists ahead of older encoders in both tasks, with
variance spread over more directions, and that PCA helps encoders whose variance is concentrated. Here the older encoder
is an inner layer of the same model, mean-pooled and never trained for sentences, and the recommender has no parameters.
"""

from typing import Any

import numpy as np

from isogloss.applications.recommendation import in_order, leave_last_out, next_item_scores
from isogloss.encoders.layers import LayerEncoder, LayerPools
from isogloss.evaluation.neighbours import known_item
from isogloss.evaluation.sample import Sample
from isogloss.evaluation.space import effective_rank
from isogloss.evaluation.tasks.encode import Encoding
from isogloss.recipes._card import Card
from isogloss.recipes._lab import Arm, Evidence, Lab, Run
from isogloss.transforms.projection import PCA
from isogloss.transforms.whitening import Whitening

CARD = Card(
    slug="generalist-rec-search",
    seed=42,
    title="Do We Really Need Specialization? Generalist Text Embeddings for Zero-Shot Recommendation and Search",
    year=2025,
    url="https://arxiv.org/abs/2507.05006",
    family="applications",
    sort="protocol",
    claim="Frozen vectors of a generalist sentence encoder tell products apart better than those of an older one.",
    regime="Zero-shot: neither encoder has seen the catalogue, its users or its queries.",
    baseline="the second layer of the same model, mean-pooled: an encoder that was not trained for sentences",
    placebo="the input embeddings of the same model, mean-pooled: as wide, no layer",
    fidelity="transposed",
    needs={"base": "minilm", "products": "er-abt-buy", "ratings": "movielens-100k"},
    margin=0.01,
    minutes=6,
    deviations=(
        "one generalist instead of many",
        "a recommender without training instead of SASRec",
        "pairs of two shops' records instead of queries",
    ),
)


def make(encoder: Any) -> Encoding:
    """Return the encoder as a store of item vectors: ``of(texts)`` gives each text's frozen vector, encoded once.

    Parameters
    ----------
    encoder
        Any dense encoder.

    Examples
    --------
    With a model at hand::

        items = make(load_encoder("minilm"))
        cosines(items.of(["red shoe"]), items.of(["crimson sneaker", "garden hose"]))
    """
    return Encoding(encoder)


def check(lab: Lab) -> Evidence:
    """Match one shop's products with the other's among near misses, and follow users' films; three vectors a text."""
    pools, products = LayerPools(lab.model("base"), layers=(0, 2), poolings=("mean",)), lab.texts("products", 1500)
    encoders: dict[str, Any] = {f"layer {n}": LayerEncoder(pools, layers=(n,), pooling="mean") for n in (0, 2)}
    encoders["generalist"] = lab.model("base")
    films, ratings, match = lab.data("ratings", "items"), lab.data("ratings", "ratings"), lab.judge("products")
    texts = [f"{film['title']} {' '.join(film['genres'])}" for film in films]
    place = {str(film["id"]): number for number, film in enumerate(films)}
    items, times = [place[row["item"]] for row in ratings], [float(row["time"]) for row in ratings]
    histories, last, _ = leave_last_out(in_order([row["user"] for row in ratings], items, times))
    items_of = {name: make(encoder) for name, encoder in encoders.items()}

    def vectors(name: str) -> Any:
        return np.asarray(items_of[name].of(products))

    def whitened(run: Run) -> Any:
        rows = lab.rng(run, "fit").permutation(len(products))[: len(products) * 2 // 3]
        return encoders["layer 2"].then(Whitening(dimensions=64).fit(vectors("layer 2")[rows]))

    def turned(run: Run) -> Any:
        wide = vectors("layer 2").shape[1]
        directions = PCA(dimensions=64, centre=False).fit(lab.rng(run, "directions").standard_normal((2 * wide, wide)))
        return encoders["layer 2"].then(directions)

    def follow(name: str) -> Arm:
        return lambda run: next_item_scores(histories, np.asarray(items_of[name].of(texts)))

    def next_film(scores: Any) -> Sample:
        return known_item(scores, last)

    def spread(found: Any) -> Sample:
        return Sample.of([effective_rank(found)], name="effective rank")

    def encoder(name: str) -> Arm:
        return lambda run: encoders[name]

    return lab.evidence(
        primary=lab.better(encoder("generalist"), encoder("layer 2"), encoder("layer 0"), judge=match),
        guards=[
            lab.better(whitened, encoder("layer 2"), turned, judge=match, name="64 whitened directions help"),
            *(lab.reported(follow(name), judge=next_film, name=f"next film, {name}") for name in encoders),
            *(lab.reported(lambda run, n=name: vectors(n), judge=spread, name=f"effective rank, {name}")  # type: ignore[misc]
              for name in encoders),
        ],
        immune={"shuffled": "only whitening is fitted, and it is no part of the claim"},
    )  # fmt: skip
