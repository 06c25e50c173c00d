"""The catalogue in one table: the verdict of every recipe, corrected over all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from isogloss.recipes._catalogue import Entry
from isogloss.recipes._evidence import Standing, standing

LEVEL = 0.05


@dataclass(slots=True)
class Headline:
    """All verdicts.

    Attributes
    ----------
    rows
        One a recipe: what ``isogloss recipes --json`` shows.
    counts
        How many recipes have each verdict.
    survivors
        Recipes that hold after Benjamini-Hochberg's correction over all that have a p.
    unseen
        Those of them whose models had not seen the data: they count for generalisation.
    """

    rows: list[dict[str, Any]] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    survivors: list[str] = field(default_factory=list)
    unseen: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "recipes": self.rows, "verdicts": self.counts, "hold_after_correction": self.survivors,
            "of_these_on_unseen_data": self.unseen,
        }  # fmt: skip

    def sentence(self) -> str:
        """Return the verdicts in one sentence."""
        said = ", ".join(f"{count} {word}" for word, count in sorted(self.counts.items(), key=lambda pair: -pair[1]))
        if not self.counts.get("holds"):
            return said
        return (
            f"{said}; {len(self.survivors)} hold after correction over all (Benjamini-Hochberg), "
            f"{len(self.unseen)} of them on data that the models had not seen"
        )


def headline(entries: Sequence[Entry], look: Callable[[Entry], Standing] = standing) -> Headline:
    """Return the verdicts of all recipes, those that hold corrected by Benjamini-Hochberg over every recipe with a p.

    A recipe whose finding has no p (``exact``, ``same`` ...) is judged by intervals alone and counts as it is.

    Parameters
    ----------
    entries
        The recipes.
    look
        Says what stands for a recipe.
    """
    from isogloss.evaluation.statistics.correction import benjamini_hochberg

    found = Headline()
    standings = [(entry, look(entry)) for entry in entries]
    fresh = {e.card.slug: s.record for e, s in standings if s.record is not None and s.verdict == s.record["verdict"]}
    with_p = [slug for slug, record in fresh.items() if record["p"] is not None]
    adjusted: Sequence[float] = list(benjamini_hochberg([fresh[slug]["p"] for slug in with_p])) if with_p else []
    corrected = dict(zip(with_p, map(float, adjusted), strict=True))
    for entry, stands in standings:
        slug, record = entry.card.slug, fresh.get(entry.card.slug)
        seen = bool(record and record["seen"])
        found.rows.append({**entry.to_dict(), "verdict": stands.verdict, "seen": seen, "p": corrected.get(slug)})
        found.counts[stands.verdict] = found.counts.get(stands.verdict, 0) + 1
        if stands.verdict == "holds" and corrected.get(slug, 0.0) <= LEVEL:
            found.survivors.append(slug)
            if not seen:
                found.unseen.append(slug)
    return found
