"""Runs the check of one recipe: its module, its Lab, its readings kept between runs, its sabotage, its record."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

from isogloss.errors import CheckFailed, CorpusError, IsoglossError, MissingExtraError, ModelError, UsageError
from isogloss.protocols import Progress, Silent
from isogloss.recipes._base_models import SEEDS, base_model_key, base_model_names, build_base_model
from isogloss.recipes._bench import Bench
from isogloss.recipes._catalogue import Entry
from isogloss.recipes._closure import digest
from isogloss.recipes._evidence import evidence_folder, record_of
from isogloss.recipes._exposure import exposures
from isogloss.recipes._judging import Evidence
from isogloss.recipes._lab import FIRST_SEEDS, MOST_SEEDS, Lab
from isogloss.recipes._sabotage import NotApplicable
from isogloss.recipes._swaps import SWAPS, Swap
from isogloss.recipes._symbols import PACKAGE

READINGS = 1
"""Raised by hand when a change of the Lab changes readings; verdicts may change without new measurements."""
MISSING = (CorpusError, MissingExtraError, ModelError)
"""What keeps a check from being run on this machine, though nothing is wrong with it."""

WORKSHOP = ("torch", "transformers", "peft", "accelerate")
"""Packages of the extra ``train``, which recipes that learn need."""


@dataclass(slots=True)
class Checked:
    """What running a check came to.

    Attributes
    ----------
    slug
        Of the recipe.
    verdict, reason
        In words; ``not run`` where data or a model is missing.
    record
        The compact record, or None where it was not run.
    swaps
        One a sabotage: ``swap``, ``outcome`` (``red``, ``green``, ``not applicable``, ``error``), ``why``.
    broken
        What is wrong with the check itself, or an empty string.
    """

    slug: str
    verdict: str
    reason: str
    record: dict[str, Any] | None = None
    swaps: list[dict[str, str]] = field(default_factory=list)
    broken: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        names = ("slug", "verdict", "reason", "broken", "swaps", "record")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True, slots=True)
class Plan:
    """How a check is to be run.

    Attributes
    ----------
    swap
        What fills roles instead of the card's choice.
    first_seed, seeds
        The first seed, and how many (None: five, up to ten where they decide nothing).
    smoke
        One seed, nothing judged.
    sabotage
        Play every sabotage afterwards.
    keep
        Keep readings on disk, so that a stopped check goes on.
    threads
        Of models.
    debug
        Let errors of the check through instead of reporting them.
    """

    swap: Mapping[str, str] = field(default_factory=dict)
    first_seed: int = 0
    seeds: int | None = None
    smoke: bool = False
    sabotage: bool = False
    keep: bool = True
    threads: int | None = None
    debug: bool = False


def load(entry: Entry) -> Any:
    """Import a recipe's module."""
    if entry.path.is_relative_to(PACKAGE):
        return import_module(f"isogloss.recipes.{entry.path.parent.name}.{entry.path.stem}")
    name = f"planted_{entry.path.stem}"
    spec = spec_from_file_location(name, entry.path)
    if spec is None or spec.loader is None:
        raise UsageError(f"{entry.path.name} cannot be imported")
    module = sys.modules[name] = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run_check(entry: Entry, plan: Plan | None = None, *, progress: Progress | None = None) -> Checked:
    """Run the check of a recipe.

    Parameters
    ----------
    entry
        The recipe.
    plan
        Roles, seeds, sabotage; the card's choice where None.
    progress
        Told about every reading.

    Returns
    -------
    Checked
        With ``broken`` filled where the check breaks the contract, fails, or a sabotage stays green.
    """
    plan = plan or Plan()
    card = entry.card
    unknown = sorted(set(plan.swap) - set(card.needs))
    if unknown:
        raise UsageError(f"{card.slug} has no role {unknown[0]}", f"its roles are {', '.join(card.needs)}")
    bench = Bench(folder=None, progress=progress or Silent())
    lab = _lab(entry, plan, bench)
    try:
        _build_missing(lab, progress or Silent())
        if plan.keep:
            bench.folder = _readings_folder(entry, lab)
        evidence = _evidence(entry, lab)
    except MISSING as error:
        return Checked(card.slug, "not run", f"{error.what}: {error.why}".rstrip(": "))
    except ModuleNotFoundError as error:
        if error.name not in WORKSHOP:
            raise
        return Checked(card.slug, "not run", f"{error.name} is not installed: pip install 'isogloss[train]'")
    except IsoglossError as error:
        return Checked(card.slug, "not run", str(error), broken=f"the check fails: {error.what} ({error.why})")
    except Exception as error:
        if plan.debug:
            raise
        said = f"{type(error).__name__}: {error}"
        return Checked(card.slug, "not run", said, broken=f"the check breaks: {said} (--debug shows where)")
    swaps = [_played(entry, plan, lab, evidence, swap) for swap in SWAPS] if plan.sabotage else []
    record = record_of(entry, evidence, roles=role_hashes(lab), swaps=swaps, exposure=exposures(lab.roles))
    broken = "" if not plan.sabotage else unshaken(evidence, swaps)
    return Checked(card.slug, evidence.verdict, evidence.reason, record, swaps, broken)


