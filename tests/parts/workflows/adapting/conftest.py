"""A small collection with topics, for adaptations that end in seconds."""

from __future__ import annotations

import numpy as np
import pytest

from isogloss.protocols import Record

TOPICS = {
    "bread": ("flour yeast dough oven crust rye starter salt knead loaf proof bake sour crumb butter grain"),
    "boats": ("sail keel mast rudder harbour anchor tide rope deck hull wind storm buoy crew voyage knot"),
    "bees": ("hive queen honey swarm wax nectar pollen drone comb flower smoke keeper brood sting garden clover"),
    "tea": ("leaf kettle steep cup green black oolong harvest garden aroma sugar milk porcelain brew tannin mountain"),
}
FORMS = (
    "The {} and the {} need {} before any {} can help the {}.",
    "Many people think that {} follows {} when the {} meets {} near {}.",
    "Without {} nobody would trust {} or the old {} beside a {} and its {}.",
    "In summer {} changes {} while {} keeps {} away from {}.",
)


def documents(count: int, seed: int = 0) -> list[Record]:
    """Return documents of four sentences about one of four topics, with words of their own."""
    draw = np.random.default_rng(seed)
    found = []
    for number in range(count):
        name = list(TOPICS)[number % len(TOPICS)]
        own = [f"{name}{draw.integers(10_000)}x{i}" for i in range(3)]
        sentences = []
        for form in FORMS:
            words = [*draw.choice(TOPICS[name].split(), 4, replace=False).tolist(), own[draw.integers(3)]]
            sentences.append(form.format(*draw.permutation(words).tolist()))
        found.append(Record(f"d{number}", " ".join(sentences)))
    return found


@pytest.fixture(scope="session")
def collection() -> list[Record]:
    """Return 160 documents."""
    return documents(160)


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep finished candidates of one test away from the next one."""
    place = tmp_path_factory.mktemp("kept")
    monkeypatch.setattr("isogloss.workflows.adapting.keeping.cache_folder", lambda: place)
