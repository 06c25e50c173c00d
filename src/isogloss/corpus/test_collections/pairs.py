"""Pairs of texts with a score or a label: the STS benchmark's TSV, tables with a header, JSON Lines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from isogloss.corpus.examples import LabelledPairs, ScoredPairs
from isogloss.corpus.test_collections.tables import Layout, fault, has_names, number, read_columns, text

LEFT = ("a", "sentence1", "text1", "left", "s1", "sent1", "question1", "word1", "first", "src")
RIGHT = ("b", "sentence2", "text2", "right", "s2", "sent2", "question2", "word2", "second", "tgt")
SCORE = ("score", "similarity", "similarity_score", "gold", "rating")
LABEL = ("label", "is_duplicate", "duplicate", "same", "match")
_EXPECTED = "two texts and a number: a, b, score (or label 0/1) by name, or the seven columns of the STS benchmark"


def _layout(names: tuple[str, ...], places: dict[int, tuple[int, ...]]) -> Layout:
    wanted = {"first text": LEFT, "second text": RIGHT, "score or label": names}
    return Layout(wanted, places, _EXPECTED, more=7 if places else 0, optional={"group": ("group", "document")})


_SCORED = _layout(SCORE, {3: (0, 1, 2), 7: (5, 6, 4)})
_LABELLED = _layout(LABEL, {})


def read_pairs(path: str | Path) -> ScoredPairs | LabelledPairs:
    r"""Read pairs of texts.

    Parameters
    ----------
    path
        TSV or CSV or JSON Lines whose fields are named (``a b score``, ``sentence1 sentence2 score``, ``question1
        question2 is_duplicate`` ...); without a header three columns (text, text, score) or the STS benchmark's
        seven (genre, file, year, number, score, text, text; sources may follow). A field ``group`` or ``document``
        names the unit that is resampled.

    Returns
    -------
    ScoredPairs or LabelledPairs
        Scored where the number's column is named as a score or has no name, labelled where it is named as a label.

    Raises
    ------
    CorpusError
        For an empty file, other columns, an empty text, a score that is no finite number, or a label that is not 0
        or 1; the message names file and line.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> file = pathlib.Path(tempfile.mkdtemp()) / "p.tsv"
    >>> _ = file.write_text("a cat\ta dog\t2.5\n")
    >>> read_pairs(file).scores.tolist()
    [2.5]
    """
    labelled = has_names(path, _LABELLED.names)
    left, right, values, groups = [], [], [], []
    for line, (first, second, value, group) in read_columns(path, _LABELLED if labelled else _SCORED):
        left.append(text(first, path, line, "first text"))
        right.append(text(second, path, line, "second text"))
        values.append(binary(value, path, line) if labelled else number(value, path, line, "score"))
        groups.append(group if group is not None else line)
    if not left:
        raise fault(path, 0, "a header and no pairs", _EXPECTED)
    _, numbers = np.unique(np.array([str(group) for group in groups]), return_inverse=True)
    units = np.arange(len(left)) if len(set(groups)) == len(groups) else numbers.astype(np.int64)
    if labelled:
        return LabelledPairs(left, right, np.array(values, np.int64), units)
    return ScoredPairs(left, right, np.array(values, np.float64), units)


def binary(value: Any, path: str | Path, line: int) -> int:
    """Return a label as 0 or 1.

    Raises
    ------
    CorpusError
        For anything else than 0, 1, true, false.

    Examples
    --------
    >>> binary("true", "a.csv", 2)
    1
    """
    known = {"0": 0, "1": 1, "0.0": 0, "1.0": 1, "true": 1, "false": 0}
    found = known.get(str(value).strip().lower())
    if found is None:
        raise fault(path, line, f"the label {value!r}", "0 or 1 (false or true)")
    return found