def _lab(entry: Entry, plan: Plan, bench: Bench, swap: Swap | None = None) -> Lab:
    roles = {**entry.card.needs, **plan.swap}
    first, most = (FIRST_SEEDS, MOST_SEEDS) if plan.seeds is None else (plan.seeds, plan.seeds)
    if swap is not None:
        most = first
    return Lab(
        entry.card, roles, plan.first_seed, first, most, swap=swap, smoke=plan.smoke, threads=plan.threads, bench=bench
    )  # fmt: skip


def _build_missing(lab: Lab, progress: Progress) -> None:
    """Build the base models of the Lab that the check needs, before its own progress begins."""
    for name in sorted(set(lab.roles.values()) & set(base_model_names())):
        for seed in SEEDS[: 1 if lab.smoke else None]:
            build_base_model(name, seed, progress=progress)


def _evidence(entry: Entry, lab: Lab) -> Evidence:
    evidence = load(entry).check(lab)
    if not isinstance(evidence, Evidence):
        why = f"it returned a {type(evidence).__name__}"
        raise CheckFailed(f"the check of {entry.card.slug} returns no evidence", why, "return lab.evidence(...)")
    return evidence


def role_hashes(lab: Lab) -> dict[str, dict[str, str]]:
    """Return what filled each role, with a hash of the data or the identity of the model; no path of this machine."""
    found = {}
    for role, name in sorted(lab.roles.items()):
        shown = Path(name).name if "/" in name else name
        seeds = [lab.models[key].identity for key in sorted(lab.models) if key.startswith(f"{name}@")]
        if seeds:
            found[role] = {"name": shown, "hash": hashlib.sha256(" ".join(seeds).encode()).hexdigest()}
        elif name in lab.opened:
            found[role] = {"name": shown, "hash": lab.opened[name].digest()}
        elif name in lab.models:
            found[role] = {"name": shown, "hash": lab.models[name].identity}
        else:
            found[role] = {"name": shown, "hash": ""}
    return found


def _readings_folder(entry: Entry, lab: Lab) -> Path:
    """Return where readings of exactly this code, card, data and choice of models are kept."""
    from isogloss.recipes._data import opened

    content: dict[str, str] = {}
    for role, name in sorted(lab.roles.items()):
        if name in base_model_names():
            content[role] = base_model_key(name)
            continue
        try:
            content[role] = opened(name).digest()
        except CorpusError:
            content[role] = name  # a model: its identity needs loading, its name must do
    code = digest(entry.path, READINGS)
    key = hashlib.sha256(json.dumps([code, content]).encode()).hexdigest()[:16]
    return evidence_folder() / entry.card.slug / key


def _played(entry: Entry, plan: Plan, lab: Lab, evidence: Evidence, swap: Swap) -> dict[str, str]:
    """Run the check with one sabotage; readings that it does not touch are those of the check itself."""
    if swap in evidence.immune:
        return _said(swap, "not applicable", evidence.immune[swap])
    other = _lab(entry, plan, lab.bench, swap)
    other.models, other.opened = lab.models, lab.opened
    try:
        found = _evidence(entry, other)
    except NotApplicable as error:
        return _said(swap, "not applicable", error.what)
    except IsoglossError as error:
        return _said(swap, "red", f"the check stops: {error.what}")
    except Exception as error:
        return _said(swap, "error", f"{type(error).__name__}: {error}")
    if swap in ("shuffled", "labels") and not other.shuffles.get(swap) and found.primary.kind != "trend":
        return _said(swap, "not applicable", "no such data came from the Lab")
    outcome = "green" if found.primary.verdict == "holds" else "red"
    return _said(swap, outcome, f"{found.primary.verdict}: {found.primary.reason}")


def _said(swap: str, outcome: str, why: str) -> dict[str, str]:
    return {"swap": swap, "outcome": outcome, "why": why}


def unshaken(evidence: Evidence, swaps: Sequence[Mapping[str, str]]) -> str:
    """Say what sabotage shows to be wrong with a check, or nothing.

    A check whose claim stays ``holds`` under a sabotage is a bug, and so is one that no sabotage of the mechanism
    (identity, random, constant) can be played on, or that breaks in a way that is no result.
    """
    green = [one["swap"] for one in swaps if one["outcome"] == "green"]
    if green:
        return f"the check still holds under sabotage: {', '.join(green)}"
    errors = [one for one in swaps if one["outcome"] == "error"]
    if errors:
        return f"the check breaks under {errors[0]['swap']}: {errors[0]['why']}"
    played = [one for one in swaps if one["outcome"] == "red" and one["swap"] in ("identity", "random", "constant")]
    if not played and evidence.primary.kind != "reported":
        return "no sabotage of the mechanism can be played on this check: it cannot be shown to fail"
    return ""
