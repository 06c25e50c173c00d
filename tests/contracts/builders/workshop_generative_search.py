"""A generative searcher over a model made by hand: it names the document that shares most words with the text."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from contract_parts import DOCUMENTS

from isogloss.text.words import words


class WordMatch:
    """Writes two-token names ``(n // 2, n % 2)``; the logits count words that text and document share."""

    start, end = 0, -1

    def __init__(self, texts: list[str]) -> None:
        self.known = [set(words(text.lower())) for text in texts]

    def begin(self, sources: list[str]) -> Any:
        return _Rows((set(words(text.lower())), ()) for text in sources)

    def step(self, state: Any, tokens: Any) -> tuple[Any, Any]:
        import torch

        first = not state or state[0][1] == ()
        after = _Rows(
            (asked, ("start",) if first else (int(token),)) for (asked, _), token in zip(state, tokens, strict=True)
        )
        shared = [[float(len(asked & known)) for known in self.known] for asked, _ in after]
        if first:
            return torch.tensor([[max(row[:2]), max(row[2:])] for row in shared]), after
        return torch.tensor([row[2 * at[0] : 2 * at[0] + 2] for row, (_, at) in zip(shared, after, strict=True)]), after


class _Rows(tuple):  # type: ignore[type-arg]
    def select(self, rows: Any) -> _Rows:
        return _Rows(self[i] for i in rows.tolist())


def _made(folder: Path) -> Any:
    from isogloss.generation.generative_search import GenerativeSearcher

    model = WordMatch([document.text for document in DOCUMENTS])
    names = [(0, 0), (0, 1), (1, 0), (1, 1)]
    return GenerativeSearcher(model, list, DOCUMENTS, names, width=4)


searchers: dict[str, Callable[[Path], Any]] = {"generation.generative_search.GenerativeSearcher": _made}
