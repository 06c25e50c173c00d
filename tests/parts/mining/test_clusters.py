"""Clusters for batches and for keeping or dropping, and round trips of made queries."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

from isogloss.arrays import normalise
from isogloss.corpus.selection import Selection
from isogloss.errors import UsageError
from isogloss.mining import clusters as clustering
from isogloss.mining.candidates import VectorSource
from isogloss.mining.clusters import ClusterFilter, cluster_rows, clusters_within
from isogloss.mining.consistency import round_trip
from isogloss.seeding import generator


def blobs(seed=0, count=40, groups=4):
    """Rows around far-apart directions, and the direction of each."""
    random = generator(seed, "blobs")
    middle = 4 * np.eye(groups, 6)
    labels = random.integers(0, groups, count)
    return (middle[labels] + 0.3 * random.standard_normal((count, 6))).astype(np.float32), labels


def test_planted_groups_are_found_whatever_the_lengths():
    rows, labels = blobs()
    rows *= generator(1, "lengths").uniform(0.1, 9.0, (len(rows), 1)).astype(np.float32)
    found = cluster_rows(rows, 4)
    assert adjusted_rand_score(labels, found.labels) == 1.0
    theirs = KMeans(4, n_init=5, random_state=0).fit(normalise(rows)).labels_
    assert adjusted_rand_score(theirs, found.labels) == 1.0


@given(seed=st.integers(0, 10_000), k=st.integers(1, 12), least=st.integers(1, 9))
def test_every_cluster_fills_a_batch_and_rows_go_to_the_nearest_centre(seed, k, least):
    rows = generator(seed, "rows").standard_normal((30, 3)).astype(np.float32)
    found = cluster_rows(rows, k, least=least, seed=seed)
    assert np.bincount(found.labels, minlength=len(found)).min() >= least
    table = normalise(rows) @ found.centres.T
    np.testing.assert_allclose(found.cosines, table.max(1), atol=1e-6)
    np.testing.assert_allclose(table[np.arange(30), found.labels], table.max(1), atol=1e-6)
    assert (cluster_rows(rows, k, least=least, seed=seed).labels == found.labels).all()


def test_many_rows_are_assigned_to_centres_fitted_on_some(monkeypatch):
    monkeypatch.setattr(clustering, "FITTED_ON", 60)
    rows, labels = blobs(count=400)
    assert adjusted_rand_score(labels, cluster_rows(rows, 4).labels) == 1.0


def test_a_filter_keeps_and_drops_whole_clusters():
    rows, labels = blobs()
    names = [f"text {i}" for i in range(len(rows))]
    seen = []

    def inspect(sheet):
        seen.append(sheet)
        return labels[sheet.nearest[0]] != 2

    made = ClusterFilter(encode=lambda texts: rows, inspect=inspect, clusters=4, shown=3).select(names)
    assert isinstance(made, Selection)
    assert (made.keep == (labels != 2)).all()
    assert made.counts()["cluster dropped"] == int((labels == 2).sum())
    assert all(len(sheet.nearest) == len(sheet.farthest) == min(3, sheet.size) for sheet in seen)
    few = ClusterFilter(encode=lambda texts: rows, inspect=inspect, clusters=4, count=9).select(names)
    assert sorted(np.bincount(labels[few.keep], minlength=4).tolist()) == [0, 3, 3, 3]


def test_what_cannot_be_clustered_is_said():
    rows, _ = blobs()
    for settings in ({"k": 0}, {"k": 41}, {"k": 2, "least": 41}):
        with pytest.raises(UsageError):
            cluster_rows(rows, **settings)
    with pytest.raises(UsageError, match="nothing to select"):
        ClusterFilter(encode=len, inspect=lambda sheet: True).select([])
    with pytest.raises(UsageError, match="a dense vector a text"):
        ClusterFilter(encode=len, inspect=lambda sheet: True).select(["a"])


def test_a_made_query_must_find_its_document():
    documents = np.array([[1, 0], [0.8, 0.6], [0, 1]], np.float32)
    queries = np.array([[1, 0.1], [1, 0.1], [0, 1]], np.float32)
    source, own = VectorSource(queries, documents), np.array([0, 1, 0])
    assert round_trip(source, own).keep.tolist() == [True, False, False]
    second = round_trip(source, own, k=2)
    assert second.keep.tolist() == [True, True, False]
    assert second.score.tolist() == [1.0, 0.5, 0.0]
    same = round_trip(source, own, groups=["a", "a", "b"])  # row 1 is another passage of row 0's document
    assert same.keep.tolist() == [True, True, False]
    with pytest.raises(UsageError):
        round_trip(source, own, k=0)


@given(seed=st.integers(0, 10_000), k=st.integers(1, 6))
def test_round_trips_as_brute_force(seed, k):
    random = generator(seed, "trips")
    queries, documents = (random.standard_normal((n, 3)).astype(np.float32) for n in (8, 6))
    own = random.integers(0, 6, 8)
    table = normalise(queries).astype(np.float64) @ normalise(documents).T.astype(np.float64)
    ranks = 1 + (table > table[np.arange(8), own][:, None] + 1e-9).sum(1)
    made = round_trip(VectorSource(queries, documents), own, k=k)
    np.testing.assert_allclose(made.score, np.where(ranks <= k, 1 / ranks, 0))


@given(seed=st.integers(0, 20), k=st.integers(3, 9))
def test_clusters_within_never_mix_sources(seed, k):
    rows, _ = blobs(seed, count=60)
    sources = np.repeat([4, 7, 1], [30, 20, 10])
    labels = clusters_within(rows, sources, k, least=2, seed=seed)
    assert all(len(set(sources[labels == label].tolist())) == 1 for label in set(labels.tolist()))
    assert np.bincount(labels).min() >= 2
    assert len(set(labels.tolist())) <= k + 2
    alone = cluster_rows(rows[:30], round(k / 2), least=2, seed=seed).labels
    assert adjusted_rand_score(labels[:30], alone) == 1.0, "each source is clustered as though it were alone"


def test_more_sources_than_clusters_are_refused():
    rows, _ = blobs()
    with pytest.raises(UsageError, match="within their sources"):
        clusters_within(rows, np.arange(len(rows)) % 5, 3)
