"""What base models have seen in training, so that a hold on seen data is not taken for generalisation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

ALIASES = {"all-minilm-l6-v2": "minilm", "sentence-transformers/all-minilm-l6-v2": "minilm"}
UNTRAINED = ("words", "static", "isogloss-static", "random")
"""Models that were fitted on no labelled pairs of their own; ``isogloss-static`` inherits what its teacher saw."""
TEACHERS = {"static": "minilm", "isogloss-static": "minilm"}
UNDONE = {"minilm-mlm": "minilm", "minilm-3": "minilm", "tiny-s2s": "minilm"}
"""Base models of the Lab made out of another: what that one saw may still be in them."""

OWN = {"isogloss-static": "static"}
"""Names under which cards say what a model itself was fitted on."""
SEEN = ("same data", "same source")


@dataclass(frozen=True, slots=True)
class Exposure:
    """What a model has seen of a data set.

    Attributes
    ----------
    model, data
        Their names.
    seen
        Whether these items or others of the same source were in its training.
    how
        ``same data``, ``same source``, ``same kind``, with details, or an empty string.
    """

    model: str
    data: str
    seen: bool
    how: str

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {"model": self.model, "data": self.data, "seen": self.seen, "how": self.how}


def exposure(model: str, data: str) -> Exposure:
    """Return what a model has seen of a data set, by the data set's card.

    A model made from another (distilled, cut, re-trained) has seen what that one saw. Data without a card is taken as
    unseen, and says so.

    Examples
    --------
    >>> exposure("words", "sts-b").seen, exposure("static", "gutenberg").seen
    (False, True)
    """
    name = ALIASES.get(model.lower(), model.lower())
    source = TEACHERS.get(name) or UNDONE.get(name) or name
    if name in UNTRAINED and name not in TEACHERS:
        return Exposure(model, data, False, "")
    seen_by = _of_card(data)
    own, found = seen_by.get(OWN.get(name, name), ""), seen_by.get(source, "")
    if own:
        return Exposure(model, data, own.startswith(SEEN), own)
    via = f" (through {source})" if found and source != name else ""
    return Exposure(model, data, found.startswith(SEEN), found + via)


def _of_card(data: str) -> dict[str, str]:
    from isogloss.evaluation.datasets.card import card, names

    return card(data).seen_by if data in names() else {}


def exposures(roles: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the exposure of every model of a check to every data set of it, where there is any.

    Examples
    --------
    >>> exposures({"base": "words", "sts": "sts-b"})
    []
    """
    from isogloss.evaluation.datasets.card import names

    known = set(names())
    data = sorted({name for name in roles.values() if name in known})
    models = sorted({name for name in roles.values() if name not in known})
    found = [exposure(model, one) for model in models for one in data]
    return [one.to_dict() for one in found if one.how]
