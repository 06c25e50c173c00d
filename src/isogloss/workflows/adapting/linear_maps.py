"""Linear maps of a model's vectors, fitted on the documents: centring, directions taken off, whitening."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from isogloss.arrays import Dense, normalise
from isogloss.encoders.static import StaticEncoder, TokenVectors
from isogloss.errors import UnsupportedModelError
from isogloss.transforms.common_component import CommonComponentRemoval
from isogloss.transforms.whitening import Whitening
from isogloss.workflows.adapting.room import Reading

FEW = 100
"""Vectors that a map must be fitted on."""
_OLD_MODULES = "sentence_transformers.models."


@dataclass(frozen=True, slots=True)
class LinearMap:
    """``(x - mean) weights``, then unit length.

    Attributes
    ----------
    mean
        ``(d,)``.
    weights
        ``(d, k)``.

    Examples
    --------
    >>> half = LinearMap(np.zeros(2, np.float32), np.eye(2, dtype=np.float32))
    >>> half(np.array([[3.0, 4.0]], np.float32)).astype(float).round(2).tolist()
    [[0.6, 0.8]]
    """

    mean: Dense
    weights: Dense

    def __call__(self, vectors: Dense) -> Dense:
        """Return the mapped vectors ``(n, k)`` of unit length."""
        return normalise(np.asarray((vectors - self.mean) @ self.weights, np.float32))

    def read(self, reading: Reading) -> Reading:
        """Return what a reading is after the map."""
        return Reading(self(reading.passages), self(reading.questions))


def centred(vectors: Dense) -> LinearMap:
    """Take the mean off."""
    return LinearMap(vectors.mean(0), np.eye(vectors.shape[1], dtype=np.float32))


def without_common(vectors: Dense, *, components: int) -> LinearMap:
    """Take off the strongest directions about zero (Arora, Liang, Ma 2017; see the transform)."""
    fitted = CommonComponentRemoval(components=components).fit(vectors)
    rows = np.asarray(fitted.components_, np.float32)  # (k, d)
    weights = np.eye(vectors.shape[1], dtype=np.float32) - rows.T @ rows  # (d, d)
    return LinearMap(np.zeros(vectors.shape[1], np.float32), weights)


def all_but_the_top(vectors: Dense, *, components: int) -> LinearMap:
    """Centre, then take off the strongest directions (Mu, Viswanath 2018, https://arxiv.org/abs/1702.01417)."""
    mean = vectors.mean(0)
    return replace(without_common(vectors - mean, components=components), mean=mean)


def whitened(vectors: Dense, *, strength: float) -> LinearMap:
    """Divide every direction by a power of its deviation; few rows are shrunk towards an even spread."""
    shrinkage = min(0.5, vectors.shape[1] / len(vectors) / 4)
    fitted = Whitening(kind="zca", strength=strength, shrinkage=shrinkage).fit(np.asarray(vectors, np.float64))
    return LinearMap(np.asarray(fitted.mean_, np.float32), np.asarray(fitted.weights_, np.float32))


MAPS: Mapping[str, Callable[[Dense], LinearMap]] = {
    "centred": centred,
    "one common direction off": lambda vectors: without_common(vectors, components=1),
    "centred, three directions off": lambda vectors: all_but_the_top(vectors, components=3),
    "a quarter whitened": lambda vectors: whitened(vectors, strength=0.25),
    "half whitened": lambda vectors: whitened(vectors, strength=0.5),
    "whitened": lambda vectors: whitened(vectors, strength=1.0),
}
"""The maps that are tried, by name: from vectors ``(n, d)`` to a fitted map."""


def mapped_static(encoder: StaticEncoder, fit: Callable[[Dense], LinearMap], texts: list[str]) -> StaticEncoder:
    """Fit a map on the means of token vectors and let every token vector go through it.

    The mean of mapped tokens is the mapped mean, so the result is a static model like any other. Tokens whose vectors
    are zero stay so: a text of nothing else keeps its vector of zeros.

    Parameters
    ----------
    encoder
        The model; not changed.
    fit
        One of ``MAPS``.
    texts
        Passages of the documents.
    """
    plain = StaticEncoder(
        encoder.pieces, encoder.vectors, finish="mean", skip_unknown=encoder.skip_unknown, name=encoder.name
    )
    found = fit(plain.encode(texts))
    table = encoder.vectors.rows.astype(np.float32) * encoder.vectors.weights[:, None]  # (V, d)
    rows = np.asarray((table - found.mean) @ found.weights, np.float32)  # (V, k)
    rows[~table.any(1)] = 0
    return rebuilt(encoder, rows)


def rebuilt(encoder: StaticEncoder, rows: Dense) -> StaticEncoder:
    """Return a static model with other token vectors ``(V, k)``."""
    return StaticEncoder(
        encoder.pieces, TokenVectors(rows, np.ones(len(rows), np.float32)), finish=encoder.finish,
        skip_unknown=encoder.skip_unknown, name=encoder.name, languages=encoder.languages, threads=encoder.threads,
    )  # fmt: skip


def append_map(folder: Path, found: LinearMap) -> None:
    """Add a map to a sentence-transformers folder: unit length, a dense layer without activation, unit length.

    Raises
    ------
    UnsupportedModelError
        Where the folder has no ``modules.json``.
    """
    from safetensors.numpy import save_file

    file = folder / "modules.json"
    if not file.is_file():
        raise UnsupportedModelError(
            f"{folder.name} cannot take a linear map", "it is no sentence-transformers folder", "choose another base"
        )
    modules: list[dict[str, Any]] = json.loads(file.read_text("utf-8"))
    if not str(modules[-1]["type"]).endswith("Normalize"):
        _add(folder, modules, "Normalize")
    place = _add(folder, modules, "Dense")
    width, out = found.weights.shape
    _json(place / "config.json", {
        "in_features": width, "out_features": out, "bias": True,
        "activation_function": "torch.nn.modules.linear.Identity",
    })  # fmt: skip
    bias = np.ascontiguousarray(-(found.mean @ found.weights), np.float32)
    tensors = {"linear.weight": np.ascontiguousarray(found.weights.T, np.float32), "linear.bias": bias}
    save_file(tensors, place / "model.safetensors", metadata={"format": "pt"})
    _add(folder, modules, "Normalize")
    _json(file, modules)


def _add(folder: Path, modules: list[dict[str, Any]], kind: str) -> Path:
    number = len(modules)
    path = f"{number}_{kind}"
    modules.append({"idx": number, "name": str(number), "path": path, "type": _OLD_MODULES + kind})
    (folder / path).mkdir()
    return folder / path


def _json(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", "utf-8")


def copy_model(source: Path, folder: Path) -> None:
    """Copy a model's files into a new folder, without its card and without files of other engines.

    What other engines run (ONNX, OpenVINO) would lack what is added here, and give other vectors.
    """
    shutil.copytree(
        source, folder, dirs_exist_ok=True,
        ignore=shutil.ignore_patterns("onnx", "openvino", "*.onnx", "*.h5", "*.bin", "README.md", ".*"),
    )  # fmt: skip
