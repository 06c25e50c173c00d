"""The Lab: what a check is given; it owns data, seeds, base models, clocks and statistics.

A check makes arms (functions from a :class:`Run` to an artifact), asks for judges, states findings and returns
``lab.evidence(primary=..., guards=[...])``. The verdict is computed here alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from isogloss.corpus.examples import Splits, TextPairs
from isogloss.errors import UsageError
from isogloss.protocols import Progress, Silent
from isogloss.recipes import _worlds as worlds
from isogloss.recipes._base_models import SEEDS, base_model_names, load_base_model
from isogloss.recipes._bench import Bench
from isogloss.recipes._card import Card
from isogloss.recipes._data import Opened, opened
from isogloss.recipes._exposure import Exposure, exposure
from isogloss.recipes._findings import Direction, Finding, Judge, given, judge_name, ladder
from isogloss.recipes._judges import LabJudge
from isogloss.recipes._judging import Evidence, Setting, weigh
from isogloss.recipes._run import Arm, Run
from isogloss.recipes._swaps import Swap, shuffled_labels, shuffled_texts
from isogloss.seeding import generator

__all__ = ["Arm", "Evidence", "Finding", "Judge", "Lab", "Run"]

FIRST_SEEDS, MOST_SEEDS = 5, 10
SHARE = 2 / 3
"""Share of the texts that a resample takes where no number is given."""


@dataclass(slots=True)
class Lab:
    """What one check works with.

    Attributes
    ----------
    card
        The recipe's card: roles and the default margin.
    roles
        What fills each role: ``card.needs``, with ``--swap`` applied.
    first_seed, seeds, most
        The first seed, how many runs, and up to how many where the verdict is inconclusive.
    swap
        The sabotage that this Lab plays, or None.
    bench
        Where arms are run and samples kept.
    smoke
        One seed only: the check runs, nothing is judged.
    """

    card: Card
    roles: dict[str, str]
    first_seed: int = 0
    seeds: int = FIRST_SEEDS
    most: int = MOST_SEEDS
    swap: Swap | None = None
    smoke: bool = False
    threads: int | None = None
    bench: Bench = field(default_factory=Bench)
    progress: Progress = field(default_factory=Silent)
    opened: dict[str, Opened] = field(default_factory=dict)
    models: dict[str, Any] = field(default_factory=dict)
    shuffles: dict[str, int] = field(default_factory=dict)

    # -- what arms and judges are made of ------------------------------------------------------------------------

    def name(self, role: str) -> str:
        """Return the name or path that fills a role.

        Raises
        ------
        UsageError
            Where the card does not name the role.
        """
        if role not in self.roles:
            known = ", ".join(sorted(self.roles)) or "none"
            raise UsageError(f"{self.card.slug} needs no {role!r}", f"its card names the roles {known}")
        return self.roles[role]

    def data(self, role: str, part: str | None = None) -> Any:
        """Return the examples that fill a role, as plain data of ``isogloss.corpus``.

        Parameters
        ----------
        role
            A role of ``CARD.needs``.
        part
            ``train``, ``dev``, ``test`` or whatever parts the data set has; None for the one that it is judged on.
        """
        role_data = self._open(role)
        examples = role_data.part(part)
        # whatever a check names beside the part that it is judged on, it learns or chooses from
        fitting = part is not None and (part != role_data.judged or isinstance(examples, TextPairs))
        if self.swap is not None and (self.swap == "labels" or (self.swap == "shuffled" and fitting)):
            examples, count = shuffled_labels(examples, self.first_seed)
            self.shuffles[self.swap] = self.shuffles.get(self.swap, 0) + count
        return examples

    def texts(self, role: str, n: int | None = None, run: Run | None = None, *, part: str | None = None) -> list[str]:
        """Return texts for fitting (the train part where there is one); with a run a fresh resample.

        Parameters
        ----------
        role
            A role of ``CARD.needs``.
        n
            How many; None for all, or two thirds of all where there is a run.
        run
            Whose resample: ``n`` distinct texts drawn without replacement by the run's seed and fold.
        part
            Which part of the data, where it is another one: plain text often has no part named ``train``.

        Raises
        ------
        UsageError
            Where there are fewer than ``n`` texts.
        """
        texts = self._open(role).texts(part)
        if n is not None and n > len(texts):
            raise UsageError(f"{self.name(role)} has {len(texts)} texts", f"{n} are asked for", "ask for fewer")
        if run is None:
            chosen = texts[: len(texts) if n is None else n]
        else:
            size = n if n is not None else max(1, int(len(texts) * SHARE))
            picked = np.sort(self.rng(run, "texts", role).permutation(len(texts))[:size])
            chosen = [texts[i] for i in picked]
        if self.swap == "shuffled":
            self.shuffles["shuffled"] = self.shuffles.get("shuffled", 0) + 1
            return shuffled_texts(chosen, self.first_seed)
        return chosen

    def model(self, role: str, run: Run | None = None) -> Any:
        """Return the model that fills a role, loaded once: an encoder by name, or a base model of the Lab.

        ``minilm``, ``static``, ``words`` and folders are encoders. A base model (``tiny-lm`` ...) is built
        where it is missing, which takes about a minute; what it can do is in ``docs/lab.md``. Train on its ``fresh()``
        copy, never on itself.

        Parameters
        ----------
        role
            A role of ``CARD.needs``.
        run
            Whose seed chooses between the two seeds that each base model is built with; the first one where None.
        """
        from isogloss.encoders.names import load_encoder

        name = self.name(role)
        if name not in base_model_names():
            if name not in self.models:
                self.models[name] = load_encoder(name, threads=self.threads)
            return self.models[name]
        seed = SEEDS[0] if run is None else SEEDS[run.seed % len(SEEDS)]
        key = f"{name}@{seed}"
        if key not in self.models:
            self.models[key] = load_base_model(name, seed, progress=self.progress)
        return self.models[key]

    def exposure(self, model: str, data: str) -> Exposure:
        """Return what the model of one role has seen of the data of another in its training."""
        return exposure(self.name(model), self.name(data))

    def rng(self, run: Run, *names: str | int) -> np.random.Generator:
        """Return the generator of a run for a purpose; the fold is part of it."""
        return generator(run.seed, "lab", run.fold, *names)

    def judge(self, role: str, metric: str | None = None, **options: Any) -> LabJudge:
        """Return who judges artifacts on a role's data; the same items for every arm.

        An encoder is judged by the task of the data set's kind, a predictor by accuracy, a reranker by nDCG@10 over
        fixed candidates, an index by recall against its own ``score_all`` (give ``queries=Vectors`` and ``k=``).

        Parameters
        ----------
        role
            A role of ``CARD.needs``.
        metric
            One of the task's metrics; None for the one that counts.
        **options
            ``part`` (which part of the data), and the task's own parameters.
        """
        part = options.pop("part", None)
        label = f"{role}:{metric or 'main'}" + (f"[{part}]" if part else "")
        make = partial(self._judged, role, part)
        task = "" if "queries" in options else self._open(role).task
        return LabJudge(label, make, metric=metric, name_of_data=self.name(role), task=task, options=options)

    def _judged(self, role: str, part: str | None) -> Any:
        if part is None and self._open(role).fitted_on_train:
            return Splits({"train": self.data(role, self._open(role).train), "test": self.data(role)})
        return self.data(role, part)

    def _open(self, role: str) -> Opened:
        name = self.name(role)
        if name not in self.opened:
            self.opened[name] = opened(name)
        return self.opened[name]

    # -- findings --------------------------------------------------------------------------------------------------

    def better(
        self, treated: Arm, control: Arm, placebo: Arm, *, judge: Judge, margin: float | None = None,
        positive: Arm | None = None, name: str = "",
    ) -> Finding:  # fmt: skip
        """Claim that ``treated`` beats ``control`` by the margin, and beats the placebo.

        ``positive`` is an arm known to beat the control; where none is given, a loss of one margin is planted in the
        control. Without a positive control that was seen nothing is refuted.
        """
        arms = given(treated=treated, control=control, placebo=placebo, positive=positive)
        if placebo is None:
            raise UsageError("better needs a placebo", f"{self.card.slug} gives none", "same cost, mechanism removed")
        return self._finding("better", name, judge, arms, margin)

    def not_worse(
        self, treated: Arm, control: Arm, *, judge: Judge, margin: float | None = None, planted: Arm | None = None,
        name: str = "",
    ) -> Finding:  # fmt: skip
        """Claim that ``treated`` loses less than the margin; a planted loss of one margin must be seen.

        ``planted`` is the control with a loss of about one margin; None lets the Lab plant it by adding noise.
        """
        arms = given(treated=treated, control=control, planted=planted)
        return self._finding("not_worse", name, judge, arms, margin)

    def same(
        self, treated: Arm, control: Arm, *, judge: Judge, margin: float | None = None, planted: Arm | None = None,
        name: str = "",
    ) -> Finding:  # fmt: skip
        """Claim that the two lie within one margin of each other; otherwise as :meth:`not_worse`."""
        return self._finding("same", name, judge, given(treated=treated, control=control, planted=planted), margin)

    def trend(
        self, arm: Arm, sizes: Sequence[float], *, judge: Judge, direction: Direction, placebo: Arm | None = None,
        margin: float | None = None, name: str = "",
    ) -> Finding:  # fmt: skip
        """Claim that the score goes ``rising``, ``falling`` or through an inner ``peak`` along ``run.size``.

        The placebo runs along the same sizes and must show less of it.
        """
        steps = ladder(tuple(sizes), direction)
        arms = given(treated=arm, placebo=placebo)
        return self._finding("trend", name, judge, arms, margin, sizes=steps, direction=direction)

    def interaction(
        self, treated: Arm, control: Arm, *, here: Judge, there: Judge, margin: float | None = None,
        placebo: Arm | None = None, name: str = "",
    ) -> Finding:  # fmt: skip
        """Claim that ``treated`` beats ``control`` by the margin ``here``, and by one margin more than ``there``."""
        arms = given(treated=treated, control=control, placebo=placebo)
        return self._finding("interaction", name, here, arms, margin, there=there)

    def recovers(
        self, treated: Arm, control: Arm, *, truth: Judge, at_least: float, placebo: Arm | None = None,
        margin: float | None = None, name: str = "",
    ) -> Finding:  # fmt: skip
        """Claim that ``treated`` finds a planted truth (score surely ``at_least``) and ``control`` does not."""
        arms = given(treated=treated, control=control, placebo=placebo)
        return self._finding("recovers", name, truth, arms, margin, at_least=at_least)

    def cheaper(
        self, treated: Arm, control: Arm, *, judge: Judge, cost: str | Callable[[Any], float], factor: float,
        margin: float | None = None, planted: Arm | None = None, name: str = "",
    ) -> Finding:  # fmt: skip
        """Claim that ``treated`` is not worse and costs ``factor`` times less.

        ``cost`` is a field of the ledger, counted while the judge works, or a function of the artifact.
        """
        if factor <= 1:
            raise UsageError("cheaper needs a factor above 1", f"it is {factor}")
        arms = given(treated=treated, control=control, planted=planted)
        return self._finding("cheaper", name, judge, arms, margin, cost=cost, factor=factor)

    def exact(
        self, arm: Arm, *, invariant: Callable[[Any], float], within: float, broken: Arm | None = None, name: str = ""
    ) -> Finding:
        """Claim an invariant: its error (0: none) is at most ``within`` in every run.

        ``broken`` is an arm that must break it, so that the invariant is shown to be able to fail.
        """
        return Finding(
            "exact", name or judge_name(invariant), given(treated=arm, broken=broken), {},
            settings={"invariant": invariant, "within": within},
        )  # fmt: skip

    def reported(self, arm: Arm, *, judge: Judge, name: str) -> Finding:
        """Report a number beside the findings; it is never judged."""
        return Finding("reported", name, {"treated": arm}, {"main": judge})

    def known_answers(self, arm: Arm, *, judge: Judge, margin: float | None = None) -> list[Finding]:
        """Return the guards of a survey or benchmark: what its judge must find in worlds whose answer is known.

        A ladder of planted noise falls in order, two copies are the same, and permuted labels find nothing (where the
        judge comes from ``lab.judge`` and its data has labels).
        """
        found = [
            self.trend(
                worlds.ladder(arm),
                worlds.STEPS,
                judge=judge,
                direction="falling",
                margin=margin,
                name="a planted ladder",
            ),
            self.same(worlds.copy(arm), arm, judge=judge, margin=margin, name="two copies"),
        ]
        if isinstance(judge, LabJudge):
            nothing = worlds.found_by(worlds.permuted(judge, self.first_seed), self.first_seed)
            found.append(self.exact(arm, invariant=nothing, within=0.0, name="permuted labels find nothing"))
        return found

    def _finding(
        self, kind: Any, name: str, judge: Judge, arms: Mapping[str, Arm], margin: float | None, **settings: Any
    ) -> Finding:
        judges = {"main": judge, **given(there=settings.pop("there", None))}
        label = name or f"{kind.replace('_', ' ')} by {judge_name(judge)}"
        return Finding(kind, label, arms, judges, self.card.margin if margin is None else margin, settings)

    # -- the verdict -----------------------------------------------------------------------------------------------

    def runs(self, count: int) -> list[Run]:
        """Return the first ``count`` runs, the same for every arm."""
        return [Run(seed=self.first_seed + i, fold=i) for i in range(count)]

    def evidence(
        self, primary: Finding, guards: Sequence[Finding] = (), *, immune: Mapping[str, str] | None = None
    ) -> Evidence:
        """Run the arms, judge every finding and return the evidence with its verdict.

        Parameters
        ----------
        primary
            The claim itself.
        guards
            What must hold besides; guards can only lower the verdict.
        immune
            Sabotages that cannot touch this check (``shuffled`` or ``labels``), each with the reason.
        """
        setting = Setting(self.bench, self.runs, self.seeds, self.most, self.smoke, self.swap)
        return weigh(setting, primary, guards, immune or {})
