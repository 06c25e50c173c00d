"""Texts with a label or a number each, from CSV, TSV and JSON Lines."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from isogloss.corpus.examples import LabelledTexts, ScoredTexts
from isogloss.corpus.test_collections.tables import Layout, fault, has_names, number, read_columns, text
from isogloss.errors import CorpusError

TEXT = ("text", "sentence", "content", "document", "query", "utterance")
LABEL = ("label", "class", "category", "intent", "topic", "target", "tag")
NUMBER = ("score", "rating", "value", "target", "label")


def read_labelled(
    path: str | Path, *, texts: str = "", labels: str = "", names: Sequence[str] | None = None
) -> LabelledTexts:
    r"""Read texts with one label each.

    Parameters
    ----------
    path
        CSV, TSV or JSON Lines with a header (fields ``text`` and ``label``, or usual other names); without a header
        two columns, of which the one with fewer different values is the label.
    texts, labels
        Names of the two fields, where they have others.
    names
        The labels that may occur, in the order of their numbers (for instance those of the training file); else the
        labels found, sorted (as numbers where all are whole numbers).

    Returns
    -------
    LabelledTexts

    Raises
    ------
    CorpusError
        For an empty file, other columns, an empty text or label, or a label that ``names`` lacks.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> file = pathlib.Path(tempfile.mkdtemp()) / "p.csv"
    >>> _ = file.write_text("text,label\nwarm,weather\nball,sport\n")
    >>> read_labelled(file).names, read_labelled(file).labels.tolist()
    (['sport', 'weather'], [1, 0])
    """
    expected = f"fields {texts or 'text'} and {labels or 'label'}, or two columns without a header"
    layout = Layout({"text": _one(texts, TEXT), "label": _one(labels, LABEL)}, {2: (0, 1)}, expected)
    rows = [(line, values[0], values[1]) for line, values in read_columns(path, layout)]
    if not has_names(path, layout.names) and _swapped(rows):
        rows = [(line, label, body) for line, body, label in rows]
    bodies = [text(body, path, line, "text") for line, body, _ in rows]
    found = [_label(label, path, line) for line, _, label in rows]
    if not rows:
        raise fault(path, 0, "a header and no rows", expected)
    known = list(names) if names is not None else label_names(found)
    numbers = {name: number for number, name in enumerate(known)}
    for (line, _, _), label in zip(rows, found, strict=True):
        if label not in numbers:
            raise fault(path, line, f"the label {label}", f"one of the {len(known)} known labels")
    return LabelledTexts(bodies, np.array([numbers[label] for label in found], np.int64), known)


def _one(name: str, usual: tuple[str, ...]) -> tuple[str, ...]:
    return (name.lower(),) if name else usual


def _swapped(rows: list[tuple[int, Any, Any]]) -> bool:
    """Say whether the first of two columns holds the labels: it has fewer different values."""
    first, second = {str(row[1]) for row in rows}, {str(row[2]) for row in rows}
    return len(first) < len(second)


def _label(value: Any, path: str | Path, line: int) -> str:
    found = str(value).strip() if isinstance(value, str | int) else ""
    if not found:
        raise fault(path, line, f"the label is {value!r}", "a word or a whole number")
    return found


def label_names(labels: Sequence[str]) -> list[str]:
    """Return the different labels in order: as numbers where all are whole numbers, else by the alphabet.

    Examples
    --------
    >>> label_names(["10", "9", "10"]), label_names(["b", "10", "a"])
    (['9', '10'], ['10', 'a', 'b'])
    """
    different = set(labels)
    if all(label.lstrip("-").isdecimal() for label in different):
        return sorted(different, key=int)
    return sorted(different)


def read_scored_texts(path: str | Path, *, texts: str = "", targets: str = "") -> ScoredTexts:
    """Read texts with a number each, as :func:`read_labelled` reads labels.

    Raises
    ------
    CorpusError
        For an empty file, other columns, an empty text, a number that is none.
    """
    expected = f"fields {texts or 'text'} and {targets or 'score'}, or two columns without a header"
    layout = Layout({"text": _one(texts, TEXT), "number": _one(targets, NUMBER)}, {2: (0, 1)}, expected)
    bodies, numbers = [], []
    for line, (body, value) in read_columns(path, layout):
        bodies.append(text(body, path, line, "text"))
        numbers.append(number(value, path, line, "number"))
    if not bodies:
        raise CorpusError(f"{path}: a header and no rows", f"expected: {expected}", "pass a filled file")
    return ScoredTexts(bodies, np.array(numbers, np.float64))
