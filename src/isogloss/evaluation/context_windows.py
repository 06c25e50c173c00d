"""Sentences that can only be found through their context: the test that late chunking and its kin are made for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from isogloss.corpus.judgements import Qrels, TestCollection
from isogloss.errors import UsageError
from isogloss.protocols import Record
from isogloss.seeding import generator
from isogloss.text.sentences import sentences
from isogloss.text.stopwords import stop_words
from isogloss.text.words import words

SHORTEST = 20
"""Sentences of fewer characters are headings and rests; they stand in no window."""


@dataclass(frozen=True, slots=True)
class ContextWindows:
    """Windows of sentences, and questions for single sentences.

    Attributes
    ----------
    windows
        Each window's sentences; joined by spaces they are its text.
    collection
        One document a sentence (id ``window:number``); one question each for sentences that lack their title's words
        while another sentence of the window has them.
    titled
        The same questions asked by title alone: text of each question by id.
    """

    windows: list[list[str]]
    collection: TestCollection
    titled: dict[str, str]

    def texts(self) -> list[str]:
        """Return the text of each window."""
        return [" ".join(window) for window in self.windows]

    def spans(self) -> list[list[tuple[int, int]]]:
        """Return where each sentence lies in its window's text, in characters."""
        found = []
        for window in self.windows:
            ends = np.cumsum([len(sentence) + 1 for sentence in window]).tolist()
            found.append([(end - len(sentence) - 1, end - 1) for sentence, end in zip(window, ends, strict=True)])
        return found


def context_windows(
    records: Sequence[Record], *, shortest: int = 4, longest: int = 6, per_window: int = 2, seed: int = 0
) -> ContextWindows:
    """Cut titled documents into windows of sentences and ask for sentences that do not name the title.

    A question is the title and two content words of the sentence (drawn among its words of four letters and more that
    are neither stop words nor in the title), in the spirit of the examples of "Late Chunking" (2024,
    https://arxiv.org/abs/2409.04701).

    Parameters
    ----------
    records
        Documents with a title; those without one, or whose sentences never name it, give no question.
    shortest, longest
        Sentences of a window; a document gives as many whole windows as it has.
    per_window
        Most questions of a window.
    seed
        Of the words and sentences that are asked for.

    Raises
    ------
    UsageError
        Where no question can be made.

    Examples
    --------
    >>> text = "Oslo is the capital of Norway. Its harbour freezes every winter. Large ferries leave every hour."
    >>> made = context_windows([Record("a", text, title="Oslo")], shortest=3, per_window=1)
    >>> len(made.windows), len(made.collection.queries)
    (1, 1)
    """
    rng = generator(seed, "context windows")
    windows: list[list[str]] = []
    queries: dict[str, str] = {}
    titled: dict[str, str] = {}
    qrels: Qrels = {}
    for record in records:
        for window in _cut(record.text, shortest, longest):
            number = len(windows)
            windows.append(window)
            chosen = _askable(window, record.title)
            for place in rng.permutation(len(chosen))[:per_window]:
                sentence, content = chosen[int(place)]
                picked = sorted(rng.permutation(len(content))[:2].tolist())
                query = f"q{len(queries)}"
                queries[query] = " ".join([record.title, *(content[i] for i in picked)])
                titled[query] = record.title
                qrels[query] = {f"{number}:{sentence}": 1.0}
    if not queries:
        raise UsageError(
            "no question about context can be made",
            f"{len(records)} documents, {len(windows)} windows of {shortest} sentences, none that names its title once",
            "give longer documents with titles",
        )
    documents = [Record(f"{i}:{j}", text) for i, window in enumerate(windows) for j, text in enumerate(window)]
    return ContextWindows(windows, TestCollection(documents, queries, qrels, name="context windows"), titled)


def mixed(made: ContextWindows, *, seed: int = 0) -> ContextWindows:
    """Return the same sentences and questions with every window filled by sentences of chance: context without sense.

    Each asked sentence keeps its place and id; the sentences around it are drawn from all windows.
    """
    rng = generator(seed, "mixed windows")
    asked = {document for judged in made.collection.qrels.values() for document in judged}
    free = [(i, j) for i, window in enumerate(made.windows) for j in range(len(window)) if f"{i}:{j}" not in asked]
    order = rng.permutation(len(free))
    windows = [list(window) for window in made.windows]
    for place, other in enumerate(order):
        i, j = free[place]
        from_i, from_j = free[int(other)]
        windows[i][j] = made.windows[from_i][from_j]
    return replace(made, windows=windows)


def _cut(text: str, shortest: int, longest: int) -> list[list[str]]:
    pieces = [" ".join(text[start:end].split()) for start, end in sentences(text)]
    pieces = [piece for piece in pieces if len(piece) >= SHORTEST]
    windows = [pieces[start : start + longest] for start in range(0, len(pieces), longest)]
    return [window for window in windows if len(window) >= shortest]


def _askable(window: Sequence[str], title: str) -> list[tuple[int, list[str]]]:
    """Return (sentence, content words) of the sentences that lack the title's words, where another one has them."""
    names = {word for word, _, _ in words(title)} - stop_words("en")
    found = [{word for word, _, _ in words(sentence)} for sentence in window]
    if not names or not any(names & own for own in found):
        return []
    small = stop_words("en")
    chosen = []
    for number, sentence in enumerate(window):
        content = list(dict.fromkeys(w for w, _, _ in words(sentence) if len(w) >= 4 and w.isalpha()))
        content = [word for word in content if word not in small]
        if not names & found[number] and len(content) >= 2:
            chosen.append((number, content))
    return chosen
