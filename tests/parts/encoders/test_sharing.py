"""Several processes encode as one does, bit for bit; one that dies is replaced, and none is left behind."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest

from isogloss.encoders.engines.seam import ENGINES
from isogloss.encoders.names import load_encoder
from isogloss.encoders.shared_block import Order, digest, make_vectors, open_vectors
from isogloss.encoders.sharing import shared_blocks
from isogloss.encoders.text_spool import blocks, open_spool, write_spool
from isogloss.errors import IncompatibleError, IsoglossError, ModelError, UsageError

WORDS = ["the", "heat", "of", "snow", "lies", "on", "every", "northern", "roof", "while", "ships", "wait", "for"]
TEXTS = [" ".join(WORDS[(i * k) % len(WORDS)] for k in range(1 + i % 37)) for i in range(1500)]


def order_of(folder: Path, model: str, texts=TEXTS, **options) -> tuple[Order, list[int]]:
    folder.mkdir()
    count, _ = write_spool(folder, texts)
    make_vectors(folder, count, load_encoder(model).dimensions)
    return Order(str(folder), model, **options), list(range(len(blocks(open_spool(folder).sizes))))


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def gone(pids: list[int], within: float = 10.0) -> bool:
    end = time.monotonic() + within
    while any(map(alive, pids)) and time.monotonic() < end:
        time.sleep(0.02)
    return not any(map(alive, pids))


@pytest.fixture
def model(tiny_model) -> str:
    return str(tiny_model(dense=True))


def test_two_processes_give_what_one_gives_and_what_the_encoder_gives(tmp_path, model) -> None:
    alone, numbers = order_of(tmp_path / "one", model)
    assert len(numbers) == 3
    one = list(shared_blocks(alone, numbers, 1))
    shared, _ = order_of(tmp_path / "two", model)
    two = list(shared_blocks(shared, numbers, 2))
    assert sorted(two, key=lambda done: done.block) == one
    first, second = open_vectors(tmp_path / "one"), open_vectors(tmp_path / "two")
    assert first.tobytes() == second.tobytes()
    np.testing.assert_allclose(first, load_encoder(model).encode(TEXTS, role="document"), atol=1e-6)
    assert [digest(first[block]) for block in blocks(open_spool(tmp_path / "one").sizes)] == [d.digest for d in one]
    assert sum(done.report["texts"] for done in one) == len(TEXTS)


@pytest.mark.parametrize("pair", [("onnx", "int8"), ("openvino", "bf16"), ("torch", "bf16")])
def test_every_engine_is_shared_bit_for_bit(tmp_path, model, pair) -> None:
    if ENGINES[pair[0]].missing():
        pytest.skip(ENGINES[pair[0]].missing())
    found = []
    for processes in (1, 2):
        order, numbers = order_of(tmp_path / str(processes), model, TEXTS[:900], engine=pair[0], precision=pair[1])
        assert len(list(shared_blocks(order, numbers, processes))) == len(numbers) == 2
        found.append(open_vectors(tmp_path / str(processes)))
    assert found[0].tobytes() == found[1].tobytes()
    cosines = (found[0] * load_encoder(model).encode(TEXTS[:900])).sum(1)
    assert cosines.mean() > {"int8": 0.98, "bf16": 0.999, "fp32": 0.999999}[pair[1]]


def test_a_static_model_is_shared(tmp_path) -> None:
    for processes in (2, 1):
        order, numbers = order_of(tmp_path / str(processes), "static", role="document")
        list(shared_blocks(order, numbers, processes))
    found = open_vectors(tmp_path / "2")
    assert found.tobytes() == open_vectors(tmp_path / "1").tobytes()
    np.testing.assert_allclose(found, load_encoder("static").encode(TEXTS, role="document"), atol=1e-6)


def test_a_process_that_is_killed_is_replaced_and_nothing_is_lost(tmp_path, model) -> None:
    order, numbers = order_of(tmp_path / "killed", model)
    pids: list[int] = []

    def started(pid: int) -> None:
        pids.append(pid)
        if len(pids) == 1:
            os.kill(pid, signal.SIGKILL)

    done = list(shared_blocks(order, numbers, 2, started))
    assert sorted(one.block for one in done) == numbers
    assert len(pids) == 3
    whole, _ = order_of(tmp_path / "whole", model)
    list(shared_blocks(whole, numbers, 1))
    assert open_vectors(tmp_path / "killed").tobytes() == open_vectors(tmp_path / "whole").tobytes()
    assert gone(pids)


def test_processes_that_all_die_are_an_error_and_no_endless_loop(tmp_path, model) -> None:
    order, numbers = order_of(tmp_path / "killed", model)
    pids: list[int] = []

    def started(pid: int) -> None:
        pids.append(pid)
        os.kill(pid, signal.SIGKILL)

    with pytest.raises(IsoglossError, match=r"2 died at block \d, the last by SIGKILL"):
        list(shared_blocks(order, numbers, 2, started))
    assert len(pids) <= 4
    assert gone(pids)


def test_who_stops_early_leaves_no_process_behind(tmp_path, model) -> None:
    order, numbers = order_of(tmp_path / "stopped", model)
    pids: list[int] = []
    running = shared_blocks(order, numbers, 2, pids.append)
    next(running)
    assert all(map(alive, pids))
    running.close()
    assert len(pids) == 2
    assert gone(pids, 1.0)


def test_an_error_of_a_process_is_raised_here_and_says_where(tmp_path, model) -> None:
    order, numbers = order_of(tmp_path / "broken", model)
    for processes in (1, 2):
        with pytest.raises(ModelError, match="no model named absent"):
            list(shared_blocks(Order(order.folder, "absent"), numbers, processes))
        with pytest.raises(IncompatibleError, match="begins with text"):
            list(shared_blocks(Order(order.folder, "static"), numbers, processes))  # of other dimensions
    with pytest.raises(UsageError, match="processes is 0"):
        list(shared_blocks(order, numbers, 0))


def test_nothing_to_do_starts_nothing(tmp_path, model) -> None:
    order, _ = order_of(tmp_path / "nothing", model)
    pids: list[int] = []
    assert list(shared_blocks(order, [], 2, pids.append)) == []
    assert pids == []
