"""Sabotage: the same finding with its mechanism taken out; what still holds then was never shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from isogloss.errors import IsoglossError
from isogloss.recipes._bench import Bench
from isogloss.recipes._findings import Finding
from isogloss.recipes._run import Arm, Run
from isogloss.recipes._swaps import Swap, Unswappable, constant, noisy
from isogloss.seeding import derive


class NotApplicable(IsoglossError):
    """A sabotage cannot be played on this finding; the message is the reason."""


NO_LOSS = "a claim of no loss is true of the control itself; the planted loss is what must be seen"
OBEYS = "a constant obeys invariants by being constant; the broken arm is what must break it"
NO_BROKEN = "no broken arm is given, so there is nothing without the mechanism"
NO_LABELS = "an invariant reads no labels"
KEEPS = "a constant keeps the mean of numbers that are judged as they are"
LOSSLESS = ("not_worse", "same", "cheaper")


def sabotaged(finding: Finding, swap: Swap, bench: Bench) -> Finding:
    """Return the finding with its treated arm swapped; swaps of data leave arms alone (the Lab shuffles the data).

    Parameters
    ----------
    finding, swap, bench
        What to swap, how, and where labels of arms are kept.

    Raises
    ------
    NotApplicable
        Where the swap cannot be played on the finding; the message is the reason.
    """
    if swap in ("shuffled", "labels"):
        return _data(finding, swap, bench)
    treated = finding.arms["treated"]
    if swap == "identity":
        return _with(finding, _identity(finding), swap, bench)
    source, change = (treated, _random) if swap == "random" else (_plain(finding), _constant(finding))

    def swapped(run: Run) -> Any:
        try:
            return change(source(run), run)
        except Unswappable as error:
            raise NotApplicable(error.what) from error

    return _with(finding, swapped, swap, bench)


def _plain(finding: Finding) -> Arm:
    """Return the arm whose outputs are made constant: one without the mechanism, where the claim is a gain.

    A constant of the treated arm's own numbers could keep their mean, and with it the gain.
    """
    if finding.kind == "exact":
        raise NotApplicable(OBEYS)
    return finding.arms["treated"] if finding.kind in LOSSLESS else _identity(finding)


def _constant(finding: Finding) -> Callable[[Any, Run], Any]:
    def made(artifact: Any, run: Run) -> Any:
        if finding.kind in LOSSLESS and isinstance(artifact, np.ndarray) and artifact.ndim == 1:
            raise NotApplicable(KEEPS)
        return constant(artifact)

    return made


def _random(made: Any, run: Run) -> Any:
    return noisy(made, 1.0, derive(run.seed, "sabotage"))


def _data(finding: Finding, swap: Swap, bench: Bench) -> Finding:
    """Give every arm and judge a label of its own, because the data under them changed; turn a ladder's order."""
    if swap == "labels" and finding.kind == "exact":
        raise NotApplicable(NO_LABELS)
    arms = dict(finding.arms)
    if swap == "shuffled" and finding.kind == "trend":
        sizes = finding.settings["sizes"]
        turned = dict(zip(sizes, (*sizes[len(sizes) // 2 :], *sizes[: len(sizes) // 2]), strict=True))
        arms["treated"] = _resized(arms["treated"], turned)
    labelled = {part: _labelled(arm, f"{bench.label(finding.arms[part])}~{swap}", bench) for part, arm in arms.items()}
    return replace(finding, arms=labelled)


def _labelled(arm: Arm, label: str, bench: Bench) -> Arm:
    def same(run: Run) -> Any:
        return arm(run)

    bench.label(same, label)
    return same


def _resized(arm: Arm, sizes: Mapping[float, float]) -> Arm:
    def resized(run: Run) -> Any:
        return arm(replace(run, size=sizes[run.size])) if run.size is not None else arm(run)

    return resized


def _identity(finding: Finding) -> Arm:
    """Return the arm without its mechanism: the control, the first step of a ladder, the broken arm."""
    if finding.kind in ("not_worse", "same"):
        raise NotApplicable(NO_LOSS)
    if finding.kind == "trend":
        sizes = finding.settings["sizes"]
        return _resized(finding.arms["treated"], dict.fromkeys(sizes, sizes[0]))
    if finding.kind == "exact":
        if "broken" not in finding.arms:
            raise NotApplicable(NO_BROKEN)
        return finding.arms["broken"]
    return finding.arms.get("control", finding.arms["treated"])


def _with(finding: Finding, treated: Callable[[Run], Any], swap: Swap, bench: Bench) -> Finding:
    known = treated in finding.arms.values()
    label = bench.label(finding.arms["treated"])
    if not known:
        bench.label(treated, f"{label}~{'flat' if swap == 'constant' else swap}")
    return replace(finding, arms={**finding.arms, "treated": treated})
