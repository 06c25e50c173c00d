"""WhiteningBERT: An Easy Unsupervised Sentence Embedding Approach (Huang et al., 2021).

Sentence vectors from a language model that nobody trained for sentences: the mean over the tokens, averaged over a low
and a high layer, then whitened with the mean and covariance of unlabelled sentences. MiniLM's top layer was trained
for sentences, so its layer 5 stands for the top of a plain language model; the real top is a reference line.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

from isogloss.encoders.layers import LayerEncoder, LayerPools, Pooling
from isogloss.encoders.surface import EncoderSurface
from isogloss.recipes._card import Card
from isogloss.recipes._lab import Evidence, Lab, Run
from isogloss.transforms.centering import Centering
from isogloss.transforms.rotation import Rotation
from isogloss.transforms.whitening import Whitening

CARD = Card(
    slug="whiteningbert",
    seed=9,
    title="WhiteningBERT: An Easy Unsupervised Sentence Embedding Approach",
    year=2021,
    url="https://arxiv.org/abs/2104.01767",
    family="sentence-encoders",
    sort="method",
    claim="Whitening improves the sentence vectors of a pre-trained language model on semantic similarity.",
    regime="A language model without sentence training; statistics from unlabelled sentences of the domain.",
    baseline="the same mean of a low and a high layer, not whitened",
    placebo="the same vectors centred and turned by a random rotation: whitening without its scaling",
    fidelity="same kind",
    needs={"base": "minilm", "sts": "sts-b", "more": "sts-semeval"},
    margin=0.005,
    minutes=6,
    deviations=(
        "layers 1 and 5 of MiniLM instead of 1 and 12 of BERT",
        "statistics from 2,000 training sentences, not from those that are judged",
        "STS-B and STS 2013 of the seven sets",
    ),
)


def make(
    base: Any,
    texts: Sequence[str],
    *,
    layers: Sequence[int] = (1, -1),
    pooling: Pooling = "mean",
    dim: int | None = None,
    eps: float = 1e-6,
) -> EncoderSurface:
    """Return an encoder of whitened sentence vectors.

    Parameters
    ----------
    base
        An encoder with ``states``, or its ``LayerPools``.
    texts
        Unlabelled sentences for mean and covariance.
    layers, pooling
        What is averaged.
    dim, eps
        Directions to keep (None: all), and what is added to each variance.
    """
    pooled = LayerEncoder(base, layers=layers, pooling=pooling)
    return pooled.then(Whitening(dimensions=dim, eps=eps).fit(pooled.encode(texts)))


def check(lab: Lab) -> Evidence:
    """Whitened against raw vectors on two sets; mean against first token; two layers against one."""
    pools = LayerPools(lab.model("base"), layers=(1, 4, 5, 6), poolings=("mean", "first"))
    low_high = LayerEncoder(pools, layers=(1, 5))
    sts = lab.judge("sts")

    def white(run: Run) -> Any:
        return make(pools, lab.texts("sts", 2000, run), layers=(1, 5))

    def turned(run: Run) -> Any:
        return low_high.then(Rotation(seed=run.seed).fit(low_high.encode(lab.texts("sts", 2000, run))))

    def centred(run: Run) -> Any:
        return low_high.then(Centering().fit(low_high.encode(lab.texts("sts", 2000, run))))

    def pooled(run: Run, layers: Sequence[int] = (1, 5), pooling: Pooling = "mean") -> Any:
        return LayerEncoder(pools, layers=layers, pooling=pooling)

    def white_top(run: Run) -> Any:
        return make(pools, lab.texts("sts", 2000, run), layers=(6,))

    return lab.evidence(
        primary=lab.better(white, pooled, turned, judge=sts, name="whitened over raw, STS-B"),
        guards=[
            lab.better(
                white, pooled, turned, judge=lab.judge("more", part="sts13.test"), name="whitened over raw, STS 2013"
            ),
            lab.better(
                partial(pooled, layers=(5,)), partial(pooled, layers=(5,), pooling="first"),
                partial(pooled, layers=(4, 5), pooling="first"), judge=sts, name="mean over first token, layer 5",
            ),
            lab.better(
                pooled, partial(pooled, layers=(5,)), partial(pooled, layers=(4, 5)), judge=sts,
                name="layers 1 and 5 over layer 5",
            ),
            lab.reported(centred, judge=sts, name="only centred"),
            lab.reported(partial(pooled, layers=(6,)), judge=sts, name="trained top layer"),
            lab.reported(white_top, judge=sts, name="trained top layer, whitened"),
        ],
    )  # fmt: skip
