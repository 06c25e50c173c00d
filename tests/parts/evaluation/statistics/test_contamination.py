"""Contamination: planted copies are found, others are not, and counts equal brute force."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isogloss.corpus.dedup import similarity, sketch
from isogloss.errors import UsageError
from isogloss.evaluation import contamination as module
from isogloss.evaluation.contamination import contamination
from isogloss.evaluation.statistics.proportion import share_interval
from isogloss.text.folding import normal_form

WORDS = [f"{a}{b}{c}" for a in "kmnprst" for b in "aeiou" for c in ("l", "rn", "st", "x")]


def text(count, state):
    return " ".join(np.random.default_rng(state).choice(WORDS, count).tolist())


def test_each_kind_is_found_where_it_was_planted():
    train = [text(60, i) for i in range(50)]
    near = train[7].replace(train[7].split()[30], "other", 1)
    inside = text(20, 900) + " " + " ".join(train[9].split()[:50]) + " " + text(4, 901)
    touched = text(40, 902) + " " + " ".join(train[9].split()[:13]) + " " + text(40, 903)
    test = [train[3].upper() + "  ", near, inside, touched, text(60, 904), "short one", "Kal  pax"]
    found = contamination([*train, "kal PAX"], test)
    assert (found.train, found.test, found.short) == (51, 7, 2)
    assert [(one.kind, one.test, one.train) for one in found.examples] == [
        ("exact", 0, 3), ("exact", 6, 50), ("near", 1, 7), ("contained", 2, 9),
    ]  # fmt: skip
    assert found.rows == [0, 1, 2, 6]
    assert (found.exact.count, found.near.count, found.any.count) == (2, 3, 4)
    assert (found.touched.count, found.touched.of) == (4, 5)
    assert found.contained.count == 3
    assert found.any.interval == share_interval(4, 7)
    assert found.examples[0].train_text == train[3][:200]
    # 38 of the 62 runs of 13 words of the third text lie within the copied 50
    assert contamination(train, [inside], contained=0.6).examples[0].degree == pytest.approx(38 / 62)
    assert contamination(train, [inside], contained=0.62).contained.count == 0


def brute(train, test, words):
    def runs(one):
        found = re.findall(r"\w+", normal_form(one))
        return [tuple(found[i : i + words]) for i in range(len(found) - words + 1)]

    known = {run for one in train for run in runs(one)}
    shares = [np.mean([run in known for run in runs(one)]) if runs(one) else 0.0 for one in test]
    plain = {" ".join(normal_form(one).split()) for one in train} - {""}
    exact = [" ".join(normal_form(one).split()) in plain for one in test]
    return exact, shares


texts = st.lists(st.lists(st.sampled_from(["a", "b", "ß", "C"]), max_size=8).map(" ".join), min_size=1, max_size=12)


@given(texts, texts, st.integers(1, 4), st.integers(1, 5))
def test_counts_equal_brute_force(train, test, words, block):
    before = module._BATCH
    module._BATCH = block
    try:
        found = contamination(iter(train), test, words=words)
    finally:
        module._BATCH = before
    exact, shares = brute(train, test, words)
    assert found.exact.count == sum(exact)
    assert found.touched.count == sum(share > 0 for share in shares)
    assert found.contained.count == sum(share >= 0.5 for share in shares)
    for one in found.examples:
        if one.kind == "contained":
            assert one.degree == pytest.approx(shares[one.test])
        assert one.train_text == train[one.train]
        assert one.kind != "exact" or normal_form(train[one.train]).split() == normal_form(test[one.test]).split()


def test_near_copies_equal_all_pairs_of_sketches():
    rng = np.random.default_rng(6)
    train = [text(50, i) for i in range(40)]
    test = []
    for i in range(40):
        words = train[i].split()
        for place in rng.choice(50, int(rng.integers(0, 12)), replace=False):
            words[place] = "changed"
        test.append(" ".join(words))
    ours = contamination(train, test, examples=100)
    first, second = sketch(train), sketch(test)
    close = np.array([[similarity(a, b) >= 0.8 for a in first] for b in second])
    assert ours.near.count == close.any(axis=1).sum()
    assert 5 < ours.near.count < 40


def test_many_copies_stay_in_blocks(monkeypatch):
    monkeypatch.setattr(module, "_PAIRS", 10)
    found = contamination([text(50, 1)] * 20 + [text(50, 2)], [text(50, 1)] * 15)
    assert (found.exact.count, found.near.count) == (15, 15)
    assert {one.train for one in found.examples} == {0}


def test_nothing_to_compare_is_an_error():
    for train, test, words in (([], ["a"], 13), (["a"], [], 13), (["a"], ["a"], 0)):
        with pytest.raises(UsageError, match="nothing to compare"):
            contamination(train, test, words=words)
    empty = contamination(["", " "], ["", "a"])
    assert (empty.exact.count, empty.near.count, empty.any.count) == (0, 0, 0)
    assert np.isnan(empty.touched.share)


def test_a_real_data_set_against_itself(data):
    lines = (data("sts-b") / "README.md").read_text().splitlines()
    found = contamination(lines, [line for line in lines if line.strip()])
    assert found.exact.share == 1.0
