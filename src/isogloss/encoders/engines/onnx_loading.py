"""ONNX Runtime behind the seam: loads a plan's weights in fp32, or rounded to int8."""

from __future__ import annotations

from isogloss.encoders.engines.onnx import FileEngine, GraphEngine
from isogloss.encoders.engines.precision import Precision
from isogloss.encoders.engines.shape_graph import graph_engine
from isogloss.encoders.engines.shapes import used_tensors
from isogloss.encoders.engines.weights import read_headers
from isogloss.encoders.model_plan import ModelPlan
from isogloss.errors import UnsupportedModelError


def load(plan: ModelPlan, precision: Precision, threads: int) -> GraphEngine | FileEngine:
    """Load a model into ONNX Runtime.

    Parameters
    ----------
    plan
        The model.
    precision
        ``"fp32"``, or ``"int8"`` where we write the graph ourselves.
    threads
        Not used: each batch runs in the thread that asks for it.

    Raises
    ------
    UnsupportedModelError
        Where int8 is asked of a model that runs from an ONNX file of its folder.
    """
    if plan.architecture is not None and plan.onnx is None:
        weights = used_tensors(read_headers(plan.transformer), plan.architecture)
        return graph_engine(plan.architecture, weights, precision)
    if precision != "fp32":
        raise UnsupportedModelError(
            f"{plan.name} cannot be rounded to {precision}", "it runs from an ONNX file of its folder",
            "use fp32, or a folder with config.json and model.safetensors of a supported architecture",
        )  # fmt: skip
    return FileEngine(plan.onnx or plan.transformer / "model.onnx")
