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
from isogloss.evaluation.neighbours import cosines, known_item
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
    claim="Frozen vectors of a generalist sentence encoder find products better than those of an older encoder.",
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
        "two shops' records",
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
    """Search one shop's products by the other's names, and films by the films before; three vectors a text."""
    pairs, pools = lab.data("products", "train"), LayerPools(lab.model("base"), layers=(0, 2), poolings=("mean",))
    encoders = {f"layer {n}": make(LayerEncoder(pools, layers=(n,), pooling="mean")) for n in (0, 2)}
    encoders["generalist"] = make(lab.model("base"))
    found = {left: right for left, right, same in zip(pairs.left, pairs.right, pairs.labels, strict=True) if same}
    asked, products = list(found), list(dict.fromkeys(pairs.right))
    gold = np.array([products.index(found[text]) for text in asked])
    films, ratings = lab.data("ratings", "items"), lab.data("ratings", "ratings")
    texts = [f"{film['title']} {' '.join(film['genres'])}" for film in films]
    place = {str(film["id"]): number for number, film in enumerate(films)}
    items, times = [place[row["item"]] for row in ratings], [float(row["time"]) for row in ratings]
    histories, last, _ = leave_last_out(in_order([row["user"] for row in ratings], items, times))

    def right_product(scores: Any) -> Sample:
        return known_item(scores, gold)

    def search(name: str, transform: Any = None) -> Any:
        queries, documents = (np.asarray(encoders[name].of(side)) for side in (asked, products))
        return cosines(*(one if transform is None else transform.transform(one) for one in (queries, documents)))

    def follow(name: str) -> Arm:
        return lambda run: next_item_scores(histories, np.asarray(encoders[name].of(texts)))

    def kept(name: str) -> Arm:
        return lambda run: encoders[name].of(products)

    def whitened(run: Run, fitted: Any) -> Any:
        rows = lab.rng(run, "fit").permutation(len(products))[: len(products) * 2 // 3]
        return search("layer 2", fitted.fit(np.asarray(encoders["layer 2"].of(products))[rows]))

    def turned(run: Run) -> Any:
        wide = np.asarray(encoders["layer 2"].of(products)).shape[1]
        directions = PCA(dimensions=64, centre=False).fit(lab.rng(run, "directions").standard_normal((2 * wide, wide)))
        return search("layer 2", directions)

    def spread(vectors: Any) -> Sample:
        return Sample.of([effective_rank(vectors)], name="effective rank")

    return lab.evidence(
        primary=lab.better(
            lambda run: search("generalist"), lambda run: search("layer 2"), lambda run: search("layer 0"),
            judge=right_product,
        ),
        guards=[
            lab.better(lambda run: whitened(run, Whitening(dimensions=64)), lambda run: search("layer 2"), turned,
                       judge=right_product, name="64 whitened directions help the older encoder"),
            *(
                lab.reported(follow(name), judge=lambda scores: known_item(scores, last), name=f"next film, {name}")
                for name in encoders
            ),
            *(lab.reported(kept(name), judge=spread, name=f"effective rank, {name}") for name in encoders),
        ],
        immune={"shuffled": "only whitening is fitted, on the products themselves"},
    )  # fmt: skip
