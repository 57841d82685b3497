"""The service's contract, kept by a small server: what it hears is checked, what it answers can be chosen."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

REQUEST_KEYS = {
    *("track_id", "artist_name", "track_title", "existing_spotify_id", "existing_isrc", "existing_musicbrainz_id"),
    *("album_title", "duration_ms", "priority", "force_refresh", "correlation_id"),
}
ACQUIRED = {"spotify_id": "6rqhFgbbKwnb9MLmUQDhG6", "isrc": "GBAAA9400119", "bpm": 91.5, "key": "A Minor"}
LONGEST_BATCH = 10_000


@dataclass(frozen=True)
class Heard:
    """One request."""

    method: str
    path: str
    query: dict[str, str]
    body: Any
    token: str | None


class Refusal(Exception):  # noqa: N818 - an answer
    """An answer that is none of the good ones."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status


@dataclass
class Service:
    """Its behaviour. token: asked for, where there is one. statuses: of the tracks it knows."""

    token: str | None = None
    answers_with: int = 200
    acquired: dict[str, Any] = field(default_factory=lambda: dict(ACQUIRED))
    raw_answer: bytes | None = None
    statuses: dict[str, dict[str, Any]] = field(default_factory=dict)
    stops_after: int | None = None
    heard: list[Heard] = field(default_factory=list)
    url: str = ""

    def __post_init__(self) -> None:
        self.hangs = threading.Event()
        self.let_go = threading.Event()
        self.stopped = threading.Event()
        self._lock = threading.Lock()

    def hear(self, request: Heard) -> tuple[int, Any]:
        """The answer. It hangs for as long as it is told to, and stops in the middle of its last request."""
        with self._lock:
            self.heard.append(request)
            if self.stops_after is not None and len(self.heard) > self.stops_after:
                self.stopped.set()
        if self.hangs.is_set():
            self.let_go.wait()
        if self.token is not None and request.token != f"Bearer {self.token}":
            raise Refusal(401, "a token is needed")
        if self.answers_with >= 300:
            raise Refusal(self.answers_with, "told to")
        return self._route(request)

    def _route(self, request: Heard) -> tuple[int, Any]:
        match request.method, request.path.strip("/").split("/"):
            case "POST", ["enrich"]:
                return self._enrich(request)
            case "POST", ["enrich", "batch"]:
                return self._batch(request.body)
            case "GET", ["tracks", track_id, "enrichment_status"] if unquote(track_id) in self.statuses:
                return 200, self.statuses[unquote(track_id)]
            case "GET", ["batches", batch_id]:
                return 200, {"batch_id": batch_id, "status": "completed"}
        raise Refusal(404, f"{request.path}: not known")

    def _enrich(self, request: Heard) -> tuple[int, Any]:
        track = _checked(request.body)
        if not 0 <= int(request.query.get("wait", 55)) <= 120:
            raise Refusal(422, "wait: 0 to 120")
        ready = request.query.get("wait") != "0" and self.answers_with == 200
        told = {"title": track["track_title"], "artist_name": track["artist_name"]} if "artist_name" in track else {}
        return (200 if ready else 202), {
            "track_id": track.get("track_id", "made-here"),
            "status": ("completed" if self.acquired else "failed") if ready else "pending",
            "sources_used": ["deezer"] if ready and self.acquired else [],
            "metadata_acquired": {**told, **self.acquired} if ready else told,
            "errors": [],
            "duration_seconds": 0.01,
            "cached": False,
            "timestamp": "2026-11-21T05:12:05+00:00",
        }

    def _batch(self, tracks: Any) -> tuple[int, Any]:
        if not isinstance(tracks, list) or not tracks:
            raise Refusal(422, "a list of tracks")
        if len(tracks) > LONGEST_BATCH:
            raise Refusal(413, "too large")
        return 202, {"batch_id": "b-1", "items": [{"accepted": bool(_checked(track))} for track in tracks]}


def _checked(track: Any) -> dict[str, Any]:
    if not isinstance(track, dict) or (strange := track.keys() - REQUEST_KEYS):
        raise Refusal(422, f"not understood: {strange if isinstance(track, dict) else track!r}")
    if not ("track_id" in track or {"artist_name", "track_title"} <= track.keys()):
        raise Refusal(422, "track_id: or artist_name and track_title")
    if track.get("priority") not in (None, *range(1, 11)):
        raise Refusal(422, "priority: 1 to 10")
    if len(track.get("track_title", "")) > 1000:
        raise Refusal(422, "track_title: 1000 characters at most")
    return track


def _handler_of(service: Service) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer()

        def do_POST(self) -> None:
            self._answer()

        def _answer(self) -> None:
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            heard = Heard(
                self.command,
                parts.path,
                dict(parse_qsl(parts.query)),
                json.loads(body) if body else None,
                self.headers.get("Authorization"),
            )
            try:
                status, content = service.hear(heard)
            except Refusal as refusal:
                status, content = refusal.status, {"detail": str(refusal)}
            if service.stopped.is_set():
                self.close_connection = True
                return
            raw = json.dumps(content).encode() if service.raw_answer is None else service.raw_answer
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's name
            del format, args

    return Handler


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that have gone are what some tests are about."""


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler], stopped: threading.Event) -> Iterator[str]:
    """An HTTP server at this address, until the end or until it is stopped, when it takes no connection any more."""
    server = _Server(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()

    def stop() -> None:
        stopped.wait()
        server.shutdown()
        server.server_close()

    stopping = threading.Thread(target=stop)
    stopping.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        stopped.set()
        stopping.join()
        thread.join()


@contextmanager
def running(**behaviour: Any) -> Iterator[Service]:
    """The service, told how to behave."""
    service = Service(**behaviour)
    with serving(_handler_of(service), service.stopped) as url:
        service.url = url
        try:
            yield service
        finally:
            service.let_go.set()
