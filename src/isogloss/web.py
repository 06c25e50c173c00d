"""One JSON request to a server that the user named: no redirect, no proxy for this machine, answers of bounded size."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

if TYPE_CHECKING:
    import urllib.request

Fault = Literal["refused", "unreachable", "large", "unreadable"]
LOOPBACK = ("localhost", "127.0.0.1", "::1")
_MOVED = (301, 302, 303, 307, 308)


class WebFault(Exception):
    """A request that brought no JSON; clients say it in their own words.

    Attributes
    ----------
    fault
        ``refused`` (an HTTP status), ``unreachable``, ``large`` or ``unreadable``.
    why
        What was said or found, shortened and without the key.
    status
        The HTTP status of a refusal, else 0.
    """

    def __init__(self, fault: Fault, why: str, status: int = 0) -> None:
        super().__init__(fault, why, status)
        self.fault, self.why, self.status = fault, why, status


def request_json(
    url: str, body: dict[str, Any] | None = None, *, key: str = "", timeout_s: float = 60.0, largest: int = 2**26
) -> Any:
    """Send one request and return the answer's JSON.

    Parameters
    ----------
    url
        Full address; only its host is contacted.
    body
        Sent as JSON by POST; None sends a GET.
    key
        Bearer token; it never stands in a message.
    timeout_s
        Seconds that the request may take.
    largest
        Bytes that an answer may have.

    Raises
    ------
    WebFault
        Where no JSON comes back.

    Examples
    --------
    With a server on this machine::

        request_json("http://127.0.0.1:8000/v1/models")
    """
    import urllib.error
    import urllib.request
    from http.client import HTTPException

    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    if key:
        headers["Authorization"] = f"Bearer {key}"
    request = urllib.request.Request(url, None if body is None else json.dumps(body).encode(), headers)
    try:
        with _opener(url).open(request, timeout=timeout_s) as response:
            content = response.read(largest + 1)
    except urllib.error.HTTPError as error:
        with error:
            said = shortened(error.read(2000).decode("utf-8", "replace"), key)
        where = f" to {error.headers.get('Location')}" if error.code in _MOVED else ""
        raise WebFault("refused", f"HTTP {error.code}{where} {said}".strip(), error.code) from None
    except (OSError, HTTPException) as error:
        said = str(getattr(error, "reason", error)) or type(error).__name__
        raise WebFault("unreachable", shortened(said, key)) from None
    if len(content) > largest:
        raise WebFault("large", f"more than {largest} bytes")
    try:
        return json.loads(content)
    except ValueError:
        raise WebFault("unreadable", shortened(content[:2000].decode("utf-8", "replace"), key)) from None


def shortened(text: str, key: str = "") -> str:
    """Return a text on one line of at most 200 characters, the key blotted out.

    Examples
    --------
    >>> shortened("bad key s3cret,   try again", "s3cret")
    'bad key ***, try again'
    """
    said = " ".join((text.replace(key, "***") if key else text).split())
    return said if len(said) <= 200 else said[:197] + "..."


def _opener(url: str) -> urllib.request.OpenerDirector:
    import urllib.request

    class Stay(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *_: Any) -> None:
            return None

    local = urlsplit(url).hostname in LOOPBACK
    return urllib.request.build_opener(Stay, *([urllib.request.ProxyHandler({})] if local else []))
