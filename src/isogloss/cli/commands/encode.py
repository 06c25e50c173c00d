"""``isogloss encode``: a corpus into a file of vectors, by several processes, to be stopped and gone on with."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from isogloss.cli import layout
from isogloss.cli.parser import natural

if TYPE_CHECKING:
    from isogloss.cli.console import Console

HELP = "encode a corpus into a file of vectors, with several processes"
EPILOG = (
    "Writes OUT/vectors.npy (rows of float32), OUT/ids.txt (an id a line, in the same order) and OUT/encoding.json. "
    "A run that is stopped leaves OUT.partial; the same command goes on there, with the same vectors bit for bit. "
    "One vector a record: a long document is cut at the model's window, and that is said; --long windows reads all of "
    "it, window by window, and averages. To find passages, index chunks instead: isogloss add."
)
RESUMABLE = True


def configure(parser: ArgumentParser) -> None:
    """Add the verb's own arguments."""
    parser.add_argument("source", help="folder or file, as for isogloss add; - for standard input")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder of the vectors; must not be there")
    parser.add_argument("--with", dest="model", default="minilm", metavar="NAME", help="dense model (minilm)")
    parser.add_argument("--lines", action="store_true", help="the source has one text a line")
    parser.add_argument(
        "--processes", type=natural, default=1, metavar="N",
        help="processes that share the work, and --threads (1)",
    )  # fmt: skip
    parser.add_argument(
        "--shard", type=shard, default=(1, 1), metavar="I/N", help="only this part, for N machines (1/1)"
    )
    parser.add_argument("--role", choices=("document", "query"), default="document", help="whose prompt (document)")
    parser.add_argument("--instruction", metavar="TEXT", help="put in front of each text, instead of the prompt")
    parser.add_argument("--max-length", type=natural, metavar="N", help="most tokens of a text (the model's own)")
    parser.add_argument(
        "--long", choices=("cut", "windows"), default="cut", help="what happens to longer texts (cut, and said)"
    )


def shard(text: str) -> tuple[int, int]:
    """Read a part such as ``2/4``, for argparse.

    Examples
    --------
    >>> shard("2/4")
    (2, 4)
    """
    i, _, of = text.partition("/")
    found = int(i), int(of)
    if not 1 <= found[0] <= found[1]:
        raise ValueError(text)
    return found


def run(options: Namespace, console: Console) -> int:
    """Encode, and say what was written."""
    from isogloss.corpus.read import read
    from isogloss.workflows.encoding import EncodingPlan, encode_records, line_records

    plan = EncodingPlan(
        options.model, options.processes, options.threads, options.role, options.instruction, options.max_length,
        shard=options.shard, windows=options.long == "windows",
    )  # fmt: skip
    records = line_records(options.source) if options.lines else read(options.source)
    report = encode_records(records, options.out, plan, progress=console.progress())
    if report.cut:
        console.warn(report.cut)
    for reason, count in sorted(report.skipped.items()):
        console.note(f"left out {layout.count(count, 'record')}: {reason}")
    if console.wants_data:
        console.data("encode", report.to_dict())
        return 0
    found = f", {report.found:,} of them by an earlier run" if report.found else ""
    console.line(f"encoded {layout.count(report.texts, 'text')} with {report.model} on {report.engine} in "
                 f"{report.precision}{found}: {layout.duration(report.seconds)}")  # fmt: skip
    console.line(f"{report.folder}: vectors.npy ({report.texts:,} x {report.dimensions}), ids.txt, encoding.json")
    return 0
