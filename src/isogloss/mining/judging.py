"""A file for a person to judge: mined pairs drawn at random, kept ones and rejected ones of every rule."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from isogloss.errors import CorpusError
from isogloss.mining.hard_negatives import LABELLED, Mined, Pairs

FORM = "mined pairs to judge"


def rows_to_judge(mined: Mined, pairs: Pairs, *, kept: int = 100, rejected: int = 10, seed: int = 0) -> list[Any]:
    """Return rows for a person: each a query, its right answer, a document, and ``relevant`` to be filled in.

    Parameters
    ----------
    mined, pairs
        What was mined, and for what.
    kept, rejected
        How many of the negatives, and how many of those that each rule rejected.
    seed
        Of the draw.
    """
    chosen = [("kept", mined.sample(kept, seed=seed))]
    chosen += [(name, mined.sample(rejected, seed=seed, rule=name)) for name in mined.rules if name != LABELLED]
    return [
        {
            "query": pairs.queries[mined.found.pair[place]],
            "positive": pairs.corpus[int(pairs.positives[mined.found.pair[place]])],
            "document": pairs.corpus[mined.found.row[place]],
            "stratum": name,
            "relevant": None,
        }
        for name, places in chosen
        for place in places.tolist()
    ]


def write_rows(path: str | Path, rows: Sequence[Any], settings: str) -> None:
    """Write a file to judge; ``settings`` is any text that tells other mining settings apart."""
    head = {"isogloss": FORM, "settings": settings, "how": "set relevant to true or false; null: not judged"}
    lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in [head, *rows])
    Path(path).write_text("".join(lines), encoding="utf-8")


def read_judgements(path: str | Path) -> tuple[dict[tuple[str, str], bool], str]:
    """Read judgements by query and document, and the settings they were drawn with (empty where the file says none).

    Rows whose ``relevant`` is null or lacking are not judged.

    Raises
    ------
    CorpusError
        Where the file is not there, a line is no JSON or lacks a text, a judgement is neither true nor false (1, 0),
        one pair is judged both ways, or nothing is judged; the message names the line.
    """
    judged: dict[tuple[str, str], bool] = {}
    settings, rows = "", 0
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise CorpusError(f"{path} cannot be read", str(error), "give the file that was judged") from None
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        row = _row(path, number, line)
        if "isogloss" in row:
            settings = str(row.get("settings", ""))
            continue
        rows += 1
        verdict = row.get("relevant")
        if verdict is None:
            continue
        key = row["query"], row["document"]
        if verdict not in (0, 1) or judged.get(key, bool(verdict)) != bool(verdict):
            why = f"line {number}: relevant is {verdict!r}" + (", judged otherwise before" if key in judged else "")
            raise CorpusError(f"{path} holds a judgement that is none", why, "write true, false or null")
        judged[key] = bool(verdict)
    if not judged:
        raise CorpusError(f"{path} holds no judgement", f"relevant is null in all {rows} rows", "fill some in")
    return judged, settings


def _row(path: str | Path, number: int, line: str) -> Mapping[str, Any]:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise CorpusError(f"{path}, line {number}: no JSON", str(error), "repair or remove the line") from None
    texts = isinstance(row, dict) and (
        "isogloss" in row or all(isinstance(row.get(name), str) for name in ("query", "document"))
    )
    if not texts:
        raise CorpusError(f"{path}, line {number}: no query and document", line[:80], "repair or remove the line")
    found: Mapping[str, Any] = row
    return found


def judged_rows(
    judged: Mapping[tuple[str, str], bool], pairs: Pairs
) -> tuple[dict[int, list[int]], dict[int, list[int]], int]:
    """Return judgements as rows by pair: right ones, wrong ones, and how many belong to no pair or document here.

    Examples
    --------
    >>> import numpy as np
    >>> pairs = Pairs(queries=["q"], positives=np.array([0]), corpus=["a", "b"])
    >>> judged_rows({("q", "b"): True, ("q", "z"): False}, pairs)
    ({0: [1]}, {}, 1)
    """
    numbers: dict[str, list[int]] = {}
    for number, query in enumerate(pairs.queries):
        numbers.setdefault(query, []).append(number)
    rows: dict[str, list[int]] = {}
    for row, text in enumerate(pairs.corpus):
        rows.setdefault(text, []).append(row)
    right: dict[int, list[int]] = {}
    wrong: dict[int, list[int]] = {}
    strange = 0
    for (query, document), verdict in judged.items():
        strange += query not in numbers or document not in rows
        for number in numbers.get(query, []):
            (right if verdict else wrong).setdefault(number, []).extend(rows.get(document, []))
    return {n: some for n, some in right.items() if some}, {n: some for n, some in wrong.items() if some}, strange
