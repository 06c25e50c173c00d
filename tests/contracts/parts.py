"""How each part of the package is built for its contract: tiny and in milliseconds.

A new part adds a file to ``builders/`` with one of the dictionaries below (``encoders``, ``transforms`` ...); a part
that is found in the package but not built here or there fails ``test_discovery``.
"""

from __future__ import annotations

import importlib.util
import io
import json
import sys
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from isogloss.arrays import CSR, Ragged, Similarity, Vectors
from isogloss.collection.collection import Collection
from isogloss.encoders.lexical import WordEncoder
from isogloss.encoders.static import StaticEncoder, TokenVectors
from isogloss.encoders.transformer import TransformerEncoder
from isogloss.index.exact import Exact
from isogloss.index.inverted import Inverted
from isogloss.protocols import Encoder, Record
from isogloss.transforms.projection import PCA
from isogloss.transforms.quantization import Int8Quantizer
from isogloss.vocabulary.wordpiece import WordPiece

left_out: dict[str, str] = {}
"""Parts that no contract can hold, each with its reason."""


# Encoders


@dataclass(frozen=True)
class Made:
    """An encoder; the same built again; others that differ in one setting each."""

    encoder: Encoder
    again: Encoder
    others: tuple[Encoder, ...] = ()


LETTERS = [chr(code) for code in range(33, 127) if not chr(code).isupper()]
TOKENS = ["[UNK]", *LETTERS, *(f"##{letter}" for letter in LETTERS), "heat", "wing", "archive", "##ed", "the"]


def _static(tokens: int = len(TOKENS), seed: int = 0, **settings: Any) -> StaticEncoder:
    vectors = np.random.default_rng(seed).standard_normal((tokens, 24)).astype(np.float32)
    return StaticEncoder(WordPiece(TOKENS[:tokens]), TokenVectors.quantised(vectors), **settings)


def _static_made(folder: Path) -> Made:
    others = _static(seed=1), _static(len(TOKENS) - 1), _static(finish="mean"), _static(skip_unknown=True)
    return Made(_static(), _static(), others)


def _words_made(folder: Path) -> Made:
    others = (WordEncoder(language="en"), WordEncoder(language="en", stop_words=True), WordEncoder(fold_accents=False))
    return Made(WordEncoder(), WordEncoder(), (*others, WordEncoder(language="de")))


def _quantizer(coverage: float = 1.0) -> Int8Quantizer:
    return Int8Quantizer(coverage=coverage).fit(np.random.default_rng(2).standard_normal((200, 24)) / 2)


def _then_made(folder: Path) -> Made:
    others = _static(seed=1).then(_quantizer()), _static().then(_quantizer(0.9)), _static()
    return Made(_static().then(_quantizer()), _static().then(_quantizer()), others)


