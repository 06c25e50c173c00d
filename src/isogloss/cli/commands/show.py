"""``isogloss show``: print one document of an index, or the questions that were made from its documents."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from isogloss.cli import layout
from isogloss.cli.parser import add_index
from isogloss.errors import UsageError

if TYPE_CHECKING:
    from isogloss.cli.console import Console
    from isogloss.collection.results import DocumentView

HELP = "print one document of the index, or the questions made from its documents"
EPILOG = (
    "isogloss show queries prints the questions that isogloss eval made last: kind, document, overlap (share of the "
    "question's words that are in the document as it is searched), weight, text. Where a document has the id queries, "
    "that document is printed; --queries always means the questions."
)
_QUESTIONS = "queries"


def configure(parser: ArgumentParser) -> None:
    """Add the verb's own arguments."""
    parser.add_argument("id", nargs="?", help="id of a document or of one of its chunks (DOCUMENT::3), or queries")
    parser.add_argument("--queries", action="store_true", help="the questions that isogloss eval made")
    parser.add_argument("--chunks", action="store_true", help="show where the document was cut")
    add_index(parser)


def run(options: Namespace, console: Console) -> int:
    """Print the document, or the chunk that was asked for, or the questions."""
    if (options.id is None) is not options.queries:
        raise UsageError(
            "show needs one id, or --queries", "both were given" if options.queries else "none was given",
            "isogloss show ID; the questions of isogloss eval: isogloss show queries",
        )  # fmt: skip
    view = None if options.queries else _document(options)
    if view is None:
        return _show_questions(options, console)
    if view.id == _QUESTIONS:
        console.note("this is the document queries; the questions of isogloss eval: isogloss show --queries")
    if console.wants_data:
        content = view.to_dict()
        console.data("show", content, rows=content["chunks"] if options.chunks else None)
        return 0
    if console.terminal:
        _print_head(view, console)
    if options.chunks:
        for chunk in view.chunks:
            place = f"{chunk.id}  characters {chunk.start:,}-{chunk.end:,}"
            console.line(console.style("  ".join([place, " › ".join(chunk.heading)]).rstrip(), "cyan"))
            console.line(layout.visible(chunk.text))
    else:
        chosen = view.text if view.chunk is None else view.chunks[view.chunk - 1].text
        console.line(layout.visible(chosen))
    return 0


def _document(options: Namespace) -> DocumentView | None:
    """Return the document that was asked for; None where ``queries`` is none."""
    from isogloss.collection.collection import Collection

    with Collection.open(options.index, threads=options.threads) as collection:
        try:
            return collection.show(options.id)
        except UsageError:
            if options.id == _QUESTIONS:
                return None
            raise


def _show_questions(options: Namespace, console: Console) -> int:
    """Print the questions that were asked last, and say where they are kept."""
    from isogloss.workflows.kept_questions import last_asked

    kept = last_asked(options.index)
    if not kept.current:
        console.warn("these questions were made from an earlier state of the documents; isogloss eval makes new ones")
    if console.wants_data:
        content = kept.to_dict()
        console.data("questions", content, rows=content["questions"])
        return 0
    headers = ["kind", "document", "overlap", "weight", "question"]
    rows = [[one.kind, one.document, f"{one.overlap:.2f}", f"{one.weight:.2f}", one.text]
            for one in kept.made.questions]  # fmt: skip
    console.table(headers, rows, right=[2, 3])
    others = f"; {layout.count(kept.others, 'file')} of other settings or documents beside it" if kept.others else ""
    console.note(f"{layout.count(len(rows), 'question')}, kept in {kept.path}: edit or take out what is bad{others}")
    return 0


def _print_head(view: DocumentView, console: Console) -> None:
    console.line(console.style(layout.clean(view.title or view.id), "bold"))
    facts = {"id": view.id, "root": view.root, "language": view.language}
    facts |= {name: str(value) for name, value in view.metadata.items()}
    facts["chunks"] = str(len(view.chunks))
    if view.near_duplicates:
        facts["near duplicates"] = layout.names(view.near_duplicates)
    for name, value in facts.items():
        if value:
            console.line(console.style(f"{name}: {layout.clean(value)}", "dim"))
    console.line()
