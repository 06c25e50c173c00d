"""A Simple Baseline that Questions the Use of Pretrained-Models in Continual Learning (Janson et al., 2022).

On a frozen encoder keep the running mean of each class and answer with the nearest one among all classes met so far: no
gradient, no replay, no task identity, no order. The paper does so with image features and matches methods that adapt
the network. Here classes are intents of banking customers that come in ten tasks, and the rival is a linear head that
learns each task in turn.
"""

from typing import Any

import numpy as np

from isogloss.applications.linear_head import LinearHead
from isogloss.applications.prototypes import NearestMean
from isogloss.evaluation.probes import LogisticProbe
from isogloss.evaluation.sample import Sample
from isogloss.evaluation.tasks.encode import Encoding
from isogloss.recipes._card import Card
from isogloss.recipes._lab import Evidence, Lab, Run

CARD = Card(
    slug="nmc-continual",
    seed=50,
    title="A Simple Baseline that Questions the Use of Pretrained-Models in Continual Learning",
    year=2022,
    url="https://arxiv.org/abs/2210.04428",
    family="applications",
    sort="method",
    claim="Nearest class means on frozen features beat a head that learns the tasks one after the other.",
    regime="Classes come in tasks, old texts are gone, the encoder is frozen and was trained on other data.",
    baseline="a linear softmax head trained on each task in turn, without replay",
    placebo="the nearest first example of each class: as much memory, no mean",
    fidelity="transposed",
    needs={"base": "minilm", "intents": "banking77"},
    margin=0.01,
    minutes=5,
    deviations=("intents of texts instead of CIFAR-100", "no prompt-based continual learner beside the linear head"),
)
_TASKS, _EACH = 10, 30


def make(*, cosine: bool = True, normalised: bool = True) -> NearestMean:
    """Return an empty classifier: ``partial_fit(vectors, labels)`` for each task, ``predict(vectors)`` at any time.

    Parameters
    ----------
    cosine
        Compare by cosine instead of Euclidean distance.
    normalised
        Scale vectors to length one before they are averaged.

    Examples
    --------
    >>> make().partial_fit(np.eye(2), np.array([4, 7])).predict(np.eye(2)).tolist()
    [4, 7]
    """
    return NearestMean(cosine=cosine, normalised=normalised)


def check(lab: Lab) -> Evidence:
    """Feed ten tasks of intents, thirty texts a class; judge on all classes at the end."""
    train, test = lab.data("intents", "train"), lab.data("intents", "test")
    encoding: Any = Encoding(lab.model("base"))
    encoding.need([train.texts, test.texts])
    x, y, asked, classes = encoding.of(train.texts), train.labels, encoding.of(test.texts), len(train.names)

    def accuracy(learner: Any) -> Sample:
        return Sample.of((learner.predict(asked) == test.labels).astype(float), name="accuracy")

    def stream(run: Run) -> list[Any]:
        rng = lab.rng(run, "stream")
        picked = [rng.permutation(np.flatnonzero(y == label))[:_EACH] for label in range(classes)]
        return [np.concatenate([picked[c] for c in task]) for task in np.array_split(rng.permutation(classes), _TASKS)]

    def fed(learner: Any, tasks: list[Any]) -> Any:
        return [learner.partial_fit(x[task], y[task]) for task in tasks][-1]

    def joint(run: Run) -> Any:
        every = np.concatenate(stream(run))
        return LogisticProbe().fit(x[every], y[every])

    def first_examples(run: Run) -> Any:
        tasks = [task[np.unique(y[task], return_index=True)[1]] for task in stream(run)]
        return fed(make(), tasks)

    def other_order(run: Run) -> Any:
        tasks = stream(run)
        return fed(make(), tasks).means() - fed(make(), tasks[::-1]).means()

    def drift(run: Run) -> Any:
        tasks = stream(run)
        old = fed(make(), tasks[:1])
        kept, known = old.means().copy(), old.labels_.copy()
        new = fed(old, tasks[1:])
        return new.means()[np.isin(new.labels_, known)] - kept

    return lab.evidence(
        primary=lab.better(
            lambda run: fed(make(), stream(run)), lambda run: fed(LinearHead(classes, seed=run.seed), stream(run)),
            first_examples, judge=accuracy,
        ),
        guards=[
            lab.not_worse(lambda run: fed(make(), stream(run)), joint, judge=accuracy, margin=0.1, name="near joint"),
            lab.exact(other_order, invariant=lambda gap: float(np.abs(gap).max()), within=1e-6, name="any order"),
            lab.exact(drift, invariant=lambda gap: float(np.abs(gap).max()), within=0.0, name="old means stay"),
        ],
        immune={"shuffled": "the texts that are fitted carry their labels; see permuted labels"},
    )  # fmt: skip
