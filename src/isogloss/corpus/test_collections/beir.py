"""Folders in the layout of BEIR: corpus.jsonl, queries.jsonl, qrels/SPLIT.tsv, each plain or gzip."""

from __future__ import annotations

from pathlib import Path

from isogloss.corpus.judgements import TestCollection, distinct
from isogloss.corpus.test_collections.qrels import keep_known, read_qrels
from isogloss.corpus.test_collections.queries import read_queries
from isogloss.corpus.test_collections.tables import Layout, fault, identifier, read_columns
from isogloss.errors import CorpusError
from isogloss.protocols import Record

_DOCUMENT = Layout(
    {"id": ("_id", "id", "doc_id", "docid"), "text": ("text", "contents", "body")},
    {},
    "JSON Lines with _id, text and perhaps title",
    optional={"title": ("title",)},
)


def read_beir(folder: str | Path, split: str = "test") -> TestCollection:
    """Read a test collection.

    Parameters
    ----------
    folder
        Holds ``corpus.jsonl``, ``queries.jsonl`` and ``qrels/SPLIT.tsv``, each plain or with ``.gz``.
    split
        Which judgements.

    Returns
    -------
    TestCollection
        All documents (title and text apart, as they stand; either may be empty); of the questions those that the
        split judges; ``unknown`` counts judgements that name unknown ids (left out with a warning) and, as
        ``unjudged question``, questions that no split judges.

    Raises
    ------
    CorpusError
        Where a file is missing (the message names what is there), holds an id twice, or is not as expected.
    """
    root = Path(folder)
    if not root.is_dir():
        raise CorpusError(f"there is no folder {folder}", "", "pass a folder with corpus.jsonl, queries.jsonl, qrels/")
    judged = _split(root, split)
    documents = read_documents(_file(root, "corpus.jsonl"))
    queries = read_queries(_file(root, "queries.jsonl"))
    qrels, unknown = keep_known(
        read_qrels(judged), queries, (document.id for document in documents), f"{root.name}/qrels/{split}"
    )
    elsewhere = set(qrels)
    for name in splits(root):
        if name != split:
            elsewhere |= set(read_qrels(_split(root, name)))
    alone = sum(id not in elsewhere for id in queries)
    if alone:
        unknown["unjudged question"] = alone
    asked = {id: text for id, text in queries.items() if id in qrels}
    return TestCollection(documents, asked, qrels, root.name, unknown)


def splits(folder: str | Path) -> list[str]:
    """Return the names of the judgements of a BEIR folder, in alphabetical order."""
    files = (file.name.removesuffix(".gz") for file in (Path(folder) / "qrels").glob("*"))
    return sorted({name.removesuffix(".tsv") for name in files if name.endswith(".tsv")})


def read_documents(path: str | Path) -> list[Record]:
    """Read the documents of a test collection: JSON Lines with ``_id``, ``text`` and perhaps ``title``.

    Raises
    ------
    CorpusError
        For an id that stands twice, or a text or title that is none; empty ones stay, as test collections have them.
    """
    records = []
    for line, (id, body, title) in read_columns(path, _DOCUMENT):
        for part, what in ((body, "text"), (title or "", "title")):
            if not isinstance(part, str):
                raise fault(path, line, f"the {what} is {part!r}", _DOCUMENT.expected)
        records.append(Record(identifier(id, path, line, "document"), body, title or "", reader="test-collection/1"))
    distinct((record.id for record in records), "document")
    return records


def _split(root: Path, split: str) -> Path:
    for name in (f"{split}.tsv", f"{split}.tsv.gz"):
        if (root / "qrels" / name).is_file():
            return root / "qrels" / name
    there = splits(root)
    raise CorpusError(
        f"{root} has no qrels/{split}.tsv", f"it has the splits: {', '.join(there) or 'none'}", "name one of them"
    )


def _file(root: Path, name: str) -> Path:
    for path in (root / name, root / f"{name}.gz"):
        if path.is_file():
            return path
    raise CorpusError(f"{root} has no {name} (nor {name}.gz)", "a BEIR folder needs it", "pass another folder")
