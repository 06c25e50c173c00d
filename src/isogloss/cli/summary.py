"""The summary of ``add``: what was read, what changed, what was skipped and why, what each encoder did."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isogloss.cli import layout

if TYPE_CHECKING:
    from isogloss.cli.console import Console
    from isogloss.collection.results import AddReport, EncoderRun
    from isogloss.protocols import Skip


def print_added(report: AddReport, index: str, console: Console) -> None:
    """Print the report of one source; with ``-q`` only what changed."""
    changed = (
        f"{report.new:,} new, {report.changed:,} changed, {report.deleted:,} deleted, {report.unchanged:,} unchanged "
        f"({layout.duration(report.seconds)})"
    )
    if console.verbosity < 0:
        console.line(changed)
        return
    console.line(_read_line(report))
    if report.unchanged or report.changed or report.deleted or report.dry_run:
        console.line(("dry run, nothing was written: would be " if report.dry_run else "") + changed)
    for text in _notes(report):
        console.line(f"note {text}")
    for text in _skips(report, everything=console.verbosity > 0):
        console.line(text)
    if not report.dry_run:
        console.line(_ready(report, index))


def _read_line(report: AddReport) -> str:
    parts = [f"read {layout.count(report.files, 'file')}"] if report.files else ["read"]
    skipped = _grouped(report.skipped)
    said = ""
    if len(skipped) == 1:
        reason, skips = next(iter(skipped.items()))
        said = f" ({len(skips):,} {reason}: {layout.names([skip.id for skip in skips])})"
    elif skipped:
        said = f" ({len(report.skipped):,} skipped: {', '.join(f'{len(s):,} {r}' for r, s in skipped.items())})"
    parts.append(layout.count(report.documents, "document") + said)
    parts.append(layout.count(report.chunks, "chunk"))
    return " -> ".join(parts) + f"   {layout.duration(report.read_seconds or report.seconds)}"


def _grouped(skips: list[Skip]) -> dict[str, list[Skip]]:
    """Return the skips by reason, the commonest first."""
    groups: dict[str, list[Skip]] = {}
    for skip in skips:
        groups.setdefault(skip.reason, []).append(skip)
    return dict(sorted(groups.items(), key=lambda item: (-len(item[1]), item[0])))


def _skips(report: AddReport, *, everything: bool) -> list[str]:
    """Return a line a reason with its first names and what was found; every skip of them with ``-v``."""
    lines = []
    for reason, skips in _grouped(report.skipped).items():
        if everything:
            lines += [
                f"skipped {layout.clean(skip.id)}: {reason} {layout.clean(skip.detail)}".rstrip() for skip in skips
            ]
        elif reason != "empty" or len(skips) > 3:
            detail = f" ({layout.clean(skips[0].detail)})" if skips[0].detail else ""
            lines.append(f"skipped {len(skips):,} {reason}: {layout.names([skip.id for skip in skips])}{detail}")
    if lines and not everything and len(report.skipped) > 3:
        lines.append("        all of them: the same command with -v or --json")
    return lines


def _notes(report: AddReport) -> list[str]:
    notes = []
    if report.long_documents:
        share = layout.percent(report.long_documents / max(1, report.documents))
        window = f"{report.window} tokens" if report.window else "one chunk"
        notes.append(
            f"{layout.count(report.long_documents, 'document')} ({share}) longer than {window}; "
            "chunked by sentence, nothing cut"
        )
    if report.exact_duplicates or report.near_duplicates:
        notes.append(
            f"{report.exact_duplicates:,} exact + {report.near_duplicates:,} near duplicates: all kept, "
            "equal texts encoded once, near ones grouped in answers"
        )
    if len(report.languages) > 1:
        notes.append(f"languages: {layout.shares(report.languages)}")
    for name, run in report.encoders.items():
        notes += _encoder_notes(name, run)
    return [*notes, *(layout.clean(note) for note in report.notes)]


def _encoder_notes(name: str, run: EncoderRun) -> list[str]:
    notes = []
    texts = run.encoded + run.reused + run.off
    if run.off:
        share = layout.percent(run.off / max(1, texts))
        notes.append(
            f"{name}: vectors off, words on for {layout.count(run.off, 'chunk')} ({share}) in languages "
            f"outside the model's card: {layout.shares(run.off_languages)}"
        )
    if run.cut:
        lost = layout.percent(run.lost / max(1, run.tokens))
        notes.append(f"{name}: {layout.count(run.cut, 'text')} cut at the model's window, {lost} of all tokens lost")
    if run.pending:
        notes.append(f"{name}: {layout.count(run.pending, 'chunk')} still waiting; run the same command to go on")
    return notes


def _ready(report: AddReport, index: str) -> str:
    parts = []
    for name, run in report.encoders.items():
        parts.append(f"{name} ({layout.duration(run.seconds)})" if run.encoded else name)
    return f"index {layout.clean(index)} ready: {' + '.join(parts)}" if parts else f"index {layout.clean(index)} ready"
