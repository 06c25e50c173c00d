"""What encoders over a torch module have in common: how texts come in, and what is said of the vectors."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from collections.abc import Iterable
from typing import Literal

import numpy as np

from isogloss.arrays import Dense, Similarity
from isogloss.encoders.surface import EncoderSurface, as_texts
from isogloss.errors import NonFiniteError, TruncationWarning
from isogloss.protocols import EncodeReport, Role


class TorchEncoder(EncoderSurface):
    """Mixin of encoders of text whose vectors a module gives; a class that uses it says how in ``_encoded``.

    There are no prompts for one side, so ``role`` changes nothing.
    """

    kind: Literal["words", "dense"] = "dense"
    speed: Literal["fast", "slow"] = "slow"
    languages: frozenset[str] | None = None
    similarity = Similarity.COSINE
    name: str

    def encode(
        self,
        inputs: str | Iterable[str],
        *,
        role: Role | None = None,
        instruction: str | None = None,
        report: EncodeReport | None = None,
    ) -> Dense:
        """Encode texts; ``(n, dimensions)`` float32.

        Parameters
        ----------
        inputs
            Texts; a single string gives a batch of one.
        role
            Taken and not used.
        instruction
            Put in front of each text.
        report
            Is added to; without one, texts that were cut give one ``TruncationWarning``.

        Raises
        ------
        NonFiniteError
            Where a vector has NaN or infinity; the message names the text.
        """
        texts = [f"{instruction or ''}{text}" for text in as_texts(inputs)]
        own = report if report is not None else EncodeReport()
        vectors = self._encoded(texts, own)
        bad = np.flatnonzero(~np.isfinite(vectors).all(1))
        if len(bad):
            raise NonFiniteError(
                f"{self.name} gave a vector that is not finite",
                f"text {bad[0]}: {texts[bad[0]][:80]!r}, and so are {len(bad)} of {len(texts)}",
            )
        if report is None and own.cut:
            warnings.warn(own.sentence(), TruncationWarning, stacklevel=2)
        return vectors

    @abstractmethod
    def _encoded(self, texts: list[str], report: EncodeReport) -> Dense:
        """Return the vectors ``(n, d)``, and add to the report what was read and cut."""
