"""Every part is found, and every part that is found is held to its contract."""

from __future__ import annotations

from types import ModuleType

import pytest

KINDS = ["encoder", "transform", "index", "searcher", "reader"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_part_is_built_here(discovered, builders, kind):
    built = {name.split(" ")[0] for name in builders[kind]}  # "Exact by dot" is one more way to build Exact
    missing = discovered[kind] - built - set(builders["left_out"])
    assert sorted(missing) == [], "add a file to tests/contracts/builders"
    assert sorted(built - discovered[kind]) == [], "these are no parts (any more)"
    assert discovered[kind]


def test_what_is_left_out_has_a_reason(builders):
    assert all(len(reason) > 10 for reason in builders["left_out"].values())


def _module(**classes):
    module = ModuleType("isogloss.planted")
    for name, one in classes.items():
        one.__module__ = module.__name__
        setattr(module, name, one)
    return module


class Guess:
    """An index."""

    def add(self, rows, vectors): ...
    def remove(self, rows): ...
    def search(self, queries, k, allow=None, effort=1.0): ...
    def score_all(self, query): ...
    def __len__(self): ...


class Chain:
    """A searcher."""

    def search(self, texts, k=10, where=None, effort=1.0): ...


class Centre:
    """A transform."""

    def fit(self, X, y=None): ...
    def transform(self, X): ...
    def get_params(self, deep=True): ...
    def set_params(self, **params): ...


class Finder:
    """Nothing of ours."""

    def search(self): ...


def test_planted_parts_are_found(finder):
    module = _module(Guess=Guess, Chain=Chain, Centre=Centre, Finder=Finder)
    assert finder("index", [module]) == {"planted.Guess"}
    assert finder("searcher", [module]) == {"planted.Chain"}
    assert finder("transform", [module]) == {"planted.Centre"}
    assert finder("encoder", [module]) == set()
