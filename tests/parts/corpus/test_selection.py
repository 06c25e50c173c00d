"""Selections: sheets for a person, what a person dropped, and samples that are even over clusters."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isogloss.corpus.selection import (
    cluster_sheets,
    even_sample,
    read_dropped,
    select_clusters,
    write_sheets,
)
from isogloss.errors import CorpusError, UsageError

LABELS = np.array([1, 0, 1, 1, 0, 3])
DISTANCES = np.array([0.3, 0.2, 0.1, 0.2, 0.5, 0.0])


def test_a_sheet_shows_both_ends_of_a_cluster():
    first, second, third = cluster_sheets(LABELS, DISTANCES, shown=2)
    assert (first.cluster, first.size, first.nearest, first.farthest) == (0, 2, [1, 4], [4, 1])
    assert (second.nearest, second.farthest, second.shown) == ([2, 3], [0, 3], [2, 3, 0])
    assert (third.cluster, third.shown) == (3, [5])


def test_what_a_person_drops_is_dropped(tmp_path):
    path = tmp_path / "sheets.jsonl"
    texts = [f"text {i}" for i in range(6)]
    write_sheets(path, cluster_sheets(LABELS, DISTANCES), texts)
    assert read_dropped(path) == set()
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], lines[1].replace('"keep": true', '"keep": false'), lines[2]]))
    assert read_dropped(path) == {1}
    made = select_clusters(LABELS, -DISTANCES, read_dropped(path))
    assert made.keep.tolist() == [False, True, False, False, True, True]
    assert made.counts() == {"cluster dropped": 3, "kept": 3}
    with pytest.raises(UsageError, match="does not exist"):
        select_clusters(LABELS, DISTANCES, {2})


@pytest.mark.parametrize("line", ["nonsense", '{"cluster": 1}', '{"cluster": 1, "keep": "no"}', "[]"])
def test_a_broken_sheet_is_said(tmp_path, line):
    path = tmp_path / "sheets.jsonl"
    path.write_text(line)
    with pytest.raises(CorpusError, match="line 1"):
        read_dropped(path)
    with pytest.raises(CorpusError, match="cannot be read"):
        read_dropped(tmp_path / "none.jsonl")


def test_shares_by_hand():
    # ten from sizes 8, 3, 1: one gives 1, the next 3, the first the rest
    labels = np.repeat([5, 6, 7], [8, 3, 1])
    assert np.bincount(labels[even_sample(labels, 10)])[5:].tolist() == [6, 3, 1]
    assert np.bincount(labels[even_sample(labels, 6)])[5:].tolist() in ([3, 2, 1], [2, 3, 1])


@given(labels=st.lists(st.integers(0, 6), min_size=1, max_size=60), share=st.floats(0, 1.2), seed=st.integers(0, 99))
def test_a_sample_is_as_even_as_the_clusters_allow(labels, share, seed):
    labels = np.array(labels)
    count = int(share * len(labels))
    drawn = even_sample(labels, count, seed=seed)
    assert len(np.unique(drawn)) == len(drawn) == min(count, len(labels))
    assert (even_sample(labels, count, seed=seed) == drawn).all()
    taken, sizes = np.bincount(labels[drawn], minlength=7), np.bincount(labels, minlength=7)
    open_ = taken[taken < sizes]  # clusters that could give more
    if len(open_):
        assert taken.max() - open_.min() <= 1


def test_every_row_of_a_cluster_is_drawn_equally_often():
    labels = np.repeat([0, 1], [10, 4])
    counts = np.bincount([row for seed in range(400) for row in even_sample(labels, 6, seed=seed)], minlength=14)
    assert (np.abs(counts[:10] - 120) < 50).all()
    assert (np.abs(counts[10:] - 300) < 50).all()