def _tiny_model(folder: Path, **settings: Any) -> Path:
    """Write the tiny BERT of the encoders' own tests."""
    path = Path(__file__).parents[1] / "parts" / "encoders" / "conftest.py"
    spec = importlib.util.spec_from_file_location("tiny_model", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["tiny_model"] = module
    spec.loader.exec_module(module)
    written: Path = module.write_tiny_model(folder, **settings)
    return written


def _transformer_made(folder: Path) -> Made:
    first = _tiny_model(folder / "first", prompts={"query": "query: ", "document": ""})
    encoder = TransformerEncoder(first, threads=1)
    changes: list[dict[str, Any]] = [
        {"pooling": "cls"},
        {"normalise": False},
        {"seed": 3},
        {"lower": False},
        {"dense": True},
    ]
    others = [TransformerEncoder(_tiny_model(folder / str(i), **one), threads=1) for i, one in enumerate(changes)]
    return Made(encoder, TransformerEncoder(first, threads=2), (*others, TransformerEncoder(first, max_length=16)))


encoders: dict[str, Callable[[Path], Made]] = {
    "encoders.lexical.WordEncoder": _words_made,
    "encoders.static.StaticEncoder": _static_made,
    "encoders.surface.TransformedEncoder": _then_made,
    "encoders.transformer.TransformerEncoder": _transformer_made,
}


# Transforms

transforms: dict[str, Callable[[], Any]] = {
    "transforms.projection.PCA": PCA,
    "transforms.quantization.Int8Quantizer": Int8Quantizer,
}


# Indexes


@dataclass(frozen=True)
class IndexPart:
    """How to make an index, and ``vectors(n, seed)`` of the kind that it takes."""

    make: Callable[[], Any]
    vectors: Callable[[int, int], Vectors]
    positive: bool = False
    """Only rows with a score above zero are hits."""

    global_scores: bool = False
    """A score depends on the other live rows, as the words' statistics do."""


def _dense(count: int, seed: int) -> Vectors:
    # few distinct values, so that ties and duplicates occur
    return np.random.default_rng(seed).integers(-2, 3, (count, 6)).astype(np.float32)


def _counts(count: int, seed: int) -> CSR:
    rng = np.random.default_rng(seed)
    rows = [np.sort(rng.choice(12, rng.integers(1, 5), replace=False)) for _ in range(count)]
    offsets = np.cumsum([0, *map(len, rows)]).astype(np.int64)
    columns = np.concatenate([*rows, np.zeros(0, np.int64)]).astype(np.int64)
    return CSR(offsets, columns, rng.integers(1, 3, len(columns)).astype(np.float32), 2**63 - 1)


indexes: dict[str, IndexPart] = {
    "index.exact.Exact": IndexPart(Exact, _dense),
    "index.exact.Exact by dot": IndexPart(lambda: Exact(similarity=Similarity.DOT), _dense),
    "index.inverted.Inverted": IndexPart(Inverted, _counts, positive=True, global_scores=True),
}


# Searchers

DOCUMENTS = [
    Record("heat", "Heat conduction in composite slabs.", metadata={"year": 1958}),
    Record("wing", "A wing in a propeller slipstream.", metadata={"year": 1961}),
    Record("zip", "To read one file out of an archive, name the member.", metadata={"year": 2001}),
    Record("cats", "Cats sleep for most of the day.", metadata={"year": 2001}),
]


def _collection(folder: Path) -> Collection:
    collection = Collection.create(folder / "index", encoders=["words"])
    collection.add(DOCUMENTS)
    return collection


searchers: dict[str, Callable[[Path], Any]] = {"collection.collection.Collection": _collection}


# Readers


@dataclass(frozen=True)
class ReaderPart:
    """Contents of a sound file by suffix, the words it must give, and broken contents."""

    suffix: str
    sound: bytes
    words: tuple[str, ...]
    broken: tuple[bytes, ...] = field(default=(b"", b" \n\t\n"))


def _zip(names: dict[str, str]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, text in names.items():
            archive.writestr(name, text)
    return stream.getvalue()


def _docx() -> bytes:
    import docx

    document, stream = docx.Document(), io.BytesIO()
    document.add_heading("Heat", 1)
    document.add_paragraph("Heat flows from warm to cold.")
    document.save(stream)
    return stream.getvalue()


def _parquet() -> bytes:
    import pyarrow
    import pyarrow.parquet

    stream = io.BytesIO()
    table = pyarrow.table({"id": ["a", "b"], "text": ["Heat flows from warm to cold.", "Cats sleep all day."]})
    pyarrow.parquet.write_table(table, stream)
    return stream.getvalue()


def _pdf() -> bytes:
    """A PDF of one page, written by hand."""
    shown = b"BT /F1 24 Tf 72 700 Td (Heat flows from warm to cold.) Tj ET"
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>",
        b"<</Length %d>>\nstream\n%s\nendstream" % (len(shown), shown),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]
    out, places = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    return out + b"xref\n0 6\n0000000000 65535 f \n%strailer\n<</Size 6/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % (
        table,
        len(out),
    )


