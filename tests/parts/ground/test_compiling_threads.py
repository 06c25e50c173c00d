"""Kernels that several threads ask for at once leave the compiler's settings as they were."""

from __future__ import annotations

import sys
import threading

import pytest

from isogloss import compiled


def plain(x):
    return x + 1


def test_threads_do_not_mix_up_the_cache_folder(tmp_path, monkeypatch):
    numba = pytest.importorskip("numba")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    compiled._writable_cache.cache_clear()
    monkeypatch.chdir(tmp_path)
    before, interval = numba.config.CACHE_DIR, sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        work = [
            threading.Thread(target=lambda: [compiled._compile(plain, False, True) for _ in range(40)])
            for _ in range(12)
        ]
        for one in work:
            one.start()
        for one in work:
            one.join()
    finally:
        sys.setswitchinterval(interval)
        compiled._writable_cache.cache_clear()
    assert before == numba.config.CACHE_DIR
    assert [path.name for path in tmp_path.iterdir()] == ["cache"]
