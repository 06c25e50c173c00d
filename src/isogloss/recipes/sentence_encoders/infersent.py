"""Universal Sentence Representations from Natural Language Inference Data (Conneau et al., 2017).

The maximum of a recurrent encoder's states over fixed word vectors is a sentence's vector. It learns by a head on
(u, v, |u - v|, u * v) that classifies inference pairs, and is used without. Untrained it is no weak control.
"""

from collections.abc import Sequence
from functools import cache, partial
from typing import Any

import numpy as np

from isogloss.evaluation.sample import Sample
from isogloss.objectives.pair_heads import HeadClasses, PairHead
from isogloss.recipes._card import Card
from isogloss.recipes._lab import Evidence, Lab, Run
from isogloss.training.body_encoder import BodyEncoder
from isogloss.training.body_tuning import recurrent_encoder, tune_body
from isogloss.training.randomness import seeded

CARD = Card(
    slug="infersent", seed=85,
    title="Supervised Learning of Universal Sentence Representations from Natural Language Inference Data", year=2017,
    url="https://arxiv.org/abs/1705.02364", family="sentence-encoders", sort="method",
    claim="A recurrent encoder trained to classify inference pairs ranks pairs of sentences better than untrained.",
    regime="Fixed word vectors, thousands of inference pairs, no pre-trained encoder.",
    baseline="the same encoder with random weights over the same word vectors",
    placebo="the same training with the classes permuted over the pairs", fidelity="same kind",
    needs={"words": "minilm-3", "inference": "snli", "sts": "sts-semeval"}, margin=0.04, minutes=5,
    deviations=(
        "128 units a way instead of 2,048, 9,800 pairs instead of 570,000, 150 steps of 32; Adam instead of SGD",
        "MiniLM's table of word pieces in 256 principal directions instead of GloVe",
        "two classes, entailed or not; of the paper's tasks STS 2014 alone",
    ),
)  # fmt: skip
_STEPS, _ASKED = 150, 2000


def make(
    encoder: BodyEncoder, columns: Sequence[Sequence[str]], classes: Any, *, number: int = 2, hidden: int = 512,
    steps: int = 1000, batch_size: int = 32, learning_rate: float = 3e-3, seed: int = 0,
) -> tuple[BodyEncoder, PairHead]:  # fmt: skip
    """Return the encoder after training on inference pairs, and the head that says the class of a pair of vectors.

    Parameters
    ----------
    encoder, columns, classes
        Such as ``recurrent_encoder`` makes, it is not changed; left and right texts, and a class for each pair.
    number, hidden, steps, batch_size, learning_rate, seed
        Of classes, and of the head's hidden units; the others of the training.
    """
    with seeded(seed):
        head = PairHead(encoder.dimensions, number, hidden=hidden)
    own: Any = {"steps": steps, "batch_size": batch_size, "learning_rate": learning_rate, "seed": seed}
    return tune_body(encoder, columns, HeadClasses(head), labels=classes, **own), head


def check(lab: Lab) -> Evidence:
    """Train on inference pairs, on permuted ones and with the last state; judge on STS 2014 and other such pairs."""
    known, asked, sts = (lab.data("inference", "train"), lab.data("inference", "dev"),
                         lab.judge("sts", part="sts14.test"))  # fmt: skip

    def untrained(run: Run, pooling: Any = "max", layers: int = 1) -> Any:
        return recurrent_encoder(lab.model("words", run), pooling=pooling, layers=layers, seed=run.seed)

    @cache
    def trained(run: Run, pooling: Any = "max", mixed: bool = False) -> Any:
        classes = lab.rng(run, "classes").permutation(known.labels) if mixed else known.labels
        return make(untrained(run, pooling), [known.left, known.right], classes, steps=_STEPS, seed=run.seed)

    def encoder(run: Run, **how: Any) -> Any:
        return trained(run, **how)[0]

    def logits(run: Run, **how: Any) -> Any:
        reader, head = trained(run, **how)
        return head.read(reader.encode(asked.left[:_ASKED]), reader.encode(asked.right[:_ASKED]))

    def accuracy(found: Any) -> Sample:
        right = np.argmax(found, 1) == asked.labels[:_ASKED]
        return Sample.of(right.astype(float), groups=asked.groups[:_ASKED], name="accuracy")

    last, mixed = partial(logits, pooling="lasttoken"), partial(encoder, mixed=True)
    return lab.evidence(
        primary=lab.better(encoder, untrained, mixed, judge=sts, name="inference over random weights"),
        guards=[lab.better(logits, last, partial(logits, mixed=True), judge=accuracy, margin=0.01,
                           name="the maximum over the last state, on inference"),
                lab.reported(partial(encoder, pooling="lasttoken"), judge=sts, name="last state, trained"),
                lab.reported(partial(untrained, pooling="mean", layers=0), judge=sts, name="mean of the word vectors")],
    )  # fmt: skip
