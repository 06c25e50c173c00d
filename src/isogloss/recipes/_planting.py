"""A positive control made to measure: noise that costs an arm one margin, which the judge must see."""

from __future__ import annotations

from typing import Any

from isogloss.recipes._bench import Bench, Job
from isogloss.recipes._findings import Judge
from isogloss.recipes._run import Arm, Run
from isogloss.recipes._swaps import Replaced, Unswappable, noisy, relevel
from isogloss.seeding import derive

STEPS = 12
"""Halvings of the share of noise; 2**-12 is finer than any judge can tell."""


def planted_loss(bench: Bench, control: Arm, judge: Judge, margin: float, run: Run) -> tuple[Arm | None, str]:
    """Return the control with noise that costs it about one margin under this judge, or None and why not.

    The share of noise is found on one run by halving; every run draws its own noise.

    Parameters
    ----------
    bench
        Where the control's artifacts are.
    control, judge, margin
        Of the finding.
    run
        The run that the share is found on.
    """
    artifact = bench.artifact(control, run)
    try:
        first = noisy(artifact, 0.0, 0)
    except Unswappable as error:
        return None, f"no loss can be planted: {error.what}; pass planted= or positive="
    seed = derive(run.seed, "planted")
    base = bench.read(Job(control, judge), run).value

    def loss(share: float) -> float:
        return base - judge(_level(first, artifact, share, seed)).value()

    if not loss(1.0) >= margin:
        return None, "even pure noise does not cost one margin under this judge"
    low, high = 0.0, 1.0
    for _ in range(STEPS):
        middle = (low + high) / 2
        low, high = (low, middle) if loss(middle) >= margin else (middle, high)

    def planted(run: Run) -> Any:
        return noisy(bench.artifact(control, run), high, derive(run.seed, "planted"))

    bench.label(planted, f"{bench.label(control)}+loss of {margin:g} by {bench.label(judge)}")
    return planted, f"noise of share {high:.4f} costs about one margin"


def _level(first: Any, artifact: Any, share: float, seed: int) -> Any:
    return relevel(first, share, seed) if isinstance(first, Replaced) else noisy(artifact, share, seed)
