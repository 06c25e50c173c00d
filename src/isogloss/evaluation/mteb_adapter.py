"""Isogloss encoders under the ``mteb`` package (extra ``mteb``): an object that ``mteb.evaluate`` takes as a model."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from isogloss.arrays import Similarity, Vectors
from isogloss.corpus.judgements import RankedRun
from isogloss.errors import MissingExtraError, UsageError
from isogloss.evaluation.ranking import document_text, fitting_index
from isogloss.evaluation.tasks.pairwise import alike
from isogloss.protocols import Encoder, EncodeReport, Record, Role


def as_mteb(encoder: Encoder, *, name: str = "") -> MtebEncoder | MtebSearcher:
    """Wrap an encoder for ``mteb.evaluate`` (mteb 2.26 or later of version 2).

    Parameters
    ----------
    encoder
        Any encoder of texts. One with dense vectors runs every kind of task. Words and sets of vectors have no array
        that mteb could compare; they run retrieval and reranking tasks, searched by our own index.
    name
        Name in the results, as ``organisation/model``; ``isogloss/`` and the encoder's name where empty. The revision
        is the encoder's identity.

    Returns
    -------
    MtebEncoder or MtebSearcher
        Its ``report`` says afterwards what was cut.

    Raises
    ------
    MissingExtraError
        Where mteb is not installed.

    Examples
    --------
    With the extra installed::

        results = mteb.evaluate(as_mteb(load_encoder("minilm")), mteb.get_task("STSBenchmark"))
    """
    meta = _meta(encoder, name)
    if isinstance(encoder.probes, np.ndarray) and encoder.similarity in (Similarity.COSINE, Similarity.DOT):
        return MtebEncoder(encoder, meta)
    return MtebSearcher(encoder, meta)


class MtebEncoder:
    """What mteb calls an encoder; made by :func:`as_mteb`.

    Parameters
    ----------
    model
        The encoder.
    meta
        mteb's ``ModelMeta`` of it.
    """

    def __init__(self, model: Encoder, meta: Any) -> None:
        self.model, self.mteb_model_meta = model, meta
        self.report = EncodeReport()

    def encode(self, inputs: Iterable[Mapping[str, Any]], *, prompt_type: Any = None, **others: Any) -> Any:
        """Encode mteb's batches of texts in the role that ``prompt_type`` names: ``(n, d)`` float32.

        Everything else that mteb tells (task, split, batch size) changes nothing.
        """
        texts = [text for batch in inputs for text in _texts(batch)]
        return self.model.encode(texts, role=_role(prompt_type), report=self.report)

    def similarity(self, embeddings1: Any, embeddings2: Any) -> Any:
        """Compare each of the first vectors with each of the second: ``(n, m)``, a single number for two vectors."""
        a, b = np.asarray(embeddings1, np.float32), np.asarray(embeddings2, np.float32)
        scores = self.model.similarity(np.atleast_2d(a), np.atleast_2d(b))
        return scores[0, 0] if a.ndim == b.ndim == 1 else scores

    def similarity_pairwise(self, embeddings1: Any, embeddings2: Any) -> Any:
        """Compare vectors row by row: ``(n,)`` float64."""
        a, b = np.asarray(embeddings1, np.float32), np.asarray(embeddings2, np.float32)
        return alike(np.atleast_2d(a), np.atleast_2d(b), self.model.similarity)


class MtebSearcher:
    """What mteb calls a search model; made by :func:`as_mteb`.

    Parameters
    ----------
    model
        The encoder.
    meta
        mteb's ``ModelMeta`` of it.
    """

    def __init__(self, model: Encoder, meta: Any) -> None:
        self.model, self.mteb_model_meta = model, meta
        self.report = EncodeReport()
        self._ids: list[str] = []
        self._vectors: Vectors | None = None

    def index(self, corpus: Iterable[Mapping[str, Any]], **others: Any) -> None:
        """Encode the documents of a task, in place of those of the task before."""
        records = [Record(row["id"], row["text"], row.get("title") or "") for row in corpus]
        records.sort(key=lambda record: record.id, reverse=True)  # equal scores: falling ids, as trec_eval has it
        self._ids = [record.id for record in records]
        texts = [document_text(record) for record in records]
        self._vectors = self.model.encode(texts, role="document", report=self.report)

    def search(
        self,
        queries: Iterable[Mapping[str, Any]],
        *,
        top_k: int,
        top_ranked: Mapping[str, Sequence[str]] | None = None,
        **others: Any,
    ) -> dict[str, dict[str, float]]:
        """Return for each question the scores of its best documents, of ``top_ranked`` where given.

        Raises
        ------
        UsageError
            Where nothing is indexed, or a question is no text.
        """
        if self._vectors is None:
            raise UsageError("nothing is indexed", "search was called before index", "call index first")
        index = fitting_index(self.model, self._vectors)
        index.add(np.arange(len(self._ids)), self._vectors)
        asked = {row["id"]: next(iter(_texts({"text": [row["text"]]}))) for row in queries}
        vectors = self.model.encode(list(asked.values()), role="query", report=self.report)
        if top_ranked is None:
            hits = index.search(vectors, min(top_k, len(self._ids)))
            return {
                query: {self._ids[row]: float(score) for row, score in zip(rows, scores, strict=True) if row >= 0}
                for query, rows, scores in zip(asked, hits.rows, hits.scores, strict=True)
            }
        rows = {id: row for row, id in enumerate(self._ids)}
        found: dict[str, dict[str, float]] = {}
        for place, query in enumerate(asked):
            allow = np.zeros(len(rows), np.bool_)
            allow[[rows[document] for document in top_ranked.get(query, ())]] = True
            one = index.search(_row(vectors, place), len(rows), allow)
            found[query] = dict.fromkeys(top_ranked.get(query, ()), 0.0)  # a candidate that shares no word is one too
            found[query] |= {
                self._ids[row]: float(score) for row, score in zip(one.rows[0], one.scores[0], strict=True) if row >= 0
            }
        return {query: _best(scores, top_k) for query, scores in found.items()}


def _row(vectors: Vectors, place: int) -> Vectors:
    from isogloss.evaluation.tasks.encode import taken

    return taken(vectors, np.array([place]))


def _best(scores: dict[str, float], k: int) -> dict[str, float]:
    run = RankedRun.from_scores({"": scores})
    return dict(zip(run.documents[0][:k], run.scores[0][:k].tolist(), strict=True))


def _texts(batch: Mapping[str, Any]) -> list[str]:
    texts = batch.get("text")
    if texts is None or not all(isinstance(text, str) for text in texts):
        why = f"the task gives {', '.join(sorted(batch))}"
        raise UsageError("this encoder takes texts only", why, "choose tasks whose modality is text")
    return list(texts)


def _role(prompt_type: Any) -> Role | None:
    name = getattr(prompt_type, "value", prompt_type)
    return "query" if name == "query" else "document" if name == "document" else None


def _meta(encoder: Encoder, name: str) -> Any:
    try:
        from mteb.models.model_meta import ModelMeta
    except ImportError as error:
        raise MissingExtraError("mteb is not installed", str(error), 'run: pip install "isogloss[mteb]"') from error
    own = re.sub(r"[^A-Za-z0-9._-]+", "-", str(getattr(encoder, "name", "") or "encoder")).strip("-")
    known: dict[str, Any] = {"name": name or f"isogloss/{own}", "revision": encoder.identity, "modalities": ["text"]}
    if encoder.similarity in (Similarity.COSINE, Similarity.DOT):
        known["similarity_fn_name"] = encoder.similarity.value
    window = int(getattr(encoder, "window", 0))
    if window:
        known["max_tokens"] = window
    if isinstance(encoder.probes, np.ndarray):
        known["embed_dim"] = int(encoder.probes.shape[1])
    empty = ModelMeta.create_empty().model_dump()
    return ModelMeta(**(empty | known))
