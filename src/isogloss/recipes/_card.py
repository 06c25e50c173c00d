"""The card of a recipe: what a system claims, against what, and what its check needs; literals only."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Sort = Literal["method", "resource", "protocol", "theory", "system"]
Fidelity = Literal["same data", "same kind", "transposed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What a recipe module says about its system.

    Attributes
    ----------
    slug
        Key of the system in the catalogue, such as ``late-chunking``; the module's name with ``_`` for ``-``.
    seed
        Number of the system in the catalogue.
    title, year, url
        Of the paper.
    family
        Name of the folder.
    sort
        ``method``, ``resource``, ``protocol``, ``theory`` or ``system``.
    claim
        One sentence that can turn out false: the paper's headline.
    regime
        Where the paper says that it holds.
    baseline
        What the claim is against: the control.
    placebo
        Same cost, mechanism removed.
    fidelity
        How near our data are to the paper's: ``same data``, ``same kind`` or ``transposed``.
    needs
        Roles of the check and what fills them by default: ``{"base": "minilm", "sts": "sts-b"}``.
    margin
        Smallest effect worth having, from the paper or the family's default; never from our own run.
    minutes
        The whole check, all arms and seeds.
    deviations
        What differs from the paper.
    """

    slug: str
    seed: int
    title: str
    year: int
    url: str
    family: str
    sort: Sort
    claim: str
    regime: str
    baseline: str
    placebo: str
    fidelity: Fidelity
    needs: dict[str, str]
    margin: float
    minutes: float
    deviations: tuple[str, ...] = field(default=())
