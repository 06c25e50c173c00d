"""Biases tuned on pairs, models that learn how prompts go on, and weights of chance."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from isogloss.errors import UsageError  # noqa: E402
from isogloss.nn.packing import pack  # noqa: E402
from isogloss.training.base_models._artifact import CausalBase  # noqa: E402
from isogloss.training.bias_tuning import bias_tuned  # noqa: E402
from isogloss.training.causal_models import Wanted  # noqa: E402
from isogloss.training.causal_prompts import Prompt  # noqa: E402
from isogloss.training.causal_readings import ChanceWeights, RoutingReading, StateReading  # noqa: E402
from isogloss.training.continued import continued, shown  # noqa: E402
from isogloss.training.next_words import NextWordEncoder  # noqa: E402
from isogloss.training.prompted_encoder import PromptedEncoder  # noqa: E402

COLOURS = ["red", "green", "blue", "the", "of"]
QUERIES, DOCUMENTS = [f"{word} dogs run" for word in COLOURS] * 4, [f"cats sleep {word}" for word in COLOURS] * 4
SIDES = {"prompts": Prompt((": ", "")), "query_prompts": Prompt(("is ", ""))}


def loss(encoder):
    """Log loss of the right document among five, at the temperature of the tuning."""
    scores = encoder.encode_query(QUERIES[:5]) @ encoder.encode_document(DOCUMENTS[:5]).T / 0.05
    return float(np.mean(np.log(np.exp(scores - np.diag(scores)[:, None]).sum(1))))


@pytest.mark.parametrize("reading", [StateReading("weighted"), ChanceWeights(3)], ids=str)
def test_biases_alone_move_and_find_the_pairs(model_of, reading):
    model = model_of("lab")
    start = PromptedEncoder(model, reading=reading, **SIDES)
    before = {name: one.clone() for name, one in model.predictor.state_dict().items()}
    made = bias_tuned(start, QUERIES, DOCUMENTS, steps=40, batch_size=5, learning_rate=0.1, seed=3)
    assert loss(made) < 0.5 * loss(start)
    assert all(torch.equal(one, before[name]) for name, one in model.predictor.state_dict().items())
    moved = {name for name, one in made.model.predictor.state_dict().items() if not torch.equal(one, before[name])}
    assert moved
    assert all(name.endswith("bias") for name in moved)
    again = bias_tuned(start, QUERIES, DOCUMENTS, steps=40, batch_size=5, learning_rate=0.1, seed=3)
    np.testing.assert_array_equal(again.encode(QUERIES), made.encode(QUERIES))
    assert again.identity == made.identity != start.identity


def test_what_cannot_be_tuned_is_said(model_of):
    lab, mixture = model_of("lab"), model_of("lab-experts")
    cases = [
        (PromptedEncoder(model_of("llama")), QUERIES, "not tuned"),
        (PromptedEncoder(lab, bidirectional=True), QUERIES, "not tuned"),
        (PromptedEncoder(mixture, reading=RoutingReading()), QUERIES, "only readings of states"),
        (PromptedEncoder(lab), QUERIES[:3], "two columns"),
    ]
    for encoder, queries, said in cases:
        with pytest.raises(UsageError, match=said):
            bias_tuned(encoder, queries, DOCUMENTS, steps=1)


def test_weights_of_chance_are_those_by_position_in_another_order(model_of):
    model = model_of("lab")
    encoder = PromptedEncoder(model, reading=ChanceWeights(1), normalise=False)
    states = model(pack([np.array([0, 8, 11, 13])]), Wanted(layers=(-1,))).states[-1].numpy()[1:]  # red dogs run
    weights = np.linalg.lstsq(states.T, encoder.encode("red dogs run")[0], rcond=None)[0]
    np.testing.assert_allclose(sorted(weights * 6), [1, 2, 3], atol=1e-3)
    together = encoder.encode(["green cats", "red dogs run", ""])
    np.testing.assert_allclose(together[1], encoder.encode("red dogs run")[0], atol=1e-6)
    others = [PromptedEncoder(model, reading=ChanceWeights(seed), normalise=False) for seed in range(8)]
    assert len({tuple(one.encode("red dogs run")[0].round(4)) for one in others}) > 2


def test_a_model_learns_how_its_prompt_goes_on_and_the_base_stays(model_of):
    model = model_of("lab")
    base = CausalBase(model.predictor, model.tokenizer, begin=0, end=0, window=48)
    before = {name: one.clone() for name, one in model.predictor.state_dict().items()}
    ask = Prompt.of("{text} in one word :")
    texts = [f"{colour} {what}" for colour in ("red", "green", "blue") for what in ("dogs", "cats", "run")]
    answers = [text.split()[1] for text in texts]
    rows = shown(base, ask, texts, answers)
    assert rows[0].tolist() == [0, *model.tokenizer.encode("red dogs in one word : dogs").ids]
    assert shown(base, ask, texts)[0].tolist() == rows[0].tolist()[:-1]
    made = continued(base, rows, steps=60, learning_rate=1e-2, batch_size=9, seed=1)
    assert all(torch.equal(one, before[name]) for name, one in model.predictor.state_dict().items())
    said = NextWordEncoder(type(model).of(made), ask).encode(texts)
    best = [model.tokenizer.id_to_token(int(columns[weights.argmax()])) for columns, weights in map(said.row, range(9))]
    assert best == answers
    with pytest.raises(UsageError, match="9 texts, 1 answers"):
        shown(base, ask, texts, ["red"])
    long = shown(base, ask, ["red " * 60], ["dogs cats run " * 9])
    assert len(long[0]) == 48
