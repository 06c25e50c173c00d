"""What is tried, as a table: a row a candidate, what it needs and about what it costs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Literal

from isogloss.workflows.adapting import fitting
from isogloss.workflows.adapting.workbench import Candidate, Workbench

Need = Literal["static base", "transformer", "torch"]
Fit = Callable[[Workbench], list[Candidate]]


@dataclass(frozen=True, slots=True)
class Row:
    """One way to a candidate.

    Attributes
    ----------
    name, family
        For tables and ``--try``.
    about
        What it does, in a few words.
    needs
        What must be there.
    share
        Share of the budget that it takes at the most; trained ones share what is left.
    least
        Budget below which a transformer is not given it: with less, what is likelier to help gets the time.
    fit
        Makes candidates in seconds; None for those that are trained.
    course
        Name of the function of :mod:`isogloss.workflows.adapting.courses` that begins a course.
    """

    name: str
    family: str
    about: str
    needs: tuple[Need, ...] = ()
    share: float = 0.02
    least: float = 0.0
    fit: Fit | None = None
    course: str = ""


ROWS: tuple[Row, ...] = (
    Row("linear maps", "maps", "centring, common directions off, whitening", (), 0.01, fit=fitting.try_maps),
    Row("rarity", "rarity", "token vectors weighted by rarity", ("static base",), 0.01, fit=fitting.try_rarity),
    Row("learned alone", "learned", "word vectors from the documents alone", (), 0.05, fit=fitting.try_learned),
    Row("made questions", "pairs", "contrastive, made questions and passages", ("torch",), 0.2, course="pairs_course"),
    Row("mined negatives", "negatives", "the same with filtered hard negatives", ("torch",), 0.2,
        1200.0, course="negatives_course"),
    Row("stretches", "spans", "contrastive, two stretches of a document", ("torch",), 0.2, course="spans_course"),
    Row("denoising", "denoising", "writing texts from damaged copies (TSDAE)", ("torch", "transformer"), 0.2,
        1800.0, course="denoising_course"),
)  # fmt: skip
"""The portfolio. After these, the best is merged with the base, mapped, and fused with the words (family ``words``)."""
FAMILIES = tuple(dict.fromkeys([*(row.family for row in ROWS), "words"]))


def usable(
    rows: Sequence[Row], families: Sequence[str], is_static: bool, budget: float = float("inf")
) -> tuple[list[Row], dict[str, str]]:
    """Return the rows that can be tried, and for each other one why not.

    Parameters
    ----------
    rows
        The portfolio.
    families
        Those that are asked for; empty for all.
    is_static
        Whether the base is a table of token vectors.
    budget
        Seconds; a row that is asked for by its family is tried whatever the budget.

    Examples
    --------
    >>> tried, left_out = usable(ROWS, ("denoising",), True)
    >>> [row.name for row in tried], left_out["denoising"]
    ([], 'it is for transformers')
    """
    torch = find_spec("torch") is not None
    met = {"static base": is_static, "transformer": not is_static, "torch": torch}
    why = {
        "static base": "it is for static models", "transformer": "it is for transformers",
        "torch": "the workshop is not installed (pip install 'isogloss[train]')",
    }  # fmt: skip
    found: list[Row] = []
    out: dict[str, str] = {}
    for row in rows:
        missing = next((need for need in row.needs if not met[need]), "")
        if families and row.family not in families:
            out[row.name] = "not asked for"
        elif missing:
            out[row.name] = why[missing]
        elif not is_static and not families and budget < row.least:
            out[row.name] = f"a transformer gets it from a budget of {row.least / 60:g} min on"
        else:
            found.append(row)
    return found, out
