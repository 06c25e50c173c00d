"""Token ids from a model's ``tokenizer.json``, cut by us so that every lost token is counted."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from isogloss.errors import ModelError, UsageError

_SLICE = 512  # texts tokenized at once: the library's results take some hundred bytes a token


@dataclass(frozen=True, slots=True)
class Tokens:
    """Tokens of some texts: ids after the cut, numbers of tokens before it, character spans where asked for."""

    ids: list[NDArray[np.int64]]
    full: NDArray[np.int64]
    spans: list[NDArray[np.int64]]


class TokenizerFile:
    """A ``tokenizer.json`` with its own truncation and padding switched off.

    Parameters
    ----------
    folder
        Folder that holds ``tokenizer.json``.
    max_length
        Most tokens of a text, special ones included.
    lower_case
        Lower-case the text first, where the tokenizer does not.
    side
        The side that a long text loses.
    """

    def __init__(
        self, folder: Path, *, max_length: int, lower_case: bool = False, side: Literal["left", "right"] = "right"
    ) -> None:
        from tokenizers import Tokenizer

        path = folder / "tokenizer.json"
        try:
            self.tokenizer: Any = Tokenizer.from_file(str(path))
        except Exception as error:  # the library raises plain Exception
            raise ModelError("tokenizer.json cannot be read", f"{path}: {error}", "fetch the model again") from error
        self.tokenizer.no_truncation()
        self.tokenizer.no_padding()
        if lower_case:
            _lower_case(self.tokenizer)
        self.max_length, self.side = max_length, side
        special = np.array(self.tokenizer.encode("a").special_tokens_mask, bool)
        content = np.flatnonzero(~special)
        self.before = int(content[0]) if len(content) else len(special)
        self.after = len(special) - 1 - int(content[-1]) if len(content) else 0
        if max_length <= self.before + self.after:
            raise UsageError(
                f"a maximum length of {max_length} tokens leaves no room for text",
                f"the tokenizer adds {self.before + self.after} special tokens",
                f"use {self.before + self.after + 1} or more",
            )

    def __call__(self, texts: Sequence[str], *, spans: bool = False) -> Tokens:
        """Tokenize texts, with special tokens, cut at the maximum length."""
        ids: list[NDArray[np.int64]] = []
        places: list[NDArray[np.int64]] = []
        full: list[int] = []
        for start in range(0, len(texts), _SLICE):
            for encoding in self._encodings(texts[start : start + _SLICE], spans):
                whole = np.array(encoding.ids, np.int64)
                full.append(len(whole))
                ids.append(self._cut(whole))
                if spans:
                    places.append(self._cut(np.array(encoding.offsets, np.int64).reshape(-1, 2)))
        return Tokens(ids, np.array(full, np.int64), places)

    def bare(self, texts: Sequence[str]) -> list[NDArray[np.int64]]:
        """Return the ids of each text's own tokens, without special ones and without a cut."""
        found: list[NDArray[np.int64]] = []
        for start in range(0, len(texts), _SLICE):
            whole = [
                text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
                for text in texts[start : start + _SLICE]
            ]
            encodings = self.tokenizer.encode_batch_fast(whole, add_special_tokens=False)
            found.extend(np.array(encoding.ids, np.int64) for encoding in encodings)
        return found

    def _encodings(self, texts: Sequence[str], spans: bool) -> list[Any]:
        run = self.tokenizer.encode_batch if spans else self.tokenizer.encode_batch_fast
        try:
            return list(run(list(texts)))
        except (TypeError, UnicodeError):  # half of a surrogate pair is no character: each becomes U+FFFD
            whole = [text.encode("utf-16", "surrogatepass").decode("utf-16", "replace") for text in texts]
            return list(run(whole))

    def _cut(self, items: NDArray[np.int64]) -> NDArray[np.int64]:
        """Keep the special tokens of both ends and as much text as there is room for."""
        extra = len(items) - self.max_length
        if extra <= 0:
            return items
        if self.side == "left":
            return np.concatenate([items[: self.before], items[self.before + extra :]])
        end = len(items) - self.after
        return np.concatenate([items[: end - extra], items[end:]])

    def prompt_length(self, prompt: str) -> int:
        """Return how many tokens a prompt takes at the start of an input, special tokens in front included."""
        return len(self.tokenizer.encode(prompt).ids) - self.after

    def canonical(self) -> str:
        """Return the tokenizer as JSON without truncation and padding: equal for equal behaviour, for the identity."""
        content = json.loads(self.tokenizer.to_str())
        return json.dumps({**content, "truncation": None, "padding": None}, sort_keys=True, ensure_ascii=False)


def _lower_case(tokenizer: Any) -> None:
    from tokenizers import normalizers

    state = json.loads(tokenizer.to_str()).get("normalizer") or {}
    present = [state, *state.get("normalizers", [])]
    if any(item.get("type") == "Lowercase" or item.get("lowercase") for item in present):
        return
    lower = normalizers.Lowercase()
    tokenizer.normalizer = normalizers.Sequence([lower, tokenizer.normalizer]) if tokenizer.normalizer else lower
