"""Bits per byte of language models: by hand, under noise and constants, and through the Lab."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isogloss.corpus.examples import LabelledTexts
from isogloss.errors import NonFiniteError, UsageError
from isogloss.protocols import Record
from isogloss.recipes._bench import load_reading, store_reading
from isogloss.recipes._judges import BITS, LabJudge
from isogloss.recipes._language_judge import bits_of_language_model
from isogloss.recipes._placebo import liveness
from isogloss.recipes._run import Run
from isogloss.recipes._swaps import constant, noisy, relevel

TEXTS = ["ab", "abcd", "é"]


class Unigram:
    """Every byte costs the same number of bits; counts its calls."""

    def __init__(self, bits=2.0, wrong=0, partial=False):
        self.bits, self.wrong, self.partial, self.calls = bits, wrong, partial, 0

    def nll(self, texts):
        self.calls += 1
        sizes = np.array([len(text.encode()) for text in texts]) + self.wrong
        return sizes * self.bits * math.log(2), sizes

    def generate(self, prompts):
        return [prompt.upper() for prompt in prompts]


def judge(data=TEXTS, metric=None, **options):
    return LabJudge("judge", lambda: data, metric=metric, options=options)


def test_by_hand():
    """Bytes 2, 4, 2 at 1, 2 and 4 bits: 2 + 8 + 8 bits over 8 bytes."""

    class Given:
        def nll(self, texts):
            return np.array([2, 8, 8]) * math.log(2), np.array([2, 4, 2])

    sample = judge()(Given())
    assert sample.value() == pytest.approx(-18 / 8)
    assert sample.at(np.array([[0.0, 1.0, 0.0]])).tolist() == pytest.approx([-2.0])
    assert (
        judge(most=1)(Given.__new__(type("One", (), {"nll": lambda self, t: (np.ones(1), np.array([2]))}))).value() < 0
    )


def test_texts_come_from_records_and_rows_without_blank_ones():
    assert len(judge([Record("a", "one"), Record("b", " "), Record("c", "two", title="t")])(Unigram())) == 2
    labelled = LabelledTexts(["x", "y"], np.array([0, 1]), ["a", "b"])
    assert judge(labelled, metric=BITS)(Unigram(3.0)).value() == pytest.approx(-3.0)


@pytest.mark.parametrize(
    ("model", "error", "said"),
    [
        (Unigram(wrong=1), UsageError, "text 0 has 2 bytes, counted 3"),
        (Unigram(wrong=-1), UsageError, "3 of 3"),
        (Unigram(wrong=1, partial=True), UsageError, "other bytes"),
        (Unigram(math.nan), NonFiniteError, "so do 3 of 3"),
        (Unigram(-1.0), NonFiniteError, "text 0 costs"),
        (type("Short", (), {"nll": lambda self, texts: (np.ones(1), np.ones(1))})(), UsageError, "one number a text"),
    ],
)
def test_wrong_models_are_refused(model, error, said):
    with pytest.raises(error, match=said):
        bits_of_language_model(model, TEXTS)


def test_a_model_of_parts_may_count_fewer_bytes():
    assert bits_of_language_model(Unigram(wrong=-1, partial=True), TEXTS).value() == pytest.approx(-2.0)
    with pytest.raises(UsageError, match="there is none"):
        bits_of_language_model(Unigram(), [" "])


@given(st.floats(0, 1), st.floats(0, 1))
def test_more_noise_costs_more_bits(first, second):
    low, high = sorted((first, second))
    model = Unigram(2.0)
    assert judge()(noisy(model, low, 0)).value() >= judge()(noisy(model, high, 1)).value() - 1e-9
    assert judge()(noisy(model, low, 0)).value() == pytest.approx(-2 - 6 * low)


def test_a_constant_knows_nothing_and_clean_outputs_are_made_once():
    model = Unigram(2.0)
    assert judge()(constant(model)).value() == pytest.approx(-8.0)
    half = noisy(model, 0.5, 0)
    judge()(half)
    judge()(relevel(half, 0.25, 0))
    assert model.calls == 2  # once for the constant, once for all levels of noise


def test_written_texts_go_to_other_prompts():
    prompts = [chr(97 + i) * 3 for i in range(20)]
    made = noisy(Unigram(), 1.0, 0).generate(prompts)
    assert sorted(made) == sorted(one.upper() for one in prompts)
    assert made != [one.upper() for one in prompts]
    assert set(constant(Unigram()).generate(prompts)) == {"AAA"}


def test_readings_of_bits_are_kept_on_disk(tmp_path, make_lab):
    lab = make_lab()
    reading = lab.bench.read(_job(Unigram(2.5)), Run(0))
    assert store_reading(tmp_path / "one.npz", reading)
    assert load_reading(tmp_path / "one.npz").value == pytest.approx(-2.5)


@pytest.mark.parametrize(("bits", "live"), [(3.9, True), (4.1, False)])
def test_a_placebo_that_costs_twice_the_bits_is_broken(make_lab, bits, live):
    bench = make_lab().bench
    found = liveness(bench, lambda run: Unigram(bits), lambda run: Unigram(2.0), judge(), Run(0))
    assert found["live"] is live


def _job(model):
    from isogloss.recipes._bench import Job

    return Job(lambda run: model, judge())
