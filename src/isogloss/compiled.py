"""Numba kernels that compile at first use into the user's cache; everything works without Numba.

A kernel is for bulk work (50 ms and more): each has a NumPy or ``tokenizers`` twin that single queries use.
"""

from __future__ import annotations

import functools
import os
import sys
import threading
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

from isogloss.errors import IsoglossWarning

P = ParamSpec("P")
R = TypeVar("R")


def cache_folder() -> Path:
    """Return ``$XDG_CACHE_HOME/isogloss`` (``~/.cache/isogloss``), without creating it."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return Path(base) / "isogloss"


@functools.cache
def numba_available() -> bool:
    """Say whether Numba can be used; ``ISOGLOSS_NO_NUMBA=1`` switches it off."""
    return os.environ.get("ISOGLOSS_NO_NUMBA", "") in ("", "0") and find_spec("numba") is not None


def numba_loaded() -> bool:
    """Say whether Numba is imported already, so that a kernel costs no start-up time."""
    return "numba" in sys.modules


@functools.cache
def _writable_cache() -> Path | None:
    folder = cache_folder() / "kernels"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(f"{folder} is not writable")
    except OSError as error:
        warnings.warn(
            f"compiled kernels cannot be cached ({error}); they are compiled anew in each process. "
            "Set XDG_CACHE_HOME to a folder that can be written.",
            IsoglossWarning,
            stacklevel=4,
        )
        return None
    return folder


def kernel(
    function: Callable[P, R] | None = None, *, fastmath: bool = False, allocates: bool = True
) -> Callable[..., Any]:
    """Mark a function as a Numba kernel: nopython, without the GIL, compiled at the first call, cached on disk.

    Calling it needs Numba; callers ask ``numba_available()`` first and use the twin otherwise.
    Kernels that share code call functions marked with ``inline``, never each other. ``allocates=False`` promises that
    no array is made inside: then none is counted either, which matters where small inlined functions pass many arrays.

    Examples
    --------
    >>> @kernel
    ... def double(x):
    ...     return x * 2
    >>> double(21)
    42
    """
    if function is None:
        return cast("Callable[..., Any]", functools.partial(kernel, fastmath=fastmath, allocates=allocates))
    compiled: list[Callable[P, R]] = []
    body = function

    @functools.wraps(body)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        if not compiled:
            compiled.append(_compile(body, fastmath, allocates))
        return compiled[0](*args, **kwargs)

    return call


def inline(function: Callable[P, R]) -> Callable[P, R]:
    """Mark a plain function so that kernels can call it; it is compiled into each kernel that uses it."""
    if not numba_available():
        return function
    # registering is cheap only once Numba is imported, so it is put off until a kernel compiles
    _pending.append(function)
    return function


_pending: list[Callable[..., Any]] = []
_compiling = threading.RLock()


def _compile(function: Callable[P, R], fastmath: bool, allocates: bool) -> Callable[P, R]:
    import numba as untyped_numba
    from numba.extending import register_jitable

    while _pending:
        register_jitable(_pending.pop(0))
    numba: Any = untyped_numba
    config = numba.config
    folder = _writable_cache()
    options: dict[str, Any] = {"nogil": True, "fastmath": fastmath} | ({} if allocates else {"_nrt": False})
    if folder is None:
        return cast("Callable[P, R]", numba.njit(**options)(function))
    with _compiling:  # Numba's setting is one for all threads: taken back by another, the cache would lie in "./"
        before, config.CACHE_DIR = config.CACHE_DIR, str(folder)
        try:
            return cast("Callable[P, R]", numba.njit(cache=True, **options)(function))
        except RuntimeError:  # Numba caches functions of files only, not of a prompt or a doctest
            return cast("Callable[P, R]", numba.njit(**options)(function))
        finally:
            config.CACHE_DIR = before
