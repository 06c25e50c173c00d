"""How much of one encoder's token states another one gives, where both end a token at the same character."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import Ragged
from isogloss.errors import UsageError
from isogloss.evaluation.sample import Sample
from isogloss.vocabulary.added_words import same_ends


class StateAgreement:
    """Judges encoders by the share of a reference's states that they give: 1 less squared error over squared length.

    1 where all states are the reference's, 0 for states of zero. The two may cut texts differently; tokens are paired
    by :func:`~isogloss.vocabulary.added_words.same_ends`.

    Parameters
    ----------
    reference
        An encoder with ``states``; asked once.
    texts
        Read by both.
    groups
        ``(n,)`` what is drawn together, such as the word that a text was chosen for; None: each text alone.
    layer
        Whose states.

    Raises
    ------
    UsageError
        Where there are no texts, or the reference's states of a text have no length.
    """

    def __init__(
        self, reference: Any, texts: Sequence[str], *, groups: NDArray[np.int64] | None = None, layer: int = -1
    ) -> None:
        if not len(texts):
            raise UsageError("there is nothing to compare states on", "no texts", "give some")
        self.texts, self.groups, self.layer = list(texts), groups, layer
        self._states, self._spans = _of(reference, self.texts, layer)

    def __call__(self, encoder: Any) -> Sample:
        """Return one share a text.

        Raises
        ------
        UsageError
            Where the widths differ, or no token of a text can be paired.
        """
        states, spans = _of(encoder, self.texts, self.layer)
        return Sample.of(
            [self._share(i, states[i], spans[i]) for i in range(len(self.texts))], groups=self.groups, name="states",
        )  # fmt: skip

    def _share(self, number: int, states: NDArray[Any], spans: NDArray[Any]) -> float:
        wanted = self._states[number]
        if states.shape[1] != wanted.shape[1]:
            raise UsageError("states of other widths", f"{states.shape[1]} and {wanted.shape[1]} numbers")
        first, second = same_ends(self._spans[number], spans)
        energy = float(np.square(wanted[first], dtype=np.float64).sum())
        if not energy:
            raise UsageError("no states to compare", f"text {number}: {len(first)} paired tokens of length zero")
        return 1 - float(np.square(wanted[first] - states[second], dtype=np.float64).sum()) / energy


def _of(encoder: Any, texts: list[str], layer: int) -> tuple[Ragged, Ragged]:
    """Return states ``(T, d)`` and spans ``(T, 2)`` of one layer."""
    states, spans = encoder.states(texts, [layer])
    return Ragged(np.asarray(states.values, np.float32).reshape(len(states.values), -1), states.offsets), spans
