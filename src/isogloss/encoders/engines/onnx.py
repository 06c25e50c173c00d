"""ONNX Runtime as the engine of the forward pass: our own graph over stored weights, or a folder's ONNX file."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import Dense
from isogloss.encoders.engines.architectures import Architecture, relative_buckets
from isogloss.encoders.engines.graph import write_graph
from isogloss.encoders.engines.precision import Precision
from isogloss.encoders.engines.weights import TensorPlace
from isogloss.errors import ModelError, UnsupportedModelError


def default_threads() -> int:
    """Return the number of threads where the caller gives none: the processors that this process may use, at most 8."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(8, count)


def open_session(model: bytes | Path, *, folder: Path) -> Any:
    """Open an ONNX Runtime session that runs in the thread that calls it; several threads may share it.

    Threads inside a run wait for each other after each of some hundred operators; several small runs side by side
    do not, and their activations stay in the processor's cache.

    Parameters
    ----------
    model
        The model, or the file that holds it.
    folder
        Folder that external weights of a model in bytes are looked up in.
    """
    import onnxruntime

    onnxruntime.disable_telemetry_events()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.enable_mem_pattern = False  # patterns are kept for each shape, and there are thousands
    if isinstance(model, bytes):
        options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(folder))
    source = model if isinstance(model, bytes) else str(model)
    try:
        return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the library's errors have no common class
        named = "the model" if isinstance(model, bytes) else model.name
        raise ModelError(f"ONNX Runtime cannot open {named}", str(error), "run: isogloss doctor MODEL") from error


def graph_feed(
    architecture: Architecture, ids: NDArray[np.int64], lengths: NDArray[np.int64]
) -> dict[str, NDArray[Any]]:
    """Return the inputs of our own graph for ids ``(n, L)`` of which ``lengths (n,)`` count."""
    width = ids.shape[1]
    feed: dict[str, NDArray[Any]] = {
        "ids": ids,
        "positions": np.arange(width, dtype=np.int64) + architecture.first_position,
        "lengths": lengths.astype(np.int32),
    }
    if architecture.buckets:
        feed["buckets"] = relative_buckets(width, architecture.buckets)
    return feed


@dataclass
class GraphEngine:
    """Our own graph over the weights of a model; sessions are made at first use and kept.

    Parameters
    ----------
    architecture
        Sizes and names.
    weights
        Place of each tensor, by its name without prefix.
    precision
        ``"fp32"``, or ``"int8"``: the linear layers' weights are rounded to 8 bits when a session is made, what goes
        into them batch by batch.
    """

    name: ClassVar[str] = "onnx"
    budget: ClassVar[int] = 256
    streams: ClassVar[bool] = True

    architecture: Architecture
    weights: Mapping[str, TensorPlace]
    precision: Precision = "fp32"
    _sessions: dict[tuple[tuple[int, ...], tuple[int, ...]], Any] = field(default_factory=dict, repr=False)

    def _session(self, states: tuple[int, ...], maps: tuple[int, ...]) -> Any:
        if (states, maps) not in self._sessions:
            folder = Path(os.path.commonpath([place.path.parent for place in self.weights.values()]))
            model = write_graph(
                self.architecture, self.weights, folder, states=states, maps=maps, rounded=self.precision == "int8"
            )
            self._sessions[states, maps] = open_session(model, folder=folder)
        return self._sessions[states, maps]

    def multiply_adds(self, texts: int, width: int) -> int:
        """Return the multiply-adds of one run on ``texts`` rows of ``width`` tokens: linear layers and attention."""
        arch = self.architecture
        linear = 4 * arch.width**2 + 2 * arch.width * arch.inner
        return arch.layers * texts * width * (linear + 2 * width * arch.width)

    def last(self, ids: NDArray[np.int64], lengths: NDArray[np.int64]) -> Dense:
        """Return the last hidden states ``(n, L, d)`` of ids ``(n, L)``; ``lengths (n,)`` says where padding starts."""
        return np.asarray(self._session((), ()).run(None, graph_feed(self.architecture, ids, lengths))[0])

    def states(self, ids: NDArray[np.int64], lengths: NDArray[np.int64], layers: Sequence[int]) -> list[Dense]:
        """Return the hidden states ``(n, L, d)`` of each layer asked for; 0 is the embeddings' output."""
        chosen = tuple(sorted(set(layers)))
        found = self._session(chosen, ()).run(None, graph_feed(self.architecture, ids, lengths))
        by_layer = {layer: np.asarray(item).reshape(*ids.shape, -1) for layer, item in zip(chosen, found, strict=True)}
        return [by_layer[layer] for layer in layers]

    def attentions(self, ids: NDArray[np.int64], lengths: NDArray[np.int64], layers: Sequence[int]) -> list[Dense]:
        """Return the attention maps ``(n, heads, L, L)`` of each layer asked for; 0 is the first layer."""
        chosen = tuple(sorted(set(layers)))
        found = dict(
            zip(chosen, self._session((), chosen).run(None, graph_feed(self.architecture, ids, lengths)), strict=True)
        )
        return [np.asarray(found[layer]) for layer in layers]


class FileEngine:
    """An ONNX file of the model's folder, as exporters write them.

    Parameters
    ----------
    path
        The file.
    """

    name: ClassVar[str] = "onnx"
    precision: Precision = "fp32"
    budget: ClassVar[int] = 256
    streams: ClassVar[bool] = True

    def __init__(self, path: Path) -> None:
        self.session = open_session(path, folder=path.parent)
        self.inputs = {item.name for item in self.session.get_inputs()}
        unknown = self.inputs - {"input_ids", "attention_mask", "token_type_ids"}
        outputs = {item.name: len(item.shape) for item in self.session.get_outputs()}
        named = [name for name in ("last_hidden_state", "token_embeddings") if name in outputs]
        deep = named or [name for name, rank in outputs.items() if rank == 3]
        if unknown or not deep:
            why = f"unknown inputs {', '.join(sorted(unknown))}" if unknown else "no output of token vectors"
            raise UnsupportedModelError(
                f"{path.name} is not an encoder's ONNX file", why, "export it with last_hidden_state"
            )
        self.output = deep[0]

    def last(self, ids: NDArray[np.int64], lengths: NDArray[np.int64]) -> Dense:
        """Return the last hidden states, as :meth:`GraphEngine.last`."""
        columns = np.arange(ids.shape[1], dtype=np.int64)
        feed = {
            "input_ids": ids,
            "attention_mask": (columns < lengths[:, None]).astype(np.int64),
            "token_type_ids": np.zeros_like(ids),
        }
        found = self.session.run([self.output], {name: feed[name] for name in self.inputs})[0]
        return np.asarray(found, np.float32)
