"""The worked example in a model's card: its texts and the similarities that it prints."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from isogloss.arrays import Dense

_BLOCK = re.compile(r"```(?:python|py)[^\n]*\n(.*?)```", re.DOTALL)
_NUMBER = r"-?\d+\.\d+(?:e-?\d+)?"
_MATRIX = re.compile(r"\[\s*\[[-\d\s.,e\[\]#]*\]\s*\]")
_LARGEST, _LONGEST = 2_000_000, 20_000  # characters of a card, and of one block of code


@dataclass(frozen=True, slots=True)
class CardExample:
    """Texts of a card, and the similarities it shows: ``shown (len(left), len(right))``.

    Attributes
    ----------
    left, right
        Texts of the rows and columns; ``right`` is empty where the sentences are compared with each other.
    shown
        The printed numbers.
    """

    left: list[str]
    right: list[str]
    shown: Dense


def card_example(folder: Path) -> CardExample | None:
    """Return the first example with numbers in the card, or None; the card's code is parsed, never run.

    Understands the code of sentence-transformers' own card templates: a literal list ``sentences`` (or ``queries``
    and ``documents``), then a printed tensor of similarities.
    """
    try:
        with open(folder / "README.md", encoding="utf-8", errors="replace") as file:
            text = file.read(_LARGEST)
    except OSError:
        return None
    for block in _BLOCK.findall(text):
        lists = _lists(block[:_LONGEST])
        left, right = lists.get("sentences") or lists.get("queries") or [], list[str]()
        if "queries" in lists:
            left, right = lists["queries"], lists.get("documents") or lists.get("passages") or []
        shape = (len(left), len(right or left))
        for matrix in _matrices(block[:_LONGEST]):
            if left and matrix.shape == shape:
                return CardExample(left, right, matrix)
    return None


def _lists(block: str) -> dict[str, list[str]]:
    """Return the lists of strings that the code assigns to names."""
    try:
        tree = ast.parse(block)
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return {}
    found = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and isinstance(node.value, ast.List):
            items = [item.value for item in node.value.elts if isinstance(item, ast.Constant)]
            texts = [item for item in items if isinstance(item, str)]
            if texts and len(texts) == len(node.value.elts):
                found[node.targets[0].id] = texts
    return found


def _matrices(block: str) -> list[Dense]:
    found = []
    for match in _MATRIX.finditer(block):
        rows = [re.findall(_NUMBER, row) for row in re.findall(r"\[([^\[\]]*)\]", match[0])]
        if rows and rows[0] and len({len(row) for row in rows}) == 1:
            found.append(np.array(rows, np.float32))
    return found
