"""OpenVINO as the engine of the forward pass: our own graph, in the precision that was asked for by name."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import Dense
from isogloss.encoders.engines.onnx import graph_feed
from isogloss.encoders.engines.precision import Precision
from isogloss.encoders.engines.shape_graph import inlined_graph
from isogloss.encoders.engines.shapes import used_tensors
from isogloss.encoders.engines.weights import read_headers
from isogloss.encoders.model_plan import ModelPlan
from isogloss.errors import ModelError, UnsupportedModelError

LARGEST = 1_900_000_000
"""Bytes of weights that one message may carry: its format ends at two gigabytes."""

_TELEMETRY = "openvino_telemetry"


def load(plan: ModelPlan, precision: Precision, threads: int) -> OpenVinoEngine:
    """Load a model; nothing is written and no network is used.

    The weights travel inside the graph: OpenVINO reads no file outside the folder of the graph, and our graphs have
    none. They are freed as soon as the model is compiled.

    Parameters
    ----------
    plan
        The model.
    precision
        ``"fp32"`` or ``"bf16"``. OpenVINO would choose bf16 by itself where a processor has it.
    threads
        Batches that may run side by side, each on one thread.

    Raises
    ------
    UnsupportedModelError
        Where the model runs from an ONNX file of its folder alone, or is too large for one message.
    """
    arch = plan.architecture
    if arch is None:
        raise UnsupportedModelError(
            "OpenVINO gets no graph of this model", f"{plan.name} runs from an ONNX file", "use the engine onnx"
        )
    weights = used_tensors(read_headers(plan.transformer), arch)
    total = sum(4 * int(np.prod(place.shape, dtype=np.int64)) for place in weights.values())
    if total > LARGEST:
        raise UnsupportedModelError(
            "the model is too large for the engine openvino", f"its weights take {total:,} bytes, above {LARGEST:,}",
            "use the engine onnx or torch",
        )  # fmt: skip
    graph = inlined_graph(arch, weights, plan.transformer)
    return OpenVinoEngine(compile_graph(graph, precision, threads), arch, precision)


@contextmanager
def _without_telemetry() -> Iterator[None]:
    """Keep OpenVINO's telemetry from being imported: without it, OpenVINO takes a stand-in that sends nothing."""
    before = sys.modules.get(_TELEMETRY)
    if before is None:
        sys.modules[_TELEMETRY] = None  # type: ignore[assignment]  # Python's own sign for "cannot be imported"
    try:
        yield
    finally:
        if before is None:
            del sys.modules[_TELEMETRY]


def compile_graph(graph: bytes, precision: Precision, threads: int) -> Any:
    """Return OpenVINO's compiled model of a graph that has its weights inside."""
    with _without_telemetry():
        import openvino

    core = _core(openvino)
    settings = {
        "INFERENCE_PRECISION_HINT": {"fp32": "f32", "bf16": "bf16"}[precision],
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": threads,
        "PERFORMANCE_HINT": "THROUGHPUT",
    }
    try:
        return core.compile_model(core.read_model(graph), "CPU", settings)
    except RuntimeError as error:
        raise ModelError("OpenVINO cannot open the model", str(error), "use the engine onnx") from error


@cache
def _core(openvino: Any) -> Any:
    """Return the one core of this process, which is never given back.

    A core sets a stack for signals and, when it goes in another way than it came, leaves the thread with one that is no
    longer there: the next Ctrl-C is then a segmentation fault.
    """
    return openvino.Core()


class OpenVinoEngine:
    """A compiled model; each thread that calls has a request of its own.

    Parameters
    ----------
    compiled
        What OpenVINO's ``compile_model`` gave for our graph.
    architecture
        Sizes and names.
    precision
        What the products are computed in.
    """

    name = "openvino"
    budget = 1024
    streams = True

    def __init__(self, compiled: Any, architecture: Any, precision: Precision) -> None:
        self.compiled, self.architecture, self.precision = compiled, architecture, precision
        self._own = threading.local()

    def last(self, ids: NDArray[np.int64], lengths: NDArray[np.int64]) -> Dense:
        """Return the last hidden states ``(n, L, d)`` float32, as every engine does."""
        request = getattr(self._own, "request", None)
        if request is None:
            request = self._own.request = self.compiled.create_infer_request()
        found = request.infer(graph_feed(self.architecture, ids, lengths), share_inputs=True)
        return np.array(found["last"], np.float32)  # the request's own memory is written again by the next batch
