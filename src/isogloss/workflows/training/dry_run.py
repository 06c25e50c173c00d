"""What ``isogloss train --dry-run`` says: the plan, the time and the memory, after a few measured steps."""

from __future__ import annotations

from typing import Any

from isogloss.workflows.training.run import assemble, loaded, prepare
from isogloss.workflows.training.settings import TrainingSettings


def planned(settings: TrainingSettings, threads: int | None) -> dict[str, Any]:
    """Read, split, load and measure a few steps; nothing is written and no weight changes.

    Parameters
    ----------
    settings
        What is asked for.
    threads
        Of torch.

    Returns
    -------
    dict
        ``settings``, ``notes`` (what would be done to the rows), ``stages`` (plain data of each
        :class:`~isogloss.training.plan.StagePlan`) and ``said`` (the same in sentences).
    """
    from isogloss.training.hardware import use_threads
    from isogloss.training.plan import plan

    jobs = prepare(settings)
    use_threads(threads)
    stages, notes = assemble(settings, jobs, loaded(settings))
    plans = plan(stages, seed=settings.seed)
    return {
        "settings": settings.to_dict(), "notes": notes, "stages": [one.to_dict() for one in plans],
        "objectives": [job.objective for job in jobs], "said": [str(one) for one in plans],
    }  # fmt: skip
