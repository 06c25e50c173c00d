"""Print what each installed package of this environment costs: megabytes on disk and processor seconds to import.

Run it with the Python of an environment that holds the runtime alone (``make demo`` makes one):
``.venv/bin/python scripts/dependency_costs.py``. The figures of docs/decisions.md come from here.
"""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import Distribution, distributions

_LEFT_OUT = {"pip", "setuptools", "wheel"}
_ROUNDS = 5


def megabytes(package: Distribution) -> float:
    """Return the size of all files of a package, compiled Python files included, in 10^6 bytes."""
    files = [path for file in package.files or [] if (path := file.locate()).is_file()]
    compiled = [path.parent / "__pycache__" for path in files if path.suffix == ".py"]
    caches = {cache for folder in set(compiled) if folder.is_dir() for cache in folder.iterdir()}
    return sum(path.stat().st_size for path in {*files, *caches}) / 1e6


def seconds(module: str) -> float:
    """Return the processor time that a new process takes to import a module, beyond that of an empty process."""
    return max(0.0, _cpu_seconds(f"import {module}") - _cpu_seconds("pass"))


def _cpu_seconds(statement: str) -> float:
    """Return the least processor time of some runs: what other programs do on the machine does not count."""
    rounds = []
    for _ in range(_ROUNDS):
        before = os.times()
        subprocess.run([sys.executable, "-c", statement], check=True, stdin=subprocess.DEVNULL)
        after = os.times()
        used = (after.children_user - before.children_user) + (after.children_system - before.children_system)
        rounds.append(used)
    return min(rounds)


def modules(package: Distribution) -> list[str]:
    """Return the import names of a package: its folders with an ``__init__.py``, or its single modules."""
    files = [str(file) for file in package.files or []]
    top = {name.split("/")[0].removesuffix(".py") for name in files if name.endswith("/__init__.py") or "/" not in name}
    return sorted(name for name in top if name.isidentifier() and not name.startswith("_"))


if __name__ == "__main__":
    packages = sorted((p for p in distributions() if p.name not in _LEFT_OUT), key=megabytes, reverse=True)
    for package in packages:
        names = modules(package)
        cost = f"{seconds(names[0]):.2f} s" if names else "-"
        print(f"{package.name:<24} {package.version:<12} {megabytes(package):8.1f} MB  import {cost}")
    print(f"{'all':<24} {'':<12} {sum(map(megabytes, packages)):8.1f} MB")
