"""Which rows a model has learned from, so that nothing which it has seen is held out to judge it by."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from isogloss.errors import UsageError
from isogloss.workflows.training.data import TrainingData
from isogloss.workflows.training.writing import RECORD

Learned = list[dict[str, Any]]


def learned_from(models: Iterable[str], data: Sequence[TrainingData] = (), seed: int = 0) -> Learned:
    """Return what a model made from others has seen: what they have, and the rows that it learns from itself.

    Parameters
    ----------
    models
        Names or folders; those without a record of their training add nothing.
    data, seed
        All rows of each stage, and the seed that says which of them are held out.
    """
    found: Learned = []
    for one in [*(entry for name in models for entry in _recorded(name)), *(_entry(rows, seed) for rows in data)]:
        if one not in found:
            found.append(one)
    return found


def refuse_seen(models: Iterable[str], data: TrainingData, seed: int) -> None:
    """Refuse to judge a model on rows that it learned from: those held out under one seed are not under another.

    Raises
    ------
    UsageError
        Where a model was trained on the same rows, split by another seed.
    """
    now = _entry(data, seed)
    for name in models:
        for one in _recorded(name):
            if one.get("rows") == now["rows"] and one.get("seed") != seed:
                raise UsageError(
                    f"{name} has learned from the rows of {data.name}, split by seed {one.get('seed')}",
                    f"what seed {seed} holds out is partly what it was trained on: its score would be too good",
                    f"add --seed {one.get('seed')}, which holds out the same rows as then",
                )


def _entry(data: TrainingData, seed: int) -> dict[str, Any]:
    from isogloss.evaluation.run_file import hash_rows

    rows = hash_rows(data.name, zip(*data.columns, strict=True)).sha256
    return {"name": data.name, "rows": rows, "seed": seed}


def _recorded(model: str) -> Learned:
    try:
        record = json.loads((Path(model).expanduser() / RECORD).read_text("utf-8"))
        found = record["facts"].get("learned_from", [])
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        return []
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
