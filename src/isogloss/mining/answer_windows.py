"""Short passages around the answers of questions, with planted copies that are known to be right as well."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from isogloss.errors import CorpusError
from isogloss.text.sentences import sentences

LONGEST = 45
"""Words of a window; a longer one is left out, because models of the Lab would not read its end."""


@dataclass(frozen=True)
class AnswerWindows:
    """Questions, and windows of a few sentences to search.

    Attributes
    ----------
    questions, answers
        A question and the words that answer it.
    texts
        The windows, all distinct; a question's own window and its copies follow each other.
    gold
        ``(q,)`` number of each question's own window.
    right
        For each question the windows that hold the sentence with its answer, its own first.
    passages
        ``(q,)`` number of the passage that each question is about: what is resampled.
    """

    questions: list[str] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    gold: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    right: list[list[int]] = field(default_factory=list)
    passages: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))


def answer_windows(rows: Iterable[Mapping[str, str]], *, each: int = 1, copies: bool = False) -> AnswerWindows:
    """Cut a window of up to three sentences around the answer of each question.

    Parameters
    ----------
    rows
        With ``query``, ``positive`` (the passage) and ``answer``; where the passage lacks the answer, its beginning
        is taken.
    each
        Questions of a passage, at most.
    copies
        Plant two more windows that hold the answer's sentence: shifted by one sentence, and without one of the others.

    Raises
    ------
    CorpusError
        Where no row has a window of at most 45 words.

    Examples
    --------
    >>> text = "It rained. The hall was cold. Nine people came. They sang."
    >>> made = answer_windows([{"query": "How many came?", "positive": text, "answer": "Nine"}], copies=True)
    >>> made.texts[0], made.texts[2]
    ('The hall was cold. Nine people came. They sang.', 'Nine people came. They sang.')
    >>> made.gold.tolist(), made.right
    ([0], [[0, 1, 2]])
    """
    made = AnswerWindows()
    numbers: dict[str, int] = {}
    counts: dict[str, int] = {}
    passages: dict[str, int] = {}
    gold, owners, cores = [], [], []
    for row in rows:
        text = row["positive"]
        windows, core = _windows(text, row["answer"])
        if counts.get(text, 0) >= each or len(windows[0].split()) > LONGEST:
            continue
        counts[text] = counts.get(text, 0) + 1
        for window in windows if copies else windows[:1]:
            numbers.setdefault(window, len(numbers))
        made.questions.append(row["query"])
        made.answers.append(row["answer"])
        gold.append(numbers[windows[0]])
        owners.append(passages.setdefault(text, len(passages)))
        cores.append(core)
    if not gold:
        raise CorpusError("no question has a window", f"none of at most {LONGEST} words", "give shorter passages")
    texts = list(numbers)
    holders = {core: [number for number, text in enumerate(texts) if core in text] for core in set(cores)}
    right = [[own, *(one for one in holders[core] if one != own)] for own, core in zip(gold, cores, strict=True)]
    return AnswerWindows(
        made.questions, made.answers, texts, np.array(gold, np.int64), right, np.array(owners, np.int64)
    )  # fmt: skip


def _windows(text: str, answer: str) -> tuple[list[str], str]:
    """Return the window around an answer and its copies, all distinct, and the answer's sentence."""
    spans = sentences(text)
    parts = [text[start:stop].strip() for start, stop in spans]
    at = text.find(answer)
    place = next((i for i, (start, stop) in enumerate(spans) if start <= at < stop), 0)
    first, last = max(0, place - 1), min(len(parts), place + 2)
    shifted = (place, place + 3) if place + 2 < len(parts) else (max(0, place - 2), place + 1)
    less = (first + 1, last) if first < place else (first, last - 1)
    bounds = [(first, last), shifted, less]
    found = [" ".join(parts[start:stop]) for start, stop in bounds if start <= place < stop]
    return list(dict.fromkeys(found)), parts[place] if parts else ""