def _lines(*rows: dict[str, str]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


HEAT, CATS = "Heat flows from warm to cold.", "Cats sleep all day."
ROWS = {"id": "a", "text": HEAT}, {"id": "b", "text": CATS}
NO_ZIP = (b"", b"PK\x03\x04 cut", _zip({"other.xml": "<a/>"}))

readers: dict[str, ReaderPart] = {
    "delimited": ReaderPart(".csv", f"id,text\na,{HEAT}\nb,{CATS}\n".encode(), ("Heat", "Cats"), (b"", b"id,text\n")),
    "docx": ReaderPart(".docx", b"", ("Heat",), NO_ZIP),
    "html": ReaderPart(".html", f"<h1>Title</h1><p>{HEAT}</p><script>no()</script>".encode(), ("Heat", "Title")),
    "json_values": ReaderPart(".json", json.dumps(ROWS).encode(), ("Heat", "Cats"), (b"", b'[{"text": "a"', b"[]")),
    "jsonl": ReaderPart(".jsonl", _lines(*ROWS), ("Heat", "Cats"), (b"", b"{]\n", b'{"id": "a"}\n')),
    "markdown": ReaderPart(".md", f"# Title\n\n{HEAT}\n".encode(), ("Heat", "Title")),
    "parquet": ReaderPart(".parquet", b"", ("Heat", "Cats"), (b"", b"PAR1 cut", b"\x00" * 100)),
    "pdf": ReaderPart(".pdf", b"", ("Heat",), (b"", b"%PDF-1.4 cut", b"\x00" * 100)),
    "rst": ReaderPart(".rst", f"Title\n=====\n\n{HEAT}\n".encode(), ("Heat", "Title")),
    "text": ReaderPart(".txt", HEAT.encode(), ("Heat",)),
}

BINARY: dict[str, Callable[[], bytes]] = {"docx": _docx, "parquet": _parquet, "pdf": _pdf}
"""Sound files that are made when they are needed, by the extra's own libraries."""


# Objectives


@dataclass(frozen=True)
class ObjectivePart:
    """An objective, and right outputs and batches of ``case(items, seed)`` for it, in float64 and with gradients.

    ``wrong(outputs, batch)`` pairs them wrongly. ``scale_free`` outputs may be of any size. ``opted_out`` names tests
    of ``test_objectives`` that cannot hold, each with its reason. ``select(outputs, batch, items)`` gives what belongs
    to some items, in their order, where it is not one row of each tensor.
    """

    make: Callable[[], Any]
    case: Callable[[int, int], tuple[Any, Any]]
    wrong: Callable[[Any, Any], tuple[Any, Any]] | None = None
    scale_free: bool = False
    opted_out: dict[str, str] = field(default_factory=dict)
    select: Callable[[Any, Any, Any], tuple[Any, Any]] | None = None


objectives: dict[str, ObjectivePart] = {}
"""All are built in ``builders/workshop_*``."""


def _collect() -> None:
    """Take over what the files of ``builders/`` build; those named ``workshop_...`` need torch."""
    own: dict[str, dict[str, Any]] = {
        "encoders": encoders, "transforms": transforms, "indexes": indexes, "searchers": searchers,
        "readers": readers, "objectives": objectives, "left_out": left_out,
    }  # fmt: skip
    sys.modules.setdefault("contract_parts", sys.modules[__name__])  # builders say: from contract_parts import Made
    for path in sorted((Path(__file__).parent / "builders").glob("*.py")):
        if path.stem.startswith("workshop_") and not importlib.util.find_spec("torch"):
            continue
        spec = importlib.util.spec_from_file_location(f"builders_{path.stem}", path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
        for kind, built in own.items():
            built |= getattr(module, kind, {})


_collect()


def sound(name: str) -> bytes:
    """Return the content of a sound file of a format."""
    return BINARY[name]() if name in BINARY else readers[name].sound


def encode_all(folder: Path, texts: list[str]) -> Iterator[tuple[str, str, Vectors]]:
    """Yield name, identity and vectors of each encoder; a new process compares with ours."""
    for number, (name, build) in enumerate(encoders.items()):
        (folder / str(number)).mkdir(parents=True, exist_ok=True)
        encoder = build(folder / str(number)).encoder
        yield name, encoder.identity, encoder.encode(texts)


def main(texts: str, out: str) -> None:
    """Encode ``texts`` (a JSON file) by every encoder and save what comes out; called in a new process."""
    stored: dict[str, Any] = {}
    folder = Path(out).with_suffix("")
    for name, identity, vectors in encode_all(folder, json.loads(Path(texts).read_text(encoding="utf-8"))):
        stored[f"{name} identity"] = np.array(identity)
        dense = vectors.values if isinstance(vectors, CSR | Ragged) else vectors
        stored[f"{name} values"] = np.asarray(dense)
        if isinstance(vectors, CSR):
            stored[f"{name} indices"], stored[f"{name} offsets"] = vectors.indices, vectors.offsets
    np.savez(out, **stored)


if __name__ == "__main__":
    main(*sys.argv[1:])
