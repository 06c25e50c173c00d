"""The one seam of the engines: what each must offer, which there are, which this machine can run.

An engine turns token ids into the last hidden states of a transformer, in a precision that is asked for by name.
The encoder around it does the rest (tokens, pooling, dense layers), so that every engine gives the same kind of vector.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Protocol, cast, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import Dense
from isogloss.encoders.engines.precision import PRECISIONS, Precision
from isogloss.encoders.model_plan import ModelPlan
from isogloss.errors import MissingExtraError, UsageError

ENVIRONMENT = ("ISOGLOSS_ENGINE", "ISOGLOSS_PRECISION")
"""Variables that choose where no argument does."""


@runtime_checkable
class TokenEngine(Protocol):
    """What runs a transformer's forward pass.

    Attributes
    ----------
    name
        ``"onnx"``, ``"openvino"`` or ``"torch"``.
    precision
        What the products are computed in; results are float32 whatever it is.
    budget
        Tokens of one batch, padding included, that it runs best on.
    streams
        Whether several threads may run batches side by side (each with one thread of the engine's own); else batches
        come one after the other, and the engine uses its threads inside.
    """

    name: str
    precision: Precision
    budget: int
    streams: bool

    def last(self, ids: NDArray[np.int64], lengths: NDArray[np.int64]) -> Dense:
        """Return the last hidden states ``(n, L, d)`` float32 of ids ``(n, L)``.

        ``lengths (n,)`` says where padding starts; what stands at padded places is not looked at.
        """
        ...


@runtime_checkable
class PoolingEngine(TokenEngine, Protocol):
    """An engine that pools inside, so that token vectors need not leave it; only asked where ``pools`` says yes."""

    def pools(self, modes: Sequence[str]) -> bool:
        """Say whether ``pooled`` knows all these modes of :func:`isogloss.encoders.pooling.pool`."""
        ...

    def pooled(self, ids: Sequence[NDArray[np.int64]], modes: Sequence[str], skip: int) -> Dense:
        """Return ``(n, len(modes) * d)`` float32 for texts of any lengths; arguments as those of ``pool``."""
        ...


@dataclass(frozen=True, slots=True)
class EngineKind:
    """One engine that may be installed.

    Attributes
    ----------
    name
        As the user calls it.
    module
        The module with ``load(plan, precision, threads) -> TokenEngine``. It is named as text, so that nothing of an
        engine is imported before it is asked for: torch and OpenVINO take seconds and hundreds of megabytes.
    precisions
        Those that it can be asked for, the most exact first.
    needs
        Names of the packages that must be importable.
    extra
        The extra of ours that installs them, empty where they come with us.
    """

    name: str
    module: str
    precisions: tuple[Precision, ...]
    needs: tuple[str, ...]
    extra: str = ""

    def missing(self) -> str:
        """Return why this machine cannot run the engine; empty where it can."""
        absent = [name for name in self.needs if find_spec(name) is None]
        return f"{' and '.join(absent)} not installed" if absent else ""


_HERE = "isogloss.encoders.engines."
ENGINES: Mapping[str, EngineKind] = {
    kind.name: kind
    for kind in (
        EngineKind("onnx", _HERE + "onnx_loading", ("fp32", "int8"), ("onnxruntime",)),
        EngineKind("openvino", _HERE + "openvino", ("fp32", "bf16"), ("openvino",), "openvino"),
        EngineKind("torch", _HERE + "torch_loading", ("fp32", "bf16"), ("torch",), "train"),
    )
}
"""Engines by name; the first is the one that all others are compared with."""


def load_engine(plan: ModelPlan, name: str, precision: Precision, threads: int) -> TokenEngine:
    """Load a model's weights into an engine.

    Parameters
    ----------
    plan
        The model.
    name
        A key of ``ENGINES``.
    precision
        One of the engine's precisions.
    threads
        Threads it may use in all.

    Raises
    ------
    MissingExtraError
        Where it is not installed.
    UsageError
        Where there is no such engine, or it has no such precision.
    UnsupportedModelError
        Where the engine cannot run this model.
    """
    kind = check_request(name, precision)
    reason = kind.missing()
    if reason:
        fix = f"pip install 'isogloss[{kind.extra}]'" if kind.extra else "install isogloss again"
        raise MissingExtraError(f"the engine {name} is not there", reason, fix)
    load = cast("Callable[[ModelPlan, Precision, int], TokenEngine]", import_module(kind.module).load)
    return load(plan, precision, threads)


def check_request(name: str, precision: str | None) -> EngineKind:
    """Return the engine of this name, once it is clear that it knows the precision.

    Examples
    --------
    >>> check_request("openvino", "bf16").extra
    'openvino'
    """
    if name not in ENGINES:
        raise UsageError(f"there is no engine {name!r}", "", f"one of: auto, {', '.join(ENGINES)}")
    kind = ENGINES[name]
    if precision is not None and precision not in kind.precisions:
        able = [f"{other.name} ({', '.join(other.precisions)})" for other in ENGINES.values()]
        raise UsageError(
            f"the engine {name} does not compute in {precision}", f"it knows {', '.join(kind.precisions)}",
            f"choose one of: {'; '.join(able)}",
        )  # fmt: skip
    return kind


def asked_for(engine: str | None, precision: str | None) -> tuple[str, Precision | None]:
    """Return the engine and precision in force: the arguments, else the environment, else onnx in fp32.

    ``None`` as the precision of ``"auto"`` means any that agrees; a precision alone chooses among the engines that
    know it.

    Examples
    --------
    >>> asked_for(None, None), asked_for("openvino", None), asked_for(None, "int8")
    (('onnx', 'fp32'), ('openvino', 'fp32'), ('auto', 'int8'))
    """
    engine = engine or os.environ.get(ENVIRONMENT[0]) or None
    precision = precision or os.environ.get(ENVIRONMENT[1]) or None
    if precision is not None and precision not in PRECISIONS:
        raise UsageError(f"there is no precision {precision!r}", "", f"one of: {', '.join(PRECISIONS)}")
    if engine is None:
        engine = "onnx" if precision in (None, "fp32") else "auto"
    if engine != "auto":
        precision = precision or "fp32"
        check_request(engine, precision)
    return engine, precision
