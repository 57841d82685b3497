"""Client libraries on the wire: whatever HTTP library they use, their requests become calls of one `send` function.

    httpx    -> httpx_client      our own sources
    requests -> requests_session  spotipy, discogs_client
    httpx2   -> httpx2_transport  pylast
    urllib   -> send_urllib       musicbrainzngs

`send` returns answers, a 404 among them, and raises `NoAnswer` for every refusal; both reach the library as they are.
Connections, time-outs, retries, redirects and the User-Agent are the wire's: what a library has of its own is left out.
A request with `Cache-Control: no-store` (a token's) is kept out of the cache.
"""

from __future__ import annotations

import http.client
import io
from collections.abc import Iterable, Mapping
from email.message import Message
from typing import TYPE_CHECKING, Any, Protocol
from urllib.error import HTTPError

import httpx
import httpx2
import requests
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict
from requests.utils import get_encoding_from_headers

from enrichment.sources.base import Reply

if TYPE_CHECKING:
    from urllib.request import Request


class Send(Protocol):
    """`Line.send`: one request. Returns replies judged ANSWER, raises `NoAnswer` for all others."""

    def __call__(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes = b"", cache: bool = True
    ) -> Reply:
        """Send it."""


_OF_THE_LIBRARY = frozenset(
    {"user-agent", "accept-encoding", "connection", "host", "content-length", "transfer-encoding"}
)
_OF_THE_CODING = frozenset({"content-encoding", "content-length", "transfer-encoding", "connection"})


def _sent(send: Send, method: str, url: str, headers: Iterable[tuple[str, str]], body: bytes) -> Reply:
    """The request without what the library adds by itself."""
    kept = {name.lower(): value for name, value in headers if name.lower() not in _OF_THE_LIBRARY}
    if kept.get("accept") == "*/*":
        del kept["accept"]
    cache = "no-store" not in kept.pop("cache-control", "")
    return send(method, url, headers=kept, body=body, cache=cache)


def _received(reply: Reply) -> dict[str, str]:
    """The reply's headers, without those that describe a body that was still encoded."""
    return {name: value for name, value in reply.headers.items() if name.lower() not in _OF_THE_CODING}


class _HttpxTransport(httpx.BaseTransport):
    def __init__(self, send: Send) -> None:
        self._send = send

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        reply = _sent(self._send, request.method, str(request.url), request.headers.items(), request.read())
        return httpx.Response(reply.status, headers=_received(reply), content=reply.body, request=request)


def httpx_client(send: Send) -> httpx.Client:
    """An httpx client whose requests go through `send`. Thread-safe."""
    return httpx.Client(transport=_HttpxTransport(send), trust_env=False)


class _Httpx2Transport(httpx2.BaseTransport):
    def __init__(self, send: Send) -> None:
        self._send = send

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        reply = _sent(self._send, request.method, str(request.url), request.headers.items(), request.read())
        return httpx2.Response(reply.status, headers=_received(reply), content=reply.body, request=request)


def httpx2_transport(send: Send) -> httpx2.BaseTransport:
    """A transport for a library on httpx2; survives the closing of the clients it is mounted on, as pylast does."""
    return _Httpx2Transport(send)


class _RequestsAdapter(BaseAdapter):
    def __init__(self, send: Send) -> None:
        super().__init__()
        self._send = send

    def send(self, request: requests.PreparedRequest, *_args: Any, **_options: Any) -> requests.Response:
        body = request.body or b""
        content = body.encode() if isinstance(body, str) else bytes(body)
        reply = _sent(self._send, request.method or "GET", request.url or "", request.headers.items(), content)
        response = requests.Response()
        response.status_code = reply.status
        response.reason = _reason(reply.status)
        response.headers = CaseInsensitiveDict(_received(reply))
        response.encoding = get_encoding_from_headers(response.headers)
        response.raw = io.BytesIO(reply.body)
        response.url = reply.url or request.url or ""
        response.request = request
        return response

    def close(self) -> None:
        """Nothing to close: spotipy closes its session whenever a client object is collected, shared or not."""


def requests_session(send: Send) -> requests.Session:
    """A session whose requests go through `send`. Thread-safe, since it holds no connections and takes no cookies."""
    session = requests.Session()
    session.trust_env = False
    session.headers.clear()
    adapter = _RequestsAdapter(send)
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    return session


def send_urllib(send: Send, request: Request) -> bytes:
    """What `urlopen(request).read()` gives. Raises urllib.error.HTTPError for an answer of status 400 and above."""
    body = request.data if isinstance(request.data, bytes) else b""
    reply = _sent(send, request.get_method(), request.full_url, request.header_items(), body)
    if reply.status >= 400:
        headers = _message(_received(reply))
        raise HTTPError(request.full_url, reply.status, _reason(reply.status), headers, io.BytesIO(reply.body))
    return reply.body


def _message(headers: Mapping[str, str]) -> Message:
    message = Message()
    for name, value in headers.items():
        message[name] = value
    return message


def _reason(status: int) -> str:
    return http.client.responses.get(status, "")
