"""Loads data sets by name: from the folder that ``ISOGLOSS_DATA`` names, or one that the caller names."""

from __future__ import annotations

import os
import warnings
from functools import lru_cache
from pathlib import Path
from typing import Any

from isogloss.corpus.examples import Splits
from isogloss.errors import CorpusError, IsoglossWarning, UsageError
from isogloss.evaluation.datasets.card import DataCard, View, card
from isogloss.evaluation.datasets.forms import locate, read_form
from isogloss.evaluation.datasets.items import content_sum

VARIABLE = "ISOGLOSS_DATA"
"""Environment variable that names the folder of all data sets."""


def load(
    name: str, kind: str | None = None, part: str | None = None, *, folder: str | Path | None = None,
    verify: bool = False,
) -> Any:  # fmt: skip
    """Load a part of a data set.

    Parameters
    ----------
    name
        Name of a data card, such as ``sts-b``.
    kind
        What it shall serve, such as ``sts`` or ``clustering``; the first kind of the card where None.
    part
        Such as ``test``, ``de.dev``, a view's name (``sst5``), or both (``fine/train``); the judged one where None.
    folder
        Folder of this data set; ``NAME`` under ``ISOGLOSS_DATA`` where None.
    verify
        Make it an error where a file's sum is not that of the card; else it is a warning with both sums.

    Returns
    -------
    object
        Plain examples of :mod:`isogloss.corpus.examples` or a ``TestCollection``, as the kind has it; material that
        serves no kind of task comes as records, rows or arrays.

    Raises
    ------
    UsageError
        For an unknown name, kind or part.
    CorpusError
        Where the data are not there (the message says where it looked), or with ``verify`` differ.
    """
    known = card(name)
    view = known.view(kind, part)
    chosen = (part or "").rpartition("/")[2] if part not in view.parts else str(part)
    if chosen in ("", view.name):
        chosen = view.main
    if chosen not in view.parts:
        raise UsageError(f"{name} has no part {part}", f"it has {', '.join(view.parts)}", "name one of them")
    return _load(known, view, chosen, find_folder(name, folder), verify)


def load_parts(
    name: str, kind: str | None = None, view: str | None = None, *, folder: str | Path | None = None
) -> Splits[Any]:
    """Load all parts of one view of a data set: ``load_parts("banking77", "classification")["train"]``.

    Parameters
    ----------
    name, kind, folder
        As for :func:`load`.
    view
        A part's or a view's name, where the kind has several views; the first where None.

    Raises
    ------
    UsageError, CorpusError
        As :func:`load`.
    """
    known = card(name)
    chosen = known.view(kind, view)
    root = find_folder(name, folder)
    return Splits({part: _load(known, chosen, part, root, False) for part in chosen.parts})


def task_data(name: str, kind: str | None = None, part: str | None = None, *, folder: str | Path | None = None) -> Any:
    """Load what the task of a kind takes: ``Splits`` of ``train`` and ``test`` where it learns, else one part.

    Parameters
    ----------
    name, kind, part, folder
        As for :func:`load`; ``part`` is what is judged.

    Returns
    -------
    object
        For classification, probing, regression and tagging ``Splits`` with the training part of the view as
        ``train`` and the judged part as ``test``; else what :func:`load` gives.

    Raises
    ------
    UsageError
        As :func:`load`, or where something is to be learned and the data set has no training part.
    CorpusError
        As :func:`load`.
    """
    view = card(name).view(kind, part)
    judged = load(name, kind, part, folder=folder)
    if view.kind not in LEARNED:
        return judged
    if not view.train:
        raise UsageError(
            f"{name} has no training part for {view.kind}", f"its parts are {', '.join(view.parts)}",
            "use another data set, or split it and pass both parts to the task",
        )  # fmt: skip
    train = f"{view.name}/{view.train}" if view.name else view.train
    return Splits({"train": load(name, view.kind, train, folder=folder), "test": judged})


LEARNED = frozenset({"classification", "probing", "regression", "tagging"})
"""Kinds of tasks that learn from a training part."""


def _load(known: DataCard, view: View, part: str, root: Path, verify: bool) -> Any:
    different = compare_sums(known, root, part_files(known, view, part))
    if different:
        said = "; ".join(f"{path}: the card has {ours}, the file {theirs}" for path, ours, theirs in different)
        what = f"{len(different)} files of {known.name} are not those of its data card"
        if verify:
            raise CorpusError(what, said, "get the data set anew, or load without verify")
        warnings.warn(f"{what}: {said}", IsoglossWarning, stacklevel=3)
    return read_form(view, root, part)


def find_folder(name: str, folder: str | Path | None = None) -> Path:
    """Return the folder of a data set.

    Raises
    ------
    CorpusError
        Where there is none; the message says where it looked.
    """
    if folder is not None:
        found = Path(folder)
        if not found.is_dir():
            raise CorpusError(f"the data set {name} is not there", f"there is no folder {found}", "check the path")
        return found
    root = os.environ.get(VARIABLE, "")
    if not root:
        raise CorpusError(
            f"the data set {name} cannot be found",
            f"{VARIABLE} is not set",
            f"set {VARIABLE} to the folder that holds {name}/, or name a folder",
        )
    found = Path(root) / name
    if not found.is_dir():
        raise CorpusError(
            f"the data set {name} is not there",
            f"looked for {found} ({VARIABLE}={root})",
            "put it there, or name another folder",
        )
    return found


def part_files(known: DataCard, view: View, part: str) -> list[str]:
    """Return the files that a part is read from, as the card names them.

    Examples
    --------
    >>> found = card("scifact")
    >>> part_files(found, found.view("retrieval"), "test")
    ['qrels/test.tsv', 'corpus.jsonl.gz', 'queries.jsonl.gz']
    """
    named = view.parts[part]
    files = [named] if isinstance(named, str) else list(named)
    if view.form == "test-collection":
        start = files[0].rpartition("qrels/")[0]
        files += [file.path for file in known.files if file.path.startswith((f"{start}corpus.", f"{start}queries."))]
    return files


def compare_sums(known: DataCard, root: Path, files: list[str] | None = None) -> list[tuple[str, str, str]]:
    """Return the files whose content is not that of the card, with the card's sum and the file's.

    Parameters
    ----------
    known
        The card.
    root
        Folder of the data set.
    files
        Which files; all of the card where None.
    """
    listed = {file.path: file.sha256 for file in known.files}
    different = []
    for name in listed if files is None else files:
        path = locate(root, name)
        stat = path.stat()
        found = _sum(str(path), stat.st_size, stat.st_mtime_ns)
        if found != listed.get(name, ""):
            different.append((name, listed.get(name, "nothing"), found))
    return different


@lru_cache(maxsize=4096)
def _sum(path: str, size: int, time: int) -> str:
    """Sum of a file, made once as long as the file stays as it is."""
    return content_sum(Path(path))
