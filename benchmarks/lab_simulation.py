"""How often the Lab says ``holds``: without a true effect (at most 1 %), with one of two margins (at least 80 %).

Scores of simulated arms go through the Lab itself (its findings, its five seeds and once up to ten, its intervals).
An arm's score of item i under seed s is

    base_i + effect of the arm + u_i (arm and item) + e_si (arm, seed and item) + v_s (arm and seed),

all normal. The noise is set by the standard error of treated - control over five seeds, in margins, and by how it is
shared between seeds and items. Nothing is tuned on what comes out: the margin is .01, the levels are the Lab's own.

    python benchmarks/lab_simulation.py --out benchmarks/results/lab_simulation.json
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections import Counter
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path

import numpy as np

from isogloss.evaluation.sample import Sample
from isogloss.recipes._card import Card
from isogloss.recipes._lab import Lab
from isogloss.seeding import generator

MARGIN = 0.01
CHECKS = {200: 150, 600: 75, 2000: 25}
"""Simulated checks a scenario by number of items: a check of 2,000 items takes ten times as long as one of 200."""
CARD = Card(
    slug="simulated", seed=0, title="Simulated", year=2026, url="none", family="simulated", sort="method",
    claim="treated is better", regime="everywhere", baseline="control", placebo="placebo", fidelity="transposed",
    needs={}, margin=MARGIN, minutes=1,
)  # fmt: skip


@dataclass(frozen=True)
class Scenario:
    """Items, the standard error of treated - control in margins, and the share of its variance that seeds have."""

    items: int
    error: float
    seed_share: float
    effect: float


def scenarios(items: tuple[int, ...] = tuple(CHECKS)) -> list[Scenario]:
    """No effect at two sizes of noise; one of twice the margin at two, of which five seeds hardly show the second."""
    shares = (0.0, 0.5, 0.8)
    null = [Scenario(n, error, share, 0.0) for n, error, share in product(items, (0.6, 1.2), shares)]
    planted = [Scenario(n, error, share, 2.0) for n, error, share in product(items, (0.3, 0.5), shares)]
    return planted + null


def check(scenario: Scenario, number: int) -> str:
    """Run one simulated check and return the Lab's verdict."""
    draw = generator(number, "lab simulation", *map(str, asdict(scenario).values()))
    n, whole = scenario.items, (scenario.error * MARGIN) ** 2
    seed_sd = math.sqrt(whole * scenario.seed_share * 5 / 2)  # two arms, five seeds
    item_variance = whole * (1 - scenario.seed_share) * n / 2
    shared_sd, own_sd = math.sqrt(item_variance / 2), math.sqrt(item_variance / 2 * 5)  # own noise is averaged too
    base = draw.normal(0.5, 0.2, n)
    effects = {"treated": scenario.effect * MARGIN, "control": 0.0, "placebo": 0.0, "positive": 2 * MARGIN}

    def arm(name: str):
        by_item = draw.normal(0, shared_sd, n)
        scores = base + effects[name] + by_item + draw.normal(0, own_sd, (10, n)) + draw.normal(0, seed_sd, (10, 1))
        return lambda run: scores[run.fold]

    lab = Lab(CARD, {})
    finding = lab.better(
        arm("treated"), arm("control"), arm("placebo"), positive=arm("positive"), judge=lambda scores: Sample.of(scores)
    )
    return lab.evidence(finding).verdict


def rates(scenario: Scenario, checks: int) -> dict:
    """Return how often each verdict came, with a Wilson interval for ``holds``."""
    found = Counter(check(scenario, number) for number in range(checks))
    share, z = found["holds"] / checks, 1.96
    centre, spread = share + z * z / (2 * checks), z * math.sqrt(share * (1 - share) / checks + (z / (2 * checks)) ** 2)
    low, high = (min(1.0, max(0.0, (centre + sign * spread) / (1 + z * z / checks))) for sign in (-1, 1))
    return {**asdict(scenario), "checks": checks, "verdicts": dict(found), "holds": share, "interval": [low, high]}


def summary(found: list[dict]) -> dict:
    """Return the two numbers that count, over all scenarios and in the worst one."""
    null, planted = ([one for one in found if bool(one["effect"]) is there] for there in (False, True))
    return {
        "holds without effect, all": sum(one["verdicts"].get("holds", 0) for one in null)
        / sum(one["checks"] for one in null),
        "holds without effect, worst scenario": max(one["holds"] for one in null),
        "holds at twice the margin, all": float(np.mean([one["holds"] for one in planted])),
        "holds at twice the margin, worst scenario": min(one["holds"] for one in planted),
    }


def main() -> None:
    """Run every scenario and write the rates."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--checks", type=float, default=1.0, help="times the usual number of simulated checks")
    parser.add_argument("--items", type=int, nargs="*", default=list(CHECKS), help="numbers of items")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    began, found = time.perf_counter(), []
    for scenario in scenarios(tuple(options.items)):
        found.append(rates(scenario, max(1, int(CHECKS.get(scenario.items, 100) * options.checks))))
        print(f"{time.perf_counter() - began:7.0f} s  {found[-1]}", flush=True)
    result = {"margin": MARGIN, **summary(found), "scenarios": found, "seconds": round(time.perf_counter() - began)}
    print(json.dumps(summary(found), indent=1))
    if options.out:
        options.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
