"""The client of embedding servers: both shapes, what it refuses, and what it never says or contacts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isogloss.encoders.endpoint import EndpointError, _numbers, connect, embed
from isogloss.errors import UsageError


def lengths(texts):
    return np.array([[len(text), 1.5, -2.0] for text in texts], np.float32)


def test_openai_by_base_address(serve_vectors):
    url = serve_vectors(lengths)
    endpoint = connect(url)
    assert (endpoint.shape, endpoint.url, endpoint.model) == ("openai", url + "/v1/embeddings", "served")
    texts = ["a" * n for n in range(19)]
    answer = embed(endpoint, texts)
    assert answer.vectors.tolist() == lengths(texts).tolist()
    assert answer.refused == {}
    assert embed(endpoint, texts, encoding="base64").vectors.tolist() == lengths(texts).tolist()
    assert max(len(body["input"]) for path, body, _ in url.requests if body) == 8


@pytest.mark.parametrize("suffix", ["", "/", "/embed"])
def test_tei(serve_vectors, suffix):
    url = serve_vectors(lengths, shape="tei")
    endpoint = connect(url + suffix)
    assert endpoint.shape == "tei"
    assert embed(endpoint, ["four"]).vectors.tolist() == [[4.0, 1.5, -2.0]]
    assert all(body["truncate"] for path, body, _ in url.requests if path == "/embed")


def test_named_model_and_routes(serve_vectors):
    url = serve_vectors(lengths)
    assert connect(url + "/v1", model="mine").model == "mine"
    assert connect(url + "/v1/embeddings", model="mine").url == url + "/v1/embeddings"
    assert all(path != "/v1/models" for path, _, _ in url.requests)


def test_key_is_sent_but_never_said(server, monkeypatch):
    secret = "sk-planted-0123456789"

    def answer(path, body, headers):
        return 401, {"error": f"bad key {headers.get('Authorization')}"}

    url = server(answer)
    with pytest.raises(EndpointError) as caught:
        connect(url, key=secret)
    assert any(headers.get("Authorization") == f"Bearer {secret}" for _, _, headers in url.requests)
    assert secret not in str(caught.value)
    assert "401" in str(caught.value)
    monkeypatch.setenv("ISOGLOSS_API_KEY", secret)
    url.requests.clear()
    with pytest.raises(EndpointError) as caught:
        connect(url)
    assert url.requests[0][2]["Authorization"] == f"Bearer {secret}"
    assert secret not in str(caught.value)
    for bad in ("two words", "line\nend", "clé"):
        with pytest.raises(UsageError) as refused:
            connect(url, key=bad)
        assert bad not in str(refused.value)


def test_redirects_are_not_followed(server, serve_vectors):
    other = serve_vectors(lengths)
    url = server(lambda *_: (307, other + "/v1/embeddings"))
    with pytest.raises(EndpointError, match="HTTP 307 to http://127"):
        connect(url, key="token")
    assert other.requests == []


@pytest.mark.parametrize("url", ["file:///etc/passwd", "localhost:8080", "ftp://host", "", "http://"])
def test_not_an_address(url):
    with pytest.raises(UsageError):
        connect(url)


def test_password_in_address_is_refused_and_not_repeated():
    with pytest.raises(UsageError) as caught:
        connect("http://me:hunter2@127.0.0.1:1")
    assert "hunter2" not in str(caught.value)


def test_nobody_listens():
    with pytest.raises(EndpointError, match="no embedding route answered") as caught:
        connect("http://127.0.0.1:9", timeout_s=2)
    assert "refused" in caught.value.why.lower()


def test_slow_server_times_out(server):
    import time

    url = server(lambda *_: (time.sleep(1.0), (200, []))[1])
    start = time.perf_counter()
    with pytest.raises(EndpointError, match="timed out"):
        connect(url + "/embed", timeout_s=0.2)
    assert time.perf_counter() - start < 0.9


@pytest.mark.parametrize(
    "found",
    [
        "no json",
        {"data": []},
        {"data": [{"embedding": "%%%"}]},
        {"data": [{"embedding": {"a": 1}}]},
        {"data": [{"embedding": []}]},
        {"data": [{"embedding": [[1.0, 2.0]]}]},
        [],
        3,
        None,
        {"data": [{"embedding": ["x"]}]},
    ],
)
def test_answers_that_are_no_vectors(server, found):
    url = server(lambda *_: (200, found))
    with pytest.raises(EndpointError, match="no embedding route answered"):
        connect(url + "/v1/embeddings", model="m")


def test_long_texts_that_are_refused_are_holes(server):
    def answer(path, body, headers):
        if any(len(text) > 10 for text in body["inputs"]):
            return 413, {"error": "`inputs` must have less than 10 tokens"}
        return 200, lengths(body["inputs"]).tolist()

    url = server(answer)
    found = embed(connect(url + "/embed"), ["a", "b" * 50, "ccc"])
    assert found.vectors[[0, 2]].tolist() == lengths(["a", "ccc"]).tolist()
    assert np.isnan(found.vectors[1]).all()
    assert list(found.refused) == [1]
    assert "413" in found.refused[1]


def test_null_becomes_nan_and_ragged_is_an_error(server):
    url = server(lambda *_: (200, [[1.0, None]]))
    assert np.isnan(embed(connect(url + "/embed"), ["a"]).vectors[0, 1])
    ragged = server(lambda path, body, _: (200, [[1.0] * len(text) for text in body["inputs"]]))
    with pytest.raises(EndpointError, match="different lengths"):
        embed(connect(ragged + "/embed"), ["a", "bb"])


@given(st.lists(st.floats(width=32, allow_nan=False), min_size=1, max_size=40))
def test_base64_and_numbers_are_the_same(values):
    import base64

    packed = base64.b64encode(np.array(values, "<f4").tobytes()).decode()
    assert _numbers(packed).tolist() == _numbers(values).tolist() == values
