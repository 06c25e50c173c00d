"""Meta-Task Prompting Elicits Embeddings from Large Language Models (Lei et al., 2024).

A causal language model is asked for one word about a text from the points of view of several tasks; the states at the
ends of these prompts are averaged. Nothing is trained for vectors. The tiny model here follows no instructions, so it
first learns how each prompt goes on: topics of news, verdicts of reviews, names in sentences, the words of
definitions. Every arm reads this same model.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from isogloss.corpus.one_word import defined, labelled, named
from isogloss.recipes._card import Card
from isogloss.recipes._lab import Evidence, Lab, Run
from isogloss.training.causal_models import LabCausal
from isogloss.training.causal_prompts import META_TASKS, ONE_WORD, PLAIN, Prompt, all_prompts
from isogloss.training.causal_readings import StateReading
from isogloss.training.continued import continued, shown
from isogloss.training.prompted_encoder import PromptedEncoder

CARD = Card(
    slug="metaeol",
    seed=160,
    title="Meta-Task Prompting Elicits Embeddings from Large Language Models",
    year=2024,
    url="https://arxiv.org/abs/2402.18458",
    family="sentence-encoders",
    sort="method",
    claim="The mean over one-word prompts of several tasks makes a better sentence vector than one one-word prompt.",
    regime="A causal language model to which the prompts are natural; no training for vectors.",
    baseline="one prompt that asks for the meaning in one word, of the same model",
    placebo="the mean over as many wordings of that one prompt",
    fidelity="transposed",
    needs={"base": "tiny-lm", "topics": "ag-news", "verdicts": "mr", "names": "conll2003", "dictionary": "wordnet",
           "sts": "sts-b"},
    margin=0.005,
    minutes=4,
    deviations=(
        "a model of two layers that follows no instructions: it learned for 150 steps how each prompt goes on",
        "one prompt a task, not two; the last layer alone",
        "STS-B instead of seven sets and of transfer tasks: topics and verdicts were taught here",
    ),
)  # fmt: skip
_STEPS, _RATE, _EACH = 150, 4e-3, 350
_TASKS = tuple(prompts[0] for prompts in META_TASKS.values())
_WORDINGS = (ONE_WORD, *META_TASKS["paraphrase"], Prompt.of('Sentence: "{text}" The same in one word:"'))
_TOPICS = {"Business": "business", "Sci/Tech": "science", "Sports": "sports", "World": "world"}


def make(model: Any, *, prompts: Prompt | Sequence[Prompt] | None = None, layer: int = -1) -> PromptedEncoder:
    """Return the encoder that averages the states at the ends of several prompts.

    Parameters
    ----------
    model
        A causal base model of the Lab; one of transformers goes into ``PromptedEncoder`` itself.
    prompts
        None: two for each of four tasks.
    layer
        Whose states; the paper's is somewhat below the last one in large models.
    """
    asked = all_prompts() if prompts is None else prompts
    return PromptedEncoder(LabCausal.of(model), asked, reading=StateReading("last", layer))


def check(lab: Lab) -> Evidence:
    """Average over four tasks, read one prompt, and average over four wordings of it, off one model that was taught."""
    sts, probes = lab.judge("sts"), lab.data("sts").left[:100]
    material = {
        "classification": labelled(lab.data("topics", "train"), _TOPICS),
        "sentiment": labelled(lab.data("verdicts", "train"), {"0": "bad", "1": "good"}),
        "extraction": named(lab.data("names", "train")),
        "paraphrase": defined(lab.data("dictionary")),
    }

    @cache
    def taught(run: Run) -> Any:
        base, rows = lab.model("base", run), []
        for task, known in material.items():
            order = lab.rng(run, task).permutation(len(known))
            for number, prompt in enumerate(_WORDINGS if task == "paraphrase" else META_TASKS[task][:1]):
                some = [known[i] for i in order[number * _EACH :][:_EACH]]
                rows += shown(base, prompt, [text for text, _ in some], [f'{word}"' for _, word in some])
        return continued(base, rows, steps=_STEPS, learning_rate=_RATE, seed=run.seed)

    def arm(*prompts: Prompt) -> Any:
        return lambda run: make(taught(run), prompts=prompts)

    def beside_one(*prompts: Prompt) -> Any:
        return lambda run: np.concatenate([arm(*some)(run).encode(probes) for some in ((ONE_WORD,), prompts)])

    def apart(both: Any) -> float:
        return float(np.abs(both[: len(probes)] - both[len(probes) :]).max())

    tasks, one_word = arm(*_TASKS), arm(ONE_WORD)
    return lab.evidence(
        primary=lab.better(tasks, one_word, arm(*_WORDINGS), judge=sts, name="four tasks over one prompt"),
        guards=[
            lab.exact(beside_one(*4 * (ONE_WORD,)), invariant=apart, within=0.0, broken=beside_one(*_TASKS),
                      name="four copies of one prompt are that prompt"),
            lab.reported(arm(PLAIN), judge=sts, name="last token of the text alone"),
            lab.reported(arm(META_TASKS["classification"][0]), judge=sts, name="the topic alone"),
        ],
    )  # fmt: skip
