"""The one training loop: small and plain; everything special is an argument of a stage."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from isogloss.errors import UsageError
from isogloss.protocols import Progress, Silent
from isogloss.seeding import derive
from isogloss.training import checkpoints
from isogloss.training.budget import affordable, measure, step_batches
from isogloss.training.checkpoints import Checkpoints, Saved
from isogloss.training.devices import Alone, Devices
from isogloss.training.failures import watched
from isogloss.training.interruption import Interruption
from isogloss.training.logs import JsonLines, Log, numbers
from isogloss.training.moving import Move, Seat, learned_modules, move, seats
from isogloss.training.randomness import seeded as seeded
from isogloss.training.schedules import rate as rate
from isogloss.training.selection import Choice
from isogloss.training.stage import Player, Stage
from isogloss.training.summary import TrainingSummary as TrainingSummary

_LOGGED = 10
"""Moves between two lines of the log."""


def train(
    stages: Sequence[Stage] | Stage, *, seed: int, progress: Progress | None = None, out: str | Path | None = None,
    every: int = 500, settings: Mapping[str, Any] | None = None, logs: Sequence[Log] = (),
    devices: Devices | None = None,
) -> TrainingSummary:  # fmt: skip
    """Run stages one after another; the players' modules are changed in place.

    Parameters
    ----------
    stages
        One or several.
    seed
        Of dropout and everything else that is random in a forward pass; the caller's random state is left as it was.
    progress
        Where to report, in items.
    out
        Folder of the run's checkpoints and of its ``log.jsonl``; where a checkpoint lies there, the run goes on from it
        and ends with the same bits as one that was never broken. None: nothing is written.
    every
        Steps between two checkpoints; there is one at the end of each stage, too.
    settings
        Plain data that must be the same when the run goes on: what the data are, a digest.
    logs
        Take records beside ``log.jsonl``: :class:`~isogloss.training.logs.TensorBoard`.
    devices
        Where to train; None: one process, where the modules are.

    Raises
    ------
    NonFiniteError
        Where a loss, a gradient or a score is NaN or infinite; the weights are those before that step.
    UsageError
        Where a stage has no steps, no items, no trainable parameter or nothing but zero gradients.
    IncompatibleError
        Where ``out`` holds a run of other settings.
    OutOfMemoryError
        Where a step does not fit; the weights are those before it.
    KeyboardInterrupt
        After Ctrl-C, at the end of the step and with a checkpoint of it (at once where several processes train).

    Notes
    -----
    The same seed, threads and versions give the same bits, whether gradients are cached or accumulated, whether the run
    was broken or not. A time budget is turned into steps once, by measuring; a run that goes on keeps the number.
    """
    listed = [stages] if isinstance(stages, Stage) else list(stages)
    if not listed:
        raise UsageError("there is nothing to train", "no stage was given")
    if len({stage.name for stage in listed}) < len(listed):
        raise UsageError("two stages have one name", ", ".join(stage.name for stage in listed), "name each stage")
    for stage in listed:
        stage.refresh = tuple(stage.refresh)
    keeper = None
    if out is not None:
        keeper = Checkpoints(out, checkpoints.describe(listed, seed=seed, every=every, extra=settings))
    run = _Run(listed, seed, every, progress or Silent(), devices or Alone(), list(logs), keeper)
    saved = run.open()
    first = saved.record["stage"] if saved else 0
    try:
        with Interruption(catch=run.devices.count == 1) as run.interruption:
            for number in range(first, len(listed)):
                run.stage(number, saved if number == first and saved and saved.record["seats"] else None)
    finally:
        for log in run.logs:
            log.close()
    return run.summary


@dataclass(slots=True)
class _Run:
    """A run on its way: its stages, what it has done, and where it writes."""

    stages: list[Stage]
    seed: int
    every: int
    progress: Progress
    devices: Devices
    logs: list[Log]
    keeper: Checkpoints | None
    summary: TrainingSummary = field(default_factory=TrainingSummary)
    interruption: Interruption = field(default_factory=Interruption)
    lines: JsonLines | None = None
    before: float = 0.0
    began: float = 0.0

    def open(self) -> Saved | None:
        """Place the modules, and go on from the last checkpoint where there is one."""
        saved = self.keeper.load() if self.keeper else None
        if saved:
            checkpoints.write_modules(self.stages, saved.tensors)
            self.summary = TrainingSummary.read(saved.record["summary"])
        if self.keeper and self.devices.number == 0:
            self.lines = JsonLines(self.keeper.folder / "log.jsonl", saved.record["logged"] if saved else 0)
            self.logs.append(self.lines)
        for stage in self.stages:
            for player in stage.players:
                for module in learned_modules(player).values():
                    self.devices.place(module)
        return saved

    def stage(self, number: int, saved: Saved | None) -> None:
        """Run a stage from its beginning or from a checkpoint."""
        stage, seed = self.stages[number], derive(self.seed, "stage", number)
        first, choice = 0, Choice()
        if saved is None:
            self._count(stage, seed)
        table = seats(stage)
        if saved is not None:
            first, choice = saved.record["step"], Choice.read(saved.record["choice"], saved.best)
            checkpoints.write_seats(table, saved)
        steps = self.summary.planned[stage.name]
        size = stage.batches(0).size * stage.accumulate
        self.progress.start(stage.name, steps * size, "items")
        self.progress.advance(first * size)
        self.before, self.began = self.summary.seconds, time.perf_counter()
        _set_training(stage.players, True)
        try:
            self._steps(number, table, choice, range(first, steps), seed)
        finally:
            _set_training(stage.players, False)
            self.progress.finish()
        self._end(number, table, choice)

    def _steps(self, number: int, table: list[Seat], choice: Choice, steps: range, seed: int) -> None:
        stage, last = self.stages[number], steps.stop
        if stage.evaluation is not None and not choice.scores and self._look(stage, table, choice, 0):
            return
        due = steps.start + self.every
        for step in steps:
            self._step(stage, table, step, last, seed)
            if self._ended(stage, table, choice, step + 1, last):
                return
            aligned = all(one.state is not None or (step + 1) % one.every == 0 for one in stage.refresh)
            if aligned and (step + 1 >= due or self.interruption.asked):
                self._save(number, step + 1, table, choice)
                due = step + 1 + self.every
            if self.interruption.asked:
                raise KeyboardInterrupt

    def _ended(self, stage: Stage, table: list[Seat], choice: Choice, step: int, last: int) -> bool:
        """Look at the players where it is time to, and return whether the stage is over after ``step`` steps."""
        due = stage.evaluation is not None and (step % stage.evaluation.every == 0 or step == last)
        return (due and self._look(stage, table, choice, step)) or step == last

    def _step(self, stage: Stage, table: list[Seat], step: int, steps: int, seed: int) -> None:
        for refresh in stage.refresh:
            if step and step % refresh.every == 0:
                refresh.what(step)
        with watched(stage, step):
            for seat in table:
                player = seat.player
                if step % player.every:
                    continue
                speed, own = rate(player.optimiser, step, steps), derive(seed, "step", step, player.name)
                batches = step_batches(stage, player, step)
                moved = move(seat, batches, stage, self.devices, step=step, rate=speed, seed=own)
                self.summary.losses.setdefault(f"{stage.name}/{player.name}", []).append(moved.loss)
                if seat is table[0]:
                    self.summary.items += moved.items
                    self.progress.advance(moved.items)
                if self.logs and step % _LOGGED == 0:
                    self._log_move(stage, player, step, speed, moved)
        self.summary.steps += 1
        self.summary.seconds = self.before + time.perf_counter() - self.began

    def _look(self, stage: Stage, table: list[Seat], choice: Choice, step: int) -> bool:
        assert stage.evaluation is not None
        stop = choice.look(stage.evaluation, table, step)
        self.summary.scores[stage.name] = list(choice.scores)
        self.summary.best[stage.name] = choice.best
        self._write("look", stage, step, score=choice.scores[-1][1], best=choice.best[0])
        if stop:
            self._note(stage, step, f"{stage.name} ended after {step} steps: {choice.bad} looks without a gain")
        return stop

    def _count(self, stage: Stage, seed: int) -> None:
        """Decide how many steps a stage takes."""
        if stage.batches.per_epoch < 1:
            raise UsageError(f"{stage.name} has nothing to learn from", "there are no items", "look at the data")
        steps = math.ceil(stage.batches.per_epoch / stage.accumulate) if stage.steps is None else stage.steps
        if stage.budget is not None:
            with watched(stage, 0):
                speed = measure(stage, self.devices, seed=seed, seconds=stage.budget * 0.1)
            steps = affordable(stage, speed)
            self._note(
                stage, 0, f"{stage.budget:g} s are enough for {steps} steps of {speed.step:.3g} s"
                f" ({speed.spent:.3g} s went into measuring)",
            )  # fmt: skip
        if steps < 1:
            raise UsageError(f"{stage.name} has no steps", f"steps is {stage.steps}", "give at least one")
        self.summary.planned[stage.name] = steps

    def _end(self, number: int, table: list[Seat], choice: Choice) -> None:
        """Leave the weights that the stage is to end with, and a checkpoint."""
        evaluation = self.stages[number].evaluation
        if evaluation is not None and evaluation.keep_best:
            choice.restore(table)
        else:
            for seat in table:
                if seat.average is not None:
                    seat.average.write(seat.parameters)
        self._save(number + 1, 0, [], Choice())
        if self.interruption.asked:
            raise KeyboardInterrupt

    def _save(self, number: int, step: int, table: list[Seat], choice: Choice) -> None:
        if self.keeper is None or self.lines is None:
            return
        record = {
            "stage": number, "step": step, "summary": self.summary.to_dict(), "choice": choice.to_dict(),
            "seats": checkpoints.seat_numbers(table), "logged": self.lines.size(),
        }  # fmt: skip
        tensors = checkpoints.module_tensors(self.stages) | checkpoints.seat_tensors(table)
        self.keeper.save(record, tensors, choice.weights)

    def _log_move(self, stage: Stage, player: Player, step: int, speed: float, moved: Move) -> None:
        known = {} if moved.norm is None else {"gradient": moved.norm}
        seconds = self.before + time.perf_counter() - self.began
        pace = {"items_per_second": self.summary.items / max(seconds, 1e-9)}
        values = {"loss": moved.loss, "rate": speed, **known, **pace, **numbers(moved.parts)}
        self._write("move", stage, step, player=player.name, **values)

    def _note(self, stage: Stage, step: int, words: str) -> None:
        self.summary.notes.append(words)
        self._write("note", stage, step, words=words)

    def _write(self, event: str, stage: Stage, step: int, **values: Any) -> None:
        for log in self.logs:
            log.write({"event": event, "stage": stage.name, "step": step, **values})


def _set_training(players: Sequence[Player], on: bool) -> None:
    for player in players:
        for module in learned_modules(player).values():
            module.train(on)
