"""The small methods that all encoders share, and the encoder that a transform makes of another one."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from functools import cached_property
from types import MappingProxyType
from typing import Any, Literal, cast

import numpy as np

from isogloss.arrays import CSR, Ragged, Similarity, Vectors
from isogloss.errors import UsageError
from isogloss.protocols import PROBE_TEXTS, Encoder, EncodeReport, Role, Transform

_NO_HEADS: Mapping[str, Encoder] = MappingProxyType({})


def as_texts(inputs: str | Iterable[str]) -> list[str]:
    """Return the inputs of ``encode`` as a list of strings; a single string is a batch of one.

    Raises
    ------
    UsageError
        Where an item is not a string; the message names its position and type.

    Examples
    --------
    >>> as_texts("one"), as_texts(("one", "two"))
    (['one'], ['one', 'two'])
    """
    if isinstance(inputs, str):
        return [inputs]
    texts = list(inputs)
    for i, text in enumerate(texts):
        if not isinstance(text, str):
            raise UsageError(
                "only strings can be encoded as text",
                f"item {i} is of type {type(text).__name__}",
                "convert it to a string, or leave it out",
            )
    return texts


class EncoderSurface(ABC):
    """Mixin with what follows from ``encode``: the role aliases, ``then``, ``probes`` and empty ``heads``.

    A class that uses it gives ``encode``, ``identity``, ``similarity`` and ``modality`` (default ``"text"``);
    ``similarity`` is a :class:`~isogloss.arrays.Similarity`, which can be called as sentence-transformers'
    ``model.similarity(a, b)``.
    """

    modality: str = "text"

    @abstractmethod
    def encode(
        self,
        inputs: str | Iterable[str],
        *,
        role: Role | None = None,
        instruction: str | None = None,
        report: EncodeReport | None = None,
    ) -> Vectors:
        """Encode ``inputs``; a single string gives a batch of one."""

    @property
    def heads(self) -> Mapping[str, Encoder]:
        """Encoders that share one pass with this one: none, unless a class says otherwise."""
        return _NO_HEADS

    @cached_property
    def probes(self) -> Vectors:
        """Vectors of ``PROBE_TEXTS``, encoded as documents once and kept."""
        return self.encode(PROBE_TEXTS, role="document")

    def encode_query(
        self, inputs: str | Iterable[str], *, instruction: str | None = None, report: EncodeReport | None = None
    ) -> Vectors:
        """Encode ``inputs`` in the role of queries."""
        return self.encode(inputs, role="query", instruction=instruction, report=report)

    def encode_document(
        self, inputs: str | Iterable[str], *, instruction: str | None = None, report: EncodeReport | None = None
    ) -> Vectors:
        """Encode ``inputs`` in the role of documents."""
        return self.encode(inputs, role="document", instruction=instruction, report=report)

    def then(self, *transforms: Transform) -> EncoderSurface:
        """Return an encoder that sends this one's vectors through fitted ``transforms``, in order.

        ``a.then(b).then(c)``, ``a.then(b, c)`` and ``a.then(pipeline)`` (a scikit-learn pipeline of b and c) are
        the same encoder with the same identity; ``a.then()`` is ``a`` itself.
        """
        flat = tuple(step for transform in transforms for step in _steps(transform))
        return TransformedEncoder(cast(Encoder, self), flat) if flat else self


class TransformedEncoder(EncoderSurface):
    """An encoder followed by fitted transforms; made by ``encoder.then(transform)``.

    Its similarity is the one a transform declares in ``similarity`` (the last one that does), else the encoder's.

    Parameters
    ----------
    encoder
        The encoder whose vectors are transformed; it must give dense vectors.
    transforms
        Fitted transforms, applied in order.
    """

    kind: Literal["words", "dense"] = "dense"

    def __init__(self, encoder: Encoder, transforms: tuple[Transform, ...]) -> None:
        self.encoder, self.transforms = encoder, transforms
        self.modality = encoder.modality
        declared = [t.similarity for t in transforms if isinstance(getattr(t, "similarity", None), Similarity)]  # type: ignore[attr-defined]
        self.similarity: Similarity = declared[-1] if declared else encoder.similarity
        self.name: str = "+".join(
            [getattr(encoder, "name", type(encoder).__name__), *(type(t).__name__.lower() for t in transforms)]
        )
        self.window: int = getattr(encoder, "window", 0)
        self.languages: frozenset[str] | None = getattr(encoder, "languages", None)
        self.speed: Literal["fast", "slow"] = getattr(encoder, "speed", "slow")

    @cached_property
    def identity(self) -> str:
        """Hash of the encoder's identity and of each transform's parameters and fitted arrays."""
        parts = [self.encoder.identity, *(transform_identity(t) for t in self.transforms), self.similarity.value]
        return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()

    @cached_property
    def dimensions(self) -> int:
        """Number of components of a vector."""
        return int(np.asarray(self.probes).shape[1])

    def encode(
        self,
        inputs: str | Iterable[str],
        *,
        role: Role | None = None,
        instruction: str | None = None,
        report: EncodeReport | None = None,
    ) -> Vectors:
        """Encode with the inner encoder, then transform; ``(n, d)``, float32 unless the transform gives integers."""
        vectors = self.encoder.encode(inputs, role=role, instruction=instruction, report=report)
        if isinstance(vectors, (CSR, Ragged)):
            raise UsageError(
                "transforms work on dense vectors",
                f"{getattr(self.encoder, 'name', type(self.encoder).__name__)} gives {type(vectors).__name__}",
                "use an encoder with dense vectors",
            )
        rows: Any = vectors
        for transform in self.transforms:
            # a learner of scikit-learn refuses an empty batch, so its width is found with one row of zeros
            rows = (
                transform.transform(rows)
                if len(rows)
                else transform.transform(np.zeros_like(rows, shape=(1, rows.shape[1])))[:0]
            )
        rows = np.asarray(rows)
        return rows if rows.dtype.kind in "iub" else np.asarray(rows, np.float32)

    def then(self, *transforms: Transform) -> EncoderSurface:
        """Return an encoder with more transforms behind the ones it has."""
        flat = tuple(step for transform in transforms for step in _steps(transform))
        return TransformedEncoder(self.encoder, self.transforms + flat)


def _steps(transform: Transform) -> list[Transform]:
    """Take a pipeline apart into its transforms, so that nesting does not change an identity."""
    steps = getattr(transform, "steps", None)
    if not isinstance(steps, list):
        return [transform]
    return [inner for _, step in steps if step not in (None, "passthrough") for inner in _steps(step)]


def transform_identity(transform: Transform) -> str:
    """Return the hash of a fitted transform: class name, parameters, and fitted attributes (names ending in ``_``).

    A transform may give its own ``identity`` instead.
    """
    own = getattr(transform, "identity", None)
    if isinstance(own, str):
        return own
    digest = hashlib.sha256(type(transform).__name__.encode())
    fitted = {
        name: value
        for name, value in sorted(vars(transform).items())
        if name.endswith("_") and not name.startswith("_")
    }
    for name, value in [*sorted(transform.get_params(deep=False).items()), *fitted.items()]:
        digest.update(f"\x1f{name}=".encode())
        if isinstance(value, np.ndarray):
            array = np.ascontiguousarray(value)
            digest.update(f"{array.dtype.str}{array.shape}".encode() + array.tobytes())
        else:
            digest.update(json.dumps(value, default=repr, sort_keys=True).encode())
    return digest.hexdigest()
