"""Opening a transformer's folder, whatever its shape: the plain encoder, or one whose graph is of a further shape."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import Dense
from isogloss.encoders.digests import remembered
from isogloss.encoders.engines.architectures import Weights
from isogloss.encoders.engines.onnx import FileEngine, GraphEngine
from isogloss.encoders.engines.shape_graph import graph_engine
from isogloss.encoders.engines.shapes import Shape, used_tensors
from isogloss.encoders.engines.weights import digest, read_headers
from isogloss.encoders.model_folder import resolve_any
from isogloss.encoders.model_plan import ModelPlan, NormaliseStep
from isogloss.encoders.transformer import TransformerEncoder


class ShapedEncoder(TransformerEncoder):
    """A folder of ELECTRA, ALBERT, DeBERTa-v2 or T5's kind; everything else is as in the plain encoder."""

    @cached_property
    def engine(self) -> GraphEngine | FileEngine:
        """The engine; made at first use."""
        return graph_engine(_shape(self.plan), used_tensors(read_headers(self.plan.transformer), _shape(self.plan)))

    def _weights_digest(self) -> str:
        return weights_digest(self.plan)


class RotaryEncoder(TransformerEncoder):
    """A folder of ModernBERT, or of a decoder of Llama's kind.

    Tokenizers of decoders may add nothing to a text: an empty one then has no token, and its vector is zero.
    """

    @cached_property
    def engine(self) -> GraphEngine | FileEngine:
        """The engine; made at first use."""
        plan = self.plan
        if plan.onnx is not None or plan.architecture is None:
            return FileEngine(plan.onnx or plan.transformer / "model.onnx")
        return graph_engine(plan.architecture, Weights(read_headers(plan.transformer), plan.architecture).used())

    def _vectors(
        self, ids: list[NDArray[np.int64]], lengths: NDArray[np.int64], skip: int, batch: NDArray[np.int64]
    ) -> Dense:
        there = lengths[batch] > 0
        if there.all():
            return super()._vectors(ids, lengths, skip, batch)
        out = np.zeros((len(batch), self.dimensions), np.float32)
        if there.any():
            out[there] = super()._vectors(ids, lengths, skip, batch[there])
        return out


def weights_digest(plan: ModelPlan) -> str:
    """Return the hash of all weights of a model of one of the further shapes, for its identity."""
    used = used_tensors(read_headers(plan.transformer), _shape(plan))
    files = sorted({place.path for place in used.values()})
    folders = [plan.layers.folder] if plan.layers else []
    folders += [one.folder for one in (*plan.token_steps, *plan.steps.value) if not isinstance(one, NormaliseStep)]
    parts = [remembered(f"weights {plan.model_type}", files, lambda: digest(used))]
    return " ".join([*parts, *(digest(read_headers(folder)) for folder in folders)])


def _shape(plan: ModelPlan) -> Shape:
    if not isinstance(plan.architecture, Shape):
        raise TypeError(f"{plan.name} is a {plan.model_type}, whose shape is not among the further ones")
    return plan.architecture


def encoder_of(
    plan: ModelPlan, *, threads: int | None = None, long: Literal["truncate", "error"] = "truncate"
) -> TransformerEncoder:
    """Return the encoder of a plan of any shape; arguments as those of the class."""
    arch, kind = plan.architecture, TransformerEncoder
    if isinstance(arch, Shape):
        kind = ShapedEncoder
    elif arch is not None and arch.rotary is not None:
        kind = RotaryEncoder
    return kind.from_plan(plan, threads=threads, long=long)


def open_transformer(
    folder: str | Path,
    *,
    threads: int | None = None,
    max_length: int | None = None,
    name: str = "",
) -> TransformerEncoder:
    """Return the encoder of a folder of any shape; arguments as those of the class.

    Raises
    ------
    ModelError
        Where the folder is incomplete or contradicts itself.
    UnsupportedModelError
        Where its architecture, a module or the weights' format is not supported.

    Examples
    --------
    With a model on the machine::

        encoder = open_transformer("models/sentence-t5-base")
        encoder.encode(["a small dog", "a puppy"])  # (2, 768)
    """
    return encoder_of(resolve_any(folder, max_length=max_length, name=name), threads=threads)
