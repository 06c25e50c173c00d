"""Kernels: compiled late, cached in the user's folder, usable without Numba and without a writable cache."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest

from isogloss import compiled
from isogloss.compiled import cache_folder, inline, kernel, numba_available
from isogloss.errors import IsoglossWarning

needs_numba = pytest.mark.skipif(not numba_available(), reason="Numba is not installed or switched off")

PROGRAM = """
import sys
from isogloss.compiled import inline, kernel, numba_available, numba_loaded
import numpy as np

@inline
def square(x):
    return x * x

@kernel
def total(values):
    out = 0.0
    for value in values:
        out += square(value)
    return out

assert not numba_loaded()
if numba_available():
    assert total(np.arange(4.0)) == 14.0
    assert numba_loaded()
else:
    assert square(3) == 9
    assert "numba" not in sys.modules
    print("without")
"""


def _run(tmp_path, **environment):
    program = tmp_path / "program.py"
    program.write_text(textwrap.dedent(PROGRAM))
    source = str(next(iter(__import__("isogloss").__path__)) + "/..")
    settings = {**os.environ, "PYTHONPATH": source, "XDG_CACHE_HOME": str(tmp_path / "cache"), **environment}
    return subprocess.run([sys.executable, str(program)], env=settings, capture_output=True, text=True, check=False)


@inline
def _add(a, b):
    return a + b


@kernel
def _sum_kernel(values):
    out = 0.0
    for value in values:
        out = _add(out, value)
    return out


@kernel(fastmath=True)
def _dot_kernel(a, b):
    out = 0.0
    for i in range(len(a)):
        out += a[i] * b[i]
    return out


@needs_numba
def test_kernels_compute_and_keep_their_names():
    values = np.arange(10.0)
    assert _sum_kernel(values) == values.sum()
    assert _dot_kernel(values, values) == values @ values
    assert _sum_kernel.__name__ == "_sum_kernel"


@needs_numba
def test_a_kernel_is_cached_where_the_user_caches(tmp_path):
    done = _run(tmp_path)
    assert done.returncode == 0, done.stderr
    assert list((tmp_path / "cache" / "isogloss" / "kernels").rglob("*.nbc"))


def test_without_numba_nothing_imports_it(tmp_path):
    done = _run(tmp_path, ISOGLOSS_NO_NUMBA="1")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "without"


@needs_numba
def test_a_cache_that_cannot_be_written_is_said_once(tmp_path):
    (tmp_path / "cache").write_text("a file where a folder should be")
    done = _run(tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("cannot be cached") == 1


def test_the_warning_is_ours(monkeypatch, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(blocked))
    compiled._writable_cache.cache_clear()
    with pytest.warns(IsoglossWarning, match="XDG_CACHE_HOME"):
        assert compiled._writable_cache() is None
    compiled._writable_cache.cache_clear()


def test_the_cache_folder_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "isogloss"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "isogloss"
