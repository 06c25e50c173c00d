"""Candidates that are trained a slice of time at a time: contrastive on pairs, or denoising; needs torch."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from isogloss.arrays import normalise
from isogloss.encoders.static import StaticEncoder
from isogloss.protocols import EncodeReport
from isogloss.workflows.adapting.fitting import texts_of
from isogloss.workflows.adapting.room import Reading, Room
from isogloss.workflows.adapting.teaching import Lessons, made_lessons, span_lessons, with_negatives
from isogloss.workflows.adapting.workbench import Candidate, Workbench

if TYPE_CHECKING:
    from isogloss.training.stage import Stage
    from isogloss.training.trainee import Trainee

LONGEST = 20.0
"""Seconds after which the clock is looked at between steps."""
TRIAL = 2
"""Steps whose time says how many fit into a slice."""
MOST_PASSES = 20
"""Passes over the pairs after which a small set of them says nothing new."""
TEACHING = 0.08
"""Share of the budget that making questions to learn from may take."""
_WEIGHT = "weight "
RATES = {"transformer": 3e-5, "static": 0.014, "denoising": 3e-5}
"""Highest learning rates; that of a static model is a share of the mean size of its numbers, as Adam's step is as large
as the rate, whatever the numbers are."""
BATCHES = {"transformer": 32, "static": 256, "denoising": 16}


@dataclass(slots=True)
class Course:
    """A model on its way.

    Attributes
    ----------
    name, family
        For tables.
    model
        The model; its weights move.
    stage
        From a number of steps and the number of the slice to a stage of training.
    pairs
        Rows that it learns from.
    size
        Rows a step.
    seconds, steps
        So far.
    pace
        Seconds a step; 0: not known yet.
    best
        The best that it was in the room that chooses, and its weights.
    """

    name: str
    family: str
    model: Trainee
    stage: Callable[[int, int], Stage]
    pairs: int
    size: int
    facts: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    steps: int = 0
    pace: float = 0.0
    best: Candidate | None = None
    weights: dict[str, Any] = field(default_factory=dict)

    def learn(self, bench: Workbench, seconds: float) -> None:
        """Train for about so many seconds."""
        from isogloss.training.loop import train

        ends = time.perf_counter() + min(seconds, bench.clock.left())
        most = max(TRIAL, MOST_PASSES * self.pairs // self.size)
        while self.steps < most:
            left = ends - time.perf_counter()
            steps = min(max(TRIAL, int(min(left, LONGEST) / self.pace)) if self.pace else TRIAL, most - self.steps)
            if self.pace and left < TRIAL * self.pace:
                return
            began = time.perf_counter()
            train(self.stage(steps, self.steps), seed=bench.order.seed + self.steps, progress=bench.progress)
            took = time.perf_counter() - began
            self.pace, self.steps, self.seconds = took / steps, self.steps + steps, self.seconds + took

    def judged(self, bench: Workbench) -> Candidate:
        """Return the model as it is now, judged in the room that chooses."""
        found = judged_model(bench, self.model, self.name, self.family)
        found.seconds, found.facts = self.seconds, {**self.facts, "steps": self.steps, "pairs": self.pairs}
        self._remember(found, self.model.weights())
        return found

    def _remember(self, found: Candidate, weights: dict[str, Any]) -> None:
        if self.best is None or found.value > self.best.value:
            self.best, self.weights = replace(found, write=_writer(self.model, weights, found)), weights

    def keep(self, bench: Workbench, number: int, found: Candidate) -> None:
        """Put what a round gave on disk."""
        from isogloss.training.weight_arrays import weight_arrays

        arrays = {_WEIGHT + name: value for name, value in weight_arrays(self.model.module).items()}
        arrays |= {"passages": found.reading.passages, "questions": found.reading.questions}
        facts = {"seconds": self.seconds, "steps": self.steps, "room": len(bench.room.texts)}
        bench.keep.save(f"{self.name} {number}", facts, arrays)

    def take_up(self, bench: Workbench, number: int) -> bool:
        """Go on from what an earlier call kept of a round; return whether it kept anything that fits."""
        from isogloss.training.weight_arrays import load_weight_arrays

        kept = bench.keep.load(f"{self.name} {number}")
        if kept is None or kept[0].get("room") != len(bench.room.texts):
            return False
        facts, arrays = kept
        own = {name.removeprefix(_WEIGHT): value for name, value in arrays.items() if name.startswith(_WEIGHT)}
        state = load_weight_arrays(self.model.module, own)
        self.seconds, self.steps = float(facts["seconds"]), int(facts["steps"])
        reading = Reading(arrays["passages"], arrays["questions"])
        found = _candidate(self.model, self.name, self.family, reading, bench)
        found.seconds, found.facts = self.seconds, {**self.facts, "steps": self.steps, "pairs": self.pairs}
        self._remember(found, state)
        return True


def judged_model(bench: Workbench, model: Trainee, name: str, family: str) -> Candidate:
    """Let a model in memory read the room that chooses, in bfloat16 where that is faster."""
    return _candidate(model, name, family, read_with(bench, model, bench.room), bench)


def read_with(bench: Workbench, model: Trainee, room: Room) -> Reading:
    """Return what a model in memory reads in a room."""
    from isogloss.nn.fused import half_precision
    from isogloss.training.hardware import precision_of

    encoder = model.encoder()
    asked = [question.text for question in room.made.questions]

    def read(texts: list[str], role: Any) -> Any:
        bench.progress.start("judge", len(texts), "passages")
        vectors = np.asarray(encoder.encode(texts, role=role, report=EncodeReport()), np.float32)
        bench.progress.finish()
        return normalise(vectors)

    if "bf16" in model.precisions and precision_of("auto") == "bf16":
        with half_precision():
            return Reading(read(room.texts, "document"), read(asked, "query"))
    return Reading(read(room.texts, "document"), read(asked, "query"))


def _candidate(model: Trainee, name: str, family: str, reading: Reading, bench: Workbench) -> Candidate:
    encoder = model.encoder()
    static = encoder if isinstance(encoder, StaticEncoder) else None

    def write(folder: Path, card: str) -> None:
        model.save(folder, card)

    plain: Callable[[Path, str], None] = (
        write if static is None else lambda folder, card: static.save(folder, card=card)
    )
    return Candidate(name, family, reading, bench.room.marks(reading), write=plain, encoder=static)


# -- the courses -------------------------------------------------------------------------------------------------------


def pairs_course(bench: Workbench) -> Course:
    """Learn from made questions and the passages that answer them, the others of a batch as wrong answers."""
    return _contrastive(bench, "made questions", "pairs", _made(bench))


def _made(bench: Workbench) -> Lessons:
    """Return the pairs of made questions, made once; their making may take a tenth of the budget."""
    if bench.made is None:
        most = int(TEACHING * bench.order.budget * bench.material.pace)
        bench.made = made_lessons(bench.material, bench.order.seed, most)
    found: Lessons = bench.made
    return found


def negatives_course(bench: Workbench) -> Course | None:
    """Learn from made questions with a mined wrong answer each, filtered; None where the rules leave too few."""
    from isogloss.encoders.names import load_encoder

    lessons = _made(bench)
    most = len(lessons) if bench.is_static else max(64, int(bench.rate * bench.clock.budget * 0.02))
    lessons = Lessons([column[:most] for column in lessons.columns], lessons.groups[:most], lessons.kinds)
    encoder = load_encoder(bench.order.base, threads=bench.threads)
    asked = np.asarray(encoder.encode(lessons.columns[0], role="query", report=EncodeReport()), np.float32)
    answers = np.asarray(encoder.encode(lessons.columns[1], role="document", report=EncodeReport()), np.float32)
    found = with_negatives(lessons, asked, answers, bench.order.seed)
    if found is None:
        bench.notes.append("mined negatives: too few are left after the rules, so they are not tried")
        return None
    return _contrastive(bench, "made questions, mined negatives", "negatives", found)


def spans_course(bench: Workbench) -> Course:
    """Learn that two stretches of one document belong together."""
    return _contrastive(bench, "two stretches of a document", "spans", span_lessons(bench.material, bench.order.seed))


def _contrastive(bench: Workbench, name: str, family: str, lessons: Lessons) -> Course:
    from isogloss.objectives.in_batch import InBatchSoftmax
    from isogloss.training.batching import TextBatches
    from isogloss.training.trainee import trainee

    model = trainee(bench.order.base)
    kind = "static" if bench.is_static else "transformer"
    size = min(BATCHES[kind], max(2, len(lessons) // 4))
    batches = TextBatches(
        lessons.columns, model.tokenizer, batch_size=size, seed=bench.order.seed, groups=lessons.groups,
        prompts=model.prompts(len(lessons.columns)),
    )  # fmt: skip
    objective = InBatchSoftmax(temperature=0.05)
    rate = RATES[kind]
    if bench.is_static:
        rate *= float(np.mean([value.abs().mean().item() for value in model.start.values()]))

    def stage(steps: int, begun: int) -> Stage:
        return _stage(model, batches, objective, steps, begun, rate, f"learn from {name}")

    facts: dict[str, Any] = {"kinds": lessons.kinds}
    if lessons.rejected is not None:
        facts["rejected as likely right answers"] = round(lessons.rejected, 3)
    return Course(name, family, model, stage, len(lessons), size, facts)


def _stage(
    model: Trainee, batches: Any, objective: Any, steps: int, begun: int, rate: float, name: str,
    module: Any = None, forward: Any = None,
) -> Stage:  # fmt: skip
    from isogloss.training.hardware import precision_of
    from isogloss.training.stage import Optimiser, Player, Stage

    precision = precision_of("auto")
    optimiser = Optimiser(learning_rate=rate, schedule="constant", warmup=0.0 if begun else 0.5)
    player = Player(
        module=module if module is not None else model.module, objective=objective,
        forward=forward if forward is not None else model.forward, optimiser=optimiser,
        make_optimiser=model.make_optimiser if module is None else None,
    )  # fmt: skip
    return Stage(
        batches=_From(batches, begun), players=[player], steps=steps, name=name,
        precision=precision if precision in model.precisions else "fp32",
    )  # fmt: skip


class _From:
    """Batches from a step on."""

    def __init__(self, batches: Any, begun: int) -> None:
        self.batches, self.begun = batches, begun
        self.per_epoch = int(batches.per_epoch)

    def __call__(self, step: int) -> Any:
        return self.batches(step + self.begun)


def denoising_course(bench: Workbench) -> Course:
    """Learn to write each sentence from the vector of its copy with words left out (TSDAE)."""
    from isogloss.nn.bottleneck_decoder import BottleneckAutoencoder, BottleneckDecoder
    from isogloss.objectives.reconstruction import BottleneckReconstruction, reconstruct
    from isogloss.training.corpus_tokens import sentences, token_ids
    from isogloss.training.denoising_batches import Deletion, DenoisingBatches
    from isogloss.training.randomness import seeded
    from isogloss.training.trainee import trainee

    model = trainee(bench.order.base)
    module: Any = model.module
    config = module.transformer.config
    tokenizer = model.tokenizer.tokenizer
    edges = [number for number in tokenizer.encode("").ids]
    texts = [" ".join(text.split()[:48]) for text in texts_of(bench.material.train)]
    tokens = sentences(token_ids(texts, tokenizer), 64, before=edges[:1], after=edges[1:2], shortest=4)
    batches = DenoisingBatches(
        tokens, Deletion(special=tuple(edges)), batch_size=BATCHES["denoising"], seed=bench.order.seed
    )
    with seeded(bench.order.seed):
        decoder = BottleneckDecoder(config.vocabulary, module.dimensions, heads=config.heads, positions=64)
    whole = BottleneckAutoencoder(module, decoder)

    def stage(steps: int, begun: int) -> Stage:
        return _stage(
            model, batches, BottleneckReconstruction(), steps, begun, RATES["denoising"], "denoise", whole, reconstruct
        )

    return Course("denoising", "denoising", model, stage, len(texts), BATCHES["denoising"], {"texts": len(texts)})


# -- with the base -----------------------------------------------------------------------------------------------------


def merged(bench: Workbench, course: Course, shares: tuple[float, ...]) -> list[Candidate]:
    """Mix the best weights of a course with the base's, at several shares, and judge each mixture.

    The mixtures stand in falling share, and have read the general probe set.
    """
    from isogloss.training.merging import merge_weighted

    assert course.best is not None
    found = []
    for share in shares:
        if bench.clock.left() < 2 * bench.reading_seconds():
            bench.notes.append("there was no time to try every mixture with the base")
            break
        state = merge_weighted([dict(course.model.start), course.weights], [1 - share, share])
        course.model.module.load_state_dict(state)
        made = judged_model(bench, course.model, f"{course.name}, merged {share:g}", course.family)
        made.general = read_with(bench, course.model, bench.general)
        made.facts = {**course.best.facts, "share": share}
        made.seconds = course.best.seconds
        found.append(replace(made, write=_writer(course.model, state, made)))
    course.model.module.load_state_dict(dict(course.weights))
    return found


def _writer(model: Trainee, state: dict[str, Any], made: Candidate) -> Callable[[Path, str], None]:
    if made.encoder is not None:
        assert made.write is not None
        return made.write

    def write(folder: Path, card: str) -> None:
        model.module.load_state_dict(state)
        model.save(folder, card)

    return write
