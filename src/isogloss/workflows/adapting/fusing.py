"""How much the words count beside the vectors, and when made questions may decide that at all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from isogloss.mining.questions.decide import decide
from isogloss.workflows.adapting.workbench import Candidate, Workbench

WEIGHTS = (0.1, 0.2, 0.35, 0.5)
"""Weights of the words that are tried; the vectors count 1. More is not: made questions favour words, and documents of
one class find each other by them less."""
NEAR = 1.0
"""Standard errors within which a smaller weight of the words is as good as the best (Breiman, Friedman, Olshen, Stone
1984, "Classification and Regression Trees", section 3.4.3: the rule of one standard error)."""


def try_words(bench: Workbench, model: Candidate) -> list[Candidate]:
    """Fuse a candidate's vectors with the words, at every weight."""
    found = []
    for weight in WEIGHTS:
        marks = bench.room.marks(model.reading, weight)
        name = f"{model.name} + words x {weight:g}"
        found.append(replace(model, name=name, family="words", marks=marks, words=weight))
    return found


def smallest(
    bench: Workbench, found: Sequence[Candidate], size: Callable[[Candidate], float], errors: float
) -> Candidate:
    """Return the candidate of the smallest size that is not worse than the best of them by so many standard errors.

    The questions flatter what is fitted to their like, so of sizes that they cannot tell apart the smallest is the
    likeliest to be right.

    Parameters
    ----------
    bench
        Judges.
    found
        At least one candidate.
    size
        How far a candidate is from what there is without it: the weight of the words, a share of trained weights.
    errors
        How many.
    """
    best = max(found, key=lambda one: one.value)
    for one in sorted(found, key=size):
        gap = bench.gain(best, one)
        if gap.value <= errors * gap.error:
            return one
    return best


def words_can_be_trusted(bench: Workbench, fused: Candidate, alone: Candidate) -> tuple[bool, str]:
    """Say whether the questions can decide that words help: by both judgements, and in no part against it.

    Questions made from documents share words with them, so they flatter words. The words are let in only where the
    gain is sure by the one right document and by its topic, and where no kind and no stratum of overlap surely says
    the opposite (``docs/questions.md``).
    """
    one = decide(bench.room.made, fused.marks.one.items[:, 0], alone.marks.one.items[:, 0], names=("with", "without"))
    if not (one.decided and one.whole.sign > 0):
        return False, one.reason if not one.decided else "words lose by one document"
    if fused.marks.topic is None or alone.marks.topic is None:
        return True, ""
    topic = decide(
        bench.room.made, fused.marks.topic.items[:, 0], alone.marks.topic.items[:, 0], names=("with", "without")
    )
    if topic.whole.sign <= 0:
        return False, f"by topic the gain is not sure ({topic.whole.value:+.3f})"
    return True, ""
