"""Evidence on record: what a check found, as plain data without paths of a machine, and whether it is still fresh."""

from __future__ import annotations

import json
import math
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist
from typing import Any

from isogloss.compiled import cache_folder
from isogloss.recipes._catalogue import Entry
from isogloss.recipes._closure import digest
from isogloss.recipes._effects import LEVEL, Measured
from isogloss.recipes._judging import Evidence, Outcome
from isogloss.recipes._symbols import PACKAGE

FORMAT = 1
LIBRARIES = ("isogloss", "numpy", "scipy", "onnxruntime", "tokenizers")
RECORDS = PACKAGE.parents[1] / "docs" / "evidence"
"""Where the committed records lie in a checkout."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What the catalogue says of a recipe.

    Attributes
    ----------
    verdict
        Of its record; ``not run`` without one, ``stale`` where its code changed since.
    record
        The record, or None.
    """

    verdict: str
    record: dict[str, Any] | None = None


def committed(entry: Entry) -> Standing:
    """Return what the committed record of a recipe says, fresh or not: pages do not follow every change.

    The verdict that stands, ``stale`` included, is what :func:`standing` says.
    """
    record = read_record(RECORDS / f"{entry.card.slug}.json")
    return Standing("not run") if record is None else Standing(record["verdict"], record)


def standing(entry: Entry, records: Path | None = None) -> Standing:
    """Return the verdict that stands for a recipe: a fresh record, committed or of this machine, else a stale one."""
    places = [RECORDS if records is None else records, evidence_folder()]
    found = [record for place in places if (record := read_record(place / f"{entry.card.slug}.json")) is not None]
    if not found:
        return Standing("not run")
    now = code_hash(entry)
    fresh = next((record for record in found if record["hashes"]["code"] == now), None)
    return Standing(fresh["verdict"], fresh) if fresh else Standing("stale", found[0])


def evidence_folder() -> Path:
    """Return where evidence is cached on this machine."""
    return cache_folder() / "evidence"


def code_hash(entry: Entry) -> str:
    """Return the hash of a recipe's import closure (the recipe and its card are in it)."""
    return digest(entry.path)


def read_record(path: Path) -> dict[str, Any] | None:
    """Read a record, or None where there is none of this format."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return record if isinstance(record, dict) and record.get("format") == FORMAT else None


def record_of(
    entry: Entry, evidence: Evidence, *, roles: dict[str, dict[str, str]], swaps: Sequence[dict[str, str]] = (),
    exposure: Sequence[dict[str, Any]] = (),
) -> dict[str, Any]:  # fmt: skip
    """Return the compact record of a check.

    Parameters
    ----------
    entry, evidence
        The recipe and what its check found.
    roles
        What filled each role, with its hash.
    swaps
        What each sabotage came to.
    exposure
        What the models had seen of the data.
    """
    return {
        "format": FORMAT,
        "slug": entry.card.slug,
        "verdict": evidence.verdict,
        "reason": evidence.reason,
        "seen": sorted({one["data"] for one in exposure if one["seen"]}),
        "p": p_value(evidence.primary),
        "seeds": evidence.seeds,
        "minutes": round(evidence.seconds / 60, 2),
        "primary": outcome_data(evidence.primary),
        "guards": [outcome_data(one) for one in evidence.guards],
        "immune": evidence.immune,
        "sabotage": list(swaps),
        "exposure": list(exposure),
        "hashes": {"code": code_hash(entry), "roles": roles},
        "versions": versions(),
    }


def outcome_data(outcome: Outcome) -> dict[str, Any]:
    """Return an outcome as plain data with rounded numbers."""
    return {
        "kind": outcome.kind,
        "name": outcome.name,
        "verdict": outcome.verdict,
        "reason": outcome.reason,
        "effects": {name: _plain(effect.to_dict()) for name, effect in outcome.effects.items()},
        "scores": _plain(outcome.scores),
        "facts": _plain(outcome.facts),
    }


def _plain(value: Any) -> Any:
    """Return the value as JSON can hold it: rounded, numbers that are none as null."""
    if isinstance(value, dict):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, bool | str | int) or value is None:
        return value
    number = float(value)
    return float(f"{number:.6g}") if math.isfinite(number) else None


def p_value(outcome: Outcome) -> float | None:
    """Return a one-sided p of the claim from its effects, the weakest of them; None where the finding has none.

    Of ``better`` and ``interaction`` these are all effects beyond zero, for the correction over the catalogue.
    """
    wanted = [
        e for name, e in outcome.effects.items() if not name.startswith(("positive", "planted", "there", "placebo"))
    ]
    if outcome.kind not in ("better", "interaction", "recovers") or not wanted:
        return None
    return max(_one_sided(effect) for effect in wanted)


def _one_sided(effect: Measured) -> float:
    error = (effect.high - effect.low) / 2 / NormalDist().inv_cdf((1 + LEVEL) / 2)
    if not math.isfinite(effect.value) or error <= 0:
        return 0.0 if effect.value > 0 else 1.0
    return 0.5 * math.erfc(effect.value / error / math.sqrt(2))


def versions() -> dict[str, str]:
    """Return the versions of Python and of the libraries that numbers depend on."""
    from importlib.metadata import PackageNotFoundError, version

    found = {"python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def write_record(folder: Path, record: dict[str, Any]) -> Path:
    """Write a record as ``SLUG.json``; the folder is made where it is not there."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{record['slug']}.json"
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
    partial.replace(path)
    return path
