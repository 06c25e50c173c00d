"""What ``isogloss doctor`` says about the machine: processor, engine, threads, torch, network, cache, Numba."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path

from isogloss.compiled import cache_folder, numba_available
from isogloss.protocols import Diagnosis

CPU_TORCH = "pip install torch --index-url https://download.pytorch.org/whl/cpu"
_WANTED = {
    "avx2": ("avx2",),
    "AVX-512": ("avx512f",),
    "VNNI": ("avx512_vnni", "avx_vnni"),
    "bf16": ("avx512_bf16", "bf16"),
    "AMX": ("amx_tile",),
    "NEON": ("asimd", "neon"),
    "dot product": ("asimddp",),
    "int8 matrix": ("i8mm",),
    "SVE": ("sve",),
}


def check_machine() -> list[Diagnosis]:
    """Check what does not depend on a model; looks at files and versions only, imports nothing heavy.

    Examples
    --------
    >>> sorted({finding.check for finding in check_machine()})
    ['Numba', 'ONNX Runtime', 'cache', 'network', 'processor', 'threads', 'torch']
    """
    return [_processor(), _onnxruntime(), _threads(), _torch(), _network(), _cache(), _numba()]


def processor_features(flags: Iterable[str]) -> list[str]:
    """Name the vector instructions that matter, from the words of ``/proc/cpuinfo``.

    Examples
    --------
    >>> processor_features("fpu sse2 avx2 avx512f avx512_vnni".split())
    ['avx2', 'AVX-512', 'VNNI']
    """
    present = set(flags)
    return [name for name, words in _WANTED.items() if present & set(words)]


def _cpuinfo(path: Path = Path("/proc/cpuinfo")) -> tuple[str, list[str]]:
    """Return the processor's name and flags; on macOS every Apple processor has NEON and dot products."""
    name, flags = platform.processor() or platform.machine(), list[str]()
    try:
        for line in path.read_text(errors="replace").splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                name = value.strip()
            elif key.strip() in ("flags", "Features"):
                return name, value.split()
            elif not line.strip() and flags:
                break
    except OSError:
        if sys.platform == "darwin" and platform.machine() == "arm64":
            flags = ["neon", "asimddp"]
    return name, flags


def _processor() -> Diagnosis:
    name, flags = _cpuinfo()
    features = processor_features(flags)
    if flags and platform.machine() in ("x86_64", "AMD64") and "avx2" not in features:
        slow = "without AVX2 encoding is several times slower"
        return Diagnosis("processor", "note", f"{name}, no AVX2", f"{slow}; use static vectors, or another machine")
    return Diagnosis("processor", "ok", f"{name}: {', '.join(features) or 'instructions not listed by the system'}")


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def _onnxruntime() -> Diagnosis:
    builds = {name: found for name in _runtime_builds() if (found := _version(name))}
    if not builds:
        fix = "pip install onnxruntime"
        return Diagnosis("ONNX Runtime", "warning", "not installed: transformer models cannot run", fix)
    named = ", ".join(f"{name} {found}" for name, found in builds.items())
    if len(builds) > 1:
        fix = "pip uninstall all of them, then: pip install onnxruntime"
        return Diagnosis("ONNX Runtime", "warning", f"{named}: several builds overwrite each other's files", fix)
    return Diagnosis("ONNX Runtime", "ok", f"{named}, run on the processor")


def _runtime_builds() -> tuple[str, ...]:
    return ("onnxruntime", "onnxruntime-gpu", "onnxruntime-directml", "onnxruntime-openvino", "onnxruntime-rocm")


def _threads() -> Diagnosis:
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    limits = {name: os.environ[name] for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS") if os.environ.get(name)}
    found = f"{usable} of {os.cpu_count() or 1} processors usable" + "".join(f", {k}={v}" for k, v in limits.items())
    quota = container_processors()
    if quota and quota < usable:
        found += f"; the container may use {quota:g} of them, more threads only wait for each other"
        return Diagnosis("threads", "warning", found, f"set threads to {max(1, int(quota))}")
    return Diagnosis("threads", "ok", found)


def container_processors(folder: Path = Path("/sys/fs/cgroup")) -> float:
    """Return how many processors a container's quota allows; 0 where there is no quota.

    Parameters
    ----------
    folder
        Where the control group's files lie (version 2, then version 1).
    """
    try:
        quota, period = (folder / "cpu.max").read_text().split()[:2]
    except (OSError, ValueError):
        try:
            quota = (folder / "cpu" / "cpu.cfs_quota_us").read_text().strip()
            period = (folder / "cpu" / "cpu.cfs_period_us").read_text().strip()
        except OSError:
            return 0.0
    if not quota.isdigit() or not period.isdigit() or int(period) == 0:
        return 0.0
    return int(quota) / int(period)


def _torch() -> Diagnosis:
    version = _version("torch")
    if not version:
        found = f"not installed, and not needed to search; for training take the CPU build: {CPU_TORCH}"
        return Diagnosis("torch", "ok", found)
    build = version.partition("+")[2]
    extra = [name for name in _distributions() if name.startswith(("nvidia-", "triton"))]
    if build.startswith(("cu", "rocm")) or (not build and extra):
        found = f"torch {version} for graphics cards, with {len(extra)} packages for them (several GB)"
        fix = f"if there is no such card: pip uninstall torch {' '.join(extra[:2])} ..., then {CPU_TORCH}"
        return Diagnosis("torch", "ok" if _has_card() else "note", found, "" if _has_card() else fix)
    return Diagnosis("torch", "ok", f"torch {version}, CPU build")


def _has_card() -> bool:
    return any(Path(name).exists() for name in ("/dev/nvidia0", "/dev/nvidiactl", "/dev/kfd"))


def _distributions() -> Iterator[str]:
    for found in metadata.distributions():
        name = found.metadata["Name"] if found.metadata else None
        if name:
            yield name.lower()


def _network() -> Diagnosis:
    names = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_HOME", "HF_HUB_CACHE", "HF_ENDPOINT")
    set_ones = ", ".join(f"{name}={os.environ[name]}" for name in names if os.environ.get(name))
    return Diagnosis("network", "ok", f"never used, except by isogloss pull ({set_ones or 'no HF_ variables set'})")


def _cache() -> Diagnosis:
    folder = cache_folder()
    existing = folder
    while not existing.exists() and existing != existing.parent:
        existing = existing.parent
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        found = f"{folder} cannot be written: compiled kernels are made anew in each process"
        return Diagnosis("cache", "warning", found, "set XDG_CACHE_HOME to a folder that can be written")
    return Diagnosis("cache", "ok", f"{folder} can be written")


def _numba() -> Diagnosis:
    if numba_available():
        return Diagnosis("Numba", "ok", f"numba {_version('numba')}: bulk work is compiled")
    if os.environ.get("ISOGLOSS_NO_NUMBA", "") not in ("", "0"):
        return Diagnosis("Numba", "note", "switched off by ISOGLOSS_NO_NUMBA", "unset it for faster bulk work")
    found = "not installed: everything works, bulk work is slower"
    return Diagnosis("Numba", "note", found, "pip install numba")
