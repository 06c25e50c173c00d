"""``isogloss merge``: one model from the weights of several, the shares chosen on rows that prove nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from isogloss.errors import UsageError
from isogloss.evaluation.general_questions import NAME
from isogloss.protocols import Progress
from isogloss.workflows.training.data import read_training_data
from isogloss.workflows.training.judging import Exam, exam, general_exam, measured
from isogloss.workflows.training.lineage import learned_from, refuse_seen
from isogloss.workflows.training.split import Parts, split
from isogloss.workflows.training.writing import Measured, Written, check_place, write_model

if TYPE_CHECKING:
    from isogloss.training.trainee import Trainee

STEPS = 10
"""Parts into which the way from the first model to the second is cut."""
ROUNDS = 2
"""Rounds over the shares of three models or more, each share in turn."""
NEEDS_BASE = ("task", "ties", "dare")


@dataclass(frozen=True, slots=True)
class Mixture:
    """What is mixed, and how.

    Attributes
    ----------
    models
        Names or folders, two or more.
    by
        ``weighted``, ``slerp``, ``soup``; or ``task``, ``ties``, ``dare``, which add what tuning added to ``base``.
    share
        Fixed share of the later models, equally among them (with a base: of what tuning added); None: searched.
    base
        What the models were trained from.
    """

    models: tuple[str, ...]
    by: str = "weighted"
    share: float | None = None
    base: str = ""


@dataclass(slots=True)
class Merged:
    """What a merge gave.

    Attributes
    ----------
    written
        The folder.
    weights
        Share of each model.
    own, general
        All models and the mixture on rows that were held out for it (None without data), and on the general probe set.
    tried
        ``{"weights": [...], "score": x}`` of every mixture that was tried.
    """

    written: Written
    weights: dict[str, float]
    own: Measured | None
    general: Measured
    tried: list[dict[str, Any]] = field(default_factory=list)


def merge_models(
    mixture: Mixture, search: str, out: str, *, split_name: str, seed: int, threads: int | None, progress: Progress
) -> Merged:
    """Mix models of one shape and write the mixture.

    Parameters
    ----------
    mixture
        What and how.
    search
        Rows to choose the shares on and to prove the result; empty with a fixed share.
    out
        Folder of the mixture.
    split_name, seed, threads, progress
        As for ``isogloss train``.

    Raises
    ------
    UsageError
        Where the models differ in shape, or neither data nor a share is given.
    """
    from isogloss.training.hardware import use_threads
    from isogloss.training.trainee import trainee

    place = Path(out).expanduser().absolute()
    _check(mixture, search)
    check_place(place)
    use_threads(threads)
    parts = None
    if search:
        data = read_training_data(search, split=split_name, seed=seed)
        refuse_seen(mixture.models, data, seed)
        parts = split(data, seed)
        if parts.choose is None:
            raise UsageError(f"shares cannot be searched on {search}", parts.note, "give more rows, or --share X")
    models = [trainee(name) for name in mixture.models]
    base = dict(trainee(mixture.base).start) if mixture.base else None
    mixer = _Mixer(mixture, [one.start for one in models], base, seed)
    result = trainee(mixture.models[0])
    weights, tried = _weights(mixture, mixer, result, parts, seed, progress)
    result.module.load_state_dict(mixer.mixed(weights))
    names = _labels(mixture.models)
    encoders = {name: one.encoder() for name, one in zip(names, models, strict=True)}
    encoders["mixture"] = result.encoder()
    own = None
    if parts is not None:
        own = measured(
            exam(parts, "prove", seed), f"your data: {Path(search).name}", encoders, model="mixture", progress=progress
        )
    general = measured(general_exam(), NAME, encoders, model="mixture", progress=progress)
    shares = dict(zip(names, weights, strict=True))
    told = ", ".join(f"{share:.2f} {name}" for name, share in shares.items())
    written = write_model(
        place, result.save, title=place.name,
        base=mixture.models[0], how=f"Weights mixed by {mixture.by}: {told}.",
        results=[one for one in (own, general) if one],
        facts={"tried": tried, "learned_from": learned_from(mixture.models)},
        settings={"models": names, "by": mixture.by, "weights": weights, "seed": seed},
    )  # fmt: skip
    return Merged(written, shares, own, general, tried)


def _check(mixture: Mixture, search: str) -> None:
    if len(mixture.models) < 2:
        raise UsageError("one model cannot be mixed", "", "name two or more")
    if mixture.base and mixture.by not in NEEDS_BASE:
        raise UsageError(f"{mixture.by} needs no base", "", "leave --base out, or use --by task, ties or dare")
    if mixture.by in NEEDS_BASE and not mixture.base:
        raise UsageError(f"{mixture.by} needs the model that both were trained from", "", "add --base MODEL")
    if mixture.by == "slerp" and len(mixture.models) != 2:
        raise UsageError("slerp mixes two models", f"{len(mixture.models)} were named", "use --by weighted")
    if mixture.share is None and not search:
        raise UsageError("which shares?", "no data and no share was given", "add --search DATA, or --share 0.5")
    if mixture.share is not None and not 0 <= mixture.share <= 1:
        raise UsageError(f"a share of {mixture.share:g} is not possible", "it lies from 0 to 1")


def _labels(models: Sequence[str]) -> list[str]:
    """Return short names, told apart by a number where two folders are called alike."""
    short = [Path(name).name for name in models]
    return [name if short.count(name) == 1 else f"{name}-{i}" for i, name in enumerate(short, 1)]


class _Mixer:
    """The weights of the models, mixed by shares that sum to one, or by scales of what tuning added to the base."""

    def __init__(
        self, mixture: Mixture, states: Sequence[Mapping[str, Any]], base: Mapping[str, Any] | None, seed: int
    ) -> None:
        self.by, self.base, self.seed = mixture.by, base, seed
        self.states = [dict(state) for state in states]

    def mixed(self, weights: Sequence[float]) -> dict[str, Any]:
        """Return the mixture's weights."""
        from isogloss.training import merging

        if self.by in ("weighted", "soup"):
            return merging.merge_weighted(self.states, weights)
        if self.by == "slerp":
            return merging.merge_slerp(self.states[0], self.states[1], weights[1])
        assert self.base is not None
        if self.by == "task":
            return merging.merge_tasks(self.base, self.states, weights)
        if self.by == "ties":
            return merging.merge_ties(self.base, self.states, scale=weights[0])
        return merging.merge_dare(self.base, self.states, weights, seed=self.seed)


