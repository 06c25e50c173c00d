"""The proof: the one candidate against the base, on questions that nothing has seen, read once."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from isogloss.encoders.names import load_encoder
from isogloss.evaluation.general_questions import NAME
from isogloss.evaluation.sample import Sample
from isogloss.evaluation.statistics.comparison import compare
from isogloss.workflows.adapting.room import Room
from isogloss.workflows.adapting.workbench import Candidate, Workbench, kinds_of
from isogloss.workflows.training.judging import general_exam, measured
from isogloss.workflows.training.writing import Measured

OWN, TOPIC = "held-out questions", "held-out questions, by topic"


@dataclass(slots=True)
class Proof:
    """What the proof gave.

    Attributes
    ----------
    own, topic, general
        Base and candidate on the questions, by one right document; by its topic (None where there is none); on the
        general probe set.
    kept
        Whether the candidate takes the base's place.
    reason
        Why, in a sentence.
    kinds
        For each kind of question how many, the difference, its standard error.
    questions, passages
        How many were asked, and of how many passages.
    """

    own: Measured
    topic: Measured | None
    general: Measured
    kept: bool
    reason: str
    kinds: dict[str, list[float]] = field(default_factory=dict)
    questions: int = 0
    passages: int = 0

    def results(self) -> list[Measured]:
        """Return everything that was measured."""
        return [one for one in (self.own, self.topic, self.general) if one is not None]


def prove(bench: Workbench, room: Room, best: Candidate, folder: Path | None) -> Proof:
    """Read *prove* with base and candidate and decide.

    Parameters
    ----------
    bench
        Of the adaptation.
    room
        Of the questions that prove.
    best
        The candidate.
    folder
        Where its model lies; None where its model is the base.
    """
    base = load_encoder(bench.order.base, threads=bench.threads)
    before = room.read(base, bench.progress, what="prove: the base reads")
    model = base if folder is None else load_encoder(str(folder), threads=bench.threads)
    after = before if folder is None else room.read(model, bench.progress, what="prove: the candidate reads")
    marks = {"base": room.marks(before), "adapted": room.marks(after, best.words)}
    own = _measured(OWN, {name: one.one for name, one in marks.items()}, bench.order.seed)
    topics = {name: one.topic for name, one in marks.items() if one.topic is not None}
    topic = _measured(TOPIC, topics, bench.order.seed) if topics else None
    general = measured(
        general_exam(), NAME, {"base": base, "adapted": model}, model="adapted", seed=bench.order.seed,
        progress=bench.progress,
    )  # fmt: skip
    kept, reason = verdict(own, topic, words=bool(best.words))
    return Proof(
        own, topic, general, kept, reason, kinds_of(room, marks["adapted"], marks["base"]), len(room.made),
        len(room.texts),
    )  # fmt: skip


def _measured(name: str, samples: dict[str, Sample], seed: int) -> Measured:
    renamed = {label: replace(sample, name="ndcg@10") for label, sample in samples.items()}
    return Measured(name, "retrieval", compare(renamed, seed=seed), "adapted", samples["adapted"], "base")


def verdict(own: Measured, topic: Measured | None, *, words: bool) -> tuple[bool, str]:
    """Decide by the rule that was fixed before: keep where the gain is real, and the topic does not deny it.

    Parameters
    ----------
    own, topic
        By one right document, and by topic.
    words
        Whether the candidate lets words in, which made questions flatter: then the topic must show a real gain, too.
    """
    found = own.gain()
    assert found is not None
    value, low, _ = found
    if not low > 0:
        return False, f"the gain on held-out questions is not real: {value:+.3f}, at least {low:+.3f} (95 %)"
    wide = topic.gain() if topic is not None else None
    if wide is not None and wide[2] < 0:
        return False, f"by topic it is a real loss ({wide[0]:+.3f}), so the questions cannot decide"
    if wide is not None and words and not wide[1] > 0:
        return False, f"it lets words in, and by topic their gain is not real ({wide[0]:+.3f}, at least {wide[1]:+.3f})"
    return True, f"a real gain on held-out questions, at least {low:+.3f} (95 %)"
