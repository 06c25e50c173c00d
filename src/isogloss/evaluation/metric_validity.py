"""How well an intrinsic score of models foretells what they are good for downstream."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from isogloss.errors import IsoglossError
from isogloss.evaluation.metrics.correlation import AGGREGATES
from isogloss.evaluation.sample import Sample


def metric_validity(
    intrinsic: Sequence[float] | NDArray[np.float64],
    downstream: Sequence[float] | NDArray[np.float64],
    *,
    groups: Sequence[int] | NDArray[np.int64] | None = None,
    kind: str = "spearman",
) -> Sample:
    """Return the correlation of two scores over models, as a sample whose items are the models.

    The bootstrap draws models (or families of models, by ``groups``), so that an interval says what other models
    would have shown; two intrinsic scores of the same models can be compared draw by draw.

    Source: Wang et al. 2022, "Just Rank" (https://arxiv.org/abs/2203.02679), which validates metrics so.

    Parameters
    ----------
    intrinsic, downstream
        ``(m,)`` one score a model each.
    groups
        ``(m,)`` the family of each model; each is its own where none is given.
    kind
        ``spearman``, ``pearson`` or ``kendall``.

    Raises
    ------
    IsoglossError
        Where there are fewer than three models, their numbers differ, or a score is not finite.

    Examples
    --------
    >>> round(metric_validity([0.1, 0.2, 0.4, 0.3], [50.0, 55.0, 70.0, 60.0]).value(), 9)
    1.0
    """
    table = [np.asarray(side, np.float64).ravel() for side in (intrinsic, downstream)]
    if len(table[0]) != len(table[1]) or len(table[0]) < 3:
        why = f"{len(table[0])} intrinsic and {len(table[1])} downstream scores"
        raise IsoglossError("a metric is judged over three models or more", why, "give both scores of each model")
    items = np.stack(table, axis=1)
    if not np.isfinite(items).all():
        raise IsoglossError("a score is not finite", f"{int((~np.isfinite(items)).any(1).sum())} models", "repair them")
    if kind not in AGGREGATES:
        raise IsoglossError(f"there is no correlation {kind!r}", "", f"use {', '.join(AGGREGATES)}")
    return Sample.of(items, groups=groups, aggregate=AGGREGATES[kind], name=f"validity ({kind})")
