"""Any tokenizer of the ``tokenizers`` package behind the same methods as :class:`WordPiece`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import Dense, Ragged, charge
from isogloss.vocabulary.buffers import SURROGATES, ragged
from isogloss.vocabulary.pooling import pool_plain
from isogloss.vocabulary.wordpiece_kernel import Pooling


class TokenizerPieces:
    """Token numbers, counts and pooled vectors by a tokenizer that has no kernel of its own.

    Parameters
    ----------
    content
        The text of a ``tokenizer.json``; its truncation and padding are not used.
    """

    def __init__(self, content: str) -> None:
        self._content = content
        model = json.loads(content)["model"]
        vocabulary = model.get("vocab", {})
        named = model.get("unk_token")
        self.unknown: int = vocabulary.get(named, -1) if isinstance(vocabulary, dict) else model.get("unk_id") or -1

    @cached_property
    def tokenizer(self) -> Any:
        """The tokenizer, without truncation and padding."""
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_str(self._content)
        tokenizer.no_truncation()
        tokenizer.no_padding()
        return tokenizer

    def __len__(self) -> int:
        return int(self.tokenizer.get_vocab_size())

    @cached_property
    def identity(self) -> str:
        """Hash of the tokenizer's file, apart from truncation and padding."""
        plan = {k: v for k, v in json.loads(self._content).items() if k not in ("truncation", "padding")}
        return hashlib.sha256(json.dumps(plan, sort_keys=True).encode()).hexdigest()

    def to_json(self) -> str:
        """Return the text of the ``tokenizer.json``."""
        return self._content

    def ids(self, texts: Sequence[str], *, threads: int = 1) -> Ragged:
        """Return the token numbers of each text: ``values (T,)`` int32 and ``offsets (n + 1,)``."""
        clean = [SURROGATES.sub("", text) for text in texts]
        return ragged([found.ids for found in self.tokenizer.encode_batch_fast(clean, add_special_tokens=False)])

    def counts(self, texts: Sequence[str], *, threads: int = 1) -> NDArray[np.int64]:
        """Return the number of tokens of each text, ``(n,)`` int64."""
        return np.diff(self.ids(texts).offsets)

    def pool(
        self,
        texts: Sequence[str],
        pooling: Pooling,
        *,
        threads: int = 1,
    ) -> tuple[Dense, NDArray[np.int64]]:
        """Return pooled vectors and numbers of tokens, as :meth:`WordPiece.pool` does."""
        tokens = self.ids(texts)
        charge(multiply_adds=len(tokens.values) * pooling.rows.shape[1], random_reads=len(tokens.values))
        vectors = pool_plain(tokens, pooling)
        return vectors, np.diff(tokens.offsets)
