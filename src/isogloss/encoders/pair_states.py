"""Hidden states of two texts read together: the second one has token types of its own."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import Dense
from isogloss.encoders.engines.shape_graph import graph_engine
from isogloss.encoders.engines.shapes import Shape, used_tensors
from isogloss.encoders.engines.weights import TensorPlace, read_headers
from isogloss.encoders.model_plan import ModelPlan
from isogloss.errors import UnsupportedModelError


class PairEngine:
    """Runs a transformer over pairs whose first text has the same number of tokens in the whole batch.

    The graph adds the first token type to every position. So the table of positions gets a second half, for the
    second text, that has the difference of the two types in it: 512 rows instead of a second graph. Shapes without
    token types run as they are.

    Parameters
    ----------
    plan
        The model; it must run on our own graph.

    Raises
    ------
    UnsupportedModelError
        Where the model runs from its ONNX file, or knows both distances and token types (an early DeBERTa-v2).
    """

    def __init__(self, plan: ModelPlan) -> None:
        if plan.architecture is None:
            raise UnsupportedModelError(
                "pairs of texts cannot be read by an ONNX file", f"{plan.name} runs from one",
                "use a folder with config.json and model.safetensors of a supported architecture",
            )  # fmt: skip
        shape = plan.architecture
        weights = used_tensors(read_headers(plan.transformer), shape)
        types = weights.get(f"{shape.names.token_type}.weight") if shape.names.token_type else None
        self._rows = 0
        self._folder: Any = None
        if types is not None and types.shape[0] > 1 and isinstance(shape, Shape) and shape.relative is not None:
            raise UnsupportedModelError(
                f"pairs of texts cannot be read by this {shape.model_type}",
                f"{plan.name} has token types beside distances", "use one with type_vocab_size 0, as v3 has",
            )  # fmt: skip
        if types is not None and types.shape[0] > 1:
            self._folder = tempfile.TemporaryDirectory(prefix="isogloss-pairs-")
            name = f"{shape.names.position}.weight"
            self._rows = weights[name].shape[0]
            weights[name] = _both(weights[name].read(), types.read(), Path(self._folder.name) / "positions")
        self.engine = graph_engine(shape, weights)

    def last(self, ids: NDArray[np.int64], lengths: NDArray[np.int64], boundary: int) -> Dense:
        """Return the last states ``(n, L, d)`` of ids ``(n, L)``; tokens from ``boundary`` on are the second text's."""
        if not self._rows:
            return self.engine.last(ids, lengths)
        columns = np.arange(ids.shape[1], dtype=np.int64)
        positions = columns + self.engine.architecture.first_position + self._rows * (columns >= boundary)
        feed = {"ids": ids, "positions": positions, "lengths": lengths.astype(np.int32)}
        return np.asarray(self.engine._session((), ()).run(None, feed)[0])


def _both(positions: Dense, types: Dense, file: Path) -> TensorPlace:
    """Write the positions of the first text, then those of the second one, ``(2 N, d)``; say where they lie."""
    table = np.concatenate([positions, positions + (types[1] - types[0])]).astype("<f4")
    file.write_bytes(table.tobytes())
    return TensorPlace(file, "F32", table.shape, 0, table.nbytes)
