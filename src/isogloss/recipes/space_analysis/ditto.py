"""Ditto: A Simple and Efficient Approach to Improve Sentence Embeddings (Chen et al., 2023).

Nothing is trained: tokens are averaged with the weights on the diagonal of one attention head, chosen on scored
development pairs. The first three layers of MiniLM stand for a plain language model, because its upper layers were
trained for sentences.
"""

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from isogloss.corpus.examples import ScoredPairs
from isogloss.encoders.diagonal_attention import DiagonalAttentionEncoder, TokenWeights
from isogloss.encoders.layers import LayerEncoder
from isogloss.evaluation.sample import Sample
from isogloss.evaluation.selection import choose
from isogloss.evaluation.space import mean_cosines
from isogloss.evaluation.tasks.sts import run as sts_task
from isogloss.recipes._card import Card
from isogloss.recipes._lab import Evidence, Lab, Run

CARD = Card(
    slug="ditto",
    seed=209,
    title="Ditto: A Simple and Efficient Approach to Improve Sentence Embeddings",
    year=2023,
    url="https://arxiv.org/abs/2305.10786",
    family="space-analysis",
    sort="method",
    claim="Tokens weighted by how much they attend to themselves in one head make better sentence vectors than their "
    "plain mean.",
    regime="A language model without sentence training; the head chosen on scored pairs.",
    baseline="the mean of the same token vectors",
    placebo="the same weights, permuted inside each sentence",
    fidelity="same kind",
    needs={"base": "minilm", "sts": "sts-b"},
    margin=0.005,
    minutes=4,
    deviations=(
        "states of layer 3 and heads of layers 1 to 3 of MiniLM instead of the whole of BERT",
        "the states of one layer instead of the mean of first and last",
        "the tokens that the tokenizer adds take part in no arm: permuted, their large weights would break the placebo",
    ),
)


def make(base: Any, dev: ScoredPairs, *, states: tuple[int, ...] = (1, -1)) -> DiagonalAttentionEncoder:
    """Return the encoder whose head is best on the development pairs.

    Parameters
    ----------
    base
        An encoder with ``states`` and ``attention_diagonals``, or its ``TokenWeights``.
    dev
        Scored pairs that choose among all heads.
    states
        Layers whose token vectors are averaged; not used where ``TokenWeights`` are given.
    """
    kept = base if isinstance(base, TokenWeights) else TokenWeights(
        base, states=states, layers=range(base.plan.architecture.layers)
    )  # fmt: skip
    heads = range(kept.of(["a"])[0][1].shape[2])
    candidates = {
        (layer, head): DiagonalAttentionEncoder(kept, layer=layer, head=head) for layer in kept.layers for head in heads
    }
    found = choose(candidates, lambda encoder: sts_task(encoder, dev, name="dev").samples["cosine_spearman"])
    return candidates[found.best]


def check(lab: Lab) -> Evidence:
    """Compare the head that 1,000 development pairs choose with the mean, on test pairs; and the cones of vectors."""
    base, dev, test = lab.model("base"), lab.data("sts", "dev"), lab.data("sts")
    kept = TokenWeights(base, states=(3,), layers=(0, 1, 2), special_tokens=False)
    sentences = list(dict.fromkeys([*test.left, *test.right]))
    sts = lab.judge("sts")

    @cache
    def ditto(run: Run) -> Any:
        rows = lab.rng(run, "dev").permutation(len(dev.left))[:1000]
        left, right = ([side[i] for i in rows] for side in (dev.left, dev.right))
        return make(kept, replace(dev, left=left, right=right, scores=dev.scores[rows], groups=dev.groups[rows]))

    def mean(run: Run) -> Any:
        return DiagonalAttentionEncoder(kept, layer=0, head=0, weights="uniform")

    def permuted(run: Run) -> Any:
        head = ditto(run)
        return DiagonalAttentionEncoder(kept, layer=head.layer, head=head.head, weights="permuted", seed=run.seed)

    def spread(encoder: Any) -> Sample:
        return Sample.of(1 - mean_cosines(np.asarray(encoder.encode(sentences))), name="1 - mean cosine")

    def with_added_tokens(run: Run) -> Any:
        return LayerEncoder(base, layers=(3,))  # two tokens that all sentences share: a narrower cone

    return lab.evidence(
        primary=lab.better(ditto, mean, permuted, judge=sts, name="diagonal attention over the mean"),
        guards=[
            lab.not_worse(
                ditto, mean, judge=spread, margin=0.01, planted=with_added_tokens,
                name="the cone of vectors is not narrower",
            ),
            lab.reported(mean, judge=spread, name="1 - mean cosine of the mean"),
            lab.reported(ditto, judge=spread, name="1 - mean cosine of diagonal attention"),
            lab.reported(lambda run: LayerEncoder(base, layers=(6,)), judge=sts, name="trained top layer, mean"),
        ],
    )  # fmt: skip
