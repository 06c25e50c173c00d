"""The systems that questions without labels must put in order: words, static and transformer vectors, fusions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import Hits
from isogloss.index.exact import Exact
from isogloss.index.fusion import reciprocal_rank, weighted
from isogloss.index.inverted import Inverted
from isogloss.protocols import Record
from isogloss.seeding import generator
from isogloss.text.sentences import sentences
from isogloss.transforms.projection import PCA
from vector_store import CUT, LAYERS, VectorStore

DEPTH = 100
WORDS: dict[str, tuple[dict[str, Any], dict[str, float]]] = {
    "words": ({}, {"k1": 0.9, "b": 0.4}),
    "words:en": ({"language": "en"}, {"k1": 0.9, "b": 0.4}),
    "words:en without function words": ({"language": "en", "stop_words": True}, {"k1": 0.9, "b": 0.4}),
    "words k1 2 b .75": ({}, {"k1": 2.0, "b": 0.75}),
    "words k1 1.2 b 0": ({}, {"k1": 1.2, "b": 0.0}),
}
REDUCED = {"static to 64": ("static", 64), "minilm to 64": ("minilm", 64), "minilm to 16": ("minilm", 16)}
LATENT = {"latent 200": 200, "latent 50": 50}
FUSED = {
    "rrf words + minilm": (reciprocal_rank, ("words", "minilm"), (1.0, 1.0)),
    "rrf words + static": (reciprocal_rank, ("words", "static"), (1.0, 1.0)),
    "weighted words:en + minilm": (weighted, ("words:en", "minilm"), (1.0, 1.0)),
    "weighted words + latent 200": (weighted, ("words", "latent 200"), (1.0, 0.5)),
}


def search_all(records: Sequence[Record], queries: Sequence[str], store: VectorStore) -> dict[str, Hits]:
    """Return the best 100 documents of each question by every system; a document is its title, a space, its text."""
    texts = [f"{record.title} {record.text}".strip() for record in records]
    found = {name: _words(texts, queries, *settings) for name, settings in WORDS.items()}
    found["title only"] = _words([_title(record) for record in records], queries, {}, {"k1": 0.9, "b": 0.4})
    dense = _dense(texts, queries, store)
    dense |= {name: _reduced(dense[of], size) for name, (of, size) in REDUCED.items()}
    dense["minilm at random to 64"] = _at_random(dense["minilm"], 64)
    found |= {name: _nearest(*vectors) for name, vectors in dense.items()}
    found |= _latent(texts, queries)
    for name, (fuse, parts, weights) in FUSED.items():
        found[name] = fuse([found[part] for part in parts], DEPTH, weights=weights)
    return found


def _title(record: Record) -> str:
    if record.title or not record.text:
        return record.title
    start, end = sentences(record.text)[0]
    return record.text[start:end]


def _words(texts: Sequence[str], queries: Sequence[str], rules: dict[str, Any], ranks: dict[str, float]) -> Hits:
    from isogloss.encoders.lexical import WordEncoder

    encoder, index = WordEncoder(**rules), Inverted(**ranks)
    index.add(np.arange(len(texts), dtype=np.int64), encoder.encode(texts))
    return index.search(encoder.encode(list(queries)), DEPTH)


Both = tuple[NDArray[np.float32], NDArray[np.float32]]


def _dense(texts: Sequence[str], queries: Sequence[str], store: VectorStore) -> dict[str, Both]:
    from isogloss.encoders.names import load_encoder

    static = load_encoder("static", threads=1)
    found = {"static": (_unit(static.encode(texts)), _unit(static.encode(list(queries))))}
    for name in (*LAYERS, *CUT):
        found[name] = (store.get(name, texts), store.get(name, queries))
    return found


def _reduced(vectors: Both, size: int) -> Both:
    fitted = PCA(dimensions=min(size, len(vectors[0]))).fit(vectors[0])
    return _unit(fitted.transform(vectors[0])), _unit(fitted.transform(vectors[1]))


def _at_random(vectors: Both, size: int) -> Both:
    directions = generator(0, "random projection").standard_normal((vectors[0].shape[1], size)).astype(np.float32)
    return _unit(vectors[0] @ directions), _unit(vectors[1] @ directions)


def _latent(texts: Sequence[str], queries: Sequence[str]) -> dict[str, Hits]:
    """Rank by cosine of words weighted by log count and rarity, and of their singular vectors."""
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer

    counted = TfidfVectorizer(sublinear_tf=True)
    rows, asked = counted.fit_transform(texts), counted.transform(queries)
    found = {"tf-idf cosine": _best((asked @ rows.T).toarray())}
    for name, size in LATENT.items():
        fitted = TruncatedSVD(min(size, rows.shape[0] - 1), random_state=0, n_iter=4).fit(rows)
        found[name] = _nearest(_unit(fitted.transform(rows)), _unit(fitted.transform(asked)))
    return found


def _unit(vectors: Any) -> NDArray[np.float32]:
    rows = np.asarray(vectors, np.float32)
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)


def _nearest(documents: NDArray[np.float32], queries: NDArray[np.float32]) -> Hits:
    index = Exact()
    index.add(np.arange(len(documents), dtype=np.int64), documents)
    return index.search(queries, min(DEPTH, len(documents)))


def _best(scores: NDArray[np.float64]) -> Hits:
    order = np.argsort(-scores, axis=1, kind="stable")[:, :DEPTH]
    return Hits(order.astype(np.int64), np.take_along_axis(scores, order, 1).astype(np.float32))
