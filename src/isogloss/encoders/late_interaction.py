"""One vector a token: encoders whose texts are compared token by token (late interaction, MaxSim)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import cached_property
from typing import Any, Literal, Protocol

import numpy as np

from isogloss.arrays import Ragged, Similarity, normalise
from isogloss.encoders.surface import EncoderSurface, as_texts, transform_identity
from isogloss.protocols import Encoder, EncodeReport, Role, TokenStates, Transform

_SLICE = 1024  # texts whose states lie in memory at once


class TokenEncoder(Encoder, TokenStates, Protocol):
    """An encoder that also shows token vectors."""


class TokenVectorEncoder(EncoderSurface):
    """Token vectors of one layer as a multi-vector encoder; texts are compared by MaxSim.

    Each token of a text keeps its vector; a query scores a document by ``sum over its tokens q of max over the
    document's tokens p of q . p`` ("ColBERT", Khattab and Zaharia 2020, https://arxiv.org/abs/2004.12832). Here the
    vectors are those of a model that was not trained for it; a fitted transform (centering, PCA) may follow.

    Parameters
    ----------
    base
        An encoder with ``states``.
    layer
        0 for the embeddings' output, N for that of layer N, -1 for the last.
    transform
        A fitted transform on token vectors ``(T, d)``, or None.
    normalised
        Scale each token vector to length one.
    special_tokens
        Keep the vectors of the tokens that the tokenizer adds; a text without any other token keeps them anyway.

    Examples
    --------
    With a model on the machine (``isogloss pull minilm``)::

        encoder = TokenVectorEncoder(load_encoder("minilm"))
        encoder.encode(["a small dog"])[0].shape  # (3, 384)
    """

    kind: Literal["words", "dense", "tokens"] = "tokens"
    speed: Literal["fast", "slow"] = "slow"
    similarity = Similarity.MAXSIM

    def __init__(
        self,
        base: Any,
        *,
        layer: int = -1,
        transform: Transform | None = None,
        normalised: bool = True,
        special_tokens: bool = False,
    ) -> None:
        self.base: TokenEncoder = base
        self.layer, self.transform = layer, transform
        self.normalised, self.special_tokens = normalised, special_tokens
        self.name: str = f"{getattr(base, 'name', type(base).__name__)}:tokens"
        self.window: int = getattr(base, "window", 0)
        self.languages: frozenset[str] | None = getattr(base, "languages", None)

    @cached_property
    def identity(self) -> str:
        """Hash of the base's identity, the layer, the transform and the two switches."""
        settings = [self.base.identity, str(self.layer), str(self.normalised), str(self.special_tokens), "maxsim"]
        settings.append(transform_identity(self.transform) if self.transform is not None else "")
        return hashlib.sha256("\x1f".join(settings).encode()).hexdigest()

    @cached_property
    def dimensions(self) -> int:
        """Number of components of a token's vector."""
        return int(self.encode(["a"]).values.shape[1])

    def encode(
        self,
        inputs: str | Iterable[str],
        *,
        role: Role | None = None,
        instruction: str | None = None,
        report: EncodeReport | None = None,
    ) -> Ragged:
        """Return the token vectors of each text: values ``(T, d)`` float32, ragged over the texts.

        ``role`` changes nothing; ``instruction`` is put in front and its tokens are kept. A text longer than the
        window is cut, as the base cuts it; the report counts it.
        """
        texts = [(instruction or "") + text for text in as_texts(inputs)]
        parts: list[Any] = []
        for start in range(0, len(texts), _SLICE):
            states, spans = self.base.states(texts[start : start + _SLICE], [self.layer])
            parts.extend(self._kept(states[i][:, 0], spans[i]) for i in range(len(states)))  # (L, 1, d) -> (L, d)
        self._count(texts, parts, report)
        if not parts:
            return Ragged(np.zeros((0, self.dimensions), np.float32), np.zeros(1, np.int64))
        ragged = Ragged.from_list(parts)
        values = np.asarray(self.transform.transform(ragged.values) if self.transform else ragged.values, np.float32)
        return Ragged(normalise(values) if self.normalised else values, ragged.offsets)

    def _kept(self, states: Any, spans: Any) -> Any:
        content = spans[:, 1] > spans[:, 0]  # tokens that the tokenizer added stand for no character
        return states if self.special_tokens or not content.any() else states[content]

    def _count(self, texts: list[str], parts: list[Any], report: EncodeReport | None) -> None:
        tokenizer = getattr(self.base, "tokenizer", None)
        lengths = tokenizer(texts).full if tokenizer is not None and texts else np.array([len(p) for p in parts])
        lost = np.maximum(lengths - self.window, 0) if self.window else np.zeros(len(texts), np.int64)
        own = report if report is not None else EncodeReport()
        own.add(
            texts=len(texts), tokens=int(lengths.sum()), cut=int((lost > 0).sum()), lost=int(lost.sum()),
            window=self.window,
        )  # fmt: skip
        if report is None and own.cut:
            import warnings

            from isogloss.errors import TruncationWarning

            warnings.warn(own.sentence(), TruncationWarning, stacklevel=4)
