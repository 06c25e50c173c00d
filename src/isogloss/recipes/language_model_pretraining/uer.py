"""UER: An Open-Source Toolkit for Pre-training Models (Zhao et al., 2019).

Any pre-trained model is a corpus, embeddings, encoder layers and a target, put together by name; the stages (general
text, text of the task, a related labelled task, the task itself) share weights. Here three unlike assemblies are
pre-trained on the task's own unlabelled questions and then fine-tuned on few labelled ones; the score is their mean.
The control is the same networks from random weights; the placebo pre-trains as long on the same words in random order.
The rate of tuning is chosen for each network of each arm on other labelled questions: one rate for all of them, as a
first version had, left pre-trained weights where they were while random ones had fitted every label.
"""

from collections.abc import Sequence
from functools import cache, partial
from typing import Any

import numpy as np

from isogloss.evaluation.sample import Sample
from isogloss.recipes._card import Card
from isogloss.recipes._lab import Evidence, Lab, Run
from isogloss.training.body_encoder import BodyEncoder
from isogloss.training.corpus_tokens import sentences, token_ids
from isogloss.training.masked_model import hiding
from isogloss.training.pretraining_tasks import assembled, predicted_classes, tuned_classes
from isogloss.training.randomness import seeded
from isogloss.training.tokenizer_learning import word_pieces

CARD = Card(
    slug="uer",
    seed=8,
    title="UER: An Open-Source Toolkit for Pre-training Models",
    year=2019,
    url="https://arxiv.org/abs/1909.05658",
    family="language-model-pretraining",
    sort="system",
    claim="Models put together from any encoder and target gain on a task from pre-training on its unlabelled text.",
    regime="Few labelled texts, many unlabelled ones of the same kind.",
    baseline="the same networks from random weights, fine-tuned alike",
    placebo="as many steps of the same targets on the same words in random order",
    fidelity="transposed",
    needs={"task": "trec-questions"},
    margin=0.01,
    minutes=4,
    deviations=(
        "three assemblies of width 64 with two layers, 80 steps of pre-training, no transformer: it learns too late",
        "no general corpus before the task's own text: a core learns nothing from it in seconds",
        "200 labelled questions, rate chosen on 200 others, sizes on seed 999; the paper's data are Chinese and larger",
    ),
)
_ASSEMBLIES = (("gated-cnn", "mlm"), ("gru", "lm"), ("causal-gated-cnn", "lm"))
_STEPS, _TUNED, _RATES, _LABELLED, _PIECES, _LONGEST = 80, 60, (2e-3, 1e-2), 200, 1024, 32


def make(
    texts: Sequence[str], *, encoders: str = "transformer", target: str = "mlm", steps: int = 1000, width: int = 128,
    layers: int = 2, vocabulary: int = 8192, learning_rate: float = 5e-3, batch_size: int = 64, seed: int = 0,
) -> BodyEncoder:  # fmt: skip
    """Return an encoder whose body was assembled by name and pre-trained on texts.

    Parameters
    ----------
    texts
        To learn from, and to make the word pieces of.
    encoders, target
        Names stacked with ``+``, such as ``bilstm+transformer``; ``mlm``, ``lm`` or ``bilm``.
    steps, width, layers, vocabulary, learning_rate, batch_size, seed
        Of body and pre-training.
    """
    pieces = word_pieces(texts, vocabulary)
    with seeded(seed):
        task = assembled(encoders, _sequences(texts, pieces, 128), hiding(pieces), target=target, width=width,
                         layers=layers, batch_size=batch_size, seed=seed)  # fmt: skip
    task.run(steps, learning_rate=learning_rate, seed=seed)
    body: Any = task.module.body
    return BodyEncoder(body, pieces, before=[pieces.token_to_id("[CLS]")], after=[pieces.token_to_id("[SEP]")])


def _sequences(texts: Sequence[str], pieces: Any, longest: int = _LONGEST) -> Any:
    first, last = (pieces.token_to_id(mark) for mark in ("[CLS]", "[SEP]"))
    return sentences(token_ids(texts, pieces), longest, before=[first], after=[last])


def check(lab: Lab) -> Evidence:
    """Compare pre-trained with random networks on few labels, and with networks pre-trained on words in no order."""
    labelled, asked = lab.data("task", "train"), lab.data("task", "test")
    unlabelled = lab.texts("task")
    pieces = word_pieces(unlabelled, _PIECES)

    def mixed(run: Run) -> list[str]:
        words = lab.rng(run, "mixed").permutation([word for text in unlabelled for word in text.split()])
        ends = np.cumsum([len(text.split()) for text in unlabelled])
        return [" ".join(part) for part in np.split(words, ends[:-1])]

    @cache
    def answers(run: Run, names: tuple[str, str], steps: int, order: bool) -> Any:
        texts = unlabelled if order else mixed(run)
        drawn = lab.rng(run, "labelled").permutation(len(labelled.labels))
        parts = drawn[:_LABELLED], drawn[_LABELLED : 2 * _LABELLED]
        known, choose = [(_sequences([labelled.texts[i] for i in r], pieces), labelled.labels[r]) for r in parts]
        with seeded(run.seed):
            task = assembled(names[0], _sequences(texts, pieces), hiding(pieces), target=names[1], batch_size=64,
                             seed=run.seed)  # fmt: skip
        if steps:
            task.run(steps, learning_rate=5e-3, seed=run.seed)
        more: Any = {"classes": len(labelled.names), "steps": _TUNED, "rates": _RATES, "seed": run.seed}
        body: Any = task.module.body
        return predicted_classes(tuned_classes(body, known, choose, **more), _sequences(asked.texts, pieces))

    def arm(run: Run, steps: int = _STEPS, order: bool = True, assemblies: Any = _ASSEMBLIES) -> Any:
        return np.column_stack([answers(run, names, steps, order) for names in assemblies])

    def judge(found: Any) -> Sample:
        return Sample.of((found == asked.labels[:, None]).mean(1), name="accuracy")

    control, placebo = partial(arm, steps=0), partial(arm, order=False)
    each = [
        lab.reported(partial(arm, steps=steps, assemblies=(names,)), judge=judge, name=f"{' + '.join(names)}, {what}")
        for names in _ASSEMBLIES
        for steps, what in ((_STEPS, "pre-trained"), (0, "random"))
    ]
    return lab.evidence(lab.better(arm, control, placebo, judge=judge, name="pre-trained over random weights"), each)