@dataclass(slots=True)
class _Search:
    """Mixtures that were tried on the rows that choose, and their scores."""

    mixer: _Mixer
    result: Trainee
    task: Exam
    tried: dict[tuple[float, ...], float] = field(default_factory=dict)

    def score(self, weights: Sequence[float]) -> float:
        """Return the score of a mixture; each is measured once."""
        key: tuple[float, ...] = tuple(round(one, 6) for one in weights)
        if key not in self.tried:
            self.result.module.load_state_dict(self.mixer.mixed(key))
            self.tried[key] = self.task.sample(self.result.encoder()).value()
        return self.tried[key]

    def best(self) -> list[float]:
        """Return the best of what was tried; of equal ones the first."""
        return list(max(self.tried.items(), key=lambda item: item[1])[0])


def _weights(
    mixture: Mixture, mixer: _Mixer, result: Trainee, parts: Parts | None, seed: int, progress: Progress
) -> tuple[list[float], list[dict[str, Any]]]:
    """Return the shares, given or searched, and everything that was tried."""
    count = len(mixture.models)
    if mixture.share is not None:
        fixed = [mixture.share] * count
        return (fixed if mixture.base else [1 - mixture.share, *[mixture.share / (count - 1)] * (count - 1)]), []
    assert parts is not None
    search = _Search(mixer, result, exam(parts, "choose", seed))
    lists = _candidates(mixture, search)
    progress.start("search shares", None, "mixtures")
    for weights in lists:
        search.score(weights)
        progress.advance(1)
    progress.finish()
    return search.best(), [{"weights": list(one), "score": score} for one, score in search.tried.items()]


def _candidates(mixture: Mixture, search: _Search) -> Iterator[list[float]]:
    """Yield mixtures to try; later ones start from the best so far."""
    count, steps = len(mixture.models), np.linspace(0, 1, STEPS + 1).tolist()
    if mixture.base:
        yield from ([scale] * count for scale in steps)
    elif mixture.by == "soup":
        yield from _soup(count, search)
    elif count == 2:
        yield from ([1 - share, share] for share in steps)
    else:
        yield [1 / count] * count
        for model in [*range(count)] * ROUNDS:
            now = search.best()
            rest = 1 - now[model]
            for share in steps:
                others = [one * (1 - share) / rest if rest else (1 - share) / (count - 1) for one in now]
                yield [share if i == model else one for i, one in enumerate(others)]


def _soup(count: int, search: _Search) -> Iterator[list[float]]:
    """Yield the mixtures of a greedy soup: models best first, each kept where the mean with it is no worse.

    Source: Wortsman et al. 2022, "Model soups" (https://arxiv.org/abs/2203.05482), recipe 1.
    """
    alone = [[float(i == model) for i in range(count)] for model in range(count)]
    yield from alone
    order = sorted(range(count), key=lambda model: -search.score(alone[model]))
    kept = order[:1]
    for model in order[1:]:
        more = [*kept, model]
        weights = [1 / len(more) if i in more else 0.0 for i in range(count)]
        before = search.score([1 / len(kept) if i in kept else 0.0 for i in range(count)])
        yield weights
        if search.score(weights) >= before:
            kept = more
