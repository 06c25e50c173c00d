"""Who answers a search of an index where nobody names encoders: the index's own plan, where it was given one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from isogloss.index.store.rows import StoredEncoder
    from isogloss.index.store.snapshot import Snapshot

KEY = "search"
"""Setting of an index that names who answers and with which weights."""


def answering_weights(settings: Mapping[str, Any]) -> dict[str, float]:
    """Return who answers by default and with which weight; empty where the index has no plan of its own.

    Examples
    --------
    >>> answering_weights({"search": {"weights": {"words": 0.5, "static": 1}}}), answering_weights({})
    ({'words': 0.5, 'static': 1.0}, {})
    """
    return {str(name): float(weight) for name, weight in settings.get(KEY, {}).get("weights", {}).items()}


def planned_records(snapshot: Snapshot, ready: Sequence[StoredEncoder]) -> list[StoredEncoder]:
    """Return the encoders that the index's plan names, words first; empty where one of them cannot answer yet."""
    weights = answering_weights(snapshot.settings)
    found = [record for record in ready if record.name in weights]
    return sorted(found, key=lambda record: record.kind != "words") if weights and len(found) == len(weights) else []
