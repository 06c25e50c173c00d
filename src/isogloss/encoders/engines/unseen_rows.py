"""The graph of an encoder in which a token that sees nothing mixes nothing.

Where queries are filled up with tokens that nobody attends to, layers that see through a window may leave the last of
these without anything to see. Attention over nothing is the mean of everything in one library and zero in another:
torch's scaled dot-product attention, which late-interaction models are trained and used with, gives zero.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from isogloss.encoders.engines.extended_graph import ExtendedGraph, write_extended
from isogloss.encoders.engines.onnx import open_session
from isogloss.encoders.engines.operators import FLOAT
from isogloss.encoders.engines.rotary_engine import RotaryEngine


@dataclass
class UnseenRowsGraph(ExtendedGraph):
    """A graph under construction that takes the weights of rows whose mask leaves nothing to zero.

    ``mask`` is the additive mask that the last scores were given.
    """

    mask: str = ""

    def op(self, kind: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        """Add a node; behind a softmax over masked scores stands a product with 0 where a row sees nothing."""
        part = output.rpartition("/")[2]
        if kind == "Add" and part == "masked":
            self.mask = inputs[1]
        if kind != "Softmax" or not inputs[0].endswith("/masked"):
            return super().op(kind, inputs, output, **attributes)
        spread = super().op(kind, inputs, output + "/spread", **attributes)
        return super().op("Mul", [spread, self._sees(self.mask)], output)

    def _sees(self, mask: str) -> str:
        """Say of each row of a mask ``(..., L, L)`` whether it sees anything: ``(..., L, 1)``, 0 or 1; once a mask."""
        name = mask + "/sees"
        if name not in self.made:
            self.made.add(name)
            most = super().op(
                "ReduceMax", [mask, self.constant("axis.last", np.array([-1]))], name + "/most", keepdims=1
            )
            zero = self.constant("nought", np.array(0, np.float32))
            some = super().op("GreaterOrEqual", [most, zero], name + "/some")
            super().op("Cast", [some], name, to=FLOAT)
        return name


@dataclass
class UnseenRowsEngine(RotaryEngine):
    """Our own graph over a model's weights, in which tokens that see nothing mix nothing; parameters as its base's."""

    def _session(self, states: tuple[int, ...], maps: tuple[int, ...]) -> Any:
        if (states, maps) not in self._sessions:
            folder = Path(os.path.commonpath({place.path.parent for place in self.weights.values()}))
            graph = UnseenRowsGraph(self.weights, folder)
            model = write_extended(self.architecture, graph, states=states, maps=maps)
            self._sessions[states, maps] = open_session(model, folder=folder)
        return self._sessions[states, maps]
