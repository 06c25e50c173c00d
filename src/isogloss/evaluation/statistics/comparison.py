"""Several systems on the same items: scores with intervals, every paired difference, tie groups, and warnings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from isogloss.errors import UsageError
from isogloss.evaluation.results import Comparison, Difference, Interval, Score
from isogloss.evaluation.sample import Sample
from isogloss.evaluation.statistics.bootstrap import Method, interval_of, jackknife, resample
from isogloss.evaluation.statistics.correction import holm
from isogloss.evaluation.statistics.permutation import mean_tests, randomisation_test
from isogloss.evaluation.statistics.power import smallest_visible, standard_error
from isogloss.evaluation.statistics.ties import tie_groups
from isogloss.evaluation.statistics.units import averaged, check_paired, checked_value

TRUSTED = 10
"""With fewer groups than this an interval is not to be trusted."""

ENOUGH = 100
"""Swaps as good as the difference seen after which the test of a costly aggregate stops."""

SWAPS = 2000
"""Swaps of such a test, or as many as the correction over all pairs needs to let a difference be seen."""

Floats = NDArray[np.float64]


def compare(
    samples: Mapping[str, Sample], *, draws: int = 10_000, seed: int = 0, level: float = 0.95,
    method: Method = "percentile",
) -> Comparison:  # fmt: skip
    """Compare systems that were measured on the same items; more is better.

    All systems get the same draws, so that differences are paired exactly. A pair counts as told apart where its
    randomisation p, corrected over all pairs after Holm, is below ``1 - level``; the tie groups follow from that.

    Parameters
    ----------
    samples
        For each system its items; same groups in the same order.
    draws
        Draws of the bootstrap, and of the swaps of the tests. Where the score is not the mean, a test takes 2,000
        swaps at most (more with more than 50 pairs), and stops early once its p is known to be large
        (``randomisation_test``, ``enough``).
    seed
        Of all draws.
    level
        Of the intervals; ``1 - level`` is the level of the tests.
    method
        ``percentile`` or ``bca``.

    Returns
    -------
    Comparison
        Scores and pairs best first (in the given order where equal); intervals and ``visible`` are NaN with a
        single group. What spoils the figures is in ``notes``, with counts.

    Raises
    ------
    IsoglossError
        No item, items that are no numbers, scores that are not defined, systems over different items.
    UsageError
        No system at all.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> words = rng.random(200) * 0.8
    >>> found = compare({"words": Sample.of(words), "both": Sample.of(words + 0.1), "copy": Sample.of(words)})
    >>> found.ties, round(found.differences[0].value, 3), found.differences[0].p < 0.001
    ([['both'], ['words', 'copy']], 0.1, True)
    """
    if not samples:
        raise UsageError("there is nothing to compare", "no system was given", "name at least one")
    found = {name: checked_value(sample, name) for name, sample in samples.items()}
    check_paired(samples)
    order = sorted(found, key=lambda name: -found[name])
    ranked = [samples[name] for name in order]
    values = np.array([found[name] for name in order])
    scores = resample(ranked, draws=draws, seed=seed)
    without = jackknife(ranked) if method == "bca" else None
    groups = len(np.unique(ranked[0].groups))
    tests = _tests(ranked, draws, seed, 1 - level)
    first, second = np.triu_indices(len(ranked), 1)
    corrected = holm(tests[first, second])

    def bounds(draw_scores: Floats, value: float, left_out: Floats | None) -> Interval:
        if groups < 2:
            return Interval(float("nan"), float("nan"), level)
        return interval_of(draw_scores, value, left_out, level, method)

    differences = [
        Difference(
            order[a], order[b], float(values[a] - values[b]),
            bounds(scores[a] - scores[b], values[a] - values[b], None if without is None else without[a] - without[b]),
            float(tests[a, b]), float(p), _visible(ranked[a], ranked[b], scores[a] - scores[b], groups, 1 - level),
        )
        for a, b, p in zip(first, second, corrected, strict=True)
    ]  # fmt: skip
    separable = np.zeros(tests.shape, bool)
    separable[first, second] = corrected < 1 - level
    return Comparison(
        ranked[0].name,
        [
            Score(name, found[name], bounds(scores[at], values[at], None if without is None else without[at]),
                  len(ranked[at]), groups)
            for at, name in enumerate(order)
        ],
        differences,
        tie_groups(order, separable),
        draws,
        seed,
        _notes(order, ranked, scores, groups),
    )  # fmt: skip


def _tests(samples: Sequence[Sample], draws: int, seed: int, alpha: float) -> Floats:
    """Return p of every pair: for means all at once, else pair by pair."""
    if all(averaged(sample) for sample in samples):
        return mean_tests(samples, draws=draws, seed=seed)
    pairs = len(samples) * (len(samples) - 1) / 2
    swaps = min(draws, max(SWAPS, int(2 * pairs / alpha)))
    out = np.ones((len(samples), len(samples)))
    for a in range(len(samples)):
        for b in range(a + 1, len(samples)):
            test = randomisation_test(samples[a], samples[b], draws=swaps, seed=seed, enough=ENOUGH)
            out[a, b] = out[b, a] = test.p
    return out


def _visible(treated: Sample, control: Sample, gaps: Floats, groups: int, alpha: float) -> float:
    """Return the smallest visible difference: by formula for means, else from the spread of the draws."""
    if groups < 2:
        return float("nan")
    if averaged(treated) and averaged(control):
        error = standard_error(treated.items.astype(np.float64) - control.items, treated.groups)
    else:
        # the bootstrap's variance is that of G groups divided by G, not by G - 1
        error = float(np.nanstd(gaps)) * (groups / (groups - 1)) ** 0.5 if not np.isnan(gaps).all() else float("nan")
    return smallest_visible(error, groups, alpha=alpha)


def _notes(names: Sequence[str], samples: Sequence[Sample], scores: Floats, groups: int) -> list[str]:
    """Say what spoils the figures, with counts."""
    items = len(samples[0])
    notes = []
    if items == 1:
        notes.append("one item only: its score says nothing about others; no interval, no test")
    elif groups == 1:
        notes.append(f"all {items:,} items are of one group: no interval, no test")
    elif groups < TRUSTED:
        notes.append(f"only {groups} groups ({items:,} items): intervals are too narrow to be trusted")
    constant = [name for name, sample in zip(names, samples, strict=True) if items > 1 and _equal_items(sample)]
    if constant:
        notes.append(
            f"all {items:,} items are equal for {len(constant)} of {len(names)} systems: {', '.join(constant)}"
        )
    copies = [
        f"{names[a]} = {names[b]}"
        for a in range(len(names))
        for b in range(a + 1, len(names))
        if items > 1 and np.array_equal(samples[a].items, samples[b].items)
    ]
    if copies:
        notes.append(f"{len(copies)} pairs of systems have equal scores on every item: {', '.join(copies)}")
    for name, row in zip(names, np.isnan(scores).sum(1), strict=True):
        if row and groups > 1:
            notes.append(f"{name}: {row:,} of {scores.shape[1]:,} draws have no defined score and were left out")
    return notes


def _equal_items(sample: Sample) -> bool:
    return bool((sample.items == sample.items[:1]).all())
