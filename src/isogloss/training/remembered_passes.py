"""A causal model of the workshop that remembers its passes, so that many readings of the same texts cost one."""

from __future__ import annotations

import hashlib
from typing import Any

from torch import Tensor

from isogloss.nn.heads import TokenPredictor
from isogloss.nn.packing import Packed
from isogloss.training.causal_models import LabCausal, Passed, Wanted, check_wanted


class RememberingCausal(LabCausal):
    """A model behind the seam whose last states and routing are kept for every batch that it has seen.

    Its weights must not change any more. Passes that want other layers, logits or another mask are made anew. The
    ledger counts each reading as if it were alone.

    Parameters
    ----------
    predictor, tokenizer, begin, window, name
        As for :class:`~isogloss.training.causal_models.LabCausal`.
    """

    def __init__(
        self, predictor: TokenPredictor, tokenizer: Any, *, begin: int, window: int, name: str = "causal-model"
    ) -> None:
        super().__init__(predictor, tokenizer, begin=begin, window=window, name=name)
        self._kept = Wanted(layers=(-1,), routing=bool(self.experts[1]))
        self._passed: dict[str, Passed] = {}

    def __call__(self, packed: Packed, wanted: Wanted) -> Passed:
        """Return what is wanted, and where it is kept the rest of what is."""
        check_wanted(self, wanted)
        if wanted.logits or wanted.bidirectional or not set(wanted.layers) <= {-1}:
            return super().__call__(packed, wanted)
        key = _digest(packed.ids, packed.offsets)
        if key not in self._passed:
            self._passed[key] = super().__call__(packed, self._kept)
        return self._passed[key]


def _digest(*parts: Tensor) -> str:
    made = hashlib.sha256()
    for part in parts:
        made.update(str(len(part)).encode() + b" " + part.numpy().tobytes())
    return made.hexdigest()
