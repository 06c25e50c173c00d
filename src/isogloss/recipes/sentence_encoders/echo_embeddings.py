"""Repetition Improves Language Model Embeddings (Springer et al., 2024).

A causal language model is given the text twice, and the states of the second copy are averaged: its first words have
seen the last ones. Nothing is trained for vectors. The tiny model here would not look at a first copy, so it first
learns on, on other sentences of which half stand twice; every arm reads this same model.
"""

from functools import cache
from typing import Any

from isogloss.recipes._card import Card
from isogloss.recipes._lab import Evidence, Lab, Run
from isogloss.training.causal_models import LabCausal
from isogloss.training.causal_prompts import PLAIN, TWICE, Prompt
from isogloss.training.causal_readings import Pooling, StateReading
from isogloss.training.continued import continued, shown
from isogloss.training.prompted_encoder import PromptedEncoder

CARD = Card(
    slug="echo-embeddings",
    seed=37,
    title="Repetition Improves Language Model Embeddings",
    year=2024,
    url="https://arxiv.org/abs/2402.15449",
    family="sentence-encoders",
    sort="method",
    claim="The mean state of a text's second copy makes a better sentence vector than that of the text alone.",
    regime="A causal language model that can copy from its context; no training for vectors.",
    baseline="the mean state of the text alone, of the same model",
    placebo="the text behind another sentence of chance: as many tokens before it, but not its own",
    fidelity="transposed",
    needs={"base": "tiny-lm", "text": "snli", "sts": "sts-b"},
    margin=0.005,
    minutes=4,
    deviations=(
        "a model of two layers that learned on for 400 steps, on sentences of which half stand twice",
        "the sentence twice without words around it: the model follows no instructions",
        "without training for vectors; STS-B instead of a suite of tasks",
    ),
)
_STEPS, _RATE, _SENTENCES = 400, 4e-3, 2400
# after 150 steps at 1e-3 a second copy was as unexpected as a first one: the model did not copy


def make(model: Any, *, prompt: Prompt = TWICE, pooling: Pooling = "mean") -> PromptedEncoder:
    """Return the encoder that reads a text's second copy.

    Parameters
    ----------
    model
        A causal base model of the Lab; one of transformers goes into ``PromptedEncoder`` itself.
    prompt
        Holds the text twice; the last copy is read.
    pooling
        The mean of the copy's tokens, or the last token alone.
    """
    return PromptedEncoder(LabCausal.of(model), prompt, reading=StateReading(pooling))


def check(lab: Lab) -> Evidence:
    """Read the second copy, the text alone, and the text behind a sentence of chance, off one model that learned on."""
    sts = lab.judge("sts")

    @cache
    def copying(run: Run) -> Any:
        base = lab.model("base", run)
        texts = lab.texts("text", _SENTENCES, run)
        rows = shown(base, TWICE, texts[::2]) + shown(base, PLAIN, texts[1::2])
        return continued(base, rows, steps=_STEPS, learning_rate=_RATE, seed=run.seed)

    def echo(run: Run) -> Any:
        return make(copying(run))

    def alone(run: Run) -> Any:
        return make(copying(run), prompt=PLAIN)

    def behind_chance(run: Run) -> Any:
        texts = lab.texts("text", 100, run)
        other = sorted(texts, key=len)[int(lab.rng(run, "chance").integers(40, 60))]  # of middling length
        return make(copying(run), prompt=Prompt((f"{other} ", "")))

    return lab.evidence(
        primary=lab.better(echo, alone, behind_chance, judge=sts, name="the second copy over the text alone"),
        guards=[
            lab.reported(lambda run: make(copying(run), pooling="last"), judge=sts, name="last token, twice"),
            lab.reported(lambda run: make(copying(run), prompt=PLAIN, pooling="last"), judge=sts,
                         name="last token, alone"),
            lab.reported(lambda run: make(lab.model("base", run)), judge=sts, name="echo, before it learned on"),
        ],
    )  # fmt: skip
