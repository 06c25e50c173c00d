"""Predicting What You Already Know Helps: Provable Self-Supervised Learning (Lee et al., 2020).

Learn psi(x1), the best prediction of a second view from the first, without labels; then a linear map of psi(x1) alone
predicts the label. Where the views are independent given the label, its expectation is exactly linear in psi and few
labels suffice; the excess error grows with the dependence that is left. Here both views are Gaussians around class
centres, so that the truth is known; then the two halves of newsgroup posts take their place.
"""

from typing import Any

import numpy as np

from isogloss.evaluation.sample import Sample
from isogloss.evaluation.views import Views, conditional_dependence, gaussian_views
from isogloss.learners.ridge import LinearMap, ridge
from isogloss.recipes._card import Card
from isogloss.recipes._lab import Evidence, Lab, Run

CARD = Card(
    slug="provable-ssl",
    seed=32,
    title="Predicting What You Already Know Helps: Provable Self-Supervised Learning",
    year=2020,
    url="https://arxiv.org/abs/2008.01064",
    family="space-analysis",
    sort="theory",
    claim="With few labels a linear probe on the predicted second view beats the same probe on the first view.",
    regime="Two views that are (nearly) independent given the label; many unlabelled pairs, few labels.",
    baseline="a ridge probe on the first view itself, with the same labels",
    placebo="a random linear map of the first view instead of the learned one",
    fidelity="same kind",
    needs={"base": "static", "posts": "20newsgroups"},
    margin=0.01,
    minutes=2,
    deviations=("linear psi (ridge)", "halves of posts as static vectors instead of images and masked words"),
)
_UNLABELLED, _POOL, _LABELS, _JUDGED = 20_000, 2000, 40, 2000


def make(first: Any, second: Any, *, penalty: float = 1.0) -> LinearMap:
    """Return psi: the ridge regression of the second view on the first, learned without labels.

    Parameters
    ----------
    first, second
        ``(n, d)`` and ``(n, e)``, row by row two views of one thing.
    penalty
        Of the regression.

    Examples
    --------
    >>> views = gaussian_views(100, dimensions=3)
    >>> make(views.first, views.second)(views.first).shape
    (100, 3)
    """
    return ridge(first, second, penalty=penalty)


def check(lab: Lab) -> Evidence:
    """Probe psi with forty labels in the world of the theorem, then where its assumption is broken, then on posts."""
    truth = gaussian_views(_UNLABELLED + _POOL + _JUDGED, seed=lab.first_seed).labels[-_JUDGED:]
    posts, base = lab.data("posts", "train"), lab.model("base")
    words = [text.split() for text in posts.texts]
    sides = [base.encode([" ".join(w[: len(w) // 2] if left else w[len(w) // 2 :]) for w in words]) for left in (1, 0)]
    halves = Views(np.asarray(sides[0]), np.asarray(sides[1]), posts.labels)
    order = lab.rng(lab.runs(1)[0], "posts").permutation(len(halves))
    judged = order[:_JUDGED]

    def right(answers: Any) -> Sample:
        return Sample.of((answers == truth).astype(float), name="accuracy")

    def right_on_posts(answers: Any) -> Sample:
        return Sample.of((answers == halves.labels[judged]).astype(float), name="accuracy")

    def world(run: Run, how: str) -> Any:
        correlation = float(run.size or 0)
        views = gaussian_views(_UNLABELLED + _POOL + _JUDGED, correlation=correlation, seed=lab.first_seed)
        few = _UNLABELLED + lab.rng(run, "labels").permutation(_POOL)[:_LABELS]
        return answers(run, views, np.arange(_UNLABELLED), few, np.arange(len(views) - _JUDGED, len(views)), how)

    def post(run: Run, how: str) -> Any:
        rest = lab.rng(run, "labels").permutation(order[_JUDGED:])
        few = np.concatenate([rest[halves.labels[rest] == label][:10] for label in range(len(posts.names))])
        return answers(run, halves, rest, few, judged, how)

    def answers(run: Run, views: Views, free: Any, few: Any, asked: Any, how: str) -> Any:
        chance = lab.rng(run, "map").standard_normal((views.first.shape[1],) * 2)
        maps = {"raw": lambda x: x, "chance": lambda x: x @ chance}
        psi = maps.get(how) or make(views.first[free], views.second[free])
        known, new = psi(views.first[few]), psi(views.first[asked])
        scale = np.linalg.norm(known, axis=1).mean()  # one penalty for features of any size
        targets = np.eye(int(views.labels.max()) + 1)[views.labels[few]]
        return ridge(known / scale, targets, penalty=1.0)(new / scale).argmax(1)

    def disorder(run: Run) -> Any:
        worlds = [gaussian_views(4000, correlation=c, seed=run.seed) for c in (0.0, 0.3, 0.6, 0.9)]
        return np.array([conditional_dependence(one.first, one.second, one.labels) for one in worlds])

    return lab.evidence(
        primary=lab.better(
            lambda run: world(run, "psi"), lambda run: world(run, "raw"), lambda run: world(run, "chance"),
            judge=right,
        ),
        guards=[
            lab.trend(lambda run: world(run, "psi"), (0.0, 0.5, 0.9), judge=right, direction="falling", name="broken"),
            lab.exact(disorder, invariant=lambda found: float((np.diff(found) <= 0).sum()), within=0, name="order"),
            lab.better(lambda run: post(run, "psi"), lambda run: post(run, "raw"), lambda run: post(run, "chance"),
                       judge=right_on_posts, name="halves of posts"),
        ],
        immune={"shuffled": "the world of the theorem draws its own views", "labels": "and its own labels"},
    )  # fmt: skip
