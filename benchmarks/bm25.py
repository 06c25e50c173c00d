"""BM25 beside bm25s (Numba back end) and tantivy: indexing, and thousands of questions at a time.

Contests: ``index`` (text until the first answers), ``ids`` (questions a second on identical word numbers: the same
postings and scores for both, ``report`` has the sum of the scores), ``rare`` (the same without words that stand in more
than a tenth of the passages, as stop words would leave it), ``texts`` (questions as text, each with its own tokeniser)
and ``single`` (one question at a time, 20,000 passages). Passages are those of ``passages.py``, taken again from the
start where ``n`` is more than ``distinct``. ``*-all`` keep stop words as Isogloss does by default, ``*-en`` stem
English and leave out stop words. Options: ``n``, ``distinct``, ``queries``, ``k``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import Any

import passages as source
from runner import Contest, Contestant, main

OPTIONS = {"n": 100_000, "distinct": 15_000, "queries": 2000, "k": 10}
K1, B = 1.5, 0.75
WORD = re.compile(r"[^\W_]+")


def _texts(n: int, distinct: int) -> list[str]:
    found = [f"{row['title']} {row['text']}".strip() for row in source.passages(min(n, distinct))]
    return [found[i % len(found)] for i in range(n)]


def _tantivy_questions(index: Any, questions: list[str], k: int) -> list[Any]:
    searcher, found = index.searcher(), []
    for question in questions:
        query = index.parse_query(" ".join(WORD.findall(question.lower())), ["body"])
        found.append(searcher.search(query, k).hits)
    return found


# ------------------------------------------------------------------ the three systems, from texts


def isogloss_index(texts: list[str], **options: Any) -> Callable[[list[str], int], Any]:
    import numpy as np

    from isogloss.encoders.lexical import WordEncoder
    from isogloss.index.inverted import Inverted

    encoder, index = WordEncoder(**options), Inverted(k1=K1, b=B)
    index.add(np.arange(len(texts)), encoder.encode_document(texts))
    return lambda questions, k: index.search(encoder.encode_query(questions), k)


def bm25s_index(texts: list[str], stopwords: str | None = "en", stem: bool = False) -> Callable[[list[str], int], Any]:
    import bm25s

    settings: dict[str, Any] = {"stopwords": stopwords, "show_progress": False}
    if stem:
        import Stemmer

        settings["stemmer"] = Stemmer.Stemmer("english")
    if stopwords is None:
        settings["token_pattern"] = r"[^\W_]+"
    retriever = bm25s.BM25(backend="numba", k1=K1, b=B)
    retriever.index(bm25s.tokenize(texts, **settings), show_progress=False)
    threads = int(os.environ.get("NUMBA_NUM_THREADS", "1"))

    def search(questions: list[str], k: int) -> Any:
        words = bm25s.tokenize(questions, **settings)
        return retriever.retrieve(words, k=k, n_threads=threads, show_progress=False)

    return search


def tantivy_index(texts: list[str]) -> Callable[[list[str], int], Any]:
    import tantivy

    builder = tantivy.SchemaBuilder()
    builder.add_text_field("body", stored=False)
    builder.add_integer_field("id", stored=True)
    index = tantivy.Index(builder.build())
    writer = index.writer(200_000_000, 1)
    for i, text in enumerate(texts):
        writer.add_document(tantivy.Document(body=text, id=i))
    writer.commit()
    writer.wait_merging_threads()
    index.reload()
    return lambda questions, k: _tantivy_questions(index, questions, k)


def indexing(build: Callable[..., Any], **settings: Any) -> Callable[..., Any]:
    def setup(threads: int, n: int, distinct: int, queries: int, k: int) -> Any:
        texts, questions = _texts(n, distinct), source.questions(256)

        def run() -> int:
            build(texts, **settings)(questions, k)
            return len(texts)

        return run, lambda: {"passages": n, "distinct": min(n, distinct), "characters": sum(map(len, texts)) // n}

    return setup


def asking(build: Callable[..., Any], **settings: Any) -> Callable[..., Any]:
    def setup(threads: int, n: int, distinct: int, queries: int, k: int) -> Any:
        search, questions = build(_texts(n, distinct), **settings), source.questions(queries)

        def run() -> int:
            search(questions, k)
            return len(questions)

        return run

    return setup


def asking_singly(build: Callable[..., Any], **settings: Any) -> Callable[..., Any]:
    def setup(threads: int, n: int, distinct: int, queries: int, k: int) -> Any:
        search, questions = build(_texts(20_000, distinct), **settings), source.questions(300)

        def run() -> int:
            for question in questions:
                search([question], k)
            return len(questions)

        return run

    return setup


# ------------------------------------------------------------------ identical word numbers


def _numbered(n: int, distinct: int, queries: int, rare: bool) -> tuple[list[list[int]], list[list[int]]]:
    """Return passages and questions as lists of word numbers, the same for every contestant."""
    known = [WORD.findall(text.lower()) for text in _texts(min(n, distinct), distinct)]
    frequency: dict[str, int] = {}
    for words in known:
        for word in set(words):
            frequency[word] = frequency.get(word, 0) + 1
    kept = [word for word, count in frequency.items() if not rare or count * 10 <= len(known)]
    numbers = {word: i for i, word in enumerate(kept)}
    documents = [[numbers[word] for word in words if word in numbers] for words in known]
    asked = [
        [numbers[word] for word in WORD.findall(text.lower()) if word in numbers] for text in source.questions(queries)
    ]
    return [documents[i % len(documents)] for i in range(n)], [words for words in asked if words]


def _counts(lists: list[list[int]]) -> Any:
    import numpy as np

    from isogloss.arrays import CSR

    owners = np.repeat(np.arange(len(lists)), [len(words) for words in lists])
    keys = owners << 32 | np.fromiter((word for words in lists for word in words), np.int64, len(owners))
    keys, counts = np.unique(keys, return_counts=True)
    offsets = np.searchsorted(keys, np.arange(len(lists) + 1) << 32)
    return CSR(offsets, keys & 0xFFFFFFFF, counts.astype(np.float32), 2**32)


def isogloss_ids(rare: bool) -> Callable[..., Any]:
    def setup(threads: int, n: int, distinct: int, queries: int, k: int) -> Any:
        import numba  # noqa: F401 - as after any bulk work
        import numpy as np

        from isogloss.index.inverted import Inverted

        documents, questions = _numbered(n, distinct, queries, rare)
        index = Inverted(k1=K1, b=B, threads=threads)
        index.add(np.arange(n), _counts(documents))
        found: list[Any] = []

        def run() -> int:
            found[:] = [index.search(_counts(questions), k)]
            return len(questions)

        return run, lambda: _said(found[0].scores, questions)

    return setup


def bm25s_ids(rare: bool) -> Callable[..., Any]:
    def setup(threads: int, n: int, distinct: int, queries: int, k: int) -> Any:
        import bm25s

        documents, questions = _numbered(n, distinct, queries, rare)
        retriever = bm25s.BM25(backend="numba", k1=K1, b=B)
        retriever.index(documents, show_progress=False)
        found: list[Any] = []

        def run() -> int:
            found[:] = [retriever.retrieve(questions, k=k, n_threads=threads, show_progress=False)]
            return len(questions)

        return run, lambda: _said(found[0].scores, questions)

    return setup


def _said(scores: Any, questions: list[list[int]]) -> dict[str, float]:
    """Sum the scores above 0 (bm25s fills up with documents of score 0), and count the words of a question."""
    total = float(scores[scores > 0].sum(dtype="float64"))
    return {"score_sum": total, "words": round(sum(map(len, questions)) / len(questions), 2)}


PACKAGES = ("bm25s", "numba", "numpy", "tantivy")


def _theirs(name: str, setup: Callable[..., Any]) -> Contestant:
    return Contestant(name, setup, "bm25", PACKAGES)


CONTESTS = (
    Contest(
        "index",
        (
            Contestant("isogloss", indexing(isogloss_index)),
            Contestant("isogloss-en", indexing(isogloss_index, language="en", stop_words=True)),
            _theirs("bm25s", indexing(bm25s_index)),
            _theirs("bm25s-all", indexing(bm25s_index, stopwords=None)),
            _theirs("bm25s-en", indexing(bm25s_index, stem=True)),
            _theirs("tantivy", indexing(tantivy_index)),
        ),
        "passages",
        rounds=3,
        options=OPTIONS,
        base="bm25s",
    ),
    Contest(
        "ids",
        (Contestant("isogloss", isogloss_ids(False)), _theirs("bm25s", bm25s_ids(False))),
        "questions",
        options=OPTIONS,
        base="bm25s",
    ),
    Contest(
        "rare",
        (Contestant("isogloss", isogloss_ids(True)), _theirs("bm25s", bm25s_ids(True))),
        "questions",
        options=OPTIONS,
        base="bm25s",
    ),
    Contest(
        "texts",
        (
            Contestant("isogloss", asking(isogloss_index)),
            Contestant("isogloss-en", asking(isogloss_index, language="en", stop_words=True)),
            _theirs("bm25s", asking(bm25s_index)),
            _theirs("bm25s-all", asking(bm25s_index, stopwords=None)),
            _theirs("bm25s-en", asking(bm25s_index, stem=True)),
            _theirs("tantivy", asking(tantivy_index)),
        ),
        "questions",
        options=OPTIONS,
        base="bm25s",
    ),
    Contest(
        "single",
        (
            Contestant("isogloss", asking_singly(isogloss_index)),
            _theirs("bm25s-all", asking_singly(bm25s_index, stopwords=None)),
            _theirs("tantivy", asking_singly(tantivy_index)),
        ),
        "questions",
        options=OPTIONS,
        base="bm25s-all",
    ),
)

if __name__ == "__main__":
    main(*CONTESTS)
