"""``isogloss learn static``: vectors of words from somebody's documents alone, as a model that every command loads."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import Dense
from isogloss.corpus.options import ReadReport
from isogloss.corpus.read import read
from isogloss.encoders.static import StaticEncoder, TokenVectors
from isogloss.encoders.word_table import word_table
from isogloss.errors import CorpusError, UsageError
from isogloss.learners.cooccurrence import PpmiSvd
from isogloss.learners.glove import Glove
from isogloss.learners.skip_gram import Cbow, SkipGram
from isogloss.learners.subword import Subword, SubwordVectors
from isogloss.learners.vocabulary_counts import WordCorpus, count_words
from isogloss.learners.word_vectors import WordVectors
from isogloss.protocols import Progress, Record, Silent

TEACHER = "minilm"
WINDOW, SMOOTHING, LARGEST = 10, 3e-3, 100_000
PIECES = 20_000
"""Beginnings and ends of words with a vector of their own, where sub-words are learned."""
METHODS: Mapping[str, str] = {
    "ppmi": "factored counts of neighbours; seconds, no random draws",
    "skip-gram": "word2vec's skip-gram; as many passes as the budget allows",
    "cbow": "word2vec's CBOW; as many passes as the budget allows",
    "subword": "skip-gram over letter n-grams, so that unknown words have vectors",
    "glove": "GloVe; as many passes as the budget allows",
    "distil": f"fitted to {TEACHER} on the sentences of the documents",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be learned.

    Attributes
    ----------
    method
        One of ``METHODS``.
    dimensions
        Components of a vector, at most as many as there are words.
    budget
        Seconds of learning; sets the passes where ``epochs`` is None.
    epochs
        Passes over the words.
    min_count
        A word must occur so often; None: 2, and 5 from a million words on.
    seed
        Of everything drawn.
    threads
        One repeats bit for bit; more race.
    """

    method: str = "ppmi"
    dimensions: int = 256
    budget: float = 60.0
    epochs: int | None = None
    min_count: int | None = None
    seed: int = 0
    threads: int = 1


