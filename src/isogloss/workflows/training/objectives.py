"""Objectives by name: strings live at the edge, and here they become objects."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from isogloss.errors import UsageError
from isogloss.workflows.training.data import Kind, TrainingData
from isogloss.workflows.training.settings import StageSettings

USUAL: Mapping[Kind, str] = {
    "pairs": "in-batch", "scored pairs": "cosent", "labelled pairs": "contrastive", "labelled texts": "batch-hard",
    "texts": "in-batch",
}  # fmt: skip
"""What is taken where the user names none, by the kind of the rows."""
FITTING: Mapping[str, tuple[Kind, ...]] = {
    "in-batch": ("pairs", "texts"), "in-batch-symmetric": ("pairs", "texts"), "triplet": ("pairs",),
    "cosent": ("scored pairs",), "angle": ("scored pairs",), "cosine": ("scored pairs", "labelled pairs"),
    "contrastive": ("labelled pairs",), "online-contrastive": ("labelled pairs",), "batch-hard": ("labelled texts",),
}  # fmt: skip
"""Which rows each objective learns from."""


def objective_of(stage: StageSettings, data: TrainingData) -> tuple[str, Any]:
    """Return the name of a stage's objective, and the objective.

    Raises
    ------
    UsageError
        Where the name is unknown, or the objective does not learn from such rows.
    """
    name = stage.objective or USUAL[data.kind]
    if name not in FITTING:
        raise UsageError(f"there is no objective {name!r}", "", f"the objectives are {', '.join(FITTING)}")
    fits = FITTING[name]
    if data.kind not in fits or (name == "triplet" and len(data.columns) < 3):
        why = f"{data.name} holds {data.kind}" + (" without negatives" if data.kind == "pairs" else "")
        usable = ", ".join(one for one, kinds in FITTING.items() if data.kind in kinds and one != "triplet")
        raise UsageError(f"{name} does not learn from these rows", why, f"use one of {usable}")
    return name, _makers()[name](stage)


def _makers() -> Mapping[str, Callable[[StageSettings], Any]]:
    from isogloss.objectives import in_batch, pairs
    from isogloss.objectives.classes import BatchTriplet
    from isogloss.objectives.margin import Triplet

    def softmax(stage: StageSettings) -> Any:
        return in_batch.InBatchSoftmax(temperature=stage.temperature)

    def both_ways(stage: StageSettings) -> Any:
        return in_batch.InBatchSoftmax(temperature=stage.temperature, directions=("query_document", "document_query"))

    return {
        "in-batch": softmax, "in-batch-symmetric": both_ways,
        "triplet": lambda stage: Triplet(margin=0.2, distance="cosine"),
        "cosent": lambda stage: pairs.OrderedPairs(scale=1 / stage.temperature),
        "angle": lambda stage: pairs.OrderedPairs(scale=1 / stage.temperature, similarity="angle"),
        "cosine": lambda stage: pairs.CosineRegression(),
        "contrastive": lambda stage: pairs.ContrastivePairs(),
        "online-contrastive": lambda stage: pairs.ContrastivePairs(online=True),
        "batch-hard": lambda stage: BatchTriplet(),
    }  # fmt: skip
