"""Client of an embedding server that the user names: OpenAI's ``/v1/embeddings``, or the ``/embed`` of TEI.

Only the host of the given URL is contacted: redirects are refused, and nothing is sent anywhere by itself.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import numpy as np

from isogloss.arrays import Dense
from isogloss.errors import IsoglossError, UsageError
from isogloss.web import Fault, WebFault, request_json, shortened

Shape: TypeAlias = Literal["openai", "tei"]
KEY_VARIABLE = "ISOGLOSS_API_KEY"
_LARGEST_ANSWER = 256 * 2**20
_TOO_LONG = (400, 413, 422)
_WORDS: dict[Fault, tuple[str, str]] = {
    "refused": ("the server refused the request", ""),
    "unreachable": ("the server cannot be reached", "check the address and the server"),
    "large": ("the server's answer is too large", ""),
    "unreadable": ("the server's answer is no JSON", ""),
}


class EndpointError(IsoglossError):
    """An embedding server cannot be reached, refuses, or answers with something that is no vectors."""

    def __init__(self, what: str, why: str = "", fix: str = "", *, status: int = 0) -> None:
        super().__init__(what, why, fix)
        self.status = status


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An embedding server: where it is, which of the two shapes it speaks, and the name it knows the model by.

    Attributes
    ----------
    url
        Full address of the embedding route.
    shape
        ``openai`` or ``tei``.
    model
        Model name sent with each request (``openai`` only).
    timeout_s
        Seconds that one request may take.
    key
        Sent as a bearer token; never part of a message or of the representation.
    """

    url: str
    shape: Shape
    model: str = ""
    timeout_s: float = 60.0
    key: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered: ``vectors (n, d)`` with rows of NaN where it refused a text, and why it refused."""

    vectors: Dense
    refused: dict[int, str]


def connect(url: str, *, model: str | None = None, key: str | None = None, timeout_s: float = 60.0) -> Endpoint:
    """Find out which shape the server at ``url`` speaks, by asking it for one short vector.

    Parameters
    ----------
    url
        Address of the server (``http://host:8080``), of its API (``.../v1``), or of the route itself
        (``.../v1/embeddings``, ``.../embed``).
    model
        Name that the server knows the model by; None: the first one of its ``models`` list, if it has one.
    key
        Bearer token; None: the environment variable ``ISOGLOSS_API_KEY``, if set.
    timeout_s
        Seconds that one request may take.

    Raises
    ------
    UsageError
        Where the address is not ``http`` or ``https``, or carries a password.
    EndpointError
        Where no route answers with vectors; the message has what each answered.
    """
    key = os.environ.get(KEY_VARIABLE, "") if key is None else key
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise UsageError(
            "the key cannot be sent", "it holds spaces, line ends or other than ASCII characters", "copy it again"
        )
    failures = []
    for address, shape in _routes(url):
        endpoint = Endpoint(address, shape, model or "", timeout_s, key)
        if shape == "openai" and model is None:
            endpoint = Endpoint(address, shape, _first_model(endpoint), timeout_s, key)
        try:
            _ask(endpoint, ["heat"])
        except EndpointError as error:
            failures.append(f"{address}: {error.why or error.what}")
            if error.status == 0:
                break  # nobody listens there: the other routes would only wait again
            continue
        return endpoint
    raise EndpointError(
        "no embedding route answered",
        "; ".join(failures),
        f"check the address, that the server is running, and (for a key) the variable {KEY_VARIABLE}",
    )


def _routes(url: str) -> list[tuple[str, Shape]]:
    from urllib.parse import urlsplit

    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError("this is not the address of a server", f"{url!r}", "use http://HOST:PORT or https://HOST")
    if parts.username or parts.password:
        raise UsageError(
            "the address carries a user name or password",
            "addresses end up in logs and shell histories",
            f"leave it out and set {KEY_VARIABLE}",
        )
    base = url.rstrip("/")
    if parts.path.rstrip("/").endswith("/embeddings"):
        return [(base, "openai")]
    if parts.path.rstrip("/").endswith("/embed"):
        return [(base, "tei")]
    if parts.path.rstrip("/").endswith("/v1"):
        return [(base + "/embeddings", "openai")]
    return [(base + "/v1/embeddings", "openai"), (base + "/embed", "tei")]


def _first_model(endpoint: Endpoint) -> str:
    try:
        listed = _request(endpoint, endpoint.url.removesuffix("embeddings") + "models")
        return str(listed["data"][0]["id"])
    except (EndpointError, LookupError, TypeError):
        return "default"


def embed(
    endpoint: Endpoint, texts: Sequence[str], *, batch: int = 8, encoding: Literal["float", "base64"] = "float"
) -> Answer:
    """Return the server's vectors of ``texts``; a text that it refuses alone is reported, not fatal.

    Parameters
    ----------
    endpoint
        A server, from :func:`connect`.
    texts
        What to encode.
    batch
        Texts a request.
    encoding
        How an OpenAI server should write vectors: numbers, or base64 of little-endian float32.

    Raises
    ------
    EndpointError
        Where the server cannot be reached, or answers with something that is no vectors.
    """
    rows: list[Dense | None] = []
    refused: dict[int, str] = {}
    for start in range(0, len(texts), batch):
        chosen = list(texts[start : start + batch])
        try:
            rows.extend(_ask(endpoint, chosen, encoding))
        except EndpointError as error:
            if error.status not in _TOO_LONG:
                raise
            for number, text in enumerate(chosen, start):
                rows.append(_alone(endpoint, text, encoding, refused, number))
    return _stack(rows, refused)


def _alone(endpoint: Endpoint, text: str, encoding: str, refused: dict[int, str], number: int) -> Dense | None:
    try:
        return np.asarray(_ask(endpoint, [text], encoding)[0], np.float32)
    except EndpointError as error:
        if error.status not in _TOO_LONG:
            raise
        refused[number] = error.why
        return None


def _stack(rows: list[Dense | None], refused: dict[int, str]) -> Answer:
    widths = {len(row) for row in rows if row is not None}
    if len(widths) > 1:
        raise EndpointError("the server's vectors have different lengths", f"found {sorted(widths)}")
    if not widths:
        raise EndpointError("the server refused every text", "; ".join(sorted(set(refused.values()))))
    hole = np.full(widths.pop(), np.nan, np.float32)
    return Answer(np.stack([hole if row is None else row for row in rows]), refused)


def _ask(endpoint: Endpoint, texts: list[str], encoding: str = "float") -> list[Dense]:
    body: dict[str, Any]
    if endpoint.shape == "openai":
        body = {"input": texts, "model": endpoint.model, "encoding_format": encoding}
    else:
        body = {"inputs": texts, "truncate": True}
    answer = _request(endpoint, endpoint.url, body)
    try:
        if endpoint.shape == "openai":
            items = sorted(answer["data"], key=lambda item: int(item.get("index", 0)))
            rows = [_numbers(item["embedding"]) for item in items]
        else:
            rows = [_numbers(item) for item in answer]
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        found = shortened(json.dumps(answer), endpoint.key)
        raise EndpointError("the server's answer holds no vectors", f"{error}: {found}", status=1) from error
    if len(rows) != len(texts):
        raise EndpointError(
            "the server's answer is incomplete", f"{len(rows)} vectors for {len(texts)} texts", status=1
        )
    return rows


def _numbers(value: Any) -> Dense:
    if isinstance(value, str):
        try:
            return np.frombuffer(base64.b64decode(value, validate=True), "<f4").astype(np.float32)
        except binascii.Error as error:
            raise ValueError(f"no base64: {error}") from error
    if isinstance(value, dict):
        raise TypeError("a vector is expected, an object was found")
    row = np.asarray([np.nan if item is None else item for item in value], np.float32)
    if row.ndim != 1 or not len(row):
        raise ValueError(f"a vector is expected, an array of shape {row.shape} was found")
    return row


def _request(endpoint: Endpoint, url: str, body: dict[str, Any] | None = None) -> Any:
    """Send one request; ``status`` of the error is 0 where there was no answer at all."""
    try:
        return request_json(url, body, key=endpoint.key, timeout_s=endpoint.timeout_s, largest=_LARGEST_ANSWER)
    except WebFault as fault:
        what, fix = _WORDS[fault.fault]
        answered = fault.fault in ("large", "unreadable")
        raise EndpointError(what, fault.why, fix, status=1 if answered else fault.status) from None
