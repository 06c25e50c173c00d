"""Any body over packed tokens as an encoder: the pooled states of its last layer, whatever it is made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from isogloss.arrays import Dense, charge
from isogloss.errors import UsageError
from isogloss.nn.packing import pack
from isogloss.nn.pooling import PoolingMode, pool
from isogloss.protocols import EncodeReport
from isogloss.training.corpus_tokens import token_ids
from isogloss.training.language_model import alike
from isogloss.training.torch_encoder import TorchEncoder
from isogloss.training.weights_digest import module_identity


class BodyEncoder(TorchEncoder):
    """Vectors of texts from a body that was pre-trained here: a transformer, recurrent or convolutional network.

    For a transformer with a folder of its own :class:`~isogloss.training.trained_encoder.TrainedEncoder` does more.

    Parameters
    ----------
    body
        From packed tokens to states ``(T, width)``.
    tokenizer
        One of ``isogloss.vocabulary`` or a ``tokenizers.Tokenizer``.
    before, after
        Special tokens around each text; at least one, so that an empty text has a state.
    window
        Most tokens of a text, special ones included; longer texts are cut, counted and reported.
    pooling
        Modes of :func:`~isogloss.nn.pooling.pool`.
    name
        Of the model.

    Raises
    ------
    UsageError
        Where there is no special token, or the window holds nothing else.

    Examples
    --------
    >>> from isogloss.nn.transformer import Transformer, TransformerConfig
    >>> from isogloss.vocabulary.wordpiece import WordPiece
    >>> body = Transformer(TransformerConfig(vocabulary=3, width=8, layers=1, heads=2, inner=16))
    >>> encoder = BodyEncoder(body, WordPiece(["[UNK]", "[CLS]", "snow"]), before=[1], window=8)
    >>> encoder.encode(["snow", ""]).shape
    (2, 8)
    """

    def __init__(
        self, body: nn.Module, tokenizer: Any, *, before: Sequence[int] = (), after: Sequence[int] = (),
        window: int = 128, pooling: Sequence[PoolingMode] = ("mean",), name: str = "body",
    ) -> None:  # fmt: skip
        around = len(before) + len(after)
        if not around or window <= around:
            raise UsageError(
                f"{name} needs a special token and room for text", f"{around} special tokens, {window} in all"
            )
        self.body, self.tokenizer, self.window, self.name = body.eval(), tokenizer, window, name
        self.before, self.after = np.asarray(before, np.int64), np.asarray(after, np.int64)
        self.pooling: tuple[PoolingMode, ...] = tuple(pooling)

    @property
    def dimensions(self) -> int:
        """Components of a vector."""
        return int(self.encode([""]).shape[1])

    @property
    def identity(self) -> str:
        """Hash of weights, tokenizer, special tokens, window and pooling."""
        of_tokenizer = getattr(self.tokenizer, "identity", None) or self.tokenizer.to_str()
        settings = [self.before.tolist(), self.after.tolist(), self.window, self.pooling, of_tokenizer]
        return module_identity(settings, self.body)

    def _encoded(self, texts: list[str], report: EncodeReport) -> Dense:
        room = self.window - len(self.before) - len(self.after)
        tokens = list(token_ids(texts, self.tokenizer)) if texts else []
        full = np.array([len(row) for row in tokens], np.int64)
        rows = [np.concatenate([self.before, row[:room], self.after]) for row in tokens]
        lost = np.maximum(full - room, 0)
        report.add(texts=len(texts), tokens=int(full.sum()), cut=int((lost > 0).sum()), lost=int(lost.sum()),
                   window=self.window)  # fmt: skip
        return self._vectors(rows or [np.concatenate([self.before, self.after])])[: len(rows)]

    def _vectors(self, rows: list[Any]) -> Dense:
        found: list[Dense] = [np.zeros(0, np.float32)] * len(rows)
        training = self.body.training
        self.body.eval()
        weights = sum(value.numel() for value in self.body.parameters())
        with torch.inference_mode():
            for batch in alike([len(row) for row in rows]):
                packed = pack([rows[i] for i in batch])
                charge(multiply_adds=weights * len(packed.ids))
                vectors = pool(self.body(packed), packed, self.pooling).float().numpy()  # (n, modes * width)
                for place, i in enumerate(batch):
                    found[i] = vectors[place]
        self.body.train(training)
        return np.stack(found)
