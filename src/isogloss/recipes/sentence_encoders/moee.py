"""Your Mixture-of-Experts LLM Is Secretly an Embedding Model For Free (Li, Zhou, 2024).

In a causal mixture of experts each layer's router says how probable each expert is for a token. What all routers say
is a vector of the text, beside the hidden state; the sum of both similarities beats either. Nothing is trained for
vectors. The paper reads the last token behind a one-word prompt; the tiny model here gathers no sentence there, so
states and routers are averaged over the text's tokens, and the last token is reported.
"""

from functools import cache
from typing import Any

from isogloss.evaluation.neighbours import cosines, recall_of_best
from isogloss.recipes._card import Card
from isogloss.recipes._lab import Evidence, Lab, Run
from isogloss.training.causal_models import CausalModel
from isogloss.training.causal_prompts import ONE_WORD, PLAIN, Prompt
from isogloss.training.causal_readings import CausalReading, RoutingReading, StateReading, SummedReading
from isogloss.training.prompted_encoder import PromptedEncoder
from isogloss.training.remembered_passes import RememberingCausal
from isogloss.training.rerouting import overheard

CARD = Card(
    slug="moee",
    seed=167,
    title="Your Mixture-of-Experts LLM Is Secretly an Embedding Model For Free",
    year=2024,
    url="https://arxiv.org/abs/2410.10814",
    family="sentence-encoders",
    sort="method",
    claim="The sum of the similarities of hidden states and of routers ranks pairs of sentences better than hidden "
    "states alone, and than routers alone.",
    regime="A causal mixture of experts; no training for vectors.",
    baseline="the hidden states alone; the routers alone in a guard",
    placebo="the same sum with routers of chance over the same states: the trained weights in an order of chance",
    fidelity="transposed",
    needs={"base": "tiny-moe", "sts": "sts-b"},
    margin=0.005,
    minutes=2,
    deviations=(
        "two models of four narrow layers with eight experts each instead of thousands of millions of weights",
        "the mean over the text's tokens instead of the last token behind a prompt, which is reported",
        "STS-B instead of twenty data sets of six kinds",
    ),
)
_NEAR = 300
_STATES, _ROUTERS = StateReading("mean"), RoutingReading("mean")
_BOTH = SummedReading(_STATES, _ROUTERS)


def make(
    model: CausalModel, *, reading: CausalReading | None = None, prompt: Prompt = ONE_WORD, weight: float = 1.0
) -> PromptedEncoder:
    """Return the encoder that reads hidden state and routers of the last token.

    Parameters
    ----------
    model
        A causal mixture of experts behind the seam: ``LabCausal.of(base)`` or ``open_causal(folder)``.
    reading
        What is read instead: the state or the routers alone, the mean over the tokens, the concatenation.
    prompt
        What stands around a text.
    weight
        Of the routers' similarity beside that of the states.
    """
    return PromptedEncoder(model, prompt, reading=reading or SummedReading(weight=weight))


def check(lab: Lab) -> Evidence:
    """Read the sum, each alone, and routers of chance over the same states, off one model."""
    sts = lab.judge("sts")

    remembering = cache(RememberingCausal.of)

    @cache
    def of_chance(run: Run, shuffled: bool) -> CausalModel:
        return RememberingCausal.of(overheard(lab.model("base", run), seed=run.seed, shuffled=shuffled))

    def arm(reading: CausalReading, prompt: Prompt = PLAIN) -> Any:
        return lambda run: make(remembering(lab.model("base", run)), reading=reading, prompt=prompt)

    def control(reading: CausalReading, shuffled: bool) -> Any:
        return lambda run: make(of_chance(run, shuffled), reading=reading, prompt=PLAIN)

    def neighbours(found: Any) -> Any:
        texts = lab.data("sts").left
        near, other = (cosines(one.encode(texts[:_NEAR]), one.encode(texts[_NEAR:])) for one in found)
        return recall_of_best(near, other, best=10, within=10)

    concatenated = SummedReading(_STATES, _ROUTERS, scaled=False)
    return lab.evidence(
        primary=lab.better(arm(_BOTH), arm(_STATES), control(_BOTH, True), judge=sts, name="the sum over the states"),
        guards=[
            lab.not_worse(arm(_BOTH), arm(_ROUTERS), judge=sts, name="not worse than the routers"),
            lab.better(arm(_ROUTERS), control(_ROUTERS, False), control(_ROUTERS, True), judge=sts,
                       name="trained routers over new ones"),
            lab.reported(arm(_ROUTERS), judge=sts, name="routers alone"),
            lab.reported(arm(concatenated), judge=sts, name="concatenated as they are"),
            lab.reported(lambda run: (arm(_STATES)(run), arm(_ROUTERS)(run)), judge=neighbours,
                         name="ten neighbours by states, among ten by routers"),
            lab.reported(arm(StateReading(), ONE_WORD), judge=sts, name="last token behind the prompt, states"),
            lab.reported(arm(RoutingReading(), ONE_WORD), judge=sts, name="last token behind the prompt, routers"),
        ],
        immune={"shuffled": "nothing is fitted: the model is read as it is"},
    )  # fmt: skip
