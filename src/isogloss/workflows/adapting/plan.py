"""What an adaptation would try, without trying it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from isogloss.encoders.static import StaticEncoder
from isogloss.protocols import Progress, Record
from isogloss.workflows.adapting.keeping import Kept
from isogloss.workflows.adapting.material import digest, read_documents, split_material
from isogloss.workflows.adapting.order import Order
from isogloss.workflows.adapting.portfolio import ROWS, usable
from isogloss.workflows.adapting.run import place_of, room_sizes, settled
from isogloss.workflows.adapting.workbench import open_base, rate_of


def planned(
    order: Order, *, threads: int | None = None, progress: Progress, records: Sequence[Record] | None = None,
    name: str = "",
) -> dict[str, Any]:  # fmt: skip
    """Read the documents, make the questions, and say what would be done with them.

    Parameters
    ----------
    order, threads, progress, records, name
        As of :func:`isogloss.workflows.adapting.run.adapt`, with the same errors.
    """
    order = settled(order)
    base = open_base(order.base, threads)
    if records is None:
        name, records = read_documents(order)
    material = split_material(name, records, order.seed, progress=progress)
    rate = rate_of(base, [record.text[:1200] for record in material.records[:32]])
    choosing, proving = room_sizes(rate, order.budget, len(material.records))
    rows, left_out = usable(ROWS, order.families, isinstance(base, StaticEncoder), order.budget)
    kept = Kept.of(digest(material, order)).names()
    lines = [
        f"base {order.base}: reads {rate:,.0f} passages a second here",
        *material.notes,
        f"candidates are judged on {choosing:,} documents, the last one is proved on {proving:,}",
        f"the result would go to {Path(place_of(order, material.name))}",
    ]
    if kept:
        lines.append(f"finished by an earlier call: {', '.join(kept)}")
    plain = [
        {"name": row.name, "family": row.family, "about": row.about, "share": f"up to {row.share:.0%} of the budget"}
        for row in rows
    ]
    return {"lines": lines, "rows": plain, "left_out": left_out, "base": order.base, "budget": order.budget}
