"""``isogloss mine``: hard negatives for training, with the counts of every rule and examples to look at."""

from __future__ import annotations

import os
from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from isogloss.cli.parser import name_list, natural
from isogloss.errors import UsageError

if TYPE_CHECKING:
    from isogloss.cli.console import Console
    from isogloss.workflows.mining import Found, MiningRequest, Share

RESUMABLE = True
HELP = "mine hard negatives, say what each rule rejects and how many are right answers"
EPILOG = (
    "DATA is a folder in BEIR layout, a data set, a file of pairs (query and pos, or anchor and positive; JSONL, TSV, "
    "CSV), or a folder of documents: questions are then made from them. A negative keeps below the score of the right "
    "answer by the margins; 84 % of the nearest documents may be rejected, and should be. Encoders: words, static, "
    "minilm, or the folder of a model."
)
FORMATS = ("fe", "columns")


def configure(parser: ArgumentParser) -> None:
    """Add the verb's own arguments."""
    parser.add_argument("--on", required=True, metavar="DATA", help="what to mine on")
    parser.add_argument("--split", default="train", metavar="NAME", help="which judgements or part (train)")
    parser.add_argument("--questions", type=natural, default=1000, metavar="N", help="questions to make (1,000)")
    rules = parser.add_argument_group("candidates and rules")
    rules.add_argument(
        "--with", dest="encoders", type=name_list, default=["static"], metavar="NAMES",
        help="encoders that propose candidates, the first one scores (static)",
    )  # fmt: skip
    rules.add_argument("--ranks", default="1-100", metavar="A-B", help="ranks that candidates come from (1-100)")
    rules.add_argument(
        "--relative", type=float, default=0.05, metavar="SHARE", help="below the right answer by this share (0.05)"
    )
    rules.add_argument("--margin", type=float, metavar="X", help="below the right answer by this much")
    rules.add_argument("--most", type=float, metavar="X", help="greatest score of a negative")
    rules.add_argument("--least", type=float, metavar="X", help="smallest score of a negative")
    rules.add_argument("--check", default="", metavar="NAME", help="better encoder or cross-encoder that must agree")
    rules.add_argument("--check-margin", type=float, default=0.0, metavar="X", help="by how much it must agree (0)")
    rules.add_argument("--per-query", type=natural, default=3, metavar="N", help="negatives a pair (3)")
    rules.add_argument("--sampling", choices=("top", "random"), default="top", help="the hardest, or any that are left")
    known = parser.add_argument_group("how many are right answers")
    known.add_argument("--judge", metavar="FILE", help="write pairs for a person to judge")
    known.add_argument("--judged", default="", metavar="FILE", help="that file, judged: gives the rate its interval")
    known.add_argument(
        "--labels-complete", action="store_true", help="all right answers are labelled: the others are wrong"
    )
    output = parser.add_argument_group("output")
    output.add_argument("--out", metavar="FILE", help="write the pairs with their negatives (JSON Lines)")
    output.add_argument("--format", choices=FORMATS, default="fe", help="query/pos/neg, or anchor/positive/negative_n")


def run(options: Namespace, console: Console) -> int:
    """Mine, print what every rule did, and write what was asked for."""
    from isogloss.workflows.mining import mine, write_mined, write_to_judge

    request = _request(options)
    for path in (options.out, options.judge):
        _writable(path)
    found = mine(request, progress=console.progress())
    told = found.to_dict()
    if options.out:
        rows, left = write_mined(found, options.out, options.format)
        told |= {"out": options.out, "rows": rows}
        less = f" ({left:,} pairs have too few negatives and were left out)" if left else ""
        console.note(f"wrote {rows:,} rows to {options.out}{less}")
    if options.judge:
        rows = write_to_judge(found, options.judge)
        told |= {"to_judge": options.judge}
        console.note(f"wrote {rows:,} pairs to judge to {options.judge}: set relevant, then --judged {options.judge}")
    if console.wants_data:
        console.data("mine", told)
    else:
        _print(found, console)
    for note in found.notes:
        console.note(note)
    return 0


def _request(options: Namespace) -> MiningRequest:
    from isogloss.mining.rules import Limits
    from isogloss.workflows.mining import MiningRequest

    first, last = _ranks(options.ranks)
    limits = Limits(
        first=first, last=last, most=options.most, least=options.least, margin=options.margin,
        relative=options.relative or None,
    )  # fmt: skip
    if not options.encoders:
        raise UsageError("which encoder proposes candidates?", "--with names none", "for instance --with static")
    return MiningRequest(
        place=options.on, split=options.split, questions=options.questions, encoders=tuple(options.encoders),
        check=options.check, check_margin=options.check_margin, limits=limits, per_query=options.per_query,
        sampling=options.sampling, complete=options.labels_complete, judged=options.judged, seed=options.seed,
        threads=options.threads,
    )  # fmt: skip


def _ranks(text: str) -> tuple[int, int]:
    first, dash, last = text.partition("-")
    if not (first.isdecimal() and (last.isdecimal() if dash else True)):
        raise UsageError(f"--ranks {text} makes no sense", "it is not A-B", "for instance --ranks 10-100")
    return (int(first), int(last)) if dash else (1, int(first))


def _writable(path: str | None) -> None:
    """Refuse a place that cannot be written before the work is done."""
    folder = os.path.dirname(os.path.abspath(path)) if path else ""
    if path and (os.path.isdir(path) or not os.path.isdir(folder) or not os.access(folder, os.W_OK)):
        raise UsageError(f"{path} cannot be written", f"is {folder} a folder that you may write to?", "name a file")


def _print(found: Found, console: Console) -> None:
    told = found.to_dict()
    console.line(
        f"mined {told['negatives']:,} negatives for {told['pairs_with_negatives']:,} of {told['pairs']:,} pairs of "
        f"{told['on']}, from {told['documents']:,} documents"
    )
    shares = {share.name: share for share in found.shares}
    rows = []
    for rule in told["rules"]:
        rejected, left = shares.get(f"rejected by {rule['rule']}"), shares.get(f"left by {rule['rule']}")
        counts = [f"{rule[name]:,}" for name in ("candidates", "rejected", "kept")]
        known = [_known(one) for one in (rejected, left)]
        rows.append([rule["rule"], *counts, *known])
    headers = ["rule", "candidates", "rejected", "kept", "right among rejected", "right among kept"]
    console.table(headers, rows, right=[1, 2, 3, 4, 5])
    console.line(found.sentence())
    for name, examples in told["examples"].items():
        console.line(console.style(f"{len(examples)} {name}, drawn at random", "bold"))
        for one in examples:
            why = f" [{one['rule']}]" if one["rule"] else ""
            console.line(f"  {one['score']:.3f} against {one['positive_score']:.3f}{why}")
            for label, part in (("query", "query"), ("right", "positive"), (name, "document")):
                console.line(f"    {label}: {_short(one[part])}")


def _known(share: Share | None) -> str:
    """Return how many are right answers, as far as it is known."""
    if share is None or not share.judged:
        return ""
    if share.rate is None:
        return f"at least {share.right:,}"
    return f"{share.right:,} of {share.judged:,} ({share.rate:.1%})"


def _short(text: str, most: int = 160) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= most else flat[: most - 1] + "…"
