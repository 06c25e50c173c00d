"""Kneser-Ney: a tiny model by hand, a brute-force one over dictionaries, sums of one, bits that fall with order."""

from __future__ import annotations

from collections import Counter, defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isogloss.errors import UsageError
from isogloss.learners.kneser_ney import KneserNey, fit_ngrams

SEQUENCES = st.lists(st.lists(st.integers(0, 3), max_size=12), min_size=1, max_size=4)


def brute(sequences, size, order):
    """The same smoothing by dictionaries: a function from context and symbol to a probability."""
    padded = [(size,) * (order - 1) + tuple(row) for row in sequences]
    counts = {order: Counter(row[i - order + 1 : i + 1] for row in padded for i in range(order - 1, len(row)))}
    for n in range(order - 1, 0, -1):
        lefts = defaultdict(set)
        for gram in counts_over(padded, n + 1, order):
            lefts[gram[1:]].add(gram[0])
        counts[n] = Counter({gram: len(found) for gram, found in lefts.items()})

    def discount(n, count):
        having = Counter(min(c, 5) for c in counts[n].values())
        n1, n2, n3, n4 = (having[k] for k in (1, 2, 3, 4))
        if not (n1 and n2 and n3 and n4):
            return [0, 0.5, 1.0, 1.5][min(count, 3)]
        y = n1 / (n1 + 2 * n2)
        values = [0, 1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3]
        k = min(count, 3)
        return min(max(values[k], 0), k)

    def probability(context, symbol):
        n = len(context) + 1
        lower = probability(context[1:], symbol) if n > 1 else 1 / size
        here = {gram: c for gram, c in counts[n].items() if gram[:-1] == context}
        total = sum(here.values())
        if not total:
            return lower
        left = sum(min(discount(n, c), c) for c in here.values())
        own = here.get((*context, symbol), 0)
        return max(own - discount(n, own), 0) / total + left / total * lower

    return probability


def counts_over(padded, n, order):
    """All n-grams that end on a real symbol."""
    return {row[i - n + 1 : i + 1] for row in padded for i in range(order - 1, len(row))}


@given(SEQUENCES, st.integers(1, 4), st.lists(st.integers(0, 3), max_size=5))
def test_probabilities_are_those_of_brute_force_and_sum_to_one(sequences, order, asked):
    if not any(sequences):
        return
    rows = [np.array(row, np.int64) for row in sequences]
    model, true = fit_ngrams(rows, 4, order), brute(sequences, 4, order)
    found = model.probabilities(np.array(asked, np.int64))
    padded = [4] * (order - 1) + asked
    for i, symbol in enumerate(asked):
        context = tuple(padded[i : i + order - 1])
        assert found[i] == pytest.approx(true(context, symbol), rel=1e-9)
        whole = model.next_probabilities(asked[:i])
        assert whole.sum() == pytest.approx(1, abs=1e-12)
        assert whole[symbol] == pytest.approx(found[i], rel=1e-9)
        assert (whole > 0).all()


def test_single_symbols_by_hand():
    # counts 3 and 1: too few n-grams for estimates, so .5, 1 and 1.5 are taken off; 2 of 4 are left for the even share
    model = fit_ngrams([np.array([0, 0, 0, 1])], 4, 1)
    np.testing.assert_allclose(model.next_probabilities([]), [1.5 / 4 + 0.125, 0.5 / 4 + 0.125, 0.125, 0.125])


def test_a_continuation_counts_different_contexts_not_times():
    # 3 is frequent but always after 2; 1 is rarer, after several symbols: it is likelier in a new context
    rows = [np.array([2, 3] * 10 + [0, 1, 2, 1, 1, 1])]
    model = fit_ngrams(rows, 5, 2)
    unseen = model.next_probabilities([4])
    assert unseen[1] > unseen[3]


def test_bits_of_a_byte_fall_and_nothing_is_impossible():
    train, other = ["the cat sat on the mat. the dog sat on the cat."] * 20, ["the dog sat on the mat."]
    bits = []
    for order in (1, 2, 4):
        nats, size = KneserNey(order=order).fit(train).nll(other)
        bits.append(nats.sum() / size.sum() / np.log(2))
    assert bits[0] > bits[1] > bits[2] > 0
    model = KneserNey(order=3).fit(train)
    nats, size = model.nll(["大熊猫", "", "\ud800"])
    assert np.isfinite(nats).all()
    assert size.tolist() == [9, 0, 3]
    assert (model.nll(other)[0] == model.nll([*other, "x"])[0][:1]).all()


def test_it_writes_like_its_texts_and_repeats():
    model = KneserNey(order=5).fit(["abcabcabc"] * 50)
    first, again = (model.generate(["ab"], most=7, seed=1) for _ in range(2))
    assert first == again
    assert first[0].startswith("cabcabc"[: max(1, len(first[0]) - 2)])


def test_errors_are_said():
    for bad in ([], ["", ""]):
        with pytest.raises(UsageError, match="nothing to learn"):
            KneserNey().fit(bad)
    with pytest.raises(UsageError, match="out of bounds"):
        fit_ngrams([np.array([0, 7])], 4, 2)


def test_odd_counts_of_counts_leave_something_to_the_unseen():
    from isogloss.learners.kneser_ney import _discounts

    counts = np.repeat([1.0, 2.0, 3.0, 4.0, 5.0], [931, 5, 1, 3, 72])
    assert _discounts(counts).tolist() == [0.0, 0.5, 1.0, 1.5]
