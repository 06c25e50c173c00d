"""What a score means: curves from scores to P(relevant), kept beside the index and bound to its encoders."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from isogloss.arrays import CSR, Hits, Vectors
from isogloss.errors import UsageError

FILE = "calibration.json"
FORMAT = "isogloss.calibration/1"
GROWTH = 0.2
"""A calibration is stale where the number of documents has changed by more than this share."""
FUSED = "fused score"
"""Name of the fused score among the scores of several encoders."""
_SURE = 1e-4
"""Log-odds are taken of P between this and one minus this, so that no single encoder can be surer than sure."""


@dataclass(frozen=True, slots=True)
class Curve:
    """P(relevant) at rising scores, with an interval; straight between them, level beyond the ends.

    Attributes
    ----------
    scores
        Rising scores.
    p, low, high
        P and its interval at each.

    Examples
    --------
    >>> Curve([0.0, 1.0], [0.1, 0.9], [0.0, 0.8], [0.2, 1.0]).at(0.5)
    (0.5, 0.4, 0.6)
    """

    scores: list[float]
    p: list[float]
    low: list[float]
    high: list[float]

    def at(self, score: float) -> tuple[float, float, float]:
        """Return P and its interval at a score."""
        p, low, high = (float(np.interp(score, self.scores, values)) for values in (self.p, self.low, self.high))
        return round(p, 6), round(low, 6), round(high, 6)

    def log_odds(self, score: float | None) -> float:
        """Return the log-odds of P at a score; without a score (nothing found), those of the lowest."""
        p = self.p[0] if score is None else self.at(score)[0]
        p = min(1 - _SURE, max(_SURE, p))
        return math.log(p / (1 - p))


@dataclass(frozen=True, slots=True)
class Meaning:
    """What the scores of one system mean.

    Attributes
    ----------
    curve
        From evidence to P(relevant). The evidence of one encoder is its score (of words: a word of the question, see
        :func:`question_lengths`); that of several is the sum of the log-odds that the curves of their scores and of
        the fused score give. The fused score says how a document stands among the others found for the question, the
        encoders' scores whether anything that was found is near it at all.
    parts
        The curve of each encoder and of the fused score, where there are several encoders.
    error, brier
        Expected calibration error and Brier score on questions that the fit has not seen, as value, low, high.
    pairs, relevant
        How many pairs of a question and a document found were fitted, and how many of them were relevant.
    """

    curve: Curve
    parts: dict[str, Curve] = field(default_factory=dict)
    error: list[float] = field(default_factory=list)
    brier: list[float] = field(default_factory=list)
    pairs: int = 0
    relevant: int = 0

    def evidence(self, scores: Mapping[str, float]) -> float:
        """Return the evidence of a document from the score of its best chunk by encoder, and the fused score."""
        if not self.parts:
            return next(iter(scores.values()), -math.inf)
        return sum(curve.log_odds(scores.get(name)) for name, curve in self.parts.items())

    def judge(self, scores: Mapping[str, float]) -> tuple[float, float, float]:
        """Return P(relevant) and its interval.

        Examples
        --------
        >>> curve = Curve([0.0, 1.0], [0.1, 0.9], [0.0, 0.8], [0.2, 1.0])
        >>> Meaning(curve).judge({"words": 1.0})
        (0.9, 0.8, 1.0)
        """
        return self.curve.at(self.evidence(scores))


@dataclass(frozen=True, slots=True)
class Calibration:
    """The calibration of an index.

    Attributes
    ----------
    identities
        Identity of each encoder by name: with another encoder the curves mean nothing.
    documents
        Documents of the index when it was made.
    synthetic
        Whether the questions were made from the documents.
    questions
        How many were asked.
    systems
        The meanings by :func:`key`.
    """

    identities: dict[str, str]
    documents: int
    synthetic: bool
    questions: int
    systems: dict[str, Meaning]

    def write(self, folder: str | Path) -> Path:
        """Write the file into the folder of the index, aside and renamed."""
        path = Path(folder) / FILE
        aside = path.with_name(f"{FILE}.{os.getpid()}")
        aside.write_text(json.dumps({"format": FORMAT, **asdict(self)}, ensure_ascii=False, allow_nan=False), "utf-8")
        os.replace(aside, path)
        return path


def question_lengths(vectors: Vectors) -> list[float]:
    """Return what the scores of each question are divided by: its words, for words, and 1 for dense vectors.

    A score by words is a sum over the words of the question, so that long questions score higher whatever they find.

    Examples
    --------
    >>> from isogloss.encoders.lexical import WordEncoder
    >>> question_lengths(WordEncoder().encode(["heat in slabs", ""], role="query"))
    [3.0, 1.0]
    >>> question_lengths(np.ones((2, 3), np.float32))
    [1.0, 1.0]
    """
    if not isinstance(vectors, CSR):
        return [1.0] * len(vectors)
    return [max(1.0, float(vectors.row(i)[1].sum())) for i in range(len(vectors))]


def key(encoders: Sequence[str]) -> str:
    """Return the name of a system by its encoders, whatever their order.

    Examples
    --------
    >>> key(["words", "static"])
    'static + words'
    """
    return " + ".join(sorted(encoders))


def read(folder: str | Path) -> Calibration | str | None:
    """Return the calibration of an index, a sentence where its file cannot be used, or None where there is none."""
    path = Path(folder) / FILE
    try:
        content = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        return f"the calibration cannot be read ({type(error).__name__}): run isogloss calibrate again"
    try:
        if content.pop("format") != FORMAT:
            return "the calibration is of another version: run isogloss calibrate again"
        systems = {name: _meaning(one) for name, one in content.pop("systems").items()}
        return Calibration(systems=systems, **content)
    except (KeyError, TypeError, AttributeError, ValueError):
        return "the calibration is damaged: run isogloss calibrate again"


def _meaning(content: dict[str, Any]) -> Meaning:
    parts = {name: _curve(one) for name, one in content.pop("parts").items()}
    return Meaning(_curve(content.pop("curve")), parts, **content)


def _curve(content: Mapping[str, Any]) -> Curve:
    curve = Curve(**{name: [float(value) for value in content[name]] for name in ("scores", "p", "low", "high")})
    sizes = {len(curve.scores), len(curve.p), len(curve.low), len(curve.high)}
    if len(sizes) != 1 or 0 in sizes or not np.isfinite([*curve.scores, *curve.p, *curve.low, *curve.high]).all():
        raise ValueError("a curve needs as many scores as values, all of them numbers")
    return curve


def fitting(
    calibration: Calibration | str | None, encoders: Mapping[str, str], documents: int, usual: bool = True
) -> tuple[Meaning | None, str]:
    """Return what the scores of these encoders mean, or why that is not known.

    Parameters
    ----------
    calibration
        What :func:`read` gave.
    encoders
        Identity of each encoder that answers, by name.
    documents
        Documents of the index now.
    usual
        Whether several encoders are joined as ``search`` does by default.

    Returns
    -------
    tuple
        The meaning and a note (empty where there is nothing to say); the meaning is None where there is no calibration
        or it no longer fits.
    """
    if calibration is None or isinstance(calibration, str):
        return None, calibration or ""
    again = "P(relevant) is not shown; run isogloss calibrate again"
    for name, identity in encoders.items():
        known = calibration.identities.get(name)
        if known is not None and known != identity:
            return None, f"the calibration was made with another {name}: {again}"
    if not usual and len(encoders) > 1:
        return None, "P(relevant) is known for the usual fusion only: leave --fusion and --weights out"
    change = abs(documents - calibration.documents) / max(1, calibration.documents)
    if change > GROWTH:
        return None, f"the calibration knew {calibration.documents:,} documents, there are {documents:,}: {again}"
    meaning = calibration.systems.get(key(list(encoders)))
    if meaning is None:
        return None, f"the calibration does not know {key(list(encoders))}: {again}"
    return meaning, ""


def for_search(
    folder: Path, encoders: Mapping[str, str], documents: Callable[[], int], min_p: float | None, usual: bool = True
) -> tuple[Meaning | None, str, list[str]]:
    """Return what a search shows of the calibration of an index.

    Parameters
    ----------
    folder
        Of the index.
    encoders
        Identity of each encoder that answers, by name.
    documents
        Counts the documents of the index; asked only where there is a calibration.
    min_p
        Smallest P that was asked for, or None.
    usual
        Whether several encoders are joined as ``search`` does by default.

    Returns
    -------
    tuple
        The meaning or None, on what questions it was made, and notes.

    Raises
    ------
    UsageError
        Where a smallest P is asked for that is none, or P is not known.
    """
    if min_p is not None and not 0 <= min_p <= 1:
        raise UsageError("P lies between 0 and 1", f"--min-p is {min_p}", "use --min-p 0.5")
    found = _kept(folder)
    meaning, note = fitting(found, encoders, documents(), usual) if found is not None else (None, "")
    if meaning is None and min_p is not None:
        why = note or "the index has no calibration"
        raise UsageError("P(relevant) is not known", why, "run: isogloss calibrate, or leave --min-p out")
    if meaning is None or not isinstance(found, Calibration):
        return None, "", [note] if note else []
    kind = "synthetic" if found.synthetic else "judged"
    return meaning, f"{found.questions:,} {kind} questions", []


def _kept(folder: Path) -> Calibration | str | None:
    try:
        state = os.stat(folder / FILE)
    except OSError:
        return None
    return _read_once(folder, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=8)
def _read_once(folder: Path, changed: int, size: int) -> Calibration | str | None:
    return read(folder)


def best_scores(ranking: Hits, owners: Mapping[int, int]) -> dict[int, float]:
    """Return the score of each document's best chunk in the ranking of one question, by falling score.

    Examples
    --------
    >>> ranking = Hits(np.array([[7, 8, 9, -1]]), np.array([[0.5, 0.25, 0.125, 0.0]], np.float32))
    >>> best_scores(ranking, {7: 1, 8: 2, 9: 1})
    {1: 0.5, 2: 0.25}
    """
    best: dict[int, float] = {}
    for row, score in zip(ranking.rows[0].tolist(), ranking.scores[0].tolist(), strict=True):
        owner = owners.get(row)
        if owner is not None:
            best.setdefault(owner, score)
    return best
