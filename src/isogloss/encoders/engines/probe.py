"""A short trial of the engines on a sample of the user's texts: which agree with the first one, and which is fastest.

The choice is remembered for the model, the machine and the versions of the engines, in the user's cache folder.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from isogloss.arrays import Dense
from isogloss.compiled import cache_folder
from isogloss.encoders.engines.precision import Precision
from isogloss.encoders.engines.seam import ENGINES, TokenEngine
from isogloss.errors import IsoglossError

AGREEMENT = 0.9999
"""Least mean cosine with ONNX Runtime in fp32 that an engine needs to be chosen without being named."""
GAIN = 1.1
"""How many times as fast another engine must be: less is within the noise of a short trial."""
TOKENS = 1536
"""Tokens of a sample: with both timed runs, an engine is tried for a few tenths of a second."""
FEWEST = 8
"""Texts that a sample needs at least; fewer are encoded before any trial would be over."""
_RUNS = 2
_LIMITS = ("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA", "ATEN_CPU_CAPABILITY", "ISOGLOSS_DEVICE")


@dataclass(frozen=True, slots=True)
class Trial:
    """What one engine did with the sample.

    Attributes
    ----------
    engine, precision
        Which one.
    agreement
        Mean cosine with ONNX Runtime in fp32; NaN where it failed.
    seconds
        Of the faster of two runs over the sample.
    texts
        Texts of the sample.
    failure
        Why it could not be tried; empty where it could.
    """

    engine: str
    precision: Precision
    agreement: float
    seconds: float
    texts: int
    failure: str = ""

    @property
    def agrees(self) -> bool:
        """Say whether the engine may be chosen without being named."""
        return not self.failure and self.agreement >= AGREEMENT


@dataclass(frozen=True, slots=True)
class Verdict:
    """All trials, ONNX Runtime in fp32 first, and the one that was chosen."""

    trials: tuple[Trial, ...]
    chosen: Trial
    remembered: bool = False

    def sentence(self, model: str) -> str:
        """Say what was chosen, how it agrees and how fast it is."""
        one, first = self.chosen, self.trials[0]
        said = f"{model} runs on {one.engine} in {one.precision}"
        if one == first:
            return said
        cosine = min(one.agreement, 1.0)
        digits = 4 if cosine < 0.99995 else 6
        said += f": mean cosine with onnx in fp32 {cosine:.{digits}f} over {one.texts} texts"
        said += "" if one.agrees else f" (below {AGREEMENT})"
        said += f", {first.seconds / one.seconds:.1f} times as fast"
        return said + (" (measured before)" if self.remembered else "")


def candidates(engine: str, precision: Precision | None) -> list[tuple[str, Precision]]:
    """Return the engines to try, ONNX Runtime in fp32 first.

    By itself a trial never rounds to int8, and never loads torch into a process that works without it: that takes
    longer than most collections.

    Examples
    --------
    >>> candidates("onnx", "int8")
    [('onnx', 'fp32'), ('onnx', 'int8')]
    """
    first: tuple[str, Precision] = ("onnx", "fp32")
    if engine != "auto":
        return [first, (engine, precision or "fp32")]
    wanted: tuple[Precision, ...] = (precision,) if precision else ("bf16", "fp32")
    there = [
        kind for kind in ENGINES.values() if not kind.missing() and (kind.name != "torch" or "torch" in sys.modules)
    ]
    found = [(kind.name, one) for kind in there for one in wanted if one in kind.precisions]
    return list(dict.fromkeys([first, *found]))


def choose(
    pairs: Sequence[tuple[str, Precision]],
    load: Callable[[str, Precision], TokenEngine],
    run: Callable[[TokenEngine], Dense],
    *,
    named: bool,
) -> Verdict:
    """Try the engines on a sample; take the fastest that agrees.

    In single precision an engine is only tried where its bfloat16 was not to be had, or not faster than the first
    engine: it computes the same sums with more work.

    Parameters
    ----------
    pairs
        Engines and precisions, the reference first.
    load
        Loads one; an error of ours is a failed trial, unless the engine is named.
    run
        Encodes the sample; ``(n, d)`` vectors.
    named
        Whether an engine or a precision was asked for by name: then one of the others is taken, however it agrees.

    Raises
    ------
    IsoglossError
        Where the reference fails, or everything that was named does.
    """
    failures: list[Exception] = []
    reference, seconds = _timed(load(*pairs[0]), run)
    trials = [Trial(*pairs[0], 1.0, seconds, len(reference))]
    for engine, precision in pairs[1:]:
        if precision == "fp32" and not named and any(_clear(one, engine, trials[0]) for one in trials[1:]):
            continue
        try:
            vectors, seconds = _timed(load(engine, precision), run)
        except (IsoglossError, RuntimeError) as error:
            failures.append(error)
            trials.append(Trial(engine, precision, float("nan"), float("inf"), 0, str(error)))
            continue
        trials.append(Trial(engine, precision, mean_cosine(vectors, reference), seconds, len(vectors)))
    if named and len(failures) == len(trials) - 1:
        raise failures[-1]
    return Verdict(tuple(trials), _best(trials[1:]) if named else _fastest(trials))


def _best(trials: Sequence[Trial]) -> Trial:
    return min(trials, key=lambda trial: (bool(trial.failure), not trial.agrees, trial.seconds))


def _clear(trial: Trial, engine: str, first: Trial) -> bool:
    return trial.engine == engine and trial.agrees and trial.seconds * GAIN < first.seconds


def _fastest(trials: Sequence[Trial]) -> Trial:
    able = [trial for trial in trials[1:] if trial.agrees and trial.seconds * GAIN < trials[0].seconds]
    return min(able, key=lambda trial: trial.seconds, default=trials[0])


def _timed(engine: TokenEngine, run: Callable[[TokenEngine], Dense]) -> tuple[Dense, float]:
    vectors = run(engine)  # shapes are compiled and weights are read now
    best = float("inf")
    for _ in range(_RUNS):
        start = time.perf_counter()
        run(engine)
        best = min(best, time.perf_counter() - start)
    return vectors, best


def mean_cosine(found: Dense, expected: Dense) -> float:
    """Return the mean cosine of rows; 0 where a row is not finite or has no length.

    Examples
    --------
    >>> mean_cosine(np.array([[1.0, 0.0], [0.0, 2.0]]), np.array([[2.0, 0.0], [1.0, 0.0]]))
    0.5
    """
    a, b = np.asarray(found, np.float64), np.asarray(expected, np.float64)
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    good = np.isfinite(lengths) & (lengths > 0)
    cosines = np.zeros(len(a))
    cosines[good] = (a[good] * b[good]).sum(1) / lengths[good]
    return float(cosines.mean()) if len(cosines) else 0.0


def sample(lengths: Sequence[int]) -> list[int]:
    """Return positions of texts spread evenly over the input, about ``TOKENS`` tokens of them.

    Examples
    --------
    >>> sample([1000] * 100)
    [0, 12, 25, 37, 50, 62, 75, 87]
    """
    mean = max(1.0, float(np.mean(lengths)))
    count = min(len(lengths), max(FEWEST, int(TOKENS / mean)))
    return [int(i * len(lengths) / count) for i in range(count)]


def machine(engines: Sequence[str], threads: int) -> list[str]:
    """Return what a choice depends on beside the model: processor, threads, limits and versions of the engines."""
    from importlib import metadata

    cpu = Path("/proc/cpuinfo")
    lines = cpu.read_text("utf-8", "replace").split("\n\n")[0].splitlines() if cpu.is_file() else []
    kept = [line for line in lines if line.startswith(("model name", "flags", "Features", "CPU part"))]
    packages = sorted({need for name in engines for need in ENGINES[name].needs})
    versions = [f"{name} {metadata.version(name)}" for name in packages]
    limits = [f"{name}={os.environ.get(name, '')}" for name in _LIMITS]
    return [platform.machine(), platform.processor(), *kept, str(threads), *limits, *versions]


def remembered(key: Sequence[object], measure: Callable[[], Verdict]) -> Verdict:
    """Return what ``measure()`` gave before for the same key, else measure now and keep it.

    The memory is a cache only: it may be deleted at any time, and is not written where that is not allowed.
    """
    name = hashlib.sha256(json.dumps(key, default=str).encode()).hexdigest()
    entry = cache_folder() / "engines" / f"{name}.json"
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError, IndexError):
        said = json.loads(entry.read_text("utf-8"))
        trials = tuple(Trial(**one) for one in said["trials"])
        return Verdict(trials, trials[said["chosen"]], remembered=True)
    verdict = measure()
    content = {"trials": [asdict(one) for one in verdict.trials], "chosen": verdict.trials.index(verdict.chosen)}
    with contextlib.suppress(OSError):
        entry.parent.mkdir(parents=True, exist_ok=True)
        partial = entry.with_name(f"{name}.{os.getpid()}")
        partial.write_text(json.dumps(content), "utf-8")
        partial.replace(entry)
    return verdict
