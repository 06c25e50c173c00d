"""Transformer encoders with a longer window than they were trained with, without training."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from isogloss.encoders import positions
from isogloss.encoders.engine_encoder import EngineEncoder
from isogloss.encoders.engines.architectures import Architecture, Weights
from isogloss.encoders.engines.extended_graph import ChangedEngine, EngineByLength
from isogloss.encoders.engines.onnx import GraphEngine
from isogloss.encoders.engines.shape_graph import graph_engine
from isogloss.encoders.engines.shapes import Shape
from isogloss.encoders.engines.weights import read_headers
from isogloss.encoders.model_plan import Choice
from isogloss.encoders.shaped_transformer import RotaryEncoder, encoder_of
from isogloss.encoders.transformer import TransformerEncoder
from isogloss.errors import UnsupportedModelError, UsageError

_KINDS = (TransformerEncoder, RotaryEncoder, EngineEncoder)  # others have no folder, or change more than positions
Method = Literal["grouped", "recurrent", "interpolated", "ntk", "linear", "self-extend"]


@dataclass(frozen=True, slots=True)
class Extension:
    """How a window was extended.

    Attributes
    ----------
    method
        Its name; ``"own"`` for places that the caller gave.
    window
        Tokens that fit now, special ones included.
    trained
        Tokens that fit before.
    places
        Trained position of each place, for models with a table of positions.
    how
        How distances are counted, for ``"self-extend"``.
    """

    method: str
    window: int
    trained: int
    places: NDArray[np.float64] | None = None
    how: positions.SelfExtend | None = None

    def digest(self) -> str:
        """Return a hash of everything that vectors depend on."""
        content = f"{self.method} {self.window} {self.trained} {self.how}".encode()
        return hashlib.sha256(content + (b"" if self.places is None else self.places.tobytes())).hexdigest()


class ExtendedEncoder(RotaryEncoder):
    """A transformer encoder with a longer window; made by :func:`extended`.

    A text that fits the trained positions gets exactly the vector that the plain encoder gives it at that window: only
    longer ones are read with other positions. Runs on ONNX Runtime in fp32; its identity says how it was extended.

    Parameters
    ----------
    encoder
        The encoder whose folder is read.
    extension
        What is changed.
    """

    def __init__(self, encoder: TransformerEncoder, extension: Extension) -> None:
        plan = encoder.plan
        length = Choice(extension.window, f"positions: {extension.method}", plan.max_length.said)
        self.extension = extension
        self._settle(replace(plan, max_length=length), encoder.threads, encoder.long)

    @cached_property
    def engine(self) -> GraphEngine:
        """Two engines over the same weights, made at first use: the plain one, and the one for longer texts."""
        plan, changed = self.plan, self.extension
        assert plan.architecture is not None
        arch = _longer(plan.architecture, changed)
        weights = Weights(read_headers(plan.transformer), plan.architecture).used()
        table = None
        if changed.places is not None:
            stored, first = weights[arch.names.position + ".weight"].read(), arch.first_position
            table = np.concatenate([stored[:first], positions.rows_at(stored[first:], changed.places)])
        short = graph_engine(plan.architecture, weights)
        far = ChangedEngine(arch, weights, table=table, how=changed.how)
        return EngineByLength(arch, weights, short=short, long=far)

    def _weights_digest(self) -> str:
        return f"{super()._weights_digest()} {self.extension.digest()}"


def extended(
    encoder: Any, method: Method | NDArray[np.float64], window: int, *, near: int | None = None
) -> TransformerEncoder:
    """Return the encoder with a window of ``window`` tokens; what was trained is used again, nothing is trained.

    Parameters
    ----------
    encoder
        A :class:`~isogloss.encoders.transformer.TransformerEncoder` of a folder, as ``load_encoder`` gives it.
    method
        For models with a table of positions (BERT, RoBERTa, MPNet, DistilBERT) ``"grouped"``, ``"recurrent"`` or
        ``"interpolated"``; for those with rotary ones (ModernBERT, Llama and its kin) ``"ntk"``, ``"linear"`` or
        ``"self-extend"``: see :mod:`isogloss.encoders.positions`. An array ``(window,)`` gives the trained position of
        each place itself. To read long texts window by window: :func:`isogloss.encoders.windows.windowed`.
    window
        Longest text in tokens, special ones included. Where the model has as many positions, nothing has to be
        extended: the plain encoder at that window is returned.
    near
        For ``"self-extend"``: tokens to a side whose distances stay exact; a quarter of the positions by default.

    Raises
    ------
    UsageError
        For a window below one, or places that do not fit.
    UnsupportedModelError
        Where the encoder has no folder of its own, runs from an ONNX file, or has other positions than the method
        extends.

    Examples
    --------
    With a model on the machine (``isogloss pull minilm``)::

        long = extended(load_encoder("minilm"), "recurrent", 2048)
        long.encode(["a text of two thousand tokens ..."])  # (1, 384)
    """
    arch = encoder.plan.architecture if type(encoder) in _KINDS else None
    if arch is None or isinstance(arch, Shape):
        name = getattr(encoder, "name", type(encoder).__name__)
        raise UnsupportedModelError(
            f"the window of {name} cannot be extended", f"it is a {type(encoder).__name__}, not the folder of a BERT, "
            "RoBERTa, MPNet, DistilBERT, ModernBERT or decoder that runs on a graph of ours",
            "save the model, or read long texts with windowed()",
        )  # fmt: skip
    if window < 1:
        raise UsageError(f"a window of {window} tokens is not possible", "", "use 1 or more")
    if window <= arch.positions and isinstance(method, str):
        _check(method, arch)
        length = Choice(window, "window given by the user", encoder.plan.max_length.said)
        return encoder_of(replace(encoder.plan, max_length=length), threads=encoder.threads, long=encoder.long)
    return ExtendedEncoder(encoder, _extension(arch, method, window, near))


def _extension(arch: Architecture, method: Method | NDArray[np.float64], window: int, near: int | None) -> Extension:
    trained = arch.positions
    if not isinstance(method, str):
        own = np.asarray(method, np.float64)
        if arch.rotary is not None or own.shape != (window,) or window <= trained:
            raise UsageError(
                "these places do not fit", f"{own.shape} for a window of {window} instead of {trained} "
                f"{'rotary' if arch.rotary else 'stored'} positions", "give a place a token, more than are stored",
            )  # fmt: skip
        positions.rows_at(np.zeros((trained, 1), np.float32), own)  # refuses what lies outside
        return Extension("own", window, trained, own)
    _check(method, arch)
    if method in positions.TABLE_METHODS:
        return Extension(method, window, trained, positions.trained_places(method, window, trained))
    how = positions.self_extend_for(window, trained, near) if method == "self-extend" else None
    return Extension(method, window, trained, how=how)


def _check(method: str, arch: Architecture) -> None:
    """Refuse a method that this kind of positions does not know."""
    if method not in get_args(Method):
        raise UsageError(
            f"there is no way to extend a window by {method!r}", "", f"one of: {', '.join(get_args(Method))}"
        )
    known = positions.ROTARY_METHODS if arch.rotary is not None else positions.TABLE_METHODS
    if method not in known:
        raise UnsupportedModelError(
            f"a {arch.model_type} is not extended by {method}",
            f"it has {'rotary positions' if arch.rotary is not None else 'a table of positions'}",
            f"one of: {', '.join(known)}",
        )  # fmt: skip


def _longer(arch: Architecture, changed: Extension) -> Architecture:
    """Return the architecture of long texts; rotary positions are stretched here."""
    rotary = arch.rotary
    if rotary is not None and changed.how is None:
        rotary = positions.stretched(rotary, changed.method, changed.window / changed.trained)  # type: ignore[arg-type]
    return replace(arch, positions=changed.window, rotary=rotary)
