"""Batches by length and budget, and jobs run side by side in order."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isogloss.encoders.batching import in_order, length_batches, padded


def test_by_hand() -> None:
    found = [batch.tolist() for batch in length_batches(np.array([4, 10, 4, 1, 3]), 8)]
    assert found == [[1], [0, 2], [4, 3]]
    assert length_batches(np.zeros(0, np.int64), 8) == []
    assert padded([np.array([7, 8]), np.array([9])]).tolist() == [[7, 8], [9, 0]]


@given(st.lists(st.integers(1, 50), max_size=60), st.integers(1, 120))
def test_each_text_once_within_the_budget_and_longest_first(lengths, budget) -> None:
    counts = np.array(lengths, np.int64)
    batches = length_batches(counts, budget)
    assert sorted(i for batch in batches for i in batch) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) == 1 or len(batch) * counts[batch].max() <= budget
    order = [counts[i] for batch in batches for i in batch]
    assert order == sorted(order, reverse=True)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_results_come_in_order_from_threads(threads) -> None:
    def work(job: int) -> tuple[int, str]:
        time.sleep(0.002 * (job % 3))
        return job, threading.current_thread().name

    found = list(in_order(work, range(20), threads))
    assert [job for job, _ in found] == list(range(20))
    assert len({name for _, name in found}) <= threads
    assert (threading.current_thread().name in {name for _, name in found}) == (threads == 1)


def test_stopping_early_starts_nothing_more() -> None:
    drawn = []

    class Jobs(list):
        def __iter__(self):
            for job in super().__iter__():
                drawn.append(job)
                yield job

    results = in_order(str, Jobs(range(1000)), 2)
    assert next(results) == "0"
    results.close()
    assert len(drawn) == 5
    assert not [t for t in threading.enumerate() if t.name.startswith("isogloss")]


def test_an_error_of_a_job_reaches_the_caller() -> None:
    with pytest.raises(ZeroDivisionError):
        list(in_order(lambda job: 1 // job, [2, 1, 0, 1], 2))
