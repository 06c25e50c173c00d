"""What BERT's normaliser and pre-tokeniser make of each character, as tables that a kernel can read.

Both work character by character (the one exception is marked), so that their result on a text is the joined result on
its characters. The tables are filled one page of 256 code points at a time, by asking ``tokenizers`` itself: they
follow the Unicode version that it was built with, whatever Python's own is.
"""

from __future__ import annotations

import unicodedata
from typing import Any

import numpy as np
from numpy.typing import NDArray

ODD = 255
"""Length that marks a character whose effect depends on its neighbours; texts with one go to ``tokenizers``."""

_LOW_MARK, _HIGH_MARK = "\u1b44", "\u302e"
"""Two characters that stay in the text and have a low and a high canonical combining class."""


class CharacterTable:
    """Pages of 256 characters: the UTF-8 bytes that each becomes, where a blank marks the edge of a word.

    ``a`` gives ``a``, ``É`` gives ``e``, a comma gives blank-comma-blank, a control character gives nothing.

    Attributes
    ----------
    pages
        ``(4352,)`` int32: number of the block that holds a page, -1 while it is not filled.
    starts
        ``(blocks * 256,)`` int32: where a character's bytes begin in ``pool``.
    lengths
        ``(blocks * 256,)`` uint8: how many bytes, ``ODD`` where the table cannot say.
    pool
        uint8: all bytes, one after another.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._normalizer, self._splitter = tokenizer.normalizer, tokenizer.pre_tokenizer
        self.pages = np.full(0x110000 >> 8, -1, np.int32)
        self.starts = np.zeros(0, np.int32)
        self.lengths = np.zeros(0, np.uint8)
        self.pool = np.zeros(0, np.uint8)
        self.fill(np.zeros(1, np.int64))

    def fill(self, pages: NDArray[np.int64]) -> None:
        """Fill the pages of these numbers that are not filled yet."""
        for page in pages:
            if self.pages[page] >= 0:
                continue
            parts = [self._becomes(chr(page * 256 + low)) for low in range(256)]
            sizes = np.array([0 if part is None else len(part) for part in parts], np.int32)
            flat = np.frombuffer(b"".join(part or b"" for part in parts), np.uint8)
            lengths = np.array([ODD if part is None else len(part) for part in parts], np.uint8)
            starts = np.cumsum(sizes, dtype=np.int32) - sizes + len(self.pool)
            self.pages[page] = len(self.starts) >> 8
            self.starts = np.concatenate([self.starts, starts.astype(np.int32)])
            self.lengths = np.concatenate([self.lengths, lengths])
            self.pool = np.concatenate([self.pool, flat])

    def _becomes(self, character: str) -> bytes | None:
        if 0xD800 <= ord(character) <= 0xDFFF:  # half of a pair alone is no character: dropped, as U+FFFD is
            return b""
        normal = self._normalizer.normalize_str(character)
        if (
            unicodedata.category(character) in ("Mn", "Mc", "Me", "Cn")
            and normal.strip()
            and self._moves(character, normal)
        ):
            return None
        pieces = self._splitter.pre_tokenize_str(f"a{normal}a")
        edged = " ".join(piece for piece, _ in pieces)[1:-1].encode()
        # a kernel sizes its buffers by the text's bytes: no character may become more pieces than it has bytes
        return edged if len(edged.decode().replace(" ", "")) <= len(character.encode()) else None

    def _moves(self, character: str, normal: str) -> bool:
        """Say whether canonical ordering moves the character past another one that stays."""
        return bool(
            self._normalizer.normalize_str(_HIGH_MARK + character) != _HIGH_MARK + normal
            or self._normalizer.normalize_str(character + _LOW_MARK) != normal + _LOW_MARK
        )
