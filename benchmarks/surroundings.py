"""Where a contestant runs: the machine, rivals' own Python environments, threads and instruction sets."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
HASWELL = (
    "+64bit,+cx8,+cmov,+mmx,+fxsr,+sse,+sse2,+sse3,+ssse3,+sse4.1,+sse4.2,+cx16,+sahf,+popcnt,+avx,+f16c,+rdrnd,"
    "+fsgsbase,+avx2,+fma,+bmi,+bmi2,+lzcnt,+movbe,+pclmul,+xsave,+xsaveopt,+invpcid"
)
QUIET = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "ANONYMIZED_TELEMETRY": "False",
    "DO_NOT_TRACK": "1",
    "LANCEDB_CONFIG_DISABLE_TELEMETRY": "1",
    "OMP_WAIT_POLICY": "PASSIVE",
    "PYTHONHASHSEED": "0",
}
AVX2 = {
    "NUMBA_CPU_NAME": "haswell",
    "NUMBA_CPU_FEATURES": HASWELL,
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "DNNL_MAX_CPU_ISA": "AVX2",
    "ATEN_CPU_CAPABILITY": "avx2",
    "MKL_ENABLE_INSTRUCTIONS": "AVX2",
    "OPENBLAS_CORETYPE": "Haswell",
    "FAISS_OPT_LEVEL": "avx2",
}
ISA_NOTE = "ONNX Runtime's own kernels (MLAS) choose by CPUID and know no switch: they are not limited"


def rivals_folder() -> Path:
    """Return where the rivals' environments lie: ``$ISOGLOSS_RIVALS``, else ``benchmarks/.rivals``."""
    return Path(os.environ.get("ISOGLOSS_RIVALS") or HERE / ".rivals")


def interpreter(rival: str | None) -> Path:
    """Return the Python of a rival's environment, or this one for None."""
    return Path(sys.executable) if rival is None else rivals_folder() / rival / "bin" / "python"


def known_rivals() -> list[str]:
    """Return the rivals that have a list of pinned packages."""
    return sorted(path.stem for path in (HERE / "rivals").glob("*.txt"))


def prepare(rival: str) -> bool:
    """Make or renew a rival's environment; False where it was up to date."""
    wanted = HERE / "rivals" / f"{rival}.txt"
    if not wanted.is_file():
        raise SystemExit(f"there is no {wanted.name} in {wanted.parent}; known rivals: {', '.join(known_rivals())}")
    folder = rivals_folder() / rival
    stamp, digest = folder / "prepared", hashlib.sha256(wanted.read_bytes()).hexdigest()
    if stamp.is_file() and stamp.read_text() == digest:
        return False
    venv.create(folder, with_pip=True, clear=not stamp.is_file())
    subprocess.run([str(interpreter(rival)), "-m", "pip", "install", "--quiet", "-r", str(wanted)], check=True)
    stamp.write_text(digest)
    return True


def environment(threads: int, isa: str, python: Path) -> dict[str, str]:
    """Return the environment of a worker: threads bounded, no network, no telemetry, and the instruction set."""
    names = ("OMP", "OPENBLAS", "MKL", "NUMBA", "RAYON", "NUMEXPR")
    variables = {**os.environ, **QUIET, **{f"{name}_NUM_THREADS": str(threads) for name in names}}
    variables["TOKENIZERS_PARALLELISM"] = "true" if threads > 1 else "false"
    if isa == "avx2":
        variables |= AVX2
        if disabled := _numpy_features(python):
            variables["NPY_DISABLE_CPU_FEATURES"] = disabled
    return variables


def _numpy_features(python: Path) -> str:
    # NumPy refuses to start when asked to switch off what it was not built with, so it is asked first
    code = (
        "import numpy._core._multiarray_umath as m;"
        "print(*[n for n in m.__cpu_dispatch__ if n.startswith(('AVX512', 'X86_V4')) and m.__cpu_features__.get(n)])"
    )
    done = subprocess.run([str(python), "-c", code], capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


def machine() -> dict[str, Any]:
    """Describe the machine without its name: CPU model, cores, vector instructions, memory, system."""
    model, flags, memory = platform.machine(), "", 0
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), model)
        flags = next((line.split(":", 1)[1] for line in lines if line.startswith("flags")), "")
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (OSError, ValueError):
        pass
    wanted = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "avx_vnni", "amx_bf16", "amx_int8")
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "instructions": [name for name in wanted if name in flags.split()],
        "memory_gb": round(memory / 2**30),
        "system": f"{platform.system()} {platform.release().split('-')[0]}",
        "load": [round(value, 2) for value in os.getloadavg()],
    }
