"""A loopback embedding server whose answers a test decides."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import pytest

Reply = tuple[int, Any]


def openai_reply(vectors: np.ndarray, encoding: str = "float") -> Reply:
    """Return what ``/v1/embeddings`` answers, the items in reversed order (``index`` decides)."""
    rows = [
        base64.b64encode(np.asarray(v, "<f4").tobytes()).decode() if encoding == "base64" else np.asarray(v).tolist()
        for v in vectors
    ]
    items = [{"object": "embedding", "index": i, "embedding": row} for i, row in enumerate(rows)]
    return 200, {"object": "list", "data": items[::-1], "model": "m"}


@pytest.fixture
def server() -> Iterator[Callable[..., Any]]:
    """Start ``server(answer)``: ``answer(path, body, headers) -> (status, object)``; the URL has ``.requests``."""
    running = []

    class Url(str):
        requests: list[tuple[str, Any, dict[str, str]]]

    def start(answer: Callable[[str, Any, dict[str, str]], Reply]) -> Url:
        seen: list[tuple[str, Any, dict[str, str]]] = []

        class Handler(BaseHTTPRequestHandler):
            def handle_any(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                asked = json.loads(body) if body else None
                headers = dict(self.headers)
                seen.append((self.path, asked, headers))
                status, found = answer(self.path, asked, headers)
                content = found.encode() if isinstance(found, str) else json.dumps(found).encode()
                self.send_response(status)
                if status in (301, 302, 307):
                    self.send_header("Location", str(found))
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = handle_any

            def log_message(self, *_: object) -> None:
                pass

        http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        running.append((http, thread))
        url = Url(f"http://127.0.0.1:{http.server_port}")
        url.requests = seen
        return url

    yield start
    for http, thread in running:
        http.shutdown()
        thread.join()
        http.server_close()


@pytest.fixture
def serve_vectors(server: Callable[..., Any]) -> Callable[..., Any]:
    """Serve ``encode(texts) -> (n, d)`` in the ``openai`` or ``tei`` shape."""

    def start(encode: Callable[[list[str]], np.ndarray], shape: str = "openai") -> Any:
        def answer(path: str, body: Any, headers: dict[str, str]) -> Reply:
            if shape == "openai" and path == "/v1/embeddings":
                return openai_reply(encode(list(body["input"])), body.get("encoding_format", "float"))
            if shape == "openai" and path == "/v1/models":
                return 200, {"data": [{"id": "served"}]}
            if shape == "tei" and path == "/embed":
                return 200, np.asarray(encode(list(body["inputs"]))).tolist()
            return 404, {"error": f"no route {path}"}

        return server(answer)

    return start
