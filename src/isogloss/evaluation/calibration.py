"""What a score means: P(relevant) fitted on judged pairs, and proved on other questions.

Two curves compete: the logistic one of Platt ("Probabilistic outputs for support vector machines", 1999) and the
isotonic one of Zadrozny and Elkan ("Transforming classifier scores into accurate multiclass probability estimates",
2002, https://doi.org/10.1145/775047.775151). The one with the lower Brier score under cross-fitting by question is
taken; ``prove`` then judges it on questions that neither the curve nor the choice has seen.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from isogloss.errors import CorpusError, UsageError
from isogloss.evaluation.calibration_curves import CURVES, Floats, values_of
from isogloss.evaluation.report.content import Bin
from isogloss.evaluation.results import Interval
from isogloss.evaluation.sample import Sample
from isogloss.evaluation.statistics.bootstrap import group_draws, interval
from isogloss.evaluation.statistics.proportion import grouped_share_interval
from isogloss.seeding import generator

Kind: TypeAlias = Literal["isotonic", "logistic"]
Numbers: TypeAlias = Sequence[float] | NDArray[Any]
FORMAT = "isogloss.curve/1"
LEAST = 20
"""With fewer relevant or irrelevant pairs nothing is fitted."""
_GRID, _NULL = 201, 1000


@dataclass(frozen=True, slots=True)
class Proof:
    """How good P is on questions that the fit has not seen.

    Attributes
    ----------
    brier, brier_interval
        Mean squared difference of P and truth, and its interval by question.
    error, error_interval
        Expected calibration error: the mean distance of P and observed share over the bins, weighted by pairs.
        Chance alone makes it larger than 0, the more so the fewer the pairs.
    base
        Brier score of the constant that is the share of relevant pairs: what P must beat.
    bins
        The reliability table, by rising P.
    pairs, relevant, questions
        What it was proved on.
    """

    brier: float
    brier_interval: Interval
    error: float
    error_interval: Interval
    base: float
    bins: list[Bin]
    pairs: int
    relevant: int
    questions: int


@dataclass(frozen=True, slots=True)
class ScoreCurve:
    """A fitted curve from scores to P(relevant), as plain data.

    Attributes
    ----------
    kind
        ``isotonic`` or ``logistic``.
    parameters
        Rising scores and their P, one after the other (isotonic); slope, then intercept (logistic).
    scores, low, high
        Rising scores, and the interval of P at each by drawing questions; straight between them.
    level
        Of the interval.
    cross_brier
        Brier score of each kind under cross-fitting.
    null
        Rising scores of random pairs, or empty.
    null_pairs
        How many random pairs there were.
    pairs, relevant, questions
        What it was fitted on.
    """

    kind: Kind
    parameters: list[float]
    scores: list[float]
    low: list[float]
    high: list[float]
    level: float
    cross_brier: dict[str, float] = field(default_factory=dict)
    null: list[float] = field(default_factory=list)
    null_pairs: int = 0
    pairs: int = 0
    relevant: int = 0
    questions: int = 0

    def probability(self, scores: Numbers) -> Floats:
        """Return ``(n,)`` P(relevant) of each score.

        Examples
        --------
        >>> ScoreCurve("isotonic", [0.0, 1.0, 0.2, 0.8], [], [], [], 0.95).probability([0.5, 2.0]).tolist()
        [0.5, 0.8]
        """
        return values_of(self.kind, np.asarray(self.parameters), np.asarray(scores, np.float64))

    def interval(self, scores: Numbers) -> tuple[Floats, Floats]:
        """Return the lower and the upper bounds of P at each score, each ``(n,)``; P itself lies inside."""
        asked, p = np.asarray(scores, np.float64), self.probability(scores)
        low, high = (np.interp(asked, self.scores, bound) for bound in (self.low, self.high))
        return np.minimum(low, p), np.maximum(high, p)

    def chance(self, scores: Numbers) -> Floats:
        """Return ``(n,)`` how often a random pair scores at least as high; never 0.

        Examples
        --------
        >>> ScoreCurve("logistic", [1.0, 0.0], [], [], [], 0.95, null=[0.1, 0.2, 0.3], null_pairs=3).chance([0.2, 9])
        array([0.75, 0.25])
        """
        if not self.null:
            raise UsageError("the curve knows no random pairs", "it was fitted without null=", "fit it with null=")
        above = len(self.null) - np.searchsorted(self.null, np.asarray(scores, np.float64), side="left")
        return np.asarray((1 + above / len(self.null) * self.null_pairs) / (1 + self.null_pairs), np.float64)

    def save(self, path: str | Path) -> None:
        """Write the curve as JSON."""
        Path(path).write_text(json.dumps({"format": FORMAT, **asdict(self)}, allow_nan=False) + "\n", "utf-8")

    @classmethod
    def load(cls, path: str | Path) -> ScoreCurve:
        """Read what ``save`` wrote; anything else is a ``CorpusError``."""
        try:
            content = json.loads(Path(path).read_text("utf-8"))
            if content.pop("format") != FORMAT:
                raise ValueError("another format")
            return cls(**content)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise CorpusError(f"{path} holds no calibration", str(error), "run the calibration again") from error


def fit(
    scores: Numbers, relevant: Numbers, questions: Numbers, *, kind: Kind | None = None, null: Numbers = (),
    folds: int = 5, draws: int = 200, seed: int = 0, level: float = 0.95,
) -> ScoreCurve:  # fmt: skip
    """Fit the curve from scores to P(relevant).

    Parameters
    ----------
    scores, relevant
        ``(n,)`` score of each judged pair, and whether it is relevant.
    questions
        ``(n,)`` number of the pair's question (or of its document, where several questions share one); drawn and
        held out together.
    kind
        Which curve; None: the one with the lower Brier score under cross-fitting.
    null
        Scores of random pairs, for ``chance``.
    folds
        Of the cross-fitting (fewer where there are fewer questions).
    draws, seed, level
        Of the interval, by fitting again to drawn questions.

    Raises
    ------
    UsageError
        Lengths that differ, scores that are no numbers.
    CorpusError
        Scores that are all equal, pairs of one class only, fewer than 20 pairs of either class, or one question.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> scores = rng.normal(size=2000)
    >>> curve = fit(scores, rng.random(2000) < 1 / (1 + np.exp(-2 * scores)), np.arange(2000) // 10, draws=50)
    >>> curve.kind, bool(abs(curve.probability([0.0])[0] - 0.5) < 0.05)
    ('logistic', True)
    """
    x, y, groups = _checked(scores, relevant, questions)
    randoms = np.sort(np.asarray(null, np.float64))
    cross = {name: _cross_brier(name, x, y, groups, folds, seed) for name in CURVES}
    chosen: Kind = kind or ("logistic" if cross["logistic"] <= cross["isotonic"] else "isotonic")
    grid = np.unique(np.quantile(x, np.linspace(0, 1, _GRID)))
    drawn = _drawn(chosen, x, y, groups, grid, draws, seed)
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2], axis=0)
    places = (np.arange(_NULL) + 0.5) / _NULL
    null_kept = np.quantile(randoms, places) if len(randoms) > _NULL else randoms
    return ScoreCurve(
        chosen, CURVES[chosen](x, y, np.ones(len(x))).tolist(), grid.tolist(), low.tolist(), high.tolist(), level,
        cross, null_kept.tolist(), len(randoms), len(x), int(y.sum()), len(np.unique(groups)),
    )  # fmt: skip


def prove(
    curve: ScoreCurve, scores: Numbers, relevant: Numbers, questions: Numbers, *, bins: int = 10,
    draws: int = 2000, seed: int = 0, level: float = 0.95,
) -> Proof:  # fmt: skip
    """Judge a curve on pairs of questions that the fit has not seen.

    Bins hold about equally many pairs (fewer bins where many P are equal). Intervals of the scores come from drawing
    questions, those of the bins from Wilson's formula for grouped trials.

    Parameters
    ----------
    curve
        The fitted curve.
    scores, relevant, questions
        As for ``fit``.
    bins
        The most rows of the reliability table.
    draws, seed, level
        Of the intervals.

    Raises
    ------
    UsageError, CorpusError
        As ``fit``.
    """
    x, y, groups = _checked(scores, relevant, questions)
    p = curve.probability(x)
    edges = np.unique(np.quantile(p, np.linspace(0, 1, bins + 1)))
    place = np.clip(np.searchsorted(edges, p, side="right") - 1, 0, max(0, len(edges) - 2))
    gaps = np.zeros((len(p), int(place.max()) + 1))
    gaps[np.arange(len(p)), place] = p - y
    brier = Sample.of((p - y) ** 2, groups=groups, name="brier")
    error = Sample.of(gaps, groups=groups, aggregate=_distance, name="ece")
    table = []
    for number in np.unique(place):
        here = place == number
        # the last bin holds its upper bound too
        bounds = float(edges[number]), float(edges[min(number + 1, len(edges) - 1)])
        observed = grouped_share_interval(y[here] > 0, groups[here], level)
        table.append(Bin(*bounds, float(p[here].mean()), float(y[here].mean()), int(here.sum()), observed))
    return Proof(
        brier.value(), interval(brier, draws=draws, seed=seed, level=level),
        error.value(), interval(error, draws=draws, seed=seed, level=level),
        float(y.var()), table, len(y), int(y.sum()), len(np.unique(groups)),
    )  # fmt: skip


def calibrate(
    scores: Numbers, relevant: Numbers, questions: Numbers, *, null: Numbers = (), seed: int = 0,
) -> tuple[ScoreCurve, Proof]:  # fmt: skip
    """Part the questions once into halves, fit (and choose) the curve on one, and prove it on the other.

    Parameters
    ----------
    scores, relevant, questions, null
        As for ``fit``.
    seed
        Of the halves and all draws.

    Raises
    ------
    UsageError, CorpusError
        As ``fit``, for each half.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> scores = rng.normal(size=4000)
    >>> curve, proof = calibrate(scores, rng.random(4000) < 1 / (1 + np.exp(-2 * scores)), np.arange(4000) // 10)
    >>> proof.brier < proof.base, proof.error < 0.05, proof.questions
    (True, True, 200)
    """
    x, y, groups = _checked(scores, relevant, questions)
    numbers = np.unique(groups)
    half = generator(seed, "calibration", "halves").permutation(numbers)[: len(numbers) // 2]
    first = np.isin(groups, half)
    curve = fit(x[first], y[first], groups[first], null=null, seed=seed)
    return curve, prove(curve, x[~first], y[~first], groups[~first], seed=seed)


def _distance(gaps: NDArray[Any], weights: Floats) -> Floats:
    """Return the expected calibration error from ``(n, bins)`` P minus truth, 0 outside the pair's own bin."""
    return np.asarray(np.abs(weights @ gaps).sum(1) / weights.sum(1), np.float64)


def _checked(scores: Numbers, relevant: Numbers, questions: Numbers) -> tuple[Floats, Floats, NDArray[np.int64]]:
    x, y = np.asarray(scores, np.float64), np.asarray(relevant, np.float64)
    groups = np.unique(np.asarray(questions), return_inverse=True)[1].astype(np.int64).reshape(-1)
    if not len(x) == len(y) == len(groups):
        raise UsageError(
            "a calibration needs a score, a judgement and a question for each pair",
            f"{len(x):,} scores, {len(y):,} judgements, {len(groups):,} questions",
        )
    bad = int((~np.isfinite(x)).sum())
    if bad or not np.isin(y, (0, 1)).all():
        raise UsageError(
            "scores are numbers and judgements are 0 or 1",
            f"{bad:,} of {len(x):,} scores NaN or infinite, {int((~np.isin(y, (0, 1))).sum()):,} other judgements",
        )
    positive = int(y.sum())
    if min(positive, len(y) - positive) < LEAST:
        only = "of one class only" if positive in (0, len(y)) else "too few judgements"
        raise CorpusError(
            f"what a score means cannot be said: {only}",
            f"{positive:,} relevant and {len(y) - positive:,} irrelevant pairs; at least {LEAST} of each are needed",
            "judge more pairs, relevant and irrelevant ones",
        )
    if x.min() == x.max():
        raise CorpusError(
            "what a score means cannot be said: all scores are equal", f"{len(x):,} times {x[0]:g}", "repair the system"
        )
    if groups.max() < 1:
        raise CorpusError(
            "what a score means cannot be said: one question", f"{len(x):,} pairs of one question", "judge more"
        )
    return x, y, groups


def _cross_brier(kind: str, x: Floats, y: Floats, groups: NDArray[np.int64], folds: int, seed: int) -> float:
    """Return the Brier score where each question is judged by a curve fitted to the others."""
    count = int(groups.max()) + 1
    folds = min(folds, count)
    fold = generator(seed, "calibration", "folds").permutation(count) % folds
    p = np.empty(len(x))
    for number in range(folds):
        out = fold[groups] == number
        p[out] = values_of(kind, CURVES[kind](x[~out], y[~out], np.ones(int((~out).sum()))), x[out])
    return float(((p - y) ** 2).mean())


def _drawn(kind: str, x: Floats, y: Floats, groups: NDArray[np.int64], grid: Floats, draws: int, seed: int) -> Floats:
    """Return ``(draws, len(grid))`` P by curves fitted to drawn questions."""
    out = []
    for _, counts in group_draws(int(groups.max()) + 1, draws, seed):
        for count in counts:
            weights = count[groups]
            some = weights > 0
            out.append(values_of(kind, CURVES[kind](x[some], y[some], weights[some]), grid))
    return np.stack(out)
