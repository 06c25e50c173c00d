"""What single vectors can rank at all: free embeddings, an exact construction, and worlds of pairs to retrieve."""

from __future__ import annotations

from itertools import combinations
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from isogloss.corpus.judgements import Qrels, TestCollection
from isogloss.errors import UsageError
from isogloss.protocols import Record
from isogloss.seeding import generator

Pattern = Literal["dense", "random", "cycle", "disjoint"]


def all_pairs(documents: int) -> NDArray[np.int64]:
    """Return every pair of documents, one a question: ``(n (n - 1) / 2, 2)``.

    Examples
    --------
    >>> all_pairs(3).tolist()
    [[0, 1], [0, 2], [1, 2]]
    """
    return np.array(list(combinations(range(documents), 2)), np.int64).reshape(-1, 2)


def pairs_found(scores: NDArray[np.floating], pairs: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Say for each question whether its two documents score above all others (ties are failures).

    Parameters
    ----------
    scores
        ``(questions, documents)``.
    pairs
        ``(questions, 2)`` right documents.

    Examples
    --------
    >>> pairs_found(np.array([[3.0, 2.0, 1.0], [1.0, 1.0, 1.0]]), np.array([[0, 1], [0, 1]])).tolist()
    [True, False]
    """
    rows = np.arange(len(pairs))
    lowest = np.minimum(scores[rows, pairs[:, 0]], scores[rows, pairs[:, 1]])
    others = np.array(scores, np.float64)
    others[rows, pairs[:, 0]] = others[rows, pairs[:, 1]] = -np.inf
    return np.asarray(lowest > others.max(1), bool)  # (questions, documents) -> (questions,)


def free_embeddings(
    documents: int, dimensions: int, *, pairs: NDArray[np.int64] | None = None, steps: int = 1500, rate: float = 0.02,
    temperature: float = 0.05, restarts: int = 2, seed: int = 0,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:  # fmt: skip
    """Optimise unit vectors of questions and documents directly, and return those that retrieve the most pairs.

    Every pair of documents is a question, unless ``pairs (m, 2)`` says otherwise. Vectors are free: Adam on the full
    batch lowers the cross-entropy of the two right documents under a softmax over all, until every pair is found or
    the steps are spent ("On the Theoretical Limitations of Embedding-Based Retrieval", 2025,
    https://arxiv.org/abs/2508.21038, section 4). A failure says that training did not reach it, never that no vectors
    exist: see :func:`moment_curve`.

    Parameters
    ----------
    documents, dimensions
        Sizes of the experiment.
    pairs
        The right documents of each question (default: :func:`all_pairs`).
    steps, rate, temperature
        Of Adam and of the softmax.
    restarts
        Starts from fresh vectors; the best counts.

    Returns
    -------
    questions : ``(m, dimensions)``
    documents : ``(documents, dimensions)``
        What they retrieve: ``pairs_found(questions @ documents.T, pairs)``.

    Examples
    --------
    >>> questions, documents = free_embeddings(4, 4, steps=300)
    >>> bool(pairs_found(questions @ documents.T, all_pairs(4)).all())
    True
    """
    if documents < 3 or dimensions < 1:
        raise UsageError(
            "free embeddings need 3 documents and a dimension", f"{documents} documents, {dimensions} dimensions"
        )
    pairs = all_pairs(documents) if pairs is None else pairs
    most, best = -1, np.zeros((0, dimensions))
    for restart in range(restarts):
        rng = generator(seed, "free embeddings", restart)
        found, unit = _optimise(pairs, documents, dimensions, rng, steps, rate, temperature)
        if found > most:
            most, best = found, unit
        if most == len(pairs):
            break
    return best[: len(pairs)], best[len(pairs) :]


def _optimise(
    pairs: NDArray[np.int64], n: int, d: int, rng: np.random.Generator, steps: int, rate: float, temperature: float
) -> tuple[int, NDArray[np.float64]]:
    target = np.zeros((len(pairs), n))
    target[np.arange(len(pairs)), pairs[:, 0]] = target[np.arange(len(pairs)), pairs[:, 1]] = 0.5
    free = rng.standard_normal((len(pairs) + n, d))  # questions above, documents below
    first, second = np.zeros_like(free), np.zeros_like(free)
    most, best = -1, free
    for step in range(1, steps + 1):
        norms = np.linalg.norm(free, axis=1, keepdims=True)
        unit = free / norms
        questions, documents = unit[: len(pairs)], unit[len(pairs) :]
        scores = questions @ documents.T  # (q, d) @ (d, n) -> (q, n)
        if step % 25 == 1 or step == steps:
            found = int(pairs_found(scores, pairs).sum())
            if found > most:
                most, best = found, unit.copy()
            if found == len(pairs):
                break
        soft = np.exp((scores - scores.max(1, keepdims=True)) / temperature)
        error = (soft / soft.sum(1, keepdims=True) - target) / (temperature * len(pairs))
        gradient = np.concatenate([error @ documents, error.T @ questions])  # (q + n, d)
        gradient = (gradient - unit * (gradient * unit).sum(1, keepdims=True)) / norms  # along the sphere only
        first = 0.9 * first + 0.1 * gradient
        second = 0.999 * second + 0.001 * gradient**2
        free -= rate * (first / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.999**step)) + 1e-8)
    return most, best


def moment_curve(documents: int, dtype: type[np.floating] = np.float64) -> NDArray[np.bool_]:
    """Say which pairs four dimensions retrieve by construction, at the precision ``dtype``.

    Document j lies at angle t = 2 pi j / n as (cos t, sin t, cos 2t, sin 2t); the question of documents at a and b is
    the polynomial -(1 - cos(t - a))(1 - cos(t - b)), whose only maxima are a and b. In exact arithmetic every pair of
    any number of documents is found: what fails in practice is training and precision, not the dimension.

    Examples
    --------
    >>> bool(moment_curve(46).all()), bool(moment_curve(46, np.float16).all())
    (True, False)
    """
    angles = 2 * np.pi * np.arange(documents) / documents
    vectors = np.stack([np.cos(angles), np.sin(angles), np.cos(2 * angles), np.sin(2 * angles)], 1).astype(dtype)
    pairs = all_pairs(documents)
    a, b = angles[pairs[:, 0]], angles[pairs[:, 1]]
    questions = np.stack([np.cos(a) + np.cos(b), np.sin(a) + np.sin(b), -np.cos(a + b) / 2, -np.sin(a + b) / 2], 1)
    return pairs_found(questions.astype(dtype) @ vectors.T, pairs)


def pair_world(
    words: list[str], *, documents: int = 46, pattern: Pattern = "dense", questions: int = 1000, seed: int = 0
) -> TestCollection:
    """Make people who like things, and questions with exactly two right people each, after LIMIT's rule.

    Every question asks for one thing; two people like it. ``dense`` spreads the questions over all pairs of people,
    ``random`` draws pairs among three times as many people, ``cycle`` asks only for neighbours on a circle,
    ``disjoint`` only for the pairs (0, 1), (2, 3) and so on.

    Parameters
    ----------
    words
        Distinct names of things, at least as many as questions.
    documents
        People among whom all questions are spread.
    questions
        Number of questions; at most the number of pairs for ``dense``.

    Returns
    -------
    TestCollection
        Documents ``p0``, ``p1`` ..., questions ``q0`` ....

    Examples
    --------
    >>> world = pair_world([f"thing{i}" for i in range(9)], documents=4, questions=6)
    >>> len(world.documents), world.queries["q0"], sorted(map(len, world.qrels.values()))
    (4, 'Who likes thing0?', [2, 2, 2, 2, 2, 2])
    """
    rng = generator(seed, "pair world", pattern)
    people, pairs = _pattern(documents, pattern, questions, rng)
    if len(set(words)) < len(pairs):
        raise UsageError("too few things to like", f"{len(set(words))} words for {len(pairs)} questions")
    things = list(dict.fromkeys(words))[: len(pairs)]
    likes: list[list[str]] = [[] for _ in range(people)]
    queries: dict[str, str] = {}
    qrels: Qrels = {}
    for number, (pair, thing) in enumerate(zip(pairs.tolist(), things, strict=True)):
        for person in pair:
            likes[person].append(thing)
        queries[f"q{number}"] = f"Who likes {thing}?"
        qrels[f"q{number}"] = {f"p{person}": 1.0 for person in pair}
    records = []
    for person, own in enumerate(likes):
        order = rng.permutation(len(own))
        records.append(Record(f"p{person}", f"Person {person} likes {', '.join(own[i] for i in order)}."))
    return TestCollection(records, queries, qrels, name=f"pair world, {pattern}")


def _pattern(
    documents: int, pattern: Pattern, questions: int, rng: np.random.Generator
) -> tuple[int, NDArray[np.int64]]:
    """Return the number of people and one pair a question."""
    if pattern in ("dense", "random"):
        people = documents if pattern == "dense" else 3 * documents
        every = all_pairs(people)
        if questions > len(every):
            raise UsageError("there are fewer pairs than questions", f"{len(every)} pairs, {questions} questions")
        return people, every[rng.permutation(len(every))[:questions]]
    circle = np.stack([np.arange(documents), (np.arange(documents) + 1) % documents], 1)
    chosen = circle if pattern == "cycle" else circle[: documents - 1 : 2]
    return documents, chosen[np.arange(questions) % len(chosen)]
