"""A recipe's make computes with as many threads as were asked for."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from isogloss.protocols import Silent
from isogloss.workflows.training.recipe import Order, make_system

torch = pytest.importorskip("torch")


class Seen(Exception):
    """Ends a run where its make begins."""


def make(base, texts, threads=None):
    raise Seen(torch.get_num_threads(), base.threads, threads, len(texts) > 0)


@pytest.mark.parametrize("threads", [None, 2])
def test_threads_reach_torch_the_base_and_make(threads, rows, tiny, tmp_path, monkeypatch):
    pairs = tmp_path / "pairs.jsonl"
    pairs.write_text("".join(json.dumps(row) + "\n" for row in rows))
    entry = SimpleNamespace(card=SimpleNamespace(title="A planted system", year=2020))
    monkeypatch.setattr("isogloss.recipes._catalogue.find", lambda key: entry)
    monkeypatch.setattr("isogloss.recipes._checks.load", lambda entry: SimpleNamespace(make=make))
    usual, order = torch.get_num_threads(), Order("planted", str(pairs), base=str(tiny))
    try:
        with pytest.raises(Seen) as seen:
            make_system(order, tmp_path / "out", dry_run=False, threads=threads, progress=Silent())
    finally:
        torch.set_num_threads(usual)
    ours, base, told, some = seen.value.args
    assert some
    assert told == threads
    assert ours == (threads or usual)
    assert threads is None or base == threads


def test_a_make_without_progress_is_tried_with_one_step_first(rows, tiny, tmp_path, monkeypatch):
    def make(base, texts, *, steps=5):
        raise Seen(steps)

    pairs = tmp_path / "pairs.jsonl"
    pairs.write_text("".join(json.dumps(row) + "\n" for row in rows))
    entry = SimpleNamespace(card=SimpleNamespace(title="A planted system", year=2020))
    monkeypatch.setattr("isogloss.recipes._catalogue.find", lambda key: entry)
    monkeypatch.setattr("isogloss.recipes._checks.load", lambda entry: SimpleNamespace(make=make))
    order = Order("planted", str(pairs), base=str(tiny), settings=("steps=7",))
    with pytest.raises(Seen) as seen:
        make_system(order, tmp_path / "out", dry_run=False, progress=Silent())
    assert seen.value.args == (1,)
