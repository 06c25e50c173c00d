"""Single letters as tokens: the smallest vocabulary, with BERT's marks in front."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import cached_property

import numpy as np

from isogloss.arrays import Ragged
from isogloss.errors import UsageError
from isogloss.vocabulary.buffers import ragged

MARKS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
LATIN = "abcdefghijklmnopqrstuvwxyz0123456789.,;:!?'()-\" "


class Letters:
    """Texts in lower case, one token a character; what is not in the alphabet is unknown.

    Numbers 0 to 4 are the marks ``[PAD]``, ``[UNK]``, ``[CLS]``, ``[SEP]`` and ``[MASK]``; letters follow in order.

    Parameters
    ----------
    alphabet
        Distinct characters.

    Raises
    ------
    UsageError
        Where a character is there twice.

    Examples
    --------
    >>> Letters("ab ").ids(["Ab!", ""]).values.tolist()
    [5, 6, 1]
    """

    def __init__(self, alphabet: str = LATIN) -> None:
        if len(set(alphabet)) < len(alphabet):
            twice = sorted({letter for letter in alphabet if alphabet.count(letter) > 1})
            raise UsageError("an alphabet holds each letter once", f"{''.join(twice)!r} occur more than once")
        self.alphabet = alphabet
        self.pad, self.unknown, self.cls, self.sep, self.mask = range(len(MARKS))
        self.special = tuple(range(len(MARKS)))
        self._numbers = {letter: number for number, letter in enumerate(alphabet, len(MARKS))}

    def __len__(self) -> int:
        return len(MARKS) + len(self.alphabet)

    @cached_property
    def identity(self) -> str:
        """Hash of the alphabet."""
        return hashlib.sha256(json.dumps(["letters", self.alphabet]).encode()).hexdigest()

    def ids(self, texts: Sequence[str]) -> Ragged:
        """Return the numbers of each text's letters: ``values (T,)`` int32 and ``offsets (n + 1,)``."""
        get, unknown = self._numbers.get, self.unknown
        return ragged([[get(letter, unknown) for letter in text.lower()] for text in texts])

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of some numbers; marks and unknown letters are left out."""
        first = len(MARKS)
        return "".join(self.alphabet[i - first] for i in np.asarray(ids).tolist() if i >= first)
