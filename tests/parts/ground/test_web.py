"""One JSON request: what comes back, and each way in which nothing does (clients test their own words)."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from isogloss.web import WebFault, request_json, shortened


@pytest.fixture
def served():
    """Serve fixed answers by path; what was asked is kept."""
    seen = []
    answers = {
        "/good": (200, b'{"a": 1}', {}),
        "/moved": (302, b"", {"Location": "http://127.0.0.1:1/elsewhere"}),
        "/no": (401, b"key s3cret is wrong", {}),
        "/text": (200, b"hello", {}),
    }

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            seen.append((self.command, json.loads(body) if body else None, self.headers.get("Authorization")))
            status, content, headers = answers[self.path]
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_POST = do_GET

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", seen
    server.shutdown()
    server.server_close()


def test_questions_and_answers(served):
    url, seen = served
    assert request_json(f"{url}/good") == {"a": 1}
    assert request_json(f"{url}/good", {"b": 2}, key="s3cret") == {"a": 1}
    assert seen == [("GET", None, None), ("POST", {"b": 2}, "Bearer s3cret")]


@pytest.mark.parametrize(
    ("path", "fault", "status", "words"),
    [
        ("/moved", "refused", 302, "HTTP 302 to http://127.0.0.1:1/elsewhere"),
        ("/no", "refused", 401, "HTTP 401 key *** is wrong"),
        ("/text", "unreadable", 0, "hello"),
    ],
)
def test_what_is_no_answer(served, path, fault, status, words):
    url, seen = served
    with pytest.raises(WebFault) as caught:
        request_json(url + path, key="s3cret")
    assert (caught.value.fault, caught.value.status, caught.value.why) == (fault, status, words)
    assert len(seen) == 1  # a redirect is not followed


def test_too_much_and_nobody(served):
    url, _ = served
    with pytest.raises(WebFault) as caught:
        request_json(f"{url}/good", largest=3)
    assert (caught.value.fault, caught.value.why) == ("large", "more than 3 bytes")
    with pytest.raises(WebFault) as caught:
        request_json("http://127.0.0.1:1/", timeout_s=2)
    assert caught.value.fault == "unreachable"


def test_messages_are_short():
    assert shortened("x" * 300) == "x" * 197 + "..."
    assert shortened(" a\n\tb ") == "a b"
