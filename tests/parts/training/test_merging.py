"""Merging by hand arithmetic, against plain loops over numbers, and what must hold for any models."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from isogloss.errors import IncompatibleError, UsageError  # noqa: E402
from isogloss.training import merging  # noqa: E402


def model(*numbers, dtype=torch.float32):
    return {"a": torch.tensor(numbers[:2], dtype=dtype), "b": torch.tensor(numbers[2:], dtype=dtype)}


def numbers(state):
    return [float(x) for tensor in state.values() for x in tensor.reshape(-1)]


def random_models(count, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [
        {"a": torch.randn(3, 2, generator=generator), "b": torch.randn(5, generator=generator)} for _ in range(count)
    ]


def test_weighted_by_hand():
    merged = merging.merge_weighted([model(0.0, 2.0, 8.0), model(4.0, 2.0, 0.0)], [3, 1])
    assert numbers(merged) == [1.0, 2.0, 6.0]  # (3 * 0 + 4) / 4, (3 * 2 + 2) / 4, (3 * 8 + 0) / 4


def test_slerp_by_hand():
    # 60 degrees between (2, 0) and (2, 2 * sqrt 3); a third of the way is 20 degrees, length 2 * 2/3 + 4 * 1/3
    merged = merging.merge_slerp({"w": torch.tensor([2.0, 0.0])}, {"w": torch.tensor([2.0, 2 * math.sqrt(3)])}, 1 / 3)
    angle, length = math.radians(20), 8 / 3
    assert merged["w"].tolist() == pytest.approx([length * math.cos(angle), length * math.sin(angle)], abs=1e-5)


def test_slerp_falls_back_to_the_line():
    one = {"w": torch.tensor([1.0, 2.0])}
    assert merging.merge_slerp(one, {"w": torch.tensor([3.0, 6.0])}, 0.5)["w"].tolist() == pytest.approx([2.0, 4.0])
    assert merging.merge_slerp(one, {"w": torch.zeros(2)}, 0.5)["w"].tolist() == [0.5, 1.0]
    assert merging.merge_slerp(one, {"w": -one["w"]}, 0.25)["w"].tolist() == [0.5, 1.0]


def test_slerp_keeps_small_angles():
    """Tuned models differ by small angles, where the cosine is 1 in float32: halfway stays halfway."""
    one, other = {"w": torch.tensor([1.0, 0.0])}, {"w": torch.tensor([1.0, 1e-4])}
    assert float(merging.merge_slerp(one, other, 0.5)["w"][1]) == pytest.approx(5e-5, rel=1e-4)


def test_task_arithmetic_by_hand():
    base, tuned = model(1.0, 1.0, 1.0), [model(2.0, 1.0, 0.0), model(1.0, 4.0, 1.0)]
    assert numbers(merging.task_vector(base, tuned[0])) == [1.0, 0.0, -1.0]
    assert numbers(merging.merge_tasks(base, tuned, [2.0, 1.0])) == [3.0, 4.0, -1.0]
    assert numbers(merging.merge_tasks(base, tuned[:1], [-1.0])) == [0.0, 1.0, 2.0]


def test_ties_by_hand():
    # task vectors (5, -1, 3) and (-2, -4, .5); the two largest of each stay: (5, 0, 3), (-2, -4, 0)
    # signs of the sums 3, -4, 3; agreeing means 5, -4, 3; twice
    base, tuned = model(1.0, 1.0, 1.0), [model(6.0, 0.0, 4.0), model(-1.0, -3.0, 1.5)]
    merged = merging.merge_ties(base, tuned, density=2 / 3, scale=2.0)
    assert numbers(merged) == pytest.approx([11.0, -7.0, 7.0])


def test_ties_against_a_loop_over_numbers():
    base, *tuned = random_models(4)
    merged, density = merging.merge_ties(base, tuned, density=0.5), 0.5
    vectors = [[x - y for x, y in zip(numbers(one), numbers(base), strict=True)] for one in tuned]
    for vector in vectors:
        keep = sorted(range(len(vector)), key=lambda i: -abs(vector[i]))[: round(density * len(vector))]
        for i in set(range(len(vector))) - set(keep):
            vector[i] = 0.0
    want = []
    for place, column in enumerate(zip(*vectors, strict=True)):
        sign = math.copysign(1, sum(column)) if sum(column) else 0
        agree = [x for x in column if x * sign > 0]
        want.append(numbers(base)[place] + (sum(agree) / len(agree) if agree else 0.0))
    assert numbers(merged) == pytest.approx(want, abs=1e-5)


def test_dare_drops_and_makes_up():
    size, drop = 20_000, 0.9
    base, tuned = {"w": torch.zeros(size)}, [{"w": torch.ones(size)}, {"w": torch.full((size,), 2.0)}]
    merged = merging.merge_dare(base, tuned, [1.0, 1.0], drop=drop, seed=1)["w"]
    assert set(merged.round(decimals=3).tolist()) == {0.0, 10.0, 20.0, 30.0}  # 1 / .1, 2 / .1, both
    assert float(merged.mean()) == pytest.approx(3.0, abs=4 * math.sqrt(5 * drop / (1 - drop) / size))
    assert float((merged == 0).float().mean()) == pytest.approx(0.81, abs=0.015)  # drawn independently
    assert torch.equal(merged, merging.merge_dare(base, tuned, [1.0, 1.0], drop=drop, seed=1)["w"])
    assert not torch.equal(merged, merging.merge_dare(base, tuned, [1.0, 1.0], drop=drop, seed=2)["w"])


def test_dare_that_drops_nothing_is_task_arithmetic():
    base, *tuned = random_models(3)
    merged = merging.merge_dare(base, tuned, [0.3, 0.4], drop=0.0, seed=0)
    assert numbers(merged) == pytest.approx(numbers(merging.merge_tasks(base, tuned, [0.3, 0.4])), abs=1e-6)


def test_a_soup_takes_in_what_helps():
    models = [{"w": torch.tensor([x])} for x in (10.0, 1.0, 4.0, -6.0)]
    # near 0 is best: 1 first; with 4: 2.5 is worse; with -6: -2.5 is worse; with 10: 5.5 is worse
    soup, used = merging.greedy_soup(models, lambda state: -abs(float(state["w"])))
    assert (float(soup["w"]), used) == (1.0, [1])
    # near 2: 1 and 4 are 1 and 2 away; their mean 2.5 is .5 away; with -6 no; with 10: 5 no
    soup, used = merging.greedy_soup(models, lambda state: -abs(float(state["w"]) - 2))
    assert (float(soup["w"]), used) == (2.5, [1, 2])


@given(share=st.floats(0, 1), seed=st.integers(0, 50))
def test_merging_a_model_with_itself_changes_nothing(share, seed):
    (one,) = random_models(1, seed)
    for merged in (
        merging.merge_weighted([one, one], [share, 1 - share]),
        merging.merge_slerp(one, one, share),
        merging.merge_tasks(one, [one, one], [share, 2.0]),
        merging.merge_ties(one, [one, one]),
        merging.merge_dare(one, [one], drop=0.5, seed=seed),
    ):
        assert numbers(merged) == pytest.approx(numbers(one), abs=1e-5)


@given(seed=st.integers(0, 50))
def test_ends_and_order(seed):
    one, other, third = random_models(3, seed)
    assert numbers(merging.merge_slerp(one, other, 0.0)) == pytest.approx(numbers(one), abs=1e-5)
    assert numbers(merging.merge_slerp(one, other, 1.0)) == pytest.approx(numbers(other), abs=1e-5)
    forth = merging.merge_ties(one, [other, third], density=0.4)
    assert numbers(forth) == pytest.approx(numbers(merging.merge_ties(one, [third, other], density=0.4)), abs=1e-6)


def test_types_stay_and_inputs_are_not_touched():
    one = {"w": torch.ones(2, dtype=torch.bfloat16), "ids": torch.arange(3)}
    other = {"w": torch.zeros(2, dtype=torch.bfloat16), "ids": torch.arange(3)}
    merged = merging.merge_weighted([one, other])
    assert merged["w"].dtype == torch.bfloat16
    assert merged["w"].tolist() == [0.5, 0.5]
    assert merged["ids"].tolist() == [0, 1, 2]
    merged["ids"][0] = 7
    assert one["ids"].tolist() == [0, 1, 2]
    assert one["w"].tolist() == [1.0, 1.0]
    assert merging.merge_ties(one, [other], density=1.0)["ids"].tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("merge", "words"),
    [
        (lambda a, b: merging.merge_weighted([a, {"a": b["a"]}]), "1 are in one of them only: b"),
        (lambda a, b: merging.merge_weighted([a, {"a": b["a"], "b": torch.zeros(7)}]), r"b is \(1,\) in model 1"),
        (lambda a, b: merging.merge_slerp(a, {}, 0.5), "model 2 has 0"),
        (lambda a, b: merging.merge_ties(a, [{"a": b["a"]}]), "one of them only"),
        (lambda a, b: merging.merge_weighted([{"i": torch.tensor([1])}, {"i": torch.tensor([2])}]), "i differs"),
    ],
)
def test_unlike_models_are_refused(merge, words):
    with pytest.raises(IncompatibleError, match=words):
        merge(model(1.0, 2.0, 3.0), model(1.0, 2.0, 3.0))


@pytest.mark.parametrize(
    "merge",
    [
        lambda a: merging.merge_weighted([]),
        lambda a: merging.merge_weighted([a, a], [1.0]),
        lambda a: merging.merge_weighted([a, a], [1.0, -1.0]),
        lambda a: merging.merge_weighted([a], [math.nan]),
        lambda a: merging.merge_tasks(a, [a], []),
        lambda a: merging.merge_ties(a, [], density=0.5),
        lambda a: merging.merge_ties(a, [a], density=0.0),
        lambda a: merging.merge_dare(a, [a], drop=1.0, seed=0),
        lambda a: merging.merge_dare(a, [a], [1.0, 2.0], seed=0),
        lambda a: merging.greedy_soup([], lambda state: 0.0),
        lambda a: merging.greedy_soup([a], lambda state: math.nan),
    ],
)
def test_what_makes_no_sense_is_refused(merge):
    with pytest.raises(UsageError):
        merge(model(1.0, 2.0, 3.0))
