"""Prompts as token ids: fixed words and fields of a template, cut so that the words after a long field stay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from string import Formatter
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import Ragged
from isogloss.errors import UsageError

Ids = NDArray[np.int64]


class Pieces(Protocol):
    """A tokenizer of ``isogloss.vocabulary``: token numbers of texts, without special tokens."""

    def ids(self, texts: Sequence[str]) -> Ragged:
        """Return the token numbers of each text."""
        ...


class TokenTemplate:
    """Fills a template with texts and returns token ids that fit a window.

    Each fixed part and each field is cut into tokens on its own, so that a field can be shortened without touching
    what stands around it.

    Parameters
    ----------
    pieces
        The tokenizer.
    template
        Text with named fields, such as ``"Query: {query} Document: {document} Relevant:"``.
    longest
        Most tokens of the whole, special ones included.
    most
        Most tokens of a field, by name. The last field in the template without an entry here takes what room is left.
    before, after
        Special tokens around the whole.

    Raises
    ------
    UsageError
        Where the template has no field, every field is bounded, or the window leaves no room for the open one.

    Examples
    --------
    >>> from isogloss.vocabulary.wordpiece import WordPiece
    >>> pieces = WordPiece(["[UNK]", "q", ":", "d", "end", "a", "b"])
    >>> filled = TokenTemplate(pieces, "q: {query} d: {document} end", longest=9, most={"query": 2})
    >>> [row.tolist() for row in filled(query=["a b a"], document=["b b b b"])]
    [[1, 2, 5, 6, 3, 2, 6, 6, 4]]
    """

    def __init__(
        self, pieces: Pieces, template: str, *, longest: int, most: Mapping[str, int] | None = None,
        before: Sequence[int] = (), after: Sequence[int] = (),
    ) -> None:  # fmt: skip
        self.pieces, self.longest, self.most = pieces, longest, dict(most or {})
        parsed = [(words, name) for words, name, _, _ in Formatter().parse(template)]
        self.fields = [name for _, name in parsed if name]
        opened = [name for name in self.fields if name not in self.most]
        if not opened:
            raise UsageError("a template needs a field that takes what room is left", f"{template!r}", "leave one open")
        self.open: str = opened[-1]
        fixed = pieces.ids([words for words, _ in parsed])
        self._parts: list[tuple[Ids, str]] = [
            (np.asarray(words, np.int64), name or "") for words, (_, name) in zip(fixed, parsed, strict=True)
        ]
        self._before, self._after = (np.array(marks, np.int64) for marks in (before, after))
        taken = sum(len(words) for words, _ in self._parts) + len(self._before) + len(self._after)
        if taken + sum(self.most.get(name, 0) for name in self.fields) >= longest:
            raise UsageError(
                f"the template leaves no room for {self.open}",
                f"{taken} tokens are fixed, {sum(self.most.values())} go to other fields, {longest} fit",
                "make the window longer, or bound the other fields by less",
            )
        self._taken = taken

    def __call__(self, **fields: Sequence[str]) -> list[Ids]:
        """Return the token ids of each filled template.

        Raises
        ------
        UsageError
            Where fields are missing, unknown, or not equally many texts.
        """
        counts = {len(texts) for texts in fields.values()}
        if set(fields) != set(self.fields) or len(counts) != 1:
            found = ", ".join(f"{name} ({len(texts)})" for name, texts in sorted(fields.items())) or "nothing"
            raise UsageError(f"the template takes {', '.join(self.fields)}", f"it was given {found}")
        made = {
            name: [np.asarray(row, np.int64) for row in self.pieces.ids(list(texts))] for name, texts in fields.items()
        }
        return [self._one({name: rows[i] for name, rows in made.items()}) for i in range(counts.pop())]

    def _one(self, rows: dict[str, Ids]) -> Ids:
        cut = {name: row[: self.most.get(name, self.longest)] for name, row in rows.items()}
        room = self.longest - self._taken - sum(len(row) for name, row in cut.items() if name != self.open)
        cut[self.open] = cut[self.open][: max(0, room)]
        whole: list[Any] = [self._before]
        for words, name in self._parts:
            whole += [words, cut[name]] if name else [words]
        return np.concatenate([*whole, self._after])
