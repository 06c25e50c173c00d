"""What doctor says about the machine, for machines that are not this one."""

from __future__ import annotations

from isogloss.encoders.machine_checks import check_machine, container_processors, processor_features


def test_processor_features():
    assert processor_features(["fpu", "avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile"]) == [
        "avx2", "AVX-512", "VNNI", "bf16", "AMX",
    ]  # fmt: skip
    assert processor_features(["asimd", "asimddp", "i8mm"]) == ["NEON", "dot product", "int8 matrix"]


def test_container_quota(tmp_path):
    assert container_processors(tmp_path) == 0
    (tmp_path / "cpu.max").write_text("150000 100000\n")
    assert container_processors(tmp_path) == 1.5
    (tmp_path / "cpu.max").write_text("max 100000\n")
    assert container_processors(tmp_path) == 0
    (tmp_path / "cpu.max").unlink()
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text("-1\n")
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000\n")
    assert container_processors(tmp_path) == 0
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text("400000\n")
    assert container_processors(tmp_path) == 4


def machine(monkeypatch, versions, distributions=()):
    from isogloss.encoders import machine_checks

    monkeypatch.setattr(machine_checks, "_version", lambda package: versions.get(package, ""))
    monkeypatch.setattr(machine_checks, "_distributions", lambda: iter(distributions))
    monkeypatch.setattr(machine_checks, "_has_card", lambda: False)
    return {d.check: d for d in check_machine()}


def test_torch_builds(monkeypatch):
    found = machine(monkeypatch, {"torch": "2.13.0"}, ["nvidia-cublas", "triton", "numpy"])["torch"]
    assert found.status == "note"
    assert "2 packages" in found.found
    assert "download.pytorch.org/whl/cpu" in found.fix
    assert machine(monkeypatch, {"torch": "2.13.0+cpu"})["torch"].status == "ok"
    assert machine(monkeypatch, {"torch": "2.13.0"})["torch"].status == "ok"
    absent = machine(monkeypatch, {})["torch"]
    assert absent.status == "ok"
    assert "not needed" in absent.found


def test_onnxruntime_builds(monkeypatch):
    assert machine(monkeypatch, {})["ONNX Runtime"].status == "warning"
    both = machine(monkeypatch, {"onnxruntime": "1.31", "onnxruntime-gpu": "1.30"})["ONNX Runtime"]
    assert both.status == "warning"
    assert "several builds" in both.found


def test_cache_that_cannot_be_written(monkeypatch, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(blocked))
    found = {d.check: d for d in check_machine()}["cache"]
    assert found.status == "warning"
    assert "XDG_CACHE_HOME" in found.fix


def test_network_settings_are_shown(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert "HF_HUB_OFFLINE=1" in {d.check: d for d in check_machine()}["network"].found
