"""One block of a long encoding: its texts read, encoded, and written to their rows of a file that processes share."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import Dense
from isogloss.compiled import numba_available
from isogloss.encoders.engines.precision import Precision
from isogloss.encoders.names import load_encoder
from isogloss.encoders.text_spool import blocks, open_spool
from isogloss.encoders.windows import windowed
from isogloss.errors import IncompatibleError, IsoglossError, NonFiniteError
from isogloss.protocols import EncodeReport, Role

VECTORS = "vectors.npy"


@dataclass(frozen=True, slots=True)
class Order:
    """What a process must know to encode blocks.

    Attributes
    ----------
    folder
        Where the spool of texts and the file of vectors lie.
    model
        A name for ``load_encoder``.
    engine, precision
        What runs a transformer: settled, so that every process takes the same.
    threads
        Threads of each process.
    max_length
        Longest input in tokens; ``None`` for the model's own.
    role, instruction
        As for ``encode``.
    windows
        Whether long texts are read in windows; else the model cuts them.
    """

    folder: str
    model: str
    engine: str = "onnx"
    precision: Precision = "fp32"
    threads: int = 1
    max_length: int | None = None
    role: Role | None = None
    instruction: str | None = None
    windows: bool = False


@dataclass(frozen=True, slots=True)
class Finished:
    """A block that was encoded.

    Attributes
    ----------
    block
        Its number.
    digest
        Hash of its vectors as they were written.
    report
        Counts of an ``EncodeReport``.
    """

    block: int
    digest: str
    report: dict[str, int] = field(default_factory=dict)


def digest(rows: Dense) -> str:
    """Return a hash of vectors, bit for bit.

    Examples
    --------
    >>> digest(np.zeros((1, 2), np.float32)) == digest(-np.zeros((1, 2), np.float32))
    False
    """
    return hashlib.blake2b(np.ascontiguousarray(rows).tobytes(), digest_size=8).hexdigest()


def make_vectors(folder: Path, count: int, dimensions: int) -> None:
    """Make the file of vectors ``(count, dimensions)`` float32, all its space taken from the disk now.

    Raises
    ------
    OSError
        Where the disk is too full: later, a process that writes to a mapped file could only die.
    """
    path = folder / VECTORS
    array = np.lib.format.open_memmap(path, "w+", np.float32, (count, dimensions))
    array.flush()
    size = path.stat().st_size
    if hasattr(os, "posix_fallocate"):
        with open(path, "r+b") as file:
            os.posix_fallocate(file.fileno(), 0, size)


def open_vectors(folder: Path, *, write: bool = False) -> NDArray[np.float32]:
    """Return the file of vectors as an array; every process that opens it sees the same memory."""
    return cast("NDArray[np.float32]", np.load(folder / VECTORS, mmap_mode="r+" if write else "r", allow_pickle=False))


def open_encoder(order: Order) -> Any:
    """Load the model of an order on its settled engine, without a trial, and read long texts as it says."""
    encoder = _settled(order)
    return windowed(encoder) if order.windows else encoder


def _settled(order: Order) -> Any:
    encoder: Any = load_encoder(
        order.model, threads=order.threads, max_length=order.max_length, engine="onnx", precision="fp32"
    )
    if not hasattr(encoder, "plan") and numba_available():
        # a kernel and its twin differ in the last bit, and once Numba is loaded every text goes to the kernel
        import_module("numba")
    if (order.engine, order.precision) == ("onnx", "fp32"):
        return encoder
    from isogloss.encoders.engine_encoder import EngineEncoder

    return EngineEncoder.settled(encoder, order.engine, order.precision)


def block_encoder(order: Order) -> Callable[[int], Finished]:
    """Load the model once; return a function that encodes the block of a number into the shared file.

    The same block gives the same bits in every process: which texts share a batch depends on the texts alone, and each
    batch is computed by one thread.
    """
    folder = Path(order.folder)
    spool, out, encoder = open_spool(folder), open_vectors(folder, write=True), open_encoder(order)
    plan = blocks(spool.sizes)

    def encode(number: int) -> Finished:
        positions, report = plan[number], EncodeReport()
        try:
            rows = encoder.encode(spool.take(positions), role=order.role, instruction=order.instruction, report=report)
            _check(rows, len(positions), out.shape[1], order.model)
        except IsoglossError as error:
            place = f"counted in a block of {len(positions)} texts, which begins with text {positions[0]}"
            raise type(error)(error.what, f"{error.why} ({place})".strip(), error.fix) from error
        out[positions] = rows
        return Finished(number, digest(rows), report.to_dict())

    return encode


def _check(rows: Any, count: int, dimensions: int, model: str) -> None:
    if not isinstance(rows, np.ndarray) or rows.dtype != np.float32 or rows.shape != (count, dimensions):
        raise IncompatibleError(
            f"{model} does not give one vector a text",
            f"its encode gave {type(rows).__name__} of shape {getattr(rows, 'shape', '')}, "
            f"expected {count} x {dimensions} float32",
            "use a dense model",
        )
    bad = ~np.isfinite(rows).all(1)
    if bad.any():
        raise NonFiniteError(
            f"{model} gave a vector that is not finite", f"text {int(bad.argmax())}", "run: isogloss doctor MODEL"
        )
