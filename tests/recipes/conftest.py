"""Fakes for tests of the Lab: a card, arms whose scores are known, and recipes planted in a folder."""

from __future__ import annotations

import pytest

from isogloss.evaluation.sample import Sample
from isogloss.recipes._card import Card
from isogloss.recipes._lab import Lab
from isogloss.seeding import generator

ITEMS = 400


class Arms:
    """Makes arms over the same items: arrays of scores with chosen effects, and counts how often each was run."""

    def __init__(self):
        self.base = generator(0, "base").normal(0.5, 0.1, ITEMS)
        self.ran = {}

    def arm(self, name, effect=0.0, noise=0.01, by_size=None):
        """Scores ``base + effect (+ by_size(size))`` with noise of its own in every run."""

        def made(run):
            self.ran[name] = self.ran.get(name, 0) + 1
            more = 0.0 if by_size is None else by_size(run.size)
            return self.base + effect + more + generator(run.seed, name).normal(0, noise, ITEMS)

        return made

    @staticmethod
    def judge(scores):
        return Sample.of(scores, name="score")


@pytest.fixture
def arms():
    return Arms()


@pytest.fixture
def card():
    return Card(
        slug="planted", seed=1, title="A planted system", year=2020, url="https://example.org", family="planted",
        sort="method", claim="it is better", regime="here", baseline="nothing", placebo="noise", fidelity="transposed",
        needs={"sts": "pairs", "base": "words"}, margin=0.02, minutes=1,
    )  # fmt: skip


@pytest.fixture
def make_lab(card):
    return lambda **settings: Lab(card, settings.pop("roles", dict(card.needs)), **settings)


RECIPE = '''"""A planted system (Doe, 2020). It adds a little to every score."""
import numpy as np

from isogloss.evaluation.sample import Sample
from isogloss.recipes._card import Card
from isogloss.recipes._lab import Lab
from isogloss.seeding import generator

CARD = Card(
    slug="SLUG", seed=NUMBER, title="A planted system", year=2020, url="https://example.org", family="planted",
    sort="method", claim="it is better", regime="here", baseline="nothing", placebo="noise", fidelity="transposed",
    needs={"base": "words"}, margin=0.02, minutes=1,
)


def make(gain: float) -> object:
    return lambda run: 0.5 + gain + generator(run.seed, str(gain)).normal(0, 0.02, 200)


def check(lab: Lab) -> object:
    def judge(scores: object) -> Sample:
        return Sample.of(scores, name="score")

    TREATED
    return lab.evidence(lab.better(treated, make(0.0), make(0.001), judge=judge, positive=make(0.03)))
'''


@pytest.fixture
def plant_recipe(tmp_path):
    """Write recipes into a folder of their own and return it: slug to the line that defines ``treated``."""

    def plant(recipes):
        for number, (slug, treated) in enumerate(recipes.items()):
            path = tmp_path / "recipes" / "planted" / f"{slug.replace('-', '_')}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            text = RECIPE.replace("SLUG", slug).replace("NUMBER", str(number)).replace("TREATED", treated)
            path.write_text(text, encoding="utf-8")
        return tmp_path / "recipes"

    return plant


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A cache folder of the test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"
