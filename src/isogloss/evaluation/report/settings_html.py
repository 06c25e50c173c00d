"""The part of the page that says what every score depends on: systems, data, metrics, versions."""

from __future__ import annotations

from isogloss.evaluation.report import wording
from isogloss.evaluation.report.content import Report
from isogloss.evaluation.report.markup import details, paragraph, section, table
from isogloss.evaluation.run_file import RunFile, SystemSettings


def settings(report: Report) -> str:
    """Return the section, or nothing where there is no run file."""
    run = report.run
    if run is None:
        return ""
    how = (
        "Everything that these scores depend on; isogloss reproduce reads the same from run.json and says what differs."
    )
    parts = [paragraph(how, "how"), _systems(run), _data(run)]
    metrics = [[name, text] for name, text in run.metrics.items()]
    if metrics:
        parts.append(details("metrics in words", [table(["metric", "definition"], metrics, [], "metrics")]))
    versions = [[name, version] for name, version in sorted(run.versions.items())]
    versions += [["seed", str(run.seed)], ["draws of the bootstrap", f"{run.draws:,}"]]
    parts.append(details("versions, seed and draws", [table(["what", "value"], versions, [], "versions")]))
    return section("Settings", parts)


def _systems(run: RunFile) -> str:
    if not run.systems:
        return ""
    headers = ["system", "model", "identity", "pooling", "prompts", "window", "cut", "similarity", "vectors"]
    rows = [_system(one) for one in run.systems]
    kept = [i for i in range(len(headers)) if any(row[i] for row in rows)]
    return table([headers[i] for i in kept], [[row[i] for i in kept] for row in rows], [], "systems")


def _system(one: SystemSettings) -> list[str]:
    prompts = ", ".join(f"{role}: {text!r}" for role, text in one.prompts.items())
    vectors = f"{one.dimensions} × {one.dtype}" if one.dimensions else ""
    identity = " ".join(part[:10] for part in one.identity.split())
    window = f"{one.max_length:,} tokens" if one.max_length else ""
    cut = wording.cut_shares(one.cut)
    return [one.name, one.model, identity, one.pooling, prompts, window, cut, one.similarity, vectors]


def _data(run: RunFile) -> str:
    rows = [[one.what, f"{one.count:,}", one.sha256[:16], one.source] for one in run.data]
    return table(["data", "items", "hash (start)", "source"], rows, [1], "data") if rows else ""
