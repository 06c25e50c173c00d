"""Whether questions made from documents can decide between two systems, and above all words against meaning."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isogloss.errors import UsageError
from isogloss.mining.questions.overlap import stratum
from isogloss.mining.questions.question import QuestionSet

FEWEST_DOCUMENTS = 30
"""Documents below which no order of two systems is believed."""

FEWEST = 15
"""Questions that a stratum or kind needs before it is asked for its order."""

SURE = 1.96
_POWER = 2.80  # 1.96 + 0.84: 5 % two-sided, 80 % power
_STRATA = {0: "low", 1: "low", 2: "middle", 3: "high", 4: "high"}
_SHARES = {"low": "below 40 %", "middle": "40 to 60 %", "high": "60 % or more"}


@dataclass(frozen=True, slots=True)
class Part:
    """The difference of two systems on some of the questions.

    Attributes
    ----------
    name
        Of the stratum of overlap or the kind.
    questions, documents
        How many.
    value, error
        Weighted mean difference, and its standard error with the questions of a document taken together.
    """

    name: str
    questions: int
    documents: int
    value: float
    error: float

    @property
    def sign(self) -> int:
        """1 or -1 where the order is sure at 5 %, else 0."""
        return int(np.sign(self.value)) if abs(self.value) > SURE * self.error else 0


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the questions can order two systems.

    Attributes
    ----------
    system, control
        The two, in the order in which they were given.
    decided
        Whether the order can be believed.
    reason
        Why, in words with numbers.
    whole
        The difference on all questions, ``system - control``.
    strata, kinds
        The same by how much of a question is copied, and by how it was made.
    visible
        Smallest difference that these questions show at 80 % power and 5 %.
    """

    system: str
    control: str
    decided: bool
    reason: str
    whole: Part
    strata: list[Part]
    kinds: list[Part]
    visible: float


def decide(
    made: QuestionSet, system: Sequence[float] | NDArray[np.float64], control: Sequence[float] | NDArray[np.float64], *,
    names: tuple[str, str] = ("system", "control"),
) -> Verdict:  # fmt: skip
    """Say whether the questions can decide which of two systems is better.

    They cannot where the questions are about fewer than 30 documents, where the weighted difference is smaller than
    its uncertainty, or where a stratum of overlap or a kind of question surely orders the systems the other way: then
    the answer depends on how the questions were made, and only real questions can tell.

    A question made from a document has one right answer. Where people look for everything about a topic instead, the
    order may be another one whatever the verdict says: MEDLINE's human labels rank vectors of 16 numbers above word
    search, questions from its documents far below it (``docs/questions.md``).

    Parameters
    ----------
    made
        The questions.
    system, control
        Score of each question, in the order of ``made.questions``.
    names
        Of the two systems, for the reason.

    Raises
    ------
    UsageError
        Scores that are not one a question, or not finite.

    Examples
    --------
    >>> from isogloss.mining.questions.question import Question
    >>> asked = [Question(str(i), "text", str(i), "title", None, i % 5 / 5) for i in range(200)]
    >>> copied = [float(question.overlap > 0.5) for question in asked]
    >>> verdict = decide(QuestionSet(asked, {}), copied, [1 - score for score in copied], names=("words", "static"))
    >>> verdict.decided, verdict.reason.split(":")[0]
    (False, 'the order of words and static depends on how much of a question is copied from its document')
    """
    differences = _paired(made, system, control)
    whole = _part("all", made, differences, np.ones(len(made), bool))
    levels = np.array([_STRATA[int(level)] for level in stratum([q.overlap for q in made.questions])])
    kinds = np.array([question.kind for question in made.questions])
    strata = [_part(name, made, differences, levels == name) for name in _SHARES if (levels == name).any()]
    ways = [_part(name, made, differences, kinds == name) for name in dict.fromkeys(kinds.tolist())]
    visible = _POWER * whole.error
    decided, reason = _judge(whole, strata, ways, names)
    return Verdict(*names, decided, reason, whole, strata, ways, visible)


