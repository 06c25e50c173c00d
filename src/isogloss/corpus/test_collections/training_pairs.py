"""Rows to train on: a text, what belongs to it, and texts that do not; FlagEmbedding's and the usual column names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from isogloss.corpus.test_collections.tables import Layout, fault, has_names, read_columns, text

ANCHOR = ("query", "anchor", "question", "q", "source")
POSITIVE = ("pos", "positive", "passage", "answer", "document", "target", "context")
_MOST_NEGATIVES = 32
_NUMBERED = {f"negative_{i}": (f"negative_{i}", f"neg_{i}") for i in range(1, _MOST_NEGATIVES + 1)}
_LAYOUT = Layout(
    {"text": ANCHOR, "positive": POSITIVE},
    {},
    "a text and what belongs to it: query and pos (and neg), or anchor and positive (and negative, negative_1 ...)",
    optional={"neg": ("neg", "negative", "negatives"), **_NUMBERED, "group": ("group", "document_id", "doc_id")},
)


@dataclass(frozen=True, slots=True)
class TrainingPairs:
    """Pairs to train on, each with its own number of negatives.

    Attributes
    ----------
    anchors, positives
        The two texts of each pair; a row with several positives gives a pair for each.
    negatives
        For each pair the texts that do not belong to the anchor, possibly none.
    groups
        For each pair the unit that must not be split (a document's id), or the empty list where the file names none.
    """

    anchors: list[str]
    positives: list[str]
    negatives: list[list[str]]
    groups: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.anchors)


def holds_training_pairs(path: str | Path) -> bool:
    """Say whether a file names a column of texts and one of positives."""
    return has_names(path, _LAYOUT.names)


def read_training_pairs(path: str | Path) -> TrainingPairs:
    r"""Read pairs with negatives.

    Parameters
    ----------
    path
        JSON Lines (``{"query": ..., "pos": [...], "neg": [...]}`` as FlagEmbedding has it; single texts do as well),
        TSV or CSV with a header (``anchor positive negative_1 ...``), plain or gzip.

    Raises
    ------
    CorpusError
        For an empty file, missing columns, a row without a positive, an empty text or a value that is no text; the
        message names file and line.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> file = pathlib.Path(tempfile.mkdtemp()) / "p.jsonl"
    >>> _ = file.write_text('{"query": "cat", "pos": ["a cat", "cats"], "neg": ["a dog"]}\n')
    >>> pairs = read_training_pairs(file)
    >>> pairs.anchors, pairs.positives, pairs.negatives
    (['cat', 'cat'], ['a cat', 'cats'], [['a dog'], ['a dog']])
    """
    found = TrainingPairs([], [], [])
    for line, (anchor, positive, *rest) in read_columns(path, _LAYOUT):
        *negatives, group = rest
        left = text(anchor, path, line, "text")
        wrong = [one for value in negatives for one in _several(value, path, line, "negative")]
        right = _several(positive, path, line, "positive")
        if not right:
            raise fault(path, line, "no positive", _LAYOUT.expected)
        for one in right:
            found.anchors.append(left)
            found.positives.append(one)
            found.negatives.append(wrong)
            if group not in (None, ""):
                found.groups.append(str(group))
    if not found.anchors:
        raise fault(path, 0, "a header and no pairs", _LAYOUT.expected)
    if found.groups and len(found.groups) != len(found):
        raise fault(path, 0, f"{len(found.groups)} of {len(found)} pairs name their group", "all of them, or none")
    return found


def _several(value: Any, path: str | Path, line: int, what: str) -> Sequence[str]:
    """Return a cell as texts: a list as it is, one text as a list of one, an absent cell as no text."""
    if value is None or value == "":
        return []
    return [text(one, path, line, what) for one in (value if isinstance(value, list) else [value])]
