"""Writers: a function that is asked for each document, and a model that draws them."""

from __future__ import annotations

import http.server
import json
import threading

import pytest

pytest.importorskip("torch")

from isogloss.encoders.hypothetical import HypotheticalDocumentEncoder
from isogloss.encoders.static import bundled_static
from isogloss.errors import UsageError
from isogloss.generation.endpoint import ChatError
from isogloss.generation.hypothetical_documents import AskedWriter, ModelWriter, chat_writer


class Server(http.server.BaseHTTPRequestHandler):
    """Answers a chat request with its own prompt and temperature."""

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        text = f"{body['messages'][0]['content'].splitlines()[-1]} at {body['temperature']}, {body['max_tokens']}"
        content = json.dumps({"choices": [{"message": {"content": text}}]}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *arguments):
        """Say nothing."""


@pytest.fixture
def url():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_server_writes_and_the_encoder_searches_by_it(url):
    writer = chat_writer(url, model="small", key="", longest=50)
    assert writer(["who?", "why?"], 2) == [["who? at 0.7, 50"] * 2, ["why? at 0.7, 50"] * 2]
    encoder = HypotheticalDocumentEncoder(bundled_static(), writer, count=1)
    assert encoder.encode(["who?"], role="query").shape == (1, 256)


def test_a_server_that_is_not_there_is_an_error_without_the_key():
    writer = chat_writer("http://127.0.0.1:9/v1", model="small", key="secret-key", threads=1)
    with pytest.raises(ChatError) as found:
        writer(["who?"], 1)
    assert "secret-key" not in str(found.value)
    assert "secret-key" not in repr(writer)


def test_identity_is_of_model_and_settings_and_not_of_place_and_key():
    one = chat_writer("http://127.0.0.1:1/v1", model="small", key="a")
    assert one.identity == chat_writer("http://127.0.0.1:2/v1", model="small", key="b").identity
    others = [{"model": "large"}, {"temperature": 0.5}, {"longest": 9}, {"prompt": "{question}"}]
    made = {chat_writer("http://127.0.0.1:1/v1", **{"model": "small", "key": ""} | more).identity for more in others}
    assert len(made | {one.identity}) == 5


class Parrot:
    """Draws a number for the prompt, sometimes nothing."""

    def __init__(self, blank=0):
        self.blank, self.seeds = blank, []

    def generate(self, prompts, constraint=None, *, longest, temperature, seed):
        self.seeds.append(seed)
        return [" " if len(self.seeds) <= self.blank else f"{prompts[0]}{seed % 1000} "]


def test_a_model_draws_each_document_by_its_question_and_number():
    writer = ModelWriter(parrot := Parrot(), "parrot", "{question}: ", seed=1)
    first, second = writer(["who?", "why?"], 2)
    assert len({*first, *second}) == len(set(parrot.seeds)) == 4
    assert writer(["why?"], 2) == [second]
    assert first[0].startswith("who?: ")
    assert ModelWriter(Parrot(), "parrot", "{question}: ", seed=2)(["why?"], 2) != [second]


def test_blank_documents_are_drawn_again_with_other_seeds():
    parrot = Parrot(blank=2)
    assert ModelWriter(parrot, "parrot", "{question}")(["who?"], 1)[0][0].startswith("who?")
    assert len(set(parrot.seeds)) == 3
    with pytest.raises(UsageError, match="3 blank"):
        ModelWriter(Parrot(blank=99), "parrot", "{question}", tries=3)(["who?"], 1)


@pytest.mark.parametrize("make", [AskedWriter, ModelWriter])
def test_a_prompt_needs_the_question(make):
    with pytest.raises(UsageError, match="no place"):
        make(str.upper, "x", "tell me something")
    with_braces = AskedWriter(str, "x", "{a} {question} {b}")
    assert with_braces(["{who}"], 1) == [["{a} {who} {b}"]]
