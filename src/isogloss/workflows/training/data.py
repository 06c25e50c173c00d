"""What a user trains on, in one shape: columns of texts, targets, and which rows must stay together."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from isogloss.corpus.examples import LabelledPairs, LabelledTexts, ParallelTexts, ScoredPairs, TextPairs
from isogloss.corpus.judgements import TestCollection
from isogloss.errors import CorpusError, UsageError
from isogloss.seeding import generator

Kind = Literal["pairs", "scored pairs", "labelled pairs", "labelled texts", "texts"]
_TABLES = (".jsonl", ".tsv", ".csv", ".jsonl.gz", ".tsv.gz", ".csv.gz")


@dataclass(frozen=True, slots=True)
class TrainingData:
    """Rows to train on.

    Attributes
    ----------
    name
        For reports.
    kind
        ``pairs`` (anchor, positive, negatives), ``scored pairs``, ``labelled pairs`` (1: same, 0: not),
        ``labelled texts`` or ``texts``.
    columns
        Columns of texts, equally long: two or more for pairs, else as the kind says.
    groups
        ``(n,)`` int64: rows with the same number share a document or a text and are never split.
    targets
        ``(n,)`` scores or labels, or None.
    notes
        What was done to the rows, in sentences with counts.
    """

    name: str
    kind: Kind
    columns: tuple[list[str], ...]
    groups: NDArray[np.int64]
    targets: NDArray[Any] | None = None
    notes: tuple[str, ...] = field(default=())

    def __len__(self) -> int:
        return len(self.columns[0])

    def take(self, rows: NDArray[np.int64]) -> TrainingData:
        """Return some of the rows."""
        columns = tuple([column[i] for i in rows] for column in self.columns)
        targets = None if self.targets is None else self.targets[rows]
        return replace(self, columns=columns, groups=self.groups[rows], targets=targets)

    def texts(self) -> list[str]:
        """Return every distinct text, in order."""
        return list(dict.fromkeys(text for column in self.columns for text in column))


def read_training_data(place: str, *, split: str = "train", seed: int = 0) -> TrainingData:
    """Read what a user trains on.

    Parameters
    ----------
    place
        A file of pairs (``query pos neg``, ``anchor positive negative_1``), of scored or labelled pairs, of labelled
        texts, or of plain texts (``.txt``, one a line); a folder in BEIR layout; a folder of documents; or the name of
        a data set with a card.
    split
        Which judgements of a BEIR folder, which part of a data set.
    seed
        Of texts that stand in where a row has too few negatives.

    Raises
    ------
    CorpusError
        Where nothing can be read, or fewer than two rows are left.
    UsageError
        Where the folder or data set has no such part.
    """
    path = Path(place).expanduser()
    if path.is_file():
        found = _file(path, seed)
    elif path.is_dir():
        found = _folder(path, split)
    else:
        found = _known(place, split)
    usable = np.array([i for i, row in enumerate(zip(*found.columns, strict=True)) if all(map(str.strip, row))])
    if len(usable) < len(found):
        said = f"{len(found) - len(usable):,} of {len(found):,} rows with an empty text were left out"
        found = replace(found.take(usable.astype(np.int64)), notes=(*found.notes, said))
    if len(found) < 2:
        raise CorpusError(f"there is too little to train on in {place}", f"{len(found)} usable rows", "give more rows")
    if len(found.texts()) < 2:
        raise CorpusError(f"all texts of {place} are equal", found.columns[0][0][:60], "look at the file's columns")
    return found


def _file(path: Path, seed: int) -> TrainingData:
    from isogloss.corpus.test_collections.labelled import read_labelled
    from isogloss.corpus.test_collections.pairs import LEFT, RIGHT, read_pairs
    from isogloss.corpus.test_collections.tables import has_names, text_lines
    from isogloss.corpus.test_collections.training_pairs import holds_training_pairs, read_training_pairs

    if path.name.endswith((".txt", ".txt.gz")):
        return _texts([line.strip() for _, line in text_lines(path) if line.strip()], path.name)
    if not path.name.endswith(_TABLES):
        raise UsageError(
            f"{path.name} is no file to train on", f"known endings: .txt, {', '.join(_TABLES)}", "convert it, or"
            " pass a folder of documents",
        )  # fmt: skip
    if holds_training_pairs(path):
        pairs = read_training_pairs(path)
        return _pairs(path.name, pairs.anchors, pairs.positives, pairs.negatives, pairs.groups, seed)
    if has_names(path, {"left": LEFT, "right": RIGHT}):
        return of_examples(read_pairs(path), path.name)
    if has_names(path, {"text": ("text", "sentence"), "label": ("label", "category", "class")}):
        return of_examples(read_labelled(path), path.name)
    return _texts([record.text for record in _documents(path)], path.name)


def _folder(path: Path, split: str) -> TrainingData:
    if not (path / "qrels").is_dir():
        return _texts([record.text for record in _documents(path)], path.name)
    from isogloss.corpus.test_collections.beir import read_beir, splits

    if split not in splits(path):
        raise UsageError(
            f"{path.name} has no judgements called {split}", f"it has {', '.join(splits(path)) or 'none'}",
            "name one with --split; whatever you train on can no longer be measured on",
        )  # fmt: skip
    return of_examples(read_beir(path, split), path.name)


def _known(name: str, split: str) -> TrainingData:
    from isogloss.evaluation.datasets.card import card, names
    from isogloss.evaluation.datasets.load import load

    if name not in names() or os.sep in name:
        raise CorpusError(f"there is nothing to train on at {name}", "it is no file, folder or data set", "check it")
    parts = [part for view in card(name).views for part in view.parts]
    if split not in parts:
        raise UsageError(f"{name} has no part {split}", f"it has {', '.join(parts)}", "name one with --split")
    return of_examples(load(name, part=split), name)


def _documents(path: Path) -> list[Any]:
    from isogloss.corpus.read import read

    return [one for one in read(path) if hasattr(one, "text")]


def of_examples(examples: Any, name: str) -> TrainingData:
    """Return plain examples of :mod:`isogloss.corpus` as rows to train on.

    Raises
    ------
    UsageError
        For examples that nothing is trained on.
    """
    if isinstance(examples, TestCollection):
        texts = {one.id: f"{one.title} {one.text}".strip() for one in examples.documents}
        found = [(q, d) for q, judged in examples.qrels.items() for d, grade in judged.items() if grade > 0]
        queries, documents = [examples.queries[q] for q, _ in found], [texts[d] for _, d in found]
        return _pairs(name, queries, documents, [], [d for _, d in found], 0)
    if isinstance(examples, TextPairs):
        negatives = [[one] for one in examples.negatives]
        return _pairs(name, examples.queries, examples.positives, negatives, [], 0)
    if isinstance(examples, ParallelTexts):
        return _pairs(name, examples.source, examples.target, [], [], 0)
    if isinstance(examples, ScoredPairs | LabelledPairs):
        scored = isinstance(examples, ScoredPairs)
        targets = examples.scores if isinstance(examples, ScoredPairs) else examples.labels
        columns = (examples.left, examples.right)
        groups = together(columns)
        return TrainingData(name, "scored pairs" if scored else "labelled pairs", columns, groups, targets)
    if isinstance(examples, LabelledTexts):
        groups = together((examples.texts,))
        return TrainingData(name, "labelled texts", (examples.texts,), groups, examples.labels)
    if isinstance(examples, list) and all(isinstance(one, str) for one in examples):
        return _texts(examples, name)
    raise UsageError(f"nothing is trained on {type(examples).__name__}", name, "give pairs, labelled texts or texts")


def _texts(texts: Sequence[str], name: str) -> TrainingData:
    distinct = list(dict.fromkeys(texts))
    said = (f"{len(texts) - len(distinct):,} repeated texts were left out",) if len(distinct) < len(texts) else ()
    if not distinct:
        raise CorpusError(f"there is no text in {name}", "", "check the path")
    return TrainingData(name, "texts", (distinct,), np.arange(len(distinct)), None, said)


def _pairs(
    name: str, anchors: list[str], positives: list[str], negatives: Sequence[Sequence[str]], groups: list[str],
    seed: int,
) -> TrainingData:  # fmt: skip
    """Make columns of equal length: as many negatives a row as most rows have that have any."""
    counts = [len(one) for one in negatives if one]
    notes: tuple[str, ...] = ()
    columns = [anchors, positives]
    if counts:
        width = int(np.bincount(counts).argmax())
        short = sum(len(one) < width for one in negatives)
        cut = sum(len(one) > width for one in negatives)
        if short or cut:
            notes = (
                f"{width} negatives a row: {short:,} rows have fewer and got random other texts in their place, "
                f"{cut:,} have more and lost the last ones",
            )
        filled = [_filled(own, width, positives, i, seed) for i, own in enumerate(negatives)]
        columns += [[row[i] for row in filled] for i in range(width)]
    return TrainingData(name, "pairs", tuple(columns), together(columns[:2], groups), None, notes)


def _filled(own: Sequence[str], width: int, others: Sequence[str], row: int, seed: int) -> list[str]:
    if len(own) >= width:
        return list(own[:width])
    drawn = generator(seed, "negatives", row).integers(0, len(others), 4 * width)
    spare = [others[i] for i in drawn if others[i] != others[row]] or [others[(row + 1) % len(others)]]
    return [*own, *(spare[i % len(spare)] for i in range(width - len(own)))]


def together(columns: Sequence[Sequence[str]], groups: Sequence[str] = ()) -> NDArray[np.int64]:
    """Give rows numbers so that those which share a text in one of the columns, or a group, get the same one.

    Parameters
    ----------
    columns
        Columns of texts, equally long.
    groups
        For each row the name of its group; empty for none.

    Examples
    --------
    >>> together((["a", "b", "a", "c"], ["x", "y", "z", "y"])).tolist()
    [0, 1, 0, 1]
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    rows = len(columns[0])
    keys: dict[tuple[int, str], int] = {}
    edges: list[tuple[int, int]] = []
    for number, column in enumerate([*columns, *([groups] if groups else [])]):
        own = -1 if number == len(columns) else 0  # a group is no text; equal texts in two columns are the same text
        edges += [(i, rows + keys.setdefault((own, text), len(keys))) for i, text in enumerate(column)]
    left, right = np.array(edges, np.int64).T
    size = rows + len(keys)
    graph = coo_array((np.ones(len(edges), np.int8), (left, right)), shape=(size, size))
    _, found = connected_components(graph, directed=False)
    _, numbers = np.unique(found[:rows], return_inverse=True)
    first = np.full(numbers.max() + 1, rows)
    np.minimum.at(first, numbers, np.arange(rows))
    return np.argsort(np.argsort(first))[numbers].astype(np.int64)
