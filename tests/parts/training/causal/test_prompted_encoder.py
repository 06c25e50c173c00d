"""Texts in prompts, readings by hand, and what happens where the window is short."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from isogloss.arrays import counting  # noqa: E402
from isogloss.errors import NonFiniteError, TruncationWarning, UsageError  # noqa: E402
from isogloss.nn.packing import pack  # noqa: E402
from isogloss.protocols import EncodeReport  # noqa: E402
from isogloss.training.causal_models import Wanted  # noqa: E402
from isogloss.training.causal_prompts import PLAIN, TWICE, Prompt, all_prompts  # noqa: E402
from isogloss.training.causal_readings import RoutingReading, StateReading, SummedReading  # noqa: E402
from isogloss.training.prompted_encoder import PromptedEncoder  # noqa: E402

TEXTS = ["red dogs run", "green cats", "the blue dogs sleep", ""]
EOL = Prompt.of('this : " {text} " means in one word : "')


def states(model, text, layer=-1, front=()):
    """States of the tokens of a text as it stands, begin included."""
    ids = np.array([*model.begin, *front, *model.tokenizer.encode(text).ids], np.int64)
    return model(pack([ids]), Wanted(layers=(layer,))).states[layer].numpy()


def raw(model, text, prompts=PLAIN, **settings):
    """The vector of a text, not normalised."""
    return PromptedEncoder(model, prompts, normalise=False, **settings).encode(text)[0]


def test_poolings_by_hand(model):
    own = states(model, "red dogs run")[len(model.begin) :]
    weighted = (1 * own[0] + 2 * own[1] + 3 * own[2]) / 6
    for pooling, vector in (("last", own[2]), ("mean", own.mean(0)), ("weighted", weighted)):
        found = raw(model, "red dogs run", reading=StateReading(pooling))
        np.testing.assert_allclose(found, vector, atol=1e-5)
    lower = states(model, "red dogs run", 1)[len(model.begin) :]
    np.testing.assert_allclose(raw(model, "red dogs run", reading=StateReading("mean", 1)), lower.mean(0), atol=1e-5)


def test_an_echo_reads_the_second_copy_which_has_seen_the_first(model):
    found = raw(model, "red dogs run", TWICE, reading=StateReading("mean"))
    np.testing.assert_allclose(found, states(model, "red dogs run red dogs run")[-3:].mean(0), atol=1e-5)
    # of the first word alone, one copy knows nothing of the last word, the second copy does
    for copies, same in ((1, True), (2, False)):
        first = [states(model, " ".join([f"red dogs {word}"] * copies))[-3] for word in ("run", "sleep")]
        assert np.allclose(*first, atol=1e-5) == same


def test_a_one_word_prompt_is_read_at_its_end_and_several_are_averaged_as_they_are(model):
    singles = [raw(model, "red dogs run", prompt) for prompt in (EOL, Prompt.of("the word : {text} is"))]
    np.testing.assert_allclose(singles[0], states(model, EOL.filled("red dogs run"))[-1], atol=1e-5)
    both = raw(model, "red dogs run", [EOL, Prompt.of("the word : {text} is")])
    np.testing.assert_allclose(both, (singles[0] + singles[1]) / 2, atol=1e-5)
    copies = PromptedEncoder(model, [EOL] * 4).encode(TEXTS)
    np.testing.assert_allclose(copies, PromptedEncoder(model, EOL).encode(TEXTS), atol=1e-6)


def test_examples_and_instructions_stand_in_front_and_are_not_pooled(model):
    shown = EOL.behind([("green cats", "cats"), ("the word", "word")], close=' "', between=" ")
    before = 'this : " green cats " means in one word : "cats " this : " the word " means in one word : "word " '
    np.testing.assert_allclose(
        raw(model, "red dogs run", shown), states(model, before + EOL.filled("red dogs run"))[-1], atol=1e-5
    )
    for pooling in ("mean", "weighted"):
        encoder = PromptedEncoder(model, reading=StateReading(pooling), normalise=False)
        found = encoder.encode("red dogs run", instruction="the word : ")[0]
        own = states(model, "the word : red dogs run")[-3:]
        weights = np.array([1, 2, 3]) / 6 if pooling == "weighted" else np.full(3, 1 / 3)
        np.testing.assert_allclose(found, weights @ own, atol=1e-5)
        assert np.abs(found - encoder.encode("red dogs run")[0]).max() > 1e-3


def test_queries_have_prompts_of_their_own(model):
    encoder = PromptedEncoder(model, Prompt.of("the {text} word"), query_prompts=Prompt.of(": {text} :"))
    plain = {key: PromptedEncoder(model, Prompt.of(key)).encode(TEXTS) for key in ("the {text} word", ": {text} :")}
    np.testing.assert_array_equal(encoder.encode_query(TEXTS), plain[": {text} :"])
    np.testing.assert_array_equal(encoder.encode_document(TEXTS), plain["the {text} word"])
    np.testing.assert_array_equal(encoder.encode(TEXTS), plain["the {text} word"])


def test_a_two_sided_mask_is_another_encoder(model):
    one, other = (PromptedEncoder(model, reading=StateReading("mean"), bidirectional=two) for two in (False, True))
    assert one.identity != other.identity
    assert np.abs(one.encode(TEXTS[0]) - other.encode(TEXTS[0])).max() > 1e-3


READINGS = {
    "routing": RoutingReading(), "sum": SummedReading(weight=0.5), "concatenation": SummedReading(scaled=False),
    "mean routing": RoutingReading("mean"),
}  # fmt: skip


@pytest.mark.parametrize("kind", ["lab-experts", "mixtral", "olmoe", "qwen2-moe"])
def test_routers_by_hand(model_of, kind):
    model = model_of(kind)
    encoders = {name: PromptedEncoder(model, EOL, reading=one, normalise=False) for name, one in READINGS.items()}
    vectors = {name: encoder.encode(TEXTS) for name, encoder in encoders.items()}
    ids = np.array([*model.begin, *model.tokenizer.encode(EOL.filled(TEXTS[0])).ids])
    routing = model(pack([ids]), Wanted(routing=True)).routing  # (T, 2, 3)
    np.testing.assert_allclose(vectors["routing"][0], routing[-1].flatten(), atol=1e-5)
    place = len(model.begin) + 3  # behind: this : "
    np.testing.assert_allclose(vectors["mean routing"][0], routing[place : place + 3].flatten(1).mean(0), atol=1e-5)
    states_alone = PromptedEncoder(model, EOL, normalise=False).encode(TEXTS)
    np.testing.assert_allclose(vectors["concatenation"], np.hstack([states_alone, vectors["routing"]]), atol=1e-5)
    assert [encoder.dimensions for encoder in encoders.values()] == [6, 22, 22, 6]


@pytest.mark.parametrize("kind", ["lab-experts", "mixtral", "olmoe", "qwen2-moe"])
def test_the_sum_is_the_sum_of_both_similarities(model_of, kind):
    def cosines(reading):
        unit = PromptedEncoder(model_of(kind), EOL, reading=reading).encode(TEXTS)
        return unit @ unit.T

    both = (cosines(StateReading()) + 0.5 * cosines(RoutingReading())) / 1.5
    np.testing.assert_allclose(cosines(SummedReading(weight=0.5)), both, atol=1e-5)


def test_a_dense_model_has_no_routers(model_of):
    with pytest.raises(UsageError, match="no router"):
        PromptedEncoder(model_of("llama"), reading=SummedReading())


CELLS = [
    {}, {"reading": StateReading("mean")}, {"reading": StateReading("weighted", 1)}, {"prompts": TWICE},
    {"prompts": (EOL, TWICE)}, {"bidirectional": True, "reading": StateReading("mean")},
]  # fmt: skip


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.text("red dogs\x00 🙂cats", max_size=60), min_size=1, max_size=6),
    st.sampled_from(CELLS),
    st.randoms(use_true_random=False),
)
def test_company_and_order_do_not_matter(model, texts, cell, random):
    encoder = PromptedEncoder(model, **cell)
    order = random.sample(range(len(texts)), len(texts))
    report = EncodeReport()
    together = encoder.encode([texts[i] for i in order], report=report)
    alone = np.concatenate([encoder.encode([texts[i]], report=EncodeReport()) for i in order])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    assert report.texts == len(texts)


def test_no_way_is_another_one_in_disguise(model):
    made = [PromptedEncoder(model, **cell) for cell in CELLS]
    assert len({one.identity for one in made}) == len(CELLS)
    vectors = [one.encode(TEXTS[:3]) for one in made]
    for i, one in enumerate(vectors):
        assert all(np.abs(one - other).max() > 1e-3 for other in vectors[:i])


def test_a_text_that_stands_twice_has_half_of_the_room_and_the_report_says_so(model):
    encoder = PromptedEncoder(model, TWICE, reading=StateReading("mean"), window=12)
    room = (12 - len(model.begin)) // 2
    words = ("red dogs run green cats sleep " * 2).split()
    for length, lost in ((room, 0), (room + 1, 1), (12, 12 - room)):
        report = EncodeReport()
        found = encoder.encode(" ".join(words[:length]), report=report)
        assert (report.texts, report.tokens, report.cut, report.lost) == (1, length, int(lost > 0), lost)
        kept = " ".join(words[: min(length, room)])
        np.testing.assert_allclose(found, encoder.encode(kept), atol=1e-6)
    assert encoder.tokens_read([" ".join(words)]) == len(model.begin) + 2 * room
    with pytest.warns(TruncationWarning, match="1 of 1 texts"):
        encoder.encode(" ".join(words))


def test_prompts_are_counted_once_a_text_and_their_work_each_time(model):
    report = EncodeReport()
    with counting() as three:
        PromptedEncoder(model, [EOL] * 3).encode(TEXTS, report=report)
    with counting() as once:
        PromptedEncoder(model, EOL).encode(TEXTS)
    assert (report.texts, report.tokens) == (4, 9)
    assert three.multiply_adds == 3 * once.multiply_adds > 0


def test_empty_texts_have_the_vector_of_their_prompt(model):
    found = raw(model, "", EOL)
    np.testing.assert_allclose(found, states(model, EOL.filled(""))[-1], atol=1e-5)
    nothing = raw(model, "", reading=StateReading("mean"))
    blank = np.array(model.begin or (model.blank,))
    np.testing.assert_allclose(nothing, model(pack([blank]), Wanted(layers=(-1,))).states[-1][0], atol=1e-5)
    assert PromptedEncoder(model).encode([]).shape == (0, model.width)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"prompts": ()}, "needs the text"),
        ({"prompts": EOL, "window": 9}, "no room"),
        ({"window": 49}, "too long"),
        ({"reading": StateReading(layer=3)}, "no layer 3"),
    ],
)
def test_wrong_settings_are_said(model, arguments, said):
    with pytest.raises(UsageError, match=said):
        PromptedEncoder(model, **arguments)


def test_what_is_no_reading_or_prompt_is_said(model_of):
    for wrong in (lambda: Prompt.of("none"), lambda: StateReading("max"), lambda: SummedReading(weight=-1)):
        with pytest.raises(UsageError):
            wrong()
    with pytest.raises(UsageError, match="with its instruction"):
        PromptedEncoder(model_of("lab"), window=8).encode("red", instruction="red " * 7)


def test_a_vector_that_is_not_finite_is_said(model_writer, tmp_path):
    from isogloss.training.local_causal import open_causal

    broken = open_causal(model_writer(tmp_path, "llama", seed=2))
    broken.model.base_model.embed_tokens.weight.data[9] = torch.nan  # green
    with pytest.raises(NonFiniteError, match="text 1: 'green cats'"):
        PromptedEncoder(broken).encode(TEXTS)


def test_the_meta_tasks_all_hold_the_text_once_and_ask_for_one_word():
    prompts = all_prompts()
    assert len(set(prompts)) == 8
    assert all(one.copies == 1 and one.pieces[1].endswith('one word:"') for one in prompts)
