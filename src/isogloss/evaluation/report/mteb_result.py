"""Results in the JSON of the MTEB package: one file a task in a folder a model, and the model's own file."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from isogloss.errors import UsageError
from isogloss.evaluation.report.content import SystemTask
from isogloss.evaluation.report.finite import finite
from isogloss.evaluation.run_file import SystemSettings

_AT = re.compile(r"@(\d+)$")
_UNSAFE = re.compile(r"[^\w.\-+]+")


def task_json(task: SystemTask, mteb_version: str | None = None) -> dict[str, Any]:
    """Return one system's result on one task in MTEB's form.

    Parameters
    ----------
    task
        The result. Of ``result.details`` these are read: ``mteb_name`` (the task's name in MTEB; else its name here),
        ``revision`` of the data (else ``isogloss``), ``split`` (else ``test``), ``subset`` (else ``default``) and
        ``languages``, such as ``["eng-Latn"]`` (else ``["und-Zyyy"]``: not known).
    mteb_version
        Version to name; None where MTEB did not compute the scores.

    Raises
    ------
    UsageError
        Where the main metric has no score: MTEB has no word for a missing one.

    Examples
    --------
    >>> from isogloss.evaluation.results import TaskResult
    >>> from isogloss.evaluation.sample import Sample
    >>> result = TaskResult("cranfield", "retrieval", "ndcg@10", {"ndcg@10": Sample.of([0.5, 1.0])})
    >>> task_json(SystemTask("minilm", result))["scores"]["test"][0]["ndcg_at_10"]
    0.75
    """
    result, details = task.result, task.result.details
    values = finite({metric_key(name): value for name, value in result.scores().items()})
    main = values.get(metric_key(result.main))
    if main is None:
        raise UsageError(
            f"{result.task} has no score that MTEB's form could hold", f"{result.main} of {task.system} is no number",
            "leave the task out",
        )  # fmt: skip
    entry = {
        **values,
        "main_score": main,
        "hf_subset": str(details.get("subset", "default")),
        "languages": [str(one) for one in details.get("languages") or ["und-Zyyy"]],
    }
    return {
        "dataset_revision": str(details.get("revision", "isogloss")),
        "task_name": str(details.get("mteb_name", result.task)),
        "mteb_version": mteb_version,
        "scores": {str(details.get("split", "test")): [entry]},
        "evaluation_time": float(result.seconds),
        "kg_co2_emissions": None,
    }


def metric_key(name: str) -> str:
    """Return a metric's name as MTEB writes it.

    Examples
    --------
    >>> metric_key("ndcg@10"), metric_key("cosine_spearman")
    ('ndcg_at_10', 'cosine_spearman')
    """
    return _AT.sub(r"_at_\1", name).replace("-", "_")


def model_meta(model: str, revision: str, settings: SystemSettings | None = None) -> dict[str, Any]:
    """Return what MTEB keeps of a model: what is known, and null for what is not.

    Parameters
    ----------
    model
        ``ORG/NAME``.
    revision
        Of the model; the start of the encoder's identity says which weights these were.
    settings
        Of the run file.
    """
    known = settings or SystemSettings(model)
    return {
        "name": full_name(model),
        "revision": revision,
        "release_date": None,
        "languages": None,
        "loader": None,
        "n_parameters": None,
        "memory_usage_mb": None,
        "max_tokens": known.max_length or None,
        "embed_dim": known.dimensions or None,
        "license": None,
        "open_weights": None,
        "public_training_code": None,
        "public_training_data": None,
        "framework": [],
        "reference": None,
        "similarity_fn_name": known.similarity or None,
        "use_instructions": bool(known.prompts),
        "training_datasets": None,
        "adapted_from": None,
        "superseded_by": None,
    }


def full_name(model: str) -> str:
    """Return ``ORG/NAME``; a bare name is put under ``isogloss``.

    Examples
    --------
    >>> full_name("minilm"), full_name("sentence-transformers/all-MiniLM-L6-v2")
    ('isogloss/minilm', 'sentence-transformers/all-MiniLM-L6-v2')
    """
    return model if model.count("/") == 1 and not model.startswith("/") else f"isogloss/{_safe(model)}"


def write_results(
    folder: str | Path, tasks: Sequence[SystemTask], settings: Mapping[str, SystemSettings] | None = None,
    mteb_version: str | None = None,
) -> list[Path]:  # fmt: skip
    """Write ``results/ORG__MODEL/REVISION/Task.json`` for each result, and ``model_meta.json`` beside them.

    Parameters
    ----------
    folder
        Where ``results`` is made.
    tasks
        Results of one or several systems.
    settings
        Of the run file, by system: the revision is the start of the encoder's identity (``no_revision`` without one).
    mteb_version
        See :func:`task_json`.

    Returns
    -------
    list
        The files written.
    """
    files: dict[Path, dict[str, Any]] = {}
    for task in tasks:
        known = (settings or {}).get(task.system)
        revision = known.identity[:40] if known and known.identity else "no_revision"
        place = Path(folder) / "results" / _safe(full_name(task.system).replace("/", "__")) / _safe(revision)
        content = task_json(task, mteb_version)
        path = place / f"{_safe(content['task_name'])}.json"
        files[path] = _joined(files[path], content) if path in files else content
        files[place / "model_meta.json"] = model_meta(task.system, revision, known)
    for path, content in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        _write(path, content)
    return list(files)


def _joined(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    """Return one result of two subsets or splits of the same task."""
    scores = {split: list(entries) for split, entries in first["scores"].items()}
    for split, entries in second["scores"].items():
        scores.setdefault(split, []).extend(entries)
    seconds = first["evaluation_time"] + second["evaluation_time"]
    return {**first, "scores": scores, "evaluation_time": seconds}


def _safe(name: str) -> str:
    """Return a name that is one part of a path on every system."""
    return _UNSAFE.sub("_", name).strip(".") or "_"


def _write(path: Path, content: Mapping[str, Any]) -> None:
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    aside.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    os.replace(aside, path)
