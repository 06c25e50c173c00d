"""Bootstrap intervals of ten systems on the same 2,000 questions beside ``scipy.stats.bootstrap``.

Contests: ``percentile`` and ``bca`` (the interval of every system from the same draws, so that differences are paired),
and ``compare`` (ours alone: intervals of ten systems and 45 differences, 45 randomisation tests, tie groups). Both
sides draw the same questions for all systems; SciPy gets the systems as rows and batches of 10 draws, with which it is
faster here than with 100 or 1,000. ``report`` has the largest distance of the bounds to the rival's with another seed,
in widths of the interval. Options: ``questions``, ``systems``, ``draws``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from runner import Contest, Contestant, main

OPTIONS = {"questions": 2000, "systems": 10, "draws": 10_000}


def _scores(questions: int, systems: int) -> Any:
    """Return ``(systems, questions)`` scores between 0 and 1, some of them 0 or 1, that go together by question."""
    import numpy as np

    rng = np.random.default_rng(0)
    ease = rng.normal(0.5, 0.3, questions)
    return np.clip(ease + 0.01 * np.arange(systems)[:, None] + rng.normal(0, 0.15, (systems, questions)), 0, 1)


def _scipy_bounds(scores: Any, draws: int, method: str, seed: int) -> Any:
    import numpy as np
    from scipy import stats

    rng = np.random.default_rng(seed)
    names = {"percentile": "percentile", "bca": "BCa"}
    found = stats.bootstrap((scores,), np.mean, axis=1, n_resamples=draws, batch=10, method=names[method], rng=rng)
    return np.array([found.confidence_interval.low, found.confidence_interval.high])


def _our_bounds(scores: Any, draws: int, method: str, seed: int) -> Any:
    import numpy as np

    from isogloss.evaluation.sample import Sample
    from isogloss.evaluation.statistics.bootstrap import interval_of, jackknife, resample

    samples = [Sample.of(row) for row in scores]
    drawn = resample(samples, draws=draws, seed=seed)
    without = jackknife(samples) if method == "bca" else [None] * len(samples)
    found = [interval_of(drawn[row], sample.value(), without[row], 0.95, method) for row, sample in enumerate(samples)]
    return np.array([[one.low for one in found], [one.high for one in found]])


def bounding(bounds: Callable[..., Any], other: Callable[..., Any], method: str) -> Callable[..., Any]:
    def setup(threads: int, questions: int, systems: int, draws: int) -> Any:
        import numpy as np

        scores = _scores(questions, systems)

        def run() -> int:
            bounds(scores, draws, method, 1)
            return systems * draws

        def report() -> dict[str, Any]:
            ours, theirs = bounds(scores, draws, method, 1), other(scores, draws, method, 2)
            return {"apart_in_widths": float(np.abs((ours - theirs) / (theirs[1] - theirs[0])).max())}

        return run, report

    return setup


def comparing(threads: int, questions: int, systems: int, draws: int) -> Any:
    from isogloss.evaluation.sample import Sample
    from isogloss.evaluation.statistics.comparison import compare

    samples = {f"system-{row}": Sample.of(scores) for row, scores in enumerate(_scores(questions, systems))}
    found: list[Any] = []

    def run() -> int:
        found[:] = [compare(samples, draws=draws)]
        return systems * draws

    return run, lambda: {"pairs": len(found[0].differences), "tie_groups": len(found[0].ties)}


def _both(method: str) -> tuple[Contestant, ...]:
    return (
        Contestant("isogloss", bounding(_our_bounds, _scipy_bounds, method), None, ("numpy", "scipy")),
        Contestant("scipy", bounding(_scipy_bounds, _our_bounds, method), None, ("numpy", "scipy")),
    )


CONTESTS = (
    Contest("percentile", _both("percentile"), "scores", options=OPTIONS, base="scipy"),
    Contest("bca", _both("bca"), "scores", options=OPTIONS, base="scipy"),
    Contest("compare", (Contestant("isogloss", comparing, None, ("numpy", "scipy")),), "scores", options=OPTIONS),
)

if __name__ == "__main__":
    main(*CONTESTS)
