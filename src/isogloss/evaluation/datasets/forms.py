"""One loader for each form of data; what the columns are called is said by the card."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from isogloss.corpus.examples import (
    Analogies,
    Candidates,
    LabelledPairs,
    LabelledTexts,
    ParallelTexts,
    ScoredPairs,
    ScoredTexts,
    TaggedSentences,
    TextPairs,
)
from isogloss.corpus.judgements import TestCollection
from isogloss.corpus.test_collections.beir import read_beir
from isogloss.corpus.test_collections.qrels import keep_known
from isogloss.errors import CorpusError
from isogloss.evaluation.datasets.card import View
from isogloss.evaluation.datasets.items import opened, read_rows, suffix
from isogloss.protocols import Record, Scalar

Row = Mapping[str, Any]


def read_form(view: View, folder: Path, part: str) -> Any:
    """Read a part of a data set in the form that the view names.

    Returns
    -------
    object
        Plain examples of :mod:`isogloss.corpus.examples`, a ``TestCollection``, a list of ``Record`` (form
        ``documents``), a list of rows (``rows``), or arrays by name (``arrays``).

    Raises
    ------
    CorpusError
        Where the form is unknown, a file is missing, or a row lacks a column; the message names file and row.
    """
    form = FORMS.get(view.form)
    if form is None:
        raise CorpusError(f"there is no form {view.form}", f"known are {', '.join(FORMS)}", "repair the data card")
    return form(view, folder, part)


def locate(folder: Path, name: str) -> Path:
    """Return the path of a file, packed or not, whichever is there.

    Raises
    ------
    CorpusError
        Where neither is.
    """
    plain = name.removesuffix(".gz")
    for candidate in (name, plain, f"{plain}.gz"):
        if (folder / candidate).is_file():
            return folder / candidate
    raise CorpusError(f"{folder} has no {name}", "the data card lists it", "get the data set anew")


def flat(value: Any) -> str:
    """Return any value of a row as text: records and lists joined by blanks, empty values left out.

    Examples
    --------
    >>> flat({"name": "ale", "style": "", "abv": 5}), flat([["A b .", "C ."], ["D ."]])
    ('ale 5', 'A b . C . D .')
    """
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list):
        return " ".join(filter(None, map(flat, value)))
    return "" if value is None else str(value)


def _rows(view: View, folder: Path, part: str) -> Iterator[tuple[str, Row]]:
    """Yield where a row stands and the row, of all files of the part."""
    names = view.parts[part]
    for name in [names] if isinstance(names, str) else names:
        path = locate(folder, name)
        for number, row in enumerate(read_rows(path, header=view.options.get("header", True)), 1):
            yield f"{path}, row {number}", row


def _field(row: Row, columns: str | list[str], place: str) -> Any:
    names = [columns] if isinstance(columns, str) else columns
    missing = [name for name in names if name not in row]
    if missing:
        raise CorpusError(f"{place}: no {missing[0]}", f"it has {', '.join(row)}", "get the data set anew")
    if isinstance(columns, str):
        return row[columns]
    return "\n\n".join(filter(None, (flat(row[name]) for name in columns)))


def _columns(view: View, folder: Path, part: str, wanted: str) -> list[list[Any]]:
    """Return the wanted columns of a part, one list each."""
    found: list[list[Any]] = [[] for _ in wanted.split()]
    for place, row in _rows(view, folder, part):
        for values, name in zip(found, wanted.split(), strict=True):
            values.append(_field(row, view.columns[name], place))
    if not found[0]:
        raise CorpusError(f"{folder}, {part}: no rows", "", "get the data set anew")
    return found


def _texts(values: list[Any]) -> list[str]:
    return [flat(value) for value in values]


def _numbers(values: list[Any], what: str) -> Any:
    try:
        numbers = np.array([float(value) for value in values], np.float64)
    except (TypeError, ValueError) as error:
        raise CorpusError(f"a {what} is no number", str(error), "get the data set anew") from None
    if not np.isfinite(numbers).all():
        raise CorpusError(f"{int((~np.isfinite(numbers)).sum())} {what}s are not finite", "", "get the data set anew")
    return numbers


def _groups(view: View, folder: Path, part: str, count: int) -> Any:
    if "group" not in view.columns:
        return np.arange(count)
    (groups,) = _columns(view, folder, part, "group")
    return np.unique(np.array(_texts(groups)), return_inverse=True)[1].astype(np.int64)


def _scored_pairs(view: View, folder: Path, part: str) -> ScoredPairs:
    left, right, scores = _columns(view, folder, part, "left right score")
    groups = _groups(view, folder, part, len(left))
    return ScoredPairs(_texts(left), _texts(right), _numbers(scores, "score"), groups)


def _labelled_pairs(view: View, folder: Path, part: str) -> LabelledPairs:
    left, right, labels = _columns(view, folder, part, "left right label")
    positive = set(view.options["positive"])
    left, right = _texts(left), _texts(right)
    groups = np.unique(np.array(left), return_inverse=True)[1].astype(np.int64)
    return LabelledPairs(left, right, np.array([flat(label) in positive for label in labels], np.int64), groups)


def _labelled_texts(view: View, folder: Path, part: str) -> LabelledTexts:
    texts, found = _columns(view, folder, part, "text label")
    numbers = {name: number for number, name in enumerate(view.labels)}
    unknown = [label for label in map(flat, found) if label not in numbers]
    if unknown:
        raise CorpusError(f"{folder}, {part}: the label {unknown[0]}", "the data card lacks it", "get it anew")
    return LabelledTexts(_texts(texts), np.array([numbers[flat(label)] for label in found], np.int64), [*view.labels])


def _scored_texts(view: View, folder: Path, part: str) -> ScoredTexts:
    texts, scores = _columns(view, folder, part, "text score")
    return ScoredTexts(_texts(texts), _numbers(scores, "score"))


def _parallel(view: View, folder: Path, part: str) -> ParallelTexts:
    match = re.match(r"(\w+)-(\w+)", part)
    languages = (match[1], match[2]) if match else ("", "")
    files = view.parts[part]
    if isinstance(files, list):
        # two files with an id a line: what both have, in the order of the first
        sides = [{row["id"]: row["text"] for row in read_rows(locate(folder, name))} for name in files]
        shared = [id for id in sides[0] if id in sides[1]]
        return ParallelTexts([sides[0][id] for id in shared], [sides[1][id] for id in shared], languages)
    source, target = _columns(view, folder, part, "source target")
    return ParallelTexts(_texts(source), _texts(target), languages)


def _mining(view: View, folder: Path, part: str) -> TestCollection:
    """Two sides that hide translations: foreign sentences are questions, English ones documents."""
    foreign, english, gold = (locate(folder, name) for name in view.parts[part])
    documents = [Record(row["id"], row["text"]) for row in read_rows(english)]
    queries = {row["id"]: row["text"] for row in read_rows(foreign)}
    qrels, unknown = keep_known(
        {row["src"]: {row["eng"]: 1.0} for row in read_rows(gold)}, queries, [one.id for one in documents], part
    )
    return TestCollection(documents, queries, qrels, part, unknown)


def _candidates(view: View, folder: Path, part: str) -> Candidates:
    queries, texts, labels = _columns(view, folder, part, "query text label")
    numbers = _numbers(labels, "label")
    places: dict[str, list[int]] = {}
    for place, query in enumerate(_texts(queries)):
        places.setdefault(query, []).append(place)
    lists = [[flat(texts[place]) for place in found] for found in places.values()]
    return Candidates(list(places), lists, [numbers[found] for found in places.values()])


def _analogies(view: View, folder: Path, part: str) -> Analogies:
    a, b, c, d, sections = _columns(view, folder, part, "a b c d section")
    return Analogies(list(zip(a, b, c, d, strict=True)), sections)


def _tagged(view: View, folder: Path, part: str) -> TaggedSentences:
    words, tags = _columns(view, folder, part, "words tags")
    if any(len(sentence) != len(names) for sentence, names in zip(words, tags, strict=True)):
        raise CorpusError(f"{folder}, {part}: a sentence with more words than tags", "", "get the data set anew")
    return TaggedSentences(words, tags)


def _text_pairs(view: View, folder: Path, part: str) -> TextPairs:
    names = "query positive negative" if "negative" in view.columns else "query positive"
    columns = [_texts(column) for column in _columns(view, folder, part, names)]
    return TextPairs(columns[0], columns[1], columns[2] if len(columns) > 2 else [])


def _test_collection(view: View, folder: Path, part: str) -> TestCollection:
    path = locate(folder, str(view.parts[part]))
    return read_beir(path.parent.parent, path.name.removesuffix(".gz").removesuffix(".tsv"))


def _paired_collection(view: View, folder: Path, part: str) -> TestCollection:
    """Pairs as a search: each first text asks for the second, the different second texts are the documents."""
    pairs = _text_pairs(view, folder, part)
    ids = {text: f"d{number}" for number, text in enumerate(dict.fromkeys(pairs.positives), 1)}
    queries = {text: f"q{number}" for number, text in enumerate(dict.fromkeys(pairs.queries), 1)}
    qrels: dict[str, dict[str, float]] = {}
    for query, positive in zip(pairs.queries, pairs.positives, strict=True):
        qrels.setdefault(queries[query], {})[ids[positive]] = 1.0
    documents = [Record(id, text) for text, id in ids.items()]
    return TestCollection(documents, {id: text for text, id in queries.items()}, qrels, folder.name)


def _documents(view: View, folder: Path, part: str) -> list[Record]:
    """Rows with a text; or, with the option ``whole``, each file as one document."""
    if view.options.get("whole"):
        names = view.parts[part]
        paths = [locate(folder, name) for name in ([names] if isinstance(names, str) else names)]
        found = []
        for path in paths:
            with opened(path) as file:
                name = path.name.removesuffix(".gz")
                found.append(Record(name, file.read().decode("utf-8"), path=name))
        return found
    records = []
    for number, (place, row) in enumerate(_rows(view, folder, part), 1):
        id = flat(_field(row, view.columns["id"], place)) if "id" in view.columns else str(number)
        title = flat(_field(row, view.columns["title"], place)) if "title" in view.columns else ""
        kept: dict[str, Scalar] = {
            name: value for name, value in row.items() if isinstance(value, str | int | float | bool)
        }
        for name in ("text", "title", "id"):
            kept.pop(str(view.columns.get(name)), None)
        records.append(Record(id, flat(_field(row, view.columns["text"], place)), title, kept))
    return records


def _plain_rows(view: View, folder: Path, part: str) -> list[Row]:
    path = locate(folder, str(view.parts[part]))
    if suffix(path) == ".json":
        import json

        with opened(path) as file:
            return [{"id": id, "value": value} for id, value in json.load(file).items()]
    return [row for _, row in _rows(view, folder, part)]


def _arrays(view: View, folder: Path, part: str) -> dict[str, Any]:
    with np.load(locate(folder, str(view.parts[part])), allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


FORMS: dict[str, Callable[[View, Path, str], Any]] = {
    "test-collection": _test_collection,
    "mining": _mining,
    "scored-pairs": _scored_pairs,
    "labelled-pairs": _labelled_pairs,
    "labelled-texts": _labelled_texts,
    "scored-texts": _scored_texts,
    "parallel": _parallel,
    "candidates": _candidates,
    "analogies": _analogies,
    "tagged": _tagged,
    "text-pairs": _text_pairs,
    "paired-collection": _paired_collection,
    "documents": _documents,
    "rows": _plain_rows,
    "arrays": _arrays,
}
