"""LLMs are Also Effective Embedding Models: An In-depth Overview (Tao et al., 2024).

A survey of ways to read text vectors off a causal language model. Without training: last token, mean, weighted mean, a
prompt for one word, the text twice with the second copy read, a middle layer, several prompts averaged. With training:
low-rank updates under a softmax over pairs, with a causal or a two-sided mask. Here on one tiny model, with costs.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from isogloss.corpus.examples import ScoredPairs
from isogloss.evaluation.sample import Sample
from isogloss.evaluation.tasks import sts
from isogloss.recipes._card import Card
from isogloss.recipes._lab import Evidence, Lab, Run
from isogloss.training.causal_encoder import ECHO, ENSEMBLE, ONE_WORD, CausalEncoder
from isogloss.training.causal_tuning import tuned

CARD = Card(
    slug="llm-embedding-survey",
    seed=205,
    title="LLMs are Also Effective Embedding Models: An In-depth Overview",
    year=2024,
    url="https://arxiv.org/abs/2412.12591",
    family="evaluation",
    sort="method",
    claim="Tuning a causal language model on pairs gives better sentence vectors than any reading without training.",
    regime="One base model; pairs of texts that belong together; the best reading is chosen on other data.",
    baseline="the best of seven readings without training, chosen on development pairs",
    placebo="the same tuning on pairs of each question with itself: vectors spread alike, nothing is told to belong",
    fidelity="transposed",
    needs={"base": "tiny-lm", "pairs": "squad-sentence-pairs", "sts": "sts-b"},
    margin=0.005,
    minutes=4,
    deviations=(
        "a causal model of two layers, trained for a minute, instead of one of billions of weights",
        "tuned on questions and the sentences that answer them; STS-B instead of a suite of tasks",
        "chain of thought, in-context examples and generated data are left out: the model cannot follow them",
        "the placebo was chosen on seed 999: shuffled partners broke the model (.17 of .39)",
    ),
)
_READINGS: dict[str, dict[str, Any]] = {
    "last token": {"pooling": "last"},
    "mean": {"pooling": "mean"},
    "weighted mean": {"pooling": "weighted"},
    "one word": {"prompts": (ONE_WORD,)},
    "echo": {"pooling": "mean", "prompts": (ECHO,)},
    "middle layer": {"pooling": "mean", "layer": 1},
    "prompt ensemble": {"prompts": ENSEMBLE},
}
_LONGEST, _CHOOSE = 110, 400


def make(
    model: Any, pairs: tuple[Sequence[str], Sequence[str]] | None = None, *, steps: int = 24, batch_size: int = 32,
    rank: int = 8, learning_rate: float = 6e-3, seed: int = 0, **reading: Any,
) -> CausalEncoder:  # fmt: skip
    """Return an encoder that reads a causal language model, tuned where there are pairs.

    Parameters
    ----------
    model
        A causal base model of the Lab, or anything with ``predictor``, ``tokenizer``, ``begin`` and ``window``.
    pairs
        Texts, and the text that belongs to each.
    steps, batch_size, rank, learning_rate, seed
        Of the tuning.
    **reading
        Fields of :class:`~isogloss.training.causal_encoder.Reading`.
    """
    encoder = CausalEncoder.of(model, **reading)
    own: Any = {"steps": steps, "batch_size": batch_size, "rank": rank, "seed": seed}
    return encoder if pairs is None else tuned(encoder, pairs, learning_rate=learning_rate, **own)


def check(lab: Lab) -> Evidence:
    """Tuned against the best reading without training; the grid of readings, its costs, and known answers."""
    judge, found, dev = lab.judge("sts"), lab.data("pairs", "train"), lab.data("sts", "dev")
    short = [(a, b) for a, b in zip(found.queries, found.positives, strict=True) if max(len(a), len(b)) <= _LONGEST]
    left, right = [a for a, _ in short], [b for _, b in short]
    few = ScoredPairs(dev.left[:_CHOOSE], dev.right[:_CHOOSE], dev.scores[:_CHOOSE], dev.groups[:_CHOOSE])
    chosen: dict[str, str] = {}

    def free(run: Run) -> Any:
        model = lab.model("base", run)
        if model.name not in chosen:
            scores = {name: sts.run(make(model, **one), few, name="dev") for name, one in _READINGS.items()}
            chosen[model.name] = max(scores, key=lambda name: scores[name].samples[scores[name].main].value())
        return make(model, **_READINGS[chosen[model.name]])

    def treated(run: Run, **reading: Any) -> Any:
        return make(lab.model("base", run), (left, right), seed=run.seed, **{"pooling": "mean", **reading})

    def placebo(run: Run) -> Any:
        return make(lab.model("base", run), (left, left), seed=run.seed, pooling="mean")

    def grid(run: Run) -> Any:
        return [make(lab.model("base"), **one).encode(few.left[:100]) for one in _READINGS.values()]

    def alike(cells: Any) -> float:
        return max(float(np.abs((a * b).sum(1)).mean()) for i, a in enumerate(cells) for b in cells[:i])

    def reads(encoder: Any) -> Sample:
        return Sample.of([float(encoder.tokens_read([text])) for text in few.left[:100]], name="tokens a text")

    cells = {name: lambda run, one=one: make(lab.model("base"), **one) for name, one in _READINGS.items()}
    return lab.evidence(
        primary=lab.better(treated, free, placebo, judge=judge, name="tuned over the best reading without training"),
        guards=[
            lab.exact(grid, invariant=alike, within=0.999, broken=lambda run: grid(run) + grid(run)[:1],
                      name="no cell of the grid is another one in disguise"),
            *lab.known_answers(cells["mean"], judge=judge),
            lab.reported(lambda run: treated(Run(0), bidirectional=True), judge=judge, name="tuned, two-sided mask"),
            lab.reported(treated, judge=lambda made: Sample.of([made.trained], name="weights"), name="weights trained"),
            *(lab.reported(one, judge=judge, name=f"STS-B, {name}") for name, one in cells.items()),
            *(lab.reported(one, judge=reads, name=f"tokens a text, {name}") for name, one in cells.items()),
        ],
    )  # fmt: skip
