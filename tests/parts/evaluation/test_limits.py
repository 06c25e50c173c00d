"""Limits of single vectors: the paper's figures at small size, exact solutions, worlds that keep their rule."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isogloss.errors import UsageError
from isogloss.evaluation.limits import all_pairs, free_embeddings, moment_curve, pair_world, pairs_found


@given(st.integers(0, 1000), st.integers(3, 9))
def test_found_pairs_are_the_two_best(seed, n):
    scores = np.random.default_rng(seed).integers(0, 6, (len(all_pairs(n)), n)).astype(float)
    for row, pair, found in zip(scores, all_pairs(n), pairs_found(scores, all_pairs(n)), strict=True):
        rest = [row[i] for i in range(n) if i not in pair]
        assert found == (min(row[pair]) > max(rest))


def served(documents, dimensions, **settings):
    questions, texts = free_embeddings(documents, dimensions, **settings)
    np.testing.assert_allclose(np.linalg.norm(questions, axis=1), 1)
    pairs = settings.get("pairs", all_pairs(documents))
    return pairs_found(questions @ texts.T, pairs)


def test_three_dimensions_serve_four_documents_and_not_nine():
    assert served(4, 3).all()
    few = served(9, 3, steps=400, restarts=1).mean()
    more = served(9, 4, steps=400, restarts=1).mean()
    assert few < 1
    assert more > few


def test_disjoint_pairs_are_easy():
    assert served(12, 3, pairs=np.arange(12).reshape(6, 2)).all()


def test_one_dimension_serves_neighbours_only():
    found = served(6, 1, steps=200)
    assert found.sum() <= 2  # on a sphere of two points there is nothing to order


def test_the_curve_is_exact_and_precision_breaks_it():
    for n in (5, 46, 200):
        assert moment_curve(n).all()
    assert moment_curve(46, np.float16).mean() < 0.97
    assert moment_curve(200, np.float16).mean() < moment_curve(46, np.float16).mean()


@pytest.mark.parametrize("pattern", ["dense", "random", "cycle", "disjoint"])
def test_a_world_keeps_its_rule(pattern):
    words = [f"thing{i}" for i in range(200)]
    world = pair_world(words, documents=12, pattern=pattern, questions=60, seed=4)
    assert len(world.queries) == len(world.qrels) == 60
    texts = {record.id: record.text for record in world.documents}
    for query, judged in world.qrels.items():
        thing = world.queries[query].removeprefix("Who likes ").removesuffix("?")
        holders = {id for id, text in texts.items() if thing in text.rstrip(".").replace(",", "").split()}
        assert holders == set(judged)
        assert len(judged) == 2
    pairs = [tuple(sorted(judged)) for judged in world.qrels.values()]
    if pattern in ("dense", "random"):
        assert len(set(pairs)) == len(pairs)
    if pattern == "disjoint":
        assert len(set(pairs)) == 6
        assert len({person for pair in set(pairs) for person in pair}) == 12


def test_what_is_refused():
    with pytest.raises(UsageError, match="fewer pairs"):
        pair_world([str(i) for i in range(99)], documents=4, questions=7)
    with pytest.raises(UsageError, match="too few things"):
        pair_world(["a", "b"], documents=4, questions=3)
    with pytest.raises(UsageError):
        free_embeddings(2, 3)
