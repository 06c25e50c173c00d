"""Decoding against brute force over all sequences of a tiny vocabulary, and draws against their probabilities."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from isogloss.arrays import counting  # noqa: E402
from isogloss.errors import NonFiniteError, UsageError  # noqa: E402
from isogloss.generation.constraints import Trie  # noqa: E402
from isogloss.generation.decoding import beams, greedy, sample  # noqa: E402

OUTPUTS = 4


class State(tuple):
    """What was written so far, one row an output: (source, tokens)."""

    def select(self, rows):
        return State(self[i] for i in rows.tolist())


class Table:
    """A model whose logits are drawn once for every source and everything written before."""

    start, end = 0, 3

    def __init__(self, seed, end=3, spread=2.0):
        self.seed, self.end, self.spread = seed, end, spread

    def begin(self, sources):
        return State((source, ()) for source in sources)

    def logits(self, source, written):
        return np.random.default_rng([self.seed, source, 7, *written]).standard_normal(OUTPUTS) * self.spread

    def step(self, state, tokens):
        after = State((source, (*before, int(token))) for (source, before), token in zip(state, tokens, strict=True))
        return torch.tensor(np.array([self.logits(source, before[1:]) for source, before in after])), after


def log_probability(model, source, tokens):
    total = 0.0
    for place, token in enumerate(tokens):
        logits = model.logits(source, tokens[:place])
        total += logits[token] - np.log(np.exp(logits).sum())
    return total


def every_output(model, source, longest, allowed=None):
    """All finished outputs (or those of full length where there is no end), best first."""
    found = []
    for length in range(1, longest + 1):
        for tokens in itertools.product(range(OUTPUTS), repeat=length):
            ends = tokens[-1] == model.end
            if model.end in tokens[:-1] or not (ends or (model.end < 0 and length == longest)):
                continue
            if allowed is None or tokens in allowed:
                found.append((log_probability(model, source, tokens), tokens))
    return sorted(found, key=lambda one: (-one[0], one[1]))


@given(st.integers(0, 10**6), st.integers(1, 4))
def test_a_wide_beam_finds_what_brute_force_finds(seed, longest):
    model = Table(seed)
    for source, found in zip([1, 2], beams(model, [1, 2], width=64, longest=longest), strict=True):
        complete = [one for one in found if one.complete]
        truth = every_output(model, source, longest)[: len(complete)]
        assert [one.tokens for one in complete] == [tokens for _, tokens in truth]
        assert np.allclose([one.score for one in complete], [score for score, _ in truth])
        assert len(complete) == min(64, sum(3**length for length in range(longest)))


@given(
    st.integers(0, 10**6),
    st.lists(st.lists(st.integers(0, 2), max_size=3).map(tuple), min_size=1, max_size=9, unique=True),
    st.integers(1, 9),
)
def test_constrained_beams_give_allowed_outputs_only_and_the_best_when_wide(seed, rows, width):
    model, allowed = Table(seed), [(*row, 3) for row in rows]
    trie = Trie(allowed)
    (found,) = beams(model, [5], width=width, longest=4, constraint=trie)
    assert all(one.complete and one.tokens in allowed for one in found)
    assert len({one.tokens for one in found}) == len(found)
    assert all(one.score == pytest.approx(log_probability(model, 5, one.tokens)) for one in found)
    if width >= len(rows):
        assert [one.tokens for one in found] == [tokens for _, tokens in every_output(model, 5, 4, set(allowed))]


def test_a_constraint_ends_outputs_of_a_model_without_end():
    model, trie = Table(3, end=-1), Trie([[0, 1], [0, 2, 2], [3]])
    (found,) = beams(model, [1], width=3, longest=3, constraint=trie)
    truth = sorted(([0, 1], [0, 2, 2], [3]), key=lambda row: -log_probability(model, 1, tuple(row)))
    assert [list(one.tokens) for one in found] == truth
    assert all(one.complete for one in found)


@given(st.integers(0, 10**6), st.integers(1, 5))
def test_greedy_takes_the_likeliest_token_each_time(seed, longest):
    model = Table(seed)
    for source, found in zip([4, 9], greedy(model, [4, 9], longest=longest), strict=True):
        tokens: tuple[int, ...] = ()
        while len(tokens) < longest and (not tokens or tokens[-1] != model.end):
            tokens = (*tokens, int(np.argmax(model.logits(source, tokens))))
        assert (found.tokens, found.complete) == (tokens, tokens[-1] == model.end)
        assert found.score == pytest.approx(log_probability(model, source, tokens))


def test_without_an_end_the_best_output_of_full_length_comes_first():
    model = Table(11, end=-1)
    (found,) = beams(model, [1], width=64, longest=3)
    truth = every_output(model, 1, 3)
    assert [one.tokens for one in found] == [tokens for _, tokens in truth]
    assert not any(one.complete for one in found)


def test_several_sources_are_as_one_by_one():
    model = Table(2)
    together = beams(model, [1, 2, 3], width=3, longest=4)
    assert together == [beams(model, [source], width=3, longest=4)[0] for source in (1, 2, 3)]


def test_length_power_orders_by_score_a_token():
    model = Table(8, spread=0.5)
    plain, powered = (beams(model, [1], width=40, longest=3, length_power=power)[0] for power in (0.0, 1.0))
    means = [one.score / len(one.tokens) for one in powered if one.complete]
    assert means == sorted(means, reverse=True)
    assert [one.tokens for one in plain] != [one.tokens for one in powered]


def test_steps_are_charged():
    with counting() as ledger:
        greedy(Table(1, end=-1), [1, 2], longest=3)
    assert ledger.decode_steps == 6


@pytest.mark.parametrize("temperature", [1.0, 0.5, 3.0])
def test_draws_follow_the_probabilities(temperature):
    model, sources = Table(21, spread=1.0), [1] * 4000
    drawn = sample(model, sources, longest=2, seed=0, temperature=temperature)
    counts = np.bincount([one.tokens[0] for one in drawn], minlength=OUTPUTS) / 4000
    wanted = np.exp(model.logits(1, ()) / temperature)
    assert np.allclose(counts, wanted / wanted.sum(), atol=0.03)
    assert all(one.score == pytest.approx(log_probability(model, 1, one.tokens)) for one in drawn[:50])
    assert all(one.complete == (one.tokens[-1] == 3) and len(one.tokens) <= 2 for one in drawn)


def test_draws_repeat_by_seed_and_obey_limits_and_constraints():
    model, sources, trie = Table(5), [1] * 60, Trie([[0, 3], [2, 1, 3]])
    assert sample(model, sources, longest=4, seed=1) == sample(model, sources, longest=4, seed=1)
    assert sample(model, sources, longest=4, seed=1) != sample(model, sources, longest=4, seed=2)
    likeliest = greedy(Table(5, end=-1), [1], longest=3)[0].tokens
    for limits in ({"most": 1}, {"mass": 1e-6}, {"temperature": 1e-3}):
        assert {one.tokens for one in sample(Table(5, end=-1), sources, longest=3, seed=1, **limits)} == {likeliest}
    drawn = sample(model, sources, longest=4, seed=1, constraint=trie)
    assert {one.tokens for one in drawn} <= {(0, 3), (2, 1, 3)}
    assert all(one.complete for one in drawn)


@pytest.mark.parametrize(
    "call",
    [
        lambda model: beams(model, [1], width=0, longest=2),
        lambda model: beams(model, [1], width=1, longest=0),
        lambda model: sample(model, [1], longest=2, seed=0, temperature=0.0),
        lambda model: sample(model, [1], longest=2, seed=0, mass=0.0),
        lambda model: beams(model, [1], width=1, longest=2, constraint=Trie([[9]])),
    ],
)
def test_senseless_settings_are_refused(call):
    with pytest.raises(UsageError):
        call(Table(1))


def test_nan_is_an_error():
    class Broken(Table):
        def logits(self, source, written):
            return np.full(OUTPUTS, np.nan)

    with pytest.raises(NonFiniteError, match="NaN"):
        greedy(Broken(1), [1], longest=1)
