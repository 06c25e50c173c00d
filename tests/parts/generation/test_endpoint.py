"""The client of chat servers: what it sends, what it refuses, what it never says; a real server on loopback."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from isogloss.errors import UsageError
from isogloss.generation.endpoint import ChatError, open_chat
from isogloss.mining.questions.make import make_questions
from isogloss.protocols import Record


class Told(BaseHTTPRequestHandler):
    """Answers every request with what the test put into ``reply``, and keeps what came."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.seen.append((self.path, json.loads(body or b"{}"), self.headers.get("Authorization")))
        status, said = self.server.reply
        content = said if isinstance(said, bytes) else json.dumps(said).encode()
        self.send_response(status)
        if status == 302:
            self.send_header("Location", f"{self.server.url}/elsewhere")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST  # a client that followed a redirect would ask by GET

    def log_message(self, *_):
        pass


def said(text):
    return 200, {"choices": [{"message": {"role": "assistant", "content": text}}]}


@pytest.fixture
def chat_server():
    server = HTTPServer(("127.0.0.1", 0), Told)
    server.seen, server.reply = [], said("What leaks?")
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    server.url = f"http://127.0.0.1:{server.server_port}"
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("suffix", ["", "/", "/v1", "/v1/", "/v1/chat/completions"])
def test_every_form_of_the_address_reaches_the_route(chat_server, suffix):
    assert open_chat(chat_server.url + suffix, model="small", key="k")("Ask.") == "What leaks?"
    path, body, key = chat_server.seen[0]
    assert path == "/v1/chat/completions"
    assert body["model"] == "small"
    assert body["messages"] == [{"role": "user", "content": "Ask."}]
    assert body["temperature"] == 0.0
    assert key == "Bearer k"


def test_questions_are_written_by_the_server_and_only_when_it_is_named(chat_server):
    records = [
        Record(str(i), f"Pump number{i} leaks when the gasket{i} ages. Crews{i} change it in winter{i} at night{i}.")
        for i in range(4)
    ]
    make_questions(records, count=3)
    assert chat_server.seen == []
    made = make_questions(records, count=3, kinds=["written"], endpoint=open_chat(chat_server.url, model="m", key=""))
    assert {question.text for question in made.questions} == {"What leaks?"}
    assert {question.kind for question in made.questions} == {"written"}
    assert any("leaks when the gasket" in body["messages"][0]["content"] for _, body, _ in chat_server.seen)


@pytest.mark.parametrize(
    "reply",
    [
        (200, b"<html>"), (200, {"choices": []}), (200, []), said("  "), said(None), (404, {"error": "no such model"}),
        (302, {}),
    ],
)  # fmt: skip
def test_answers_that_are_no_text_are_told(chat_server, reply):
    chat_server.reply = reply
    with pytest.raises(ChatError):
        open_chat(chat_server.url, model="m", key="")("Ask.")
    assert len(chat_server.seen) == 1


def test_the_key_is_never_said(chat_server):
    chat_server.reply = (401, {"error": "bad key sk-planted-1"})
    chat = open_chat(chat_server.url, model="m", key="sk-planted-1")
    with pytest.raises(ChatError) as caught:
        chat("Ask.")
    assert "401" in str(caught.value)
    assert "sk-planted-1" not in str(caught.value) + repr(chat)


def test_nobody_there():
    with pytest.raises(ChatError, match="cannot be reached"):
        open_chat("http://127.0.0.1:9", model="m", key="")("Ask.")


@pytest.mark.parametrize("url", ["ftp://host/v1", "host:80", "http://", "http://user:secret@host/v1"])
def test_addresses_that_cannot_be_used(url):
    with pytest.raises(UsageError) as caught:
        open_chat(url, model="m", key="")
    assert "secret" not in str(caught.value)


def test_a_key_with_a_line_end_is_refused():
    with pytest.raises(UsageError):
        open_chat("http://127.0.0.1:9", model="m", key="a\nb")
