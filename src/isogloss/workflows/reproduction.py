"""Run a recorded evaluation again, and say what differs: settings, versions, data, scores."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

from isogloss.errors import CheckFailed, IncompatibleError, IsoglossError, UsageError
from isogloss.evaluation.run_comparison import ROUNDING, Delta, ScoreDelta, compare_runs, compare_scores
from isogloss.evaluation.run_file import RunFile
from isogloss.protocols import Progress
from isogloss.workflows.evaluating import evaluate
from isogloss.workflows.requests import Request

_FILES = ("index", "data", "queries", "qrels", "runs", "vectors", "ids")


@dataclass(frozen=True, slots=True)
class Reproduction:
    """What came back of a recorded evaluation.

    Attributes
    ----------
    before, after
        The recorded run and the new one.
    deltas
        Settings, data and versions that differ, those that can change scores first.
    scores
        Every score of both runs.
    """

    before: RunFile
    after: RunFile
    deltas: list[Delta]
    scores: list[ScoreDelta]

    @property
    def lost(self) -> list[ScoreDelta]:
        """Scores that did not come back."""
        return [one for one in self.scores if not one.came_back]

    @property
    def others(self) -> list[Delta]:
        """Data and models that are not those of the record."""
        return [one for one in self.deltas if one.sort in ("data", "model")]

    def failure(self) -> IsoglossError | None:
        """Return the error that the command ends with: other data or models (4), lost scores (3), or None."""
        if self.others:
            names = ", ".join(one.what for one in self.others[:4])
            more = f" and {len(self.others) - 4} more" if len(self.others) > 4 else ""
            return IncompatibleError(
                "this is not the evaluation that was recorded", f"other data or models: {names}{more}",
                "bring the recorded data and models, or take the new scores as a new evaluation",
            )  # fmt: skip
        if not self.scores:
            return IncompatibleError("the record holds no score", "there is nothing to reproduce", "evaluate anew")
        if self.lost:
            causes = [one.what for one in self.deltas if one.matters != "nothing"]
            return CheckFailed(
                f"{len(self.lost)} of {len(self.scores)} scores did not come back", self._worst(),
                f"what differs and can change scores: {', '.join(causes[:6])}" if causes
                else "no recorded setting differs: the machine or an unrecorded setting does; please report it",
            )  # fmt: skip
        return None

    def _worst(self) -> str:
        missing = [one for one in self.lost if one.before is None or one.after is None]
        if missing:
            return f"{len(missing)} of them are in one of the two runs only, such as {missing[0].system}"
        worst = max(self.lost, key=lambda one: abs(one.change) if one.change == one.change else float("inf"))
        if abs(worst.change) < ROUNDING:
            return "the scores themselves agree, their intervals do not"
        return f"the largest change is {worst.change:+.4f}: {worst.metric} of {worst.system}"

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data."""
        from dataclasses import asdict

        return {
            "came_back": not self.lost and not self.others and bool(self.scores),
            "differences": [asdict(one) for one in self.deltas],
            "scores": [one.to_dict() for one in self.scores],
            "before": self.before.to_dict(),
            "after": self.after.to_dict(),
        }


def compared(before: RunFile, after: RunFile) -> Reproduction:
    """Compare two run files without running anything."""
    return Reproduction(before, after, compare_runs(before, after), compare_scores(before, after))


def reproduce(
    run: RunFile,
    *,
    folder: str = "",
    allow_network: bool = False,
    threads: int | None = None,
    progress: Progress | None = None,
    again: Callable[..., Any] = evaluate,
) -> Reproduction:
    """Run the recorded evaluation again and compare.

    Parameters
    ----------
    run
        The record.
    folder
        Folder that the record's paths are relative to; files that lay elsewhere are looked for there by their names.
    allow_network
        Whether an endpoint that the record names may be asked: a run file comes from somebody else, and asking it
        sends the documents there.
    threads, progress
        As for ``evaluate``.
    again
        What runs a request; for tests.

    Raises
    ------
    IncompatibleError
        Where the record does not say what was asked for.
    UsageError
        Where an endpoint would be asked and that is not allowed.
    """
    plain = run.options.get("request")
    if not isinstance(plain, dict):
        raise IncompatibleError(
            "the record does not say how it was made", "it holds no request", "use a run.json that isogloss eval wrote"
        )
    try:
        request = Request.from_dict(plain)
    except TypeError as error:
        raise IncompatibleError("the record does not say how it was made", str(error), "evaluate anew") from error
    server = request.endpoint or request.writer
    if server and not allow_network:
        raise UsageError(
            f"the record asks the server {server}", "documents and questions would be sent there",
            "add --allow-network if you know that server",
        )  # fmt: skip
    found = again(located(request, folder), threads=threads, progress=progress)
    after: RunFile = found.report.run
    # the record keeps the paths as they were asked for, whatever folder they are found in now
    return compared(run, replace(after, options={**after.options, "request": plain}))


def located(request: Request, folder: str) -> Request:
    """Return a request whose relative paths start in ``folder``; model folders that lie there are found too.

    Examples
    --------
    >>> located(Request(kind="runs", runs=("a.run",), qrels="sub/q.trec"), "kept").runs
    ('kept/a.run',)
    """
    if not folder:
        return request

    def place(path: str) -> str:
        return os.path.join(folder, path) if path and not os.path.isabs(path) else path

    changes: dict[str, Any] = {}
    for field in fields(Request):
        value = getattr(request, field.name)
        if field.name in _FILES and value:
            changes[field.name] = tuple(place(one) for one in value) if isinstance(value, tuple) else place(value)
    changes["systems"] = tuple(place(one) if os.path.isdir(place(one)) else one for one in request.systems)
    return replace(request, **changes)