@dataclass(slots=True)
class LearnReport:
    """What was learned.

    Attributes
    ----------
    folder
        Of the model.
    method
        How.
    documents, words, vocabulary
        Documents and words read, and words (or tokens) with a vector.
    known
        Share of the words read that have one.
    dimensions, epochs, seconds
        Of the vectors; passes over the words (0: the method makes none); of learning and writing.
    neighbours
        For some words the nearest others.
    notes
        What the user should know.
    """

    folder: str
    method: str
    documents: int = 0
    words: int = 0
    vocabulary: int = 0
    known: float = 1.0
    dimensions: int = 0
    epochs: int = 0
    seconds: float = 0.0
    neighbours: dict[str, list[str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain data."""
        return asdict(self)


def learn_static(
    source: str | Path, out: str | Path, plan: Plan, *, progress: Progress | None = None, export: str | Path = ""
) -> LearnReport:
    """Learn a static model from documents and write it as a folder that ``load_encoder`` opens.

    The vectors of words are centred (their mean over the running text is taken off) and weighted by
    ``a / (a + share of the word)``, after Arora, Liang, Ma 2017 (https://openreview.net/forum?id=SyK00v5xx).

    Parameters
    ----------
    source
        Folder or file, read as ``isogloss add`` reads it.
    out
        Folder of the model; a model there is replaced once the new one is whole.
    plan
        What is to be learned.
    progress
        Where to report to.
    export
        Also write the vectors as learned, uncentred, to this file in the text format of word2vec.

    Raises
    ------
    UsageError
        Unknown method, a folder with something else in it, too few words.
    CorpusError
        There is no text.
    """
    from isogloss.workflows.training.writing import check_place

    if plan.method not in METHODS:
        raise UsageError(f"there is no method {plan.method!r}", f"the methods are {', '.join(METHODS)}")
    if export and plan.method == "distil":
        raise UsageError("a distilled model has no vectors of words to export", "it has vectors of word pieces")
    place = Path(out)
    check_place(place)
    shown, report = progress or Silent(), LearnReport(str(out), plan.method)
    if plan.method == "distil":
        encoder, began = _distilled(str(source), plan, report, shown), time.perf_counter()
    else:
        texts = _texts(source, report, shown)
        corpus = _counted(texts, plan, report)
        began = time.perf_counter()
        table = _LEARNERS[plan.method](corpus, plan, _dimensions(plan, corpus, report), shown)
        report.epochs, report.neighbours = table.epochs, _neighbours(table)
        encoder = encoder_of(table, place.name)
        if export:
            table.save_text(export)
    report.vocabulary, report.dimensions = len(encoder.pieces), encoder.dimensions
    _write(encoder, place, plan, report)
    report.seconds += round(time.perf_counter() - began, 2)
    return report


# -- reading -----------------------------------------------------------------------------------------------------------


def _texts(source: str | Path, report: LearnReport, progress: Progress) -> list[str]:
    found = ReadReport()
    progress.start("reading documents", None, "documents")
    texts = list(_records(source, found, progress))
    progress.finish()
    report.documents = len(texts)
    report.notes += found.notes()
    if skipped := sum(found.skipped.values()):
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in found.skipped.most_common())
        report.notes.append(f"{skipped:,} files or rows were not read ({reasons})")
    if not texts:
        raise CorpusError(f"{source} has no text to learn from", f"{found.files:,} files hold no document")
    return texts


def _records(source: str | Path, report: ReadReport, progress: Progress) -> Iterator[str]:
    for item in read(source, report=report):
        progress.advance(1)
        if isinstance(item, Record):
            yield f"{item.title}\n{item.text}" if item.title else item.text


def _counted(texts: Sequence[str], plan: Plan, report: LearnReport) -> WordCorpus:
    letters = sum(map(len, texts))
    fewest = plan.min_count or (2 if letters < 6_000_000 else 5)  # some six letters a word
    corpus = count_words(texts, min_count=fewest, largest=LARGEST)
    report.words, report.known = corpus.read, len(corpus.ids) / max(1, corpus.read)
    return corpus


def _dimensions(plan: Plan, corpus: WordCorpus, report: LearnReport) -> int:
    if plan.dimensions > len(corpus.words):
        report.notes.append(f"{len(corpus.words):,} words give {len(corpus.words):,} dimensions, not {plan.dimensions}")
    return min(plan.dimensions, len(corpus.words))


# -- learning ----------------------------------------------------------------------------------------------------------


def _factored(corpus: WordCorpus, plan: Plan, dimensions: int, progress: Progress) -> WordVectors:
    return PpmiSvd(dimensions=dimensions, window=WINDOW).fit(corpus, seed=plan.seed, progress=progress)


def _in_passes(make: Callable[..., Any], corpus: WordCorpus, plan: Plan, dimensions: int, progress: Progress) -> Any:
    passes = {} if plan.epochs is None else {"epochs": plan.epochs}
    learner = make(dimensions=dimensions, window=WINDOW, **passes)
    budget = plan.budget if plan.epochs is None else None
    return learner.fit(corpus, budget, plan.seed, threads=plan.threads, progress=progress)


_LEARNERS: Mapping[str, Callable[[WordCorpus, Plan, int, Progress], WordVectors]] = {
    "ppmi": _factored,
    "skip-gram": partial(_in_passes, SkipGram),
    "cbow": partial(_in_passes, Cbow),
    "subword": partial(_in_passes, Subword),
    "glove": partial(_in_passes, Glove),
}


def _distilled(source: str, plan: Plan, report: LearnReport, progress: Progress) -> StaticEncoder:
    from isogloss.workflows.training.distilling import material
    from isogloss.workflows.training.static_student import static_student

    began = time.perf_counter()
    made = material(TEACHER, source, budget=plan.budget, seed=plan.seed, threads=plan.threads, progress=progress)
    report.documents, report.words = len(made.train), sum(len(text.split()) for text in made.train)
    report.notes += [*made.notes, f"documents are sentences here, fitted to {TEACHER}"]
    dimensions = min(plan.dimensions, made.vectors.shape[1], len(made.train))
    encoder = static_student(
        TEACHER, made.teacher, made.train, made.vectors, dimensions=dimensions, progress=progress
    )  # fmt: skip
    report.seconds = round(time.perf_counter() - began, 2)
    return encoder


# -- the model ---------------------------------------------------------------------------------------------------------


def encoder_of(table: WordVectors, name: str) -> StaticEncoder:
    """Return a static model of word vectors: centred, frequent words weighted down."""
    share, weights = table.counts / table.counts.sum(), weights_of(table.counts)
    mean = ((weights * share) @ table.vectors / (weights @ share)).astype(np.float32)
    rows = np.asarray((table.vectors - mean) * weights[:, None], np.float32)
    pieces = _pieces(table, mean) if isinstance(table, SubwordVectors) else []
    plain = word_table(table.words, rows, pieces=pieces)
    vectors = TokenVectors.quantised(np.asarray(plain.vectors.rows, np.float32))
    return StaticEncoder(plain.pieces, vectors, skip_unknown=True, name=name)


def _pieces(table: SubwordVectors, mean: Dense) -> list[tuple[str, Dense]]:
    """Return vectors of the most frequent beginnings and other parts of words, for words outside the vocabulary.

    A text's vector is a sum over pieces, so a word cut in two counts twice; its rows are halved for that.
    """
    counts: dict[str, int] = {}
    for word, count in zip(table.words, table.counts.tolist(), strict=True):
        for size in range(1, table.longest):
            for start in range(len(word) - size + 1):
                piece = ("##" if start else "") + word[start : start + size]
                counts[piece] = counts.get(piece, 0) + count
    chosen = sorted(counts, key=lambda piece: (-counts[piece], piece))[:PIECES]
    found = []
    for piece in chosen:
        letters = piece.removeprefix("##") if piece.startswith("##") else "<" + piece
        grams = [letters[i : i + size] for size in range(table.shortest, len(letters) + 1)
                 for i in range(len(letters) - size + 1)]  # fmt: skip
        row = table.known_piece(grams)
        found.append((piece, np.asarray((row - mean) / 2 if row is not None else mean * 0, np.float32)))
    return found


def _neighbours(table: WordVectors, words: int = 5, k: int = 5) -> dict[str, list[str]]:
    """Return the nearest words of some of middling frequency: long enough to mean something, spread over the ranks."""
    able = [word for word in table.words[50:5000] if len(word) > 4 and word.isalpha()]
    chosen = able[:: max(1, len(able) // words)][:words]
    return {word: [near for near, _ in table.nearest(word, k)] for word in chosen}


def _write(encoder: StaticEncoder, place: Path, plan: Plan, report: LearnReport) -> None:
    """Write aside and rename, so that there is a whole model or the old one."""
    aside = place.with_name(place.name + ".new")
    shutil.rmtree(aside, ignore_errors=True)
    encoder.save(aside, card=_card(plan, report))
    record = {"format": "isogloss.learning/1", "plan": asdict(plan), "report": report.to_dict() | {"folder": ""}}
    (aside / "learning.json").write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", "utf-8")
    if place.exists():
        shutil.rmtree(place)
    aside.rename(place)


def _card(plan: Plan, report: LearnReport) -> str:
    from isogloss import __version__

    passes = f", {report.epochs} passes" if report.epochs else ""
    return (
        f"# {Path(report.folder).name}\n\nA static model learned from {report.documents:,} documents "
        f"({report.words:,} words) by `{plan.method}`{passes}, seed {plan.seed}: {report.vocabulary:,} tokens, "
        f"{report.dimensions} components. {report.known:.1%} of the words read have a vector; others are left out of a "
        "text's vector, and a text without a known word has a vector of zeros. It knows those documents only.\n\n"
        f"Made with Isogloss {__version__}: `isogloss learn static`.\n"
    )


def weights_of(counts: NDArray[np.int64], smoothing: float = SMOOTHING) -> NDArray[np.float64]:
    """Return how much each word counts in a text's vector: ``a / (a + share)``.

    Examples
    --------
    >>> weights_of(np.array([3, 1]), 0.25).tolist()
    [0.25, 0.5]
    """
    return np.asarray(smoothing / (smoothing + counts / counts.sum()), np.float64)
