"""Attributes joined with entities: counts by hand, the real table of heights, means by group."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isogloss.corpus.attributes import join_attribute, means_by_group
from isogloss.errors import CorpusError

TABLE = [{"id": "a", "cm": "170"}, {"id": "b", "cm": ""}, {"id": "c", "cm": "17"}, {"id": "d", "cm": 181.5}]


def test_every_entity_is_counted_once():
    found = join_attribute(["d", "a", "b", "c", "x", "a"], TABLE, key="id", value="cm", low=140, high=220)
    np.testing.assert_array_equal(found.values, [181.5, 170, np.nan, np.nan, np.nan, 170])
    assert found.rows.tolist() == [3, 0, 1, 2, -1, 0]
    assert found.counts == {"joined": 3, "missing": 1, "no number": 1, "out of range": 1, "unused": 0}


@given(st.lists(st.sampled_from("abcdxyz"), max_size=20))
def test_counts_add_up(entities):
    counts = join_attribute(entities, TABLE, key="id", value="cm", low=140).counts
    assert sum(counts.values()) - counts["unused"] == len(entities)


def test_faults_of_the_table_are_said():
    with pytest.raises(CorpusError, match="lacks height"):
        join_attribute(["a"], TABLE, key="id", value="height")
    with pytest.raises(CorpusError, match="two values"):
        join_attribute(["a"], [*TABLE, {"id": "a", "cm": "171"}], key="id", value="cm")
    twice = join_attribute(["a"], [*TABLE, {"id": "a", "cm": "170"}], key="id", value="cm")
    assert twice.values.tolist() == [170.0]


def test_the_real_table_of_heights(data):
    with open(data("heightceleb") / "height_celeb.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    names = [row["VoxCeleb1 ID"] for row in rows]
    found = join_attribute(names, rows, key="VoxCeleb1 ID", value="height", low=140, high=220)
    assert found.counts == {"joined": 1251, "missing": 0, "no number": 0, "out of range": 0, "unused": 0}
    sex = np.array([row["sex"] for row in rows])
    means = means_by_group(found.values, sex, np.ones(1251, bool))
    for name in "FM":
        own = [float(row["height"]) for row in rows if row["sex"] == name]
        np.testing.assert_allclose(means[sex == name], sum(own) / len(own))
    assert 8 < means[sex == "M"][0] - means[sex == "F"][0] < 18  # men and women differ as people do


def test_means_by_hand():
    values, train = np.array([1.0, 3.0, np.nan, 9.0, 5.0]), np.array([True, True, True, False, False])
    found = means_by_group(values, np.array(["a", "a", "a", "a", "b"]), train)
    np.testing.assert_array_equal(found, [2, 2, 2, 2, np.nan])
