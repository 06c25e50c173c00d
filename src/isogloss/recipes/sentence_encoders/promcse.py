"""PromCSE: Prompt-based Contrastive Learning and Energy-based Learning for Sentences (Jiang, Zhang, Wang, 2022).

Every layer of a sentence encoder at rest gets a few learned keys and values that all tokens see. They learn from pairs
by the soft-max of a batch and by a hinge that holds the hardest wrong text a margin below the right one. The rest of
the model stays as it is, and with it what it knows of other texts than those of the pairs.
"""

from collections.abc import Sequence
from functools import cache, partial
from typing import Any

from isogloss.corpus.examples import LabelledTexts, Splits
from isogloss.corpus.label_pairs import pairs_of_labels
from isogloss.corpus.selection import even_sample
from isogloss.evaluation.nearest_wrong import gap_to_nearest_wrong
from isogloss.evaluation.sample import Sample
from isogloss.evaluation.tasks.classification import run_neighbours
from isogloss.objectives.combined import Combined
from isogloss.objectives.in_batch import InBatchSoftmax
from isogloss.objectives.margin import EnergyHinge
from isogloss.recipes._card import Card
from isogloss.recipes._lab import Evidence, Lab, Run
from isogloss.training.adapters.deep_prompt import add_deep_prompts
from isogloss.training.fine_tuning import fine_tune
from isogloss.training.trained_encoder import TrainedEncoder

CARD = Card(
    slug="promcse",
    seed=220,
    title="Improved Universal Sentence Embeddings with Prompt-based Contrastive Learning and Energy-based Learning",
    year=2022,
    url="https://arxiv.org/abs/2203.06875",
    family="sentence-encoders",
    sort="method",
    claim="Tuned on pairs of one domain, deep prompts make better vectors of other texts than tuning the whole model.",
    regime="A language model that is poor at sentences, pairs of one domain, texts of another one to compare.",
    baseline="the whole model tuned with the same losses on the same pairs",
    placebo="the same prompts tuned on the same texts with partners of chance",
    fidelity="transposed",
    needs={"base": "minilm-3", "domain": "banking77", "sts": "sts-b"},
    margin=0.01,
    minutes=5,
    deviations=(
        "three layers and 40 steps of 32 pairs of intents of a bank instead of RoBERTa-large and inference triples",
        "STS-B instead of CxC-STS as the shifted domain; weight, margin and temperature as in the paper",
        "no loss on other texts is judged: in a trial with MiniLM itself tuning it all lost nothing on STS-B",
    ),
)
_STEPS, _BATCH = 40, 32


def make(
    base: TrainedEncoder, columns: Sequence[Sequence[str]], *, length: int | None = 10, hinge: float = 10.0,
    margin: float = 0.2, temperature: float = 0.05, learning_rate: float = 5e-3, seed: int = 0, **training: Any,
) -> TrainedEncoder:  # fmt: skip
    """Return the encoder with deep prompts tuned on pairs, or on triplets with a hard negative each.

    Parameters
    ----------
    base
        An encoder that can be trained; it is changed in place.
    columns
        Texts, texts that belong to them, and where there are any texts that do not.
    length
        Keys and values of each layer; None tunes the whole model.
    hinge, margin, temperature
        Weight and margin of the energy hinge, temperature of the soft-max.
    learning_rate, seed, training
        Of the tuning, of prompts and tuning, and further settings of ``fine_tune``.
    """
    if length is not None:
        add_deep_prompts(base.model, length=length, seed=seed)
    parts: Any = {"softmax": (1.0, InBatchSoftmax(temperature=temperature))}
    parts |= {"hinge": (hinge, EnergyHinge(margin=margin))} if hinge else {}
    return fine_tune(base, columns, Combined(parts), seed=seed, learning_rate=learning_rate, **training)


def check(lab: Lab) -> Evidence:
    """Prompts and the whole model, tuned on intents; judged by STS-B, and by the intents of other questions."""
    taught, asked = lab.data("domain", "train"), lab.data("domain", "test")
    kept = even_sample(taught.labels, 385)
    unseen = pairs_of_labels(asked, 300, lab.rng(Run(0), "unseen"))
    known = Splits({"train": LabelledTexts([taught.texts[i] for i in kept], taught.labels[kept], taught.names),
                    "test": LabelledTexts(asked.texts[::4], asked.labels[::4], asked.names)})  # fmt: skip

    @cache
    def tuned(run: Run, hinge: float, matched: bool = True, length: int | None = 16, rate: float = 3e-2) -> Any:
        pairs = pairs_of_labels(taught, _STEPS * _BATCH, lab.rng(run, "pairs"))
        data: Any = {"columns": pairs.columns, "groups": pairs.labels.tolist()}
        if not matched:
            data = {"columns": [pairs.left, list(lab.rng(run, "partners").permutation(pairs.right))]}
        data |= {"steps": _STEPS, "batch_size": _BATCH, "seed": run.seed, "learning_rate": rate}
        return make(lab.model("base", run).fresh(), length=length, hinge=hinge, **data)

    def untuned(run: Run) -> Any:
        return lab.model("base", run)

    def hinges(run: Run, first: float = 0.0, second: float = 10.0) -> Any:
        return [tuned(run, hinge=one) for one in (first, second)]

    def intents(encoder: Any) -> Sample:
        return run_neighbours(encoder, known, name="banking77").samples["accuracy"]

    def missing(both: Any) -> float:
        vectors = [[one.encode(texts) for texts in unseen.columns] for one in both]
        gaps = [gap_to_nearest_wrong(left, right, unseen.labels).value() for left, right in vectors]
        return max(0.0, 0.03 + gaps[0] - gaps[1])

    prompted, mixed = partial(tuned, hinge=10.0), partial(tuned, hinge=10.0, matched=False)
    whole, sts = partial(tuned, hinge=10.0, rate=2e-4, length=None), lab.judge("sts")
    return lab.evidence(
        primary=lab.better(prompted, whole, mixed, judge=sts, name="STS-B, over tuning it all"),
        guards=[
            lab.better(prompted, untuned, mixed, judge=intents, margin=0.02, name="intents, over the model at rest"),
            lab.exact(hinges, invariant=missing, within=0, broken=partial(hinges, second=0.0), name="gap + .03"),
            lab.reported(untuned, judge=sts, name="STS-B of the model at rest"),
        ],
    )  # fmt: skip
