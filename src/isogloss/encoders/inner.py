"""What encoders over the inner states of a model share: counting, masks, and the surface of an encoder."""

from __future__ import annotations

import hashlib
import warnings
from abc import abstractmethod
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import Dense, Ragged, Similarity
from isogloss.encoders.surface import EncoderSurface, as_texts
from isogloss.errors import TruncationWarning
from isogloss.protocols import EncodeReport, Role


class InnerEncoder(EncoderSurface):
    """An encoder made of the states of another one; a class that uses it gives ``_vectors`` and ``_settings``.

    Parameters
    ----------
    base
        The encoder whose states are read.
    name
        What is read, for the name of this one.
    lengths
        Numbers of tokens of texts that were counted before; encoders may share one.
    """

    kind: Literal["words", "dense"] = "dense"
    speed: Literal["fast", "slow"] = "slow"
    similarity = Similarity.COSINE

    def __init__(self, base: Any, name: str, lengths: dict[str, int] | None = None) -> None:
        self.base, self._lengths = base, {} if lengths is None else lengths
        self.name: str = f"{getattr(base, 'name', type(base).__name__)}:{name}"
        self.window: int = getattr(base, "window", 0)
        self.languages: frozenset[str] | None = getattr(base, "languages", None)

    @abstractmethod
    def _vectors(self, texts: list[str]) -> Dense:
        """Return ``(n, d)`` of one text or more."""

    @abstractmethod
    def _settings(self) -> list[Any]:
        """Return everything beside the base that the vectors depend on."""

    @cached_property
    def identity(self) -> str:
        """Hash of the base's identity and of every setting."""
        return hashlib.sha256(f"{self.base.identity} {self._settings()} {self.similarity.value}".encode()).hexdigest()

    @cached_property
    def dimensions(self) -> int:
        """Number of components of a vector."""
        return int(self._vectors(["a"]).shape[1])

    def encode(
        self,
        inputs: str | Iterable[str],
        *,
        role: Role | None = None,
        instruction: str | None = None,
        report: EncodeReport | None = None,
    ) -> Dense:
        """Return ``(n, d)`` float32, not of length one.

        ``role`` changes nothing: the base's prompts belong to its own pooling. ``instruction`` is put in front.
        """
        texts = [(instruction or "") + text for text in as_texts(inputs)]
        count_texts(self.base, texts, report, self._lengths)
        return self._vectors(texts) if texts else np.zeros((0, self.dimensions), np.float32)


def content_rows(spans: Ragged, special_tokens: bool) -> list[NDArray[np.bool_]]:
    """Say for each text which tokens are pooled: all, or those that stand for characters (all where there are none)."""
    masks = [np.ones(len(one), bool) if special_tokens else one[:, 1] > one[:, 0] for one in spans]
    return [mask if mask.any() else np.ones(len(mask), bool) for mask in masks]


def count_texts(base: object, texts: Sequence[str], report: EncodeReport | None, lengths: dict[str, int]) -> None:
    """Add the texts, their tokens and what the base's window cuts to ``report``; without one a cut is a warning.

    ``lengths`` is added to: a text is tokenized for counting once.
    """
    tokenizer, window = getattr(base, "tokenizer", None), int(getattr(base, "window", 0))
    new = [text for text in dict.fromkeys(texts) if text not in lengths]
    if tokenizer is not None and new:
        lengths.update(zip(new, tokenizer(new).full.tolist(), strict=True))
    full = np.array([lengths.get(text, 0) for text in texts], np.int64)
    lost = np.maximum(full - window, 0) if window else np.zeros_like(full)
    counts = EncodeReport() if report is None else report
    counts.add(texts=len(texts), tokens=int(full.sum()), cut=int((lost > 0).sum()), lost=int(lost.sum()), window=window)
    if report is None and counts.cut:
        warnings.warn(counts.sentence(), TruncationWarning, stacklevel=4)