def decide_words_against_meaning(
    made: QuestionSet, scores: Mapping[str, Sequence[float] | NDArray[np.float64]], lexical: Collection[str]
) -> Verdict | None:
    """Decide between the best system of words alone and the best of the others; ``None`` where a side is empty.

    Parameters
    ----------
    made
        The questions.
    scores
        Score of each question, in the order of ``made.questions``, by system.
    lexical
        Names of the systems that match words only.
    """
    weights = np.array([question.weight for question in made.questions])
    means = {
        name: float(np.average(np.asarray(values, np.float64), weights=weights)) for name, values in scores.items()
    }
    words = max((name for name in scores if name in lexical), key=lambda name: means[name], default=None)
    other = max((name for name in scores if name not in lexical), key=lambda name: means[name], default=None)
    if words is None or other is None:
        return None
    return decide(made, scores[other], scores[words], names=(other, words))


def _paired(
    made: QuestionSet, system: Sequence[float] | NDArray[np.float64], control: Sequence[float] | NDArray[np.float64]
) -> NDArray[np.float64]:
    one, two = np.asarray(system, np.float64), np.asarray(control, np.float64)
    if not len(made) or one.shape != (len(made),) or two.shape != (len(made),):
        raise UsageError(
            "the systems cannot be compared",
            f"{len(made)} questions, {one.shape} and {two.shape} scores",
            "give one score a question, in the order of the questions",
        )
    if not (np.isfinite(one).all() and np.isfinite(two).all()):
        raise UsageError("the systems cannot be compared", "a score is NaN or infinite", "mend the system")
    return one - two


def _part(name: str, made: QuestionSet, differences: NDArray[np.float64], which: NDArray[np.bool_]) -> Part:
    """Return the weighted mean of some differences, and its error by documents (the sandwich of a ratio)."""
    asked = [question for question, keep in zip(made.questions, which, strict=True) if keep]
    weights = np.array([question.weight for question in asked])
    documents, place = np.unique([question.document for question in asked], return_inverse=True)
    total = weights.sum()
    if total <= 0:
        return Part(name, len(asked), len(documents), 0.0, float("inf"))
    value = float(weights @ differences[which] / total)
    rests = np.bincount(place, weights * (differences[which] - value), len(documents))
    many = len(documents)
    error = float(np.sqrt((rests**2).sum() * many / (many - 1))) / total if many > 1 else float("inf")
    return Part(name, len(asked), many, value, error)


def _judge(whole: Part, strata: list[Part], kinds: list[Part], names: tuple[str, str]) -> tuple[bool, str]:
    first, second = names
    pair = f"{first} and {second}"
    if whole.documents < FEWEST_DOCUMENTS:
        return False, f"questions about {whole.documents} documents are too few to order {pair}"
    if not whole.sign:
        return False, (
            f"{pair} cannot be told apart: they differ by {whole.value:+.3f}, and {whole.questions} such questions "
            f"show {_POWER * whole.error:.3f} at the least"
        )
    better = first if whole.sign > 0 else second
    against = [part for part in strata if part.questions >= FEWEST and part.sign == -whole.sign]
    if against:
        told = ", ".join(f"{part.value:+.3f} where {_SHARES[part.name]} is copied" for part in strata)
        return False, f"the order of {pair} depends on how much of a question is copied from its document: {told}"
    against = [part for part in kinds if part.questions >= FEWEST and part.sign == -whole.sign]
    if against:
        told = ", ".join(f"{part.value:+.3f} for {part.name}" for part in kinds if part.questions >= FEWEST)
        return False, f"the order of {pair} depends on the kind of question: {told}"
    return True, (
        f"these questions can decide {first} against {second}: {better} is ahead by {abs(whole.value):.3f} "
        f"(the least they show is {_POWER * whole.error:.3f}), and no part of them orders the two the other way; "
        f"this holds for finding one document, not for finding all about a topic"
    )
