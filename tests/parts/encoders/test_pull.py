"""Pulling a model from a hub on this machine: what is fetched, what never is, and what is said when it fails."""

from __future__ import annotations

import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from isogloss.encoders.names import load_encoder
from isogloss.encoders.pull import pull, repository
from isogloss.errors import IsoglossError, ModelError, UsageError

SHA = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def hub(tiny_model, tmp_path, monkeypatch):
    """Serve the model ``someone/tiny``, with a pickle and code beside it; gives the address and the paths asked for."""
    folder = tiny_model("served")
    (folder / "pytorch_model.bin").write_bytes(b"never")
    (folder / "modeling_tiny.py").write_text("raise SystemExit('code of a model was run')")
    files = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def answer(self, status: int, content: bytes, **headers: str) -> None:
            self.send_response(status)
            for name, value in {"Content-Length": str(len(content)), **headers}.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(content)

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            asked.append(path)
            if path == "/api/models/someone/tiny/revision/main":
                siblings = [{"rfilename": name} for name in files]
                self.answer(200, json.dumps({"id": "someone/tiny", "sha": SHA, "siblings": siblings}).encode())
            elif path == f"/api/models/someone/tiny/tree/{SHA}":
                tree = [{"type": "file", "path": k, "size": len(v), "oid": "0" * 40} for k, v in files.items()]
                self.answer(200, json.dumps(tree).encode())
            elif path.startswith(f"/someone/tiny/resolve/{SHA}/"):
                content = files[path.removeprefix(f"/someone/tiny/resolve/{SHA}/")]
                self.answer(200, content, ETag=f'"{hashlib.sha1(content).hexdigest()}"', X_Repo_Commit=SHA)
            else:
                self.answer(404, b"{}", X_Error_Code="RepoNotFound")

        do_HEAD = do_GET

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    yield f"http://127.0.0.1:{server.server_port}", asked, files
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_model_is_pulled_once_and_then_loads_by_name(hub) -> None:
    endpoint, asked, files = hub
    folder = pull("someone/tiny", endpoint=endpoint)
    fetched = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert fetched == set(files) - {"pytorch_model.bin", "modeling_tiny.py"}
    assert not [path for path in asked if path.endswith((".bin", ".py"))]
    encoder = load_encoder("someone/tiny", threads=1)
    assert encoder.name == "someone/tiny"
    assert np.isfinite(encoder.encode("heat")).all()
    asked.clear()
    assert pull("someone/tiny", endpoint=endpoint) == folder
    assert not [path for path in asked if path.endswith(".safetensors")]


def test_a_model_is_pulled_into_a_folder(hub, tmp_path) -> None:
    endpoint, _, _ = hub
    folder = pull("someone/tiny", folder=tmp_path / "here", endpoint=endpoint)
    assert folder == tmp_path / "here"
    assert load_encoder(str(folder)).dimensions == 32


def test_an_unknown_model_is_named(hub) -> None:
    with pytest.raises(ModelError, match="no open model someone/else"):
        pull("someone/else", endpoint=hub[0])


def test_a_model_that_cannot_be_used_is_said_at_once(hub) -> None:
    endpoint, _, files = hub
    config = json.loads(files["config.json"])
    files["config.json"] = json.dumps({**config, "model_type": "xlnet"}).encode()
    with pytest.raises(ModelError, match="xlnet"):
        pull("someone/tiny", endpoint=endpoint)


@pytest.mark.filterwarnings("ignore")
def test_no_network_is_said_with_what_to_do(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(IsoglossError, match="cannot be reached") as caught:
        pull("someone/tiny", endpoint="http://127.0.0.1:9")
    assert "copy the model's folder" in caught.value.fix


@pytest.mark.parametrize("name", ["a/b/c", "", "../x", "a b", "a/", "a/.."])
def test_what_is_no_name(name) -> None:
    with pytest.raises(UsageError):
        repository(name)
    assert Path(repository("minilm")).name == "all-MiniLM-L6-v2"
