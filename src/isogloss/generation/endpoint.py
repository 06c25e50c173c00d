"""Client of a chat server that the user names: OpenAI's ``/v1/chat/completions``, as many servers speak it.

Only the host of the given URL is contacted: redirects are refused, and nothing is sent anywhere by itself.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from isogloss.errors import IsoglossError, UsageError
from isogloss.web import Fault, WebFault, request_json, shortened

KEY_VARIABLE = "ISOGLOSS_API_KEY"
ROUTE = "/chat/completions"
_LARGEST_ANSWER = 4 * 2**20
_UNREADABLE = ("the chat server's answer cannot be read", "is it an OpenAI-like server?")
_WORDS: dict[Fault, tuple[str, str]] = {
    "refused": ("the chat server refused the request", ""),
    "unreachable": ("the chat server cannot be reached", "check the address and the server"),
    "large": _UNREADABLE,
    "unreadable": _UNREADABLE,
}


class ChatError(IsoglossError):
    """A chat server cannot be reached, refuses, or answers with something that is no text."""


@dataclass(frozen=True, slots=True)
class Chat:
    """A chat server; calling it with a prompt gives the answer's text.

    Attributes
    ----------
    url
        Full address of the route.
    model
        Name that the server knows the model by.
    temperature
        0 for the likeliest answer, so that the same prompt gives the same question where the server allows it.
    longest
        Tokens that an answer may have.
    timeout_s
        Seconds that one request may take.
    key
        Sent as a bearer token; never part of a message or of the representation.

    Examples
    --------
    >>> open_chat("http://127.0.0.1:8000/v1", model="small", key="").url
    'http://127.0.0.1:8000/v1/chat/completions'
    """

    url: str
    model: str
    temperature: float = 0.0
    longest: int = 200
    timeout_s: float = 120.0
    key: str = field(default="", repr=False)

    def __call__(self, prompt: str) -> str:
        """Return the model's answer to one message of the user.

        Raises
        ------
        ChatError
            Where the server cannot be reached, refuses, or gives no text; the message has what it said.
        """
        body = {
            "model": self.model,
            "messages": [{"role": "user", "content": prompt}],
            "temperature": self.temperature,
            "max_tokens": self.longest,
        }
        answer = _post(self, body)
        try:
            text = answer["choices"][0]["message"]["content"]
        except (LookupError, TypeError):
            text = None
        if not isinstance(text, str) or not text.strip():
            raise ChatError("the server's answer has no text", shortened(json.dumps(answer), self.key))
        return text.strip()


def open_chat(url: str, *, model: str, key: str | None = None, timeout_s: float = 120.0) -> Chat:
    """Return the chat server at ``url``; nothing is sent before it is called.

    Parameters
    ----------
    url
        Address of the server, of its API (``.../v1``), or of the route itself.
    model
        Name that the server knows the model by.
    key
        Bearer token; None: the environment variable ``ISOGLOSS_API_KEY``, if set.
    timeout_s
        Seconds that one request may take.

    Raises
    ------
    UsageError
        Where the address is not ``http`` or ``https`` or carries a password, or the key cannot be sent.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.password:
        why = "it carries a password" if parts.password else "it is not an http or https address"
        raise UsageError("the chat server's address cannot be used", why, "give http://HOST:PORT/v1")
    secret = os.environ.get(KEY_VARIABLE, "") if key is None else key
    if not (secret.isascii() and secret.isprintable()) or " " in secret:
        raise UsageError(
            "the key cannot be sent", "it holds spaces, line ends or other than ASCII characters", "copy it again"
        )
    base = url.rstrip("/")
    if not base.endswith(ROUTE):
        base += ROUTE if parts.path.strip("/") else "/v1" + ROUTE
    return Chat(base, model, timeout_s=timeout_s, key=secret)


def _post(chat: Chat, body: dict[str, Any]) -> Any:
    try:
        return request_json(chat.url, body, key=chat.key, timeout_s=chat.timeout_s, largest=_LARGEST_ANSWER)
    except WebFault as fault:
        what, fix = _WORDS[fault.fault]
        raise ChatError(what, fault.why, fix) from None
