"""What an adaptation leaves: a model folder, its card, how to search with it, and ``run.json``."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from isogloss.encoders.names import load_encoder
from isogloss.errors import UsageError
from isogloss.evaluation.run_file import RunFile, describe, hash_questions, interval_scores
from isogloss.workflows.adapting.choosing import Choice
from isogloss.workflows.adapting.proving import Proof
from isogloss.workflows.adapting.workbench import Candidate, Workbench
from isogloss.workflows.scoring import definitions
from isogloss.workflows.training.writing import Written, write_model

FORMAT = "isogloss.adaptation/1"
FILE = "adaptation.json"


def write_draft(best: Candidate, folder: Path) -> Path | None:
    """Write a candidate's model into an empty folder, to be proved as it will be used; None where it is the base's."""
    if best.write is None:
        return None
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    best.write(folder, "")
    return folder


def write_adapted(
    bench: Workbench, choice: Choice, proof: Proof, draft: Path | None, out: Path, facts: Mapping[str, Any]
) -> Written:
    """Write the model that was proved, or, where only the words' weight is new, the settings alone.

    Parameters
    ----------
    bench, choice, proof
        Of the adaptation.
    draft
        The model's folder as it was proved; None where the model is the base.
    out
        Where to; not there yet, or empty.
    facts
        For the record.
    """
    best = choice.best
    plan = search_plan(bench, best, out if draft is not None else None)

    def save(folder: Path, card: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        if draft is not None:
            shutil.copytree(draft, folder, dirs_exist_ok=True)
        (folder / FILE).write_text(json.dumps(plan, indent=1) + "\n", "utf-8")
        (folder / "README.md").write_text(card, "utf-8")

    kinds = ", ".join(f"{name} {value[1]:+.3f} ({value[0]:.0f})" for name, value in proof.kinds.items())
    how = (
        f"Adapted from {bench.order.base} to {bench.material.name} without labels: {best.name}. "
        f"{proof.reason[:1].upper()}{proof.reason[1:]}. By kind of question, difference (questions): {kinds}. "
        f"{use_of(plan, out)}"
    )
    base = "sentence-transformers/all-MiniLM-L6-v2" if bench.order.base == "minilm" else Path(bench.order.base).name
    written = write_model(
        out, save, title=out.name, base=base, how=how, results=proof.results(), settings=_plain(bench), facts=facts
    )
    run = run_of(bench, best, proof, draft, facts)
    run.write(out / "run.json")
    return Written(written.folder, sum(file.stat().st_size for file in out.rglob("*") if file.is_file()))


def search_plan(bench: Workbench, best: Candidate, folder: Path | None) -> dict[str, Any]:
    """Return how a search uses the candidate: which model, and how much the words count beside it."""
    return {
        "format": FORMAT, "model": "." if folder is not None else bench.order.base, "words": best.words,
        "candidate": best.name,
    }  # fmt: skip


def read_plan(folder: Path) -> tuple[str, float]:
    """Return the model and the weight of the words that an adaptation's folder names.

    Raises
    ------
    UsageError
        Where the folder is none of an adaptation.
    """
    try:
        plan = json.loads((folder / FILE).read_text("utf-8"))
        model, words = str(plan["model"]), float(plan["words"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"{folder} is no adaptation", f"{FILE} cannot be read: {error}", "name a folder of isogloss adapt"
        ) from error
    return (str(folder) if model == "." else model), words


def use_of(plan: Mapping[str, Any], out: Path) -> str:
    """Say how to search with it."""
    model = f"the model in {out.name}" if plan["model"] == "." else f"the model {plan['model']} as it is"
    if plan["words"]:
        return f"Search with {model} and with words, weighted(words={plan['words']:g},MODEL=1)."
    return f"Search with {model}."


def run_of(
    bench: Workbench, best: Candidate, proof: Proof, draft: Path | None, facts: Mapping[str, Any]
) -> RunFile:  # fmt: skip
    """Return the run file: data, both systems, scores with intervals, settings."""
    base = load_encoder(bench.order.base, threads=bench.threads)
    model = base if draft is None else load_encoder(str(draft), threads=bench.threads)
    comparisons = [one.comparison for one in proof.results()]
    scores: dict[str, Any] = {}
    for one in proof.results():
        scores |= interval_scores([one.comparison], prefix=f"{one.name}: ")
    return RunFile(
        kind="adapt", command=command(bench), scores=scores, metrics=definitions([comparisons[0].metric]),
        data=[bench.material.data, hash_questions(bench.material.choose.queries()),
              hash_questions(bench.material.prove.queries())],
        systems=[describe("base", base), describe("adapted", model, words=best.words)], seed=bench.order.seed,
        draws=comparisons[0].draws, options={"order": _plain(bench), "facts": dict(facts)},
    )  # fmt: skip


def command(bench: Workbench) -> list[str]:
    """Return the words after ``isogloss`` that ask for this adaptation."""
    order = bench.order
    words = ["adapt", *(["--on", Path(order.on).name] if order.on else []), "--base", Path(order.base).name]
    return [*words, "--budget", f"{order.budget:g}s", "--seed", str(order.seed)]


def _plain(bench: Workbench) -> dict[str, Any]:
    plain = bench.order.to_dict()
    return plain | {name: Path(plain[name]).name for name in ("on", "out", "index") if plain[name]}
