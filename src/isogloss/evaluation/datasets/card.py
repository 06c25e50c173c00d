"""Data cards: what a data set is, where it comes from, which files it has, and how its files become examples."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

from isogloss.errors import UsageError


@dataclass(frozen=True, slots=True)
class Golden:
    """One item of a file that tells whether a copy is the same: its row from 1, its id (or empty), its digest."""

    row: int
    id: str
    digest: str


@dataclass(frozen=True, slots=True)
class DataFile:
    """A file of a data set.

    Attributes
    ----------
    path
        Relative to the folder of the data set.
    rows
        Items in it: lines without a header, arrays' rows.
    sha256
        Sum of its bytes, of a gzip file of the unzipped bytes (so that packing anew changes nothing).
    golden
        First, tenth and last item.
    """

    path: str
    rows: int
    sha256: str
    golden: tuple[Golden, ...]


@dataclass(frozen=True, slots=True)
class View:
    """One way to read a data set: a kind of task (or of material) and the files of its parts.

    Attributes
    ----------
    kind
        ``sts``, ``retrieval``, ``classification`` ... or material: ``text``, ``pairs``, ``rows``, ``arrays``.
    form
        Which loader reads it, see :mod:`isogloss.evaluation.datasets.forms`.
    parts
        The file (or files) of each part by the part's name.
    main
        The part that is judged.
    train
        The part that probes and nearest neighbours learn from, or empty.
    metric
        Main metric.
    name
        Tells views of one kind apart, such as ``sst5``; often empty.
    columns
        Which field of a row is what; the value may be a list of fields whose texts are joined.
    labels
        Names of the labels in the order of their numbers, where the view has some.
    options
        Further settings of the form.
    """

    kind: str
    form: str
    parts: dict[str, str | list[str]]
    main: str
    train: str = ""
    metric: str = ""
    name: str = ""
    columns: dict[str, str | list[str]] = field(default_factory=dict)
    labels: tuple[str, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DataCard:
    """What is known of a data set.

    Attributes
    ----------
    name, title
        Name of its folder, and what it is in a line.
    languages
        Codes of its languages (ISO 639; ``mul`` for many).
    source
        Address of where it was taken from, and ``taken`` which file or folder there.
    licence
        As stated at the source.
    split
        Where its parts come from.
    seen_by
        For models that met this data in training, by their short name: how near, in words. ``same data`` at the
        start: these very items, ``same source``: others of the same collection, ``same kind``: others alike.
    views, files
        How to read it, and what there is.
    """

    name: str
    title: str
    languages: tuple[str, ...]
    source: str
    taken: str
    licence: str
    split: str
    seen_by: dict[str, str]
    views: tuple[View, ...]
    files: tuple[DataFile, ...]

    @property
    def kinds(self) -> list[str]:
        """Return the kinds that it serves, its own first."""
        return list(dict.fromkeys(view.kind for view in self.views))

    def view(self, kind: str | None = None, part: str | None = None) -> View:
        """Return the first view of the kind that has the part, or is named so; ``fine/train`` names view and part.

        Raises
        ------
        UsageError
            Where there is none; the message names what there is.
        """
        fitting = [view for view in self.views if kind in (None, view.kind)]
        for view in fitting:
            if part is None or part in view.parts or part.split("/")[0] == view.name:
                return view
        if not fitting:
            raise UsageError(f"{self.name} does not serve {kind}", f"it serves {', '.join(self.kinds)}", "name one")
        parts = [part for view in fitting for part in view.parts]
        raise UsageError(f"{self.name} has no part {part}", f"it has {', '.join(parts)}", "name one of them")


def names() -> list[str]:
    """Return the names of all data cards, in alphabetical order.

    Examples
    --------
    >>> "sts-b" in names()
    True
    """
    return sorted(one.name.removesuffix(".toml") for one in _folder().iterdir() if one.name.endswith(".toml"))


def card(name: str) -> DataCard:
    """Return the card of a data set by name.

    Raises
    ------
    UsageError
        Where no card has that name; the message proposes near names.

    Examples
    --------
    >>> card("sts-b").kinds, card("sts-b").view("sts").main
    (['sts'], 'test')
    """
    file = _folder() / f"{name}.toml"
    if not file.is_file():
        import difflib

        near = difflib.get_close_matches(name, names(), 3, 0.4)
        why = f"the nearest are {', '.join(near)}" if near else f"there are {len(names())} others"
        raise UsageError(f"there is no data card {name}", why, "list them with evaluation.datasets.card.names()")
    return parse_card(file.read_text(encoding="utf-8"))


def parse_card(text: str) -> DataCard:
    """Return the card that a TOML text holds.

    Raises
    ------
    UsageError
        Where the text is no TOML or lacks a field.
    """
    try:
        raw = tomllib.loads(text)
        views = tuple(_view(view) for view in raw["views"])
        found = tuple(
            DataFile(file["path"], file["rows"], file["sha256"], tuple(Golden(*item) for item in file["golden"]))
            for file in raw.get("files", [])
        )
        return DataCard(
            raw["name"], raw["title"], tuple(raw["languages"]), raw["source"], raw.get("taken", ""), raw["licence"],
            raw.get("split", ""), dict(raw.get("seen_by", {})), views, found,
        )  # fmt: skip
    except (tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        raise UsageError(
            "a data card is broken", f"{type(error).__name__}: {error}", "compare it with others"
        ) from None


def _view(raw: dict[str, Any]) -> View:
    return View(**{**raw, "labels": tuple(raw.get("labels", ()))})


def _folder() -> Path:
    return Path(str(files("isogloss.evaluation.datasets") / "cards"))
