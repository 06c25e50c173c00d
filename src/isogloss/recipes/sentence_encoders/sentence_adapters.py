"""Efficient Domain Adaptation of Sentence Embeddings using Adapters (Schopf, Schneider, Matthes, 2023).

Behind both halves of every layer of a sentence encoder at rest, a small residual network learns from pairs of a domain;
the rest of the model is shared by all domains, each of which is a small file beside it.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

from isogloss.corpus.examples import LabelledTexts, Splits
from isogloss.corpus.label_pairs import pairs_of_labels
from isogloss.corpus.selection import even_sample
from isogloss.evaluation.sample import Sample
from isogloss.evaluation.tasks.classification import run_neighbours
from isogloss.objectives.in_batch import InBatchSoftmax
from isogloss.recipes._card import Card
from isogloss.recipes._lab import Evidence, Lab, Run
from isogloss.training.adapters.bottleneck import add_bottlenecks
from isogloss.training.adapters.freezing import trainable
from isogloss.training.adapters.output_map import add_output_map
from isogloss.training.fine_tuning import fine_tune
from isogloss.training.trained_encoder import TrainedEncoder

CARD = Card(
    slug="sentence-adapters",
    seed=125,
    title="Efficient Domain Adaptation of Sentence Embeddings using Adapters",
    year=2023,
    url="https://arxiv.org/abs/2307.03104",
    family="sentence-encoders",
    sort="method",
    claim="Adapters that are a twentieth of the weights or less adapt an encoder to a domain as well as tuning it all.",
    regime="Pairs of texts of one domain, a base that many domains share.",
    baseline="the whole model tuned on the same pairs",
    placebo="the same adapters, tuned on another domain's pairs",
    fidelity="same kind",
    needs={"base": "minilm-3", "domain": "banking77", "other": "squad-sentence-pairs"},
    margin=0.02,
    minutes=6,
    deviations=(
        "three layers and 40 steps of 48 pairs; the rates are ten times higher than the paper's for so short a time",
        "intents of a bank, judged by the five nearest neighbours, instead of AskUbuntu, SciDocs and the like",
        "norms stay at rest, too, so that the base is the same for all domains to the bit",
    ),
)
_STEPS, _BATCH, _LONGEST = 40, 48, 90


def make(
    base: TrainedEncoder, columns: Sequence[Sequence[str]], *, where: str = "layers", size: int = 128,
    temperature: float = 0.05, learning_rate: float = 6e-3, seed: int = 0, **training: Any,
) -> TrainedEncoder:  # fmt: skip
    """Return the encoder with adapters tuned on pairs.

    Parameters
    ----------
    base
        An encoder that can be trained; it is changed in place.
    columns
        Texts, and texts that belong to them.
    where
        ``layers`` for bottlenecks behind both halves of each layer, ``output`` for one linear map behind the model,
        ``everywhere`` for the whole model and no adapter.
    size
        Width of a bottleneck; 128 in three layers are 3.4 % of MiniLM's weights, about the paper's share.
    temperature, learning_rate, seed, training
        Of the soft-max, of the tuning, of both and further settings of ``fine_tune``.
    """
    if where == "layers":
        add_bottlenecks(base.model, size=size, norms=False, seed=seed)
    elif where == "output":
        add_output_map(base.model)
    objective = InBatchSoftmax(temperature=temperature)
    return fine_tune(base, columns, objective, seed=seed, learning_rate=learning_rate, **training)


def check(lab: Lab) -> Evidence:
    """Adapters, the whole model, a linear map and another domain's adapters, by the nearest neighbours' intents."""
    taught, found, asked = lab.data("domain", "train"), lab.data("other", "train"), lab.data("domain", "test")
    kept = even_sample(taught.labels, 770)
    known = Splits({"train": LabelledTexts([taught.texts[i] for i in kept], taught.labels[kept], taught.names),
                    "test": LabelledTexts(asked.texts[::2], asked.labels[::2], asked.names)})  # fmt: skip
    both = zip(found.queries, found.positives, strict=True)
    strange = list(zip(*[pair for pair in both if max(map(len, pair)) <= _LONGEST], strict=True))

    def judge(encoder: Any) -> Sample:
        return run_neighbours(encoder, known, name="banking77").samples["accuracy"]

    @cache
    def tuned(run: Run, where: str, rate: float, home: bool = True) -> Any:
        pairs = pairs_of_labels(taught, _STEPS * _BATCH, lab.rng(run, "pairs"))
        data: Any = {"columns": pairs.columns, "groups": pairs.labels.tolist()} if home else {"columns": strange}
        data |= {"steps": _STEPS, "batch_size": _BATCH, "seed": run.seed}
        return make(lab.model("base", run).fresh(), where=where, learning_rate=rate, **data)

    def adapted(run: Run) -> Any:
        return tuned(run, "layers", 6e-3)

    def whole(run: Run) -> Any:
        return tuned(run, "everywhere", 2e-4)

    def untuned(run: Run) -> Any:
        return lab.model("base", run)

    def elsewhere(run: Run) -> Any:
        return tuned(run, "layers", 6e-3, home=False)

    def weights(encoder: Any) -> float:
        return trainable(encoder.model)

    return lab.evidence(
        primary=lab.cheaper(
            adapted, whole, judge=judge, cost=weights, factor=20, planted=untuned, name="a twentieth of the weights"
        ),
        guards=[
            lab.better(adapted, untuned, elsewhere, judge=judge, margin=0.03, name="over the base at rest"),
            lab.reported(lambda run: tuned(run, "output", 1e-2), judge=judge, name="a linear map behind the model"),
        ],
    )  # fmt: skip
