"""``isogloss check``: run the check of a recipe, or of a family, and say the verdict."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from isogloss.cli import layout
from isogloss.cli.parser import natural

if TYPE_CHECKING:
    from isogloss.cli.console import Console, Style
    from isogloss.recipes._catalogue import Entry
    from isogloss.recipes._checks import Checked

HELP = "run the check of a recipe's claim and say whether it holds here"
EPILOG = (
    "The exit code is 0 whatever the verdict is; 3 where the check itself is broken or a sabotage stays green. "
    "Readings are kept: a stopped check goes on where it was."
)
BROKEN = 3
RESUMABLE = True


def configure(parser: ArgumentParser) -> None:
    """Add the verb's own arguments."""
    parser.add_argument("key", nargs="*", help="keys of recipes, see isogloss recipes")
    parser.add_argument("--family", metavar="F", help="every recipe of this family")
    parser.add_argument("--touched", metavar="REF", help="every recipe that depends on a file changed since REF (git)")
    parser.add_argument("--rotating", type=natural, metavar="N", help="N recipes in full, other ones every day")
    parser.add_argument("--swap", action="append", default=[], metavar="ROLE=NAME", help="fill a role otherwise")
    parser.add_argument("--first-seed", type=int, default=0, metavar="N", help="first of the seeds (0)")
    parser.add_argument(
        "--seeds", type=natural, metavar="N", help="how many seeds (5, and 10 where they decide nothing)"
    )
    parser.add_argument("--sabotage", action="store_true", help="also take the mechanism out: the check must turn red")
    parser.add_argument("--smoke", action="store_true", help="one seed: shows that the check runs, judges nothing")
    parser.add_argument("--fresh", action="store_true", help="measure anew what earlier runs have measured")
    parser.add_argument("--record", metavar="DIR", help="write KEY.json, the evidence to commit, into this folder")


def run(options: Namespace, console: Console) -> int:
    """Run the checks one after the other; each prints its table and its verdict."""
    from isogloss.recipes._checks import Plan, run_check
    from isogloss.recipes._evidence import evidence_folder, write_record

    plan = Plan(
        swap=_swaps(options.swap), first_seed=options.first_seed, seeds=options.seeds, smoke=options.smoke,
        sabotage=options.sabotage, keep=not options.fresh, threads=options.threads, debug=options.debug,
    )  # fmt: skip
    found: list[Checked] = []
    for entry in _chosen(options):
        done = run_check(entry, plan, progress=console.progress())
        found.append(done)
        own = not (plan.swap or plan.first_seed or plan.smoke or plan.seeds)
        if done.record is not None and own:
            write_record(evidence_folder(), done.record)
        if done.record is not None and options.record:
            write_record(Path(options.record), done.record)
        if not console.wants_data:
            _print(entry, done, console)
    if console.wants_data:
        rows = [one.to_dict() for one in found]
        console.data("check", {"checks": rows}, rows=rows)
    return BROKEN if any(one.broken for one in found) else 0


def _chosen(options: Namespace) -> list[Entry]:
    """Return the recipes that are asked for.

    Raises
    ------
    UsageError
        Where none is asked for.
    """
    from isogloss.errors import UsageError
    from isogloss.recipes._catalogue import entries, find
    from isogloss.recipes._sampling import rotating, touched

    if not (options.key or options.family or options.touched or options.rotating):
        raise UsageError("which check?", "name a recipe, or --family F", "list them with: isogloss recipes")
    chosen = [find(key) for key in options.key]
    every = entries() if options.family or options.touched or options.rotating else []
    of_family = [entry for entry in every if entry.card.family == options.family]
    if options.family and not of_family:
        families = ", ".join(sorted({entry.card.family for entry in every}))
        raise UsageError(f"there is no family {options.family!r}", f"the families are {families or 'none yet'}")
    chosen += of_family
    chosen += touched(every, options.touched) if options.touched else []
    chosen += rotating(every, options.rotating) if options.rotating else []
    return list({entry.card.slug: entry for entry in chosen}.values())


def _swaps(pairs: list[str]) -> dict[str, str]:
    from isogloss.errors import UsageError

    found = {}
    for pair in pairs:
        role, equals, name = pair.partition("=")
        if not (role and equals and name):
            raise UsageError(
                f"--swap {pair} says nothing", "it is not ROLE=NAME", "for instance --swap sts=my-pairs.tsv"
            )
        found[role] = name
    return found


_STYLES: dict[str, Style] = {"holds": "green", "refuted here": "red", "not run": "dim"}


def _print(entry: Entry, done: Checked, console: Console) -> None:
    from isogloss.recipes._pages import effect_rows

    console.line(console.style(f"{entry.card.slug}: {entry.card.claim}", "bold"))
    if done.record is not None:
        console.table(["finding", "effect", "value", "interval (95 %)", "verdict"], effect_rows(done.record), right=[2])
    for swap in done.swaps:
        console.line(f"sabotage {swap['swap']}: {swap['outcome']}, {layout.clean(swap['why'])}")
    word = console.style(done.verdict, _STYLES.get(done.verdict, "yellow"))
    console.line(f"{word}: {done.reason}")
    if done.record is not None and done.record["seen"]:
        console.line(f"seen in training: {', '.join(done.record['seen'])}; no evidence of generalisation")
    if done.broken:
        console.line(console.style(f"broken: {done.broken}", "red"))
