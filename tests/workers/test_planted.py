"""Secrets are planted, a fleet runs with them, and then everything that it has left is searched for them: nothing.

Searched are every table, the logs, both Redis servers, every command they were sent (tasks, their arguments, events),
the pages of service and console, and what stands on the command lines; for each secret as it is, in base64, in
hexadecimal and in a URL.
"""

from __future__ import annotations

import base64
import re
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

import httpx
import psutil
import pytest
import redis
from celery import Celery
from sqlalchemy import Engine, text

from enrichment.bootstrap import Parts, build
from enrichment.reservoir.keys import new_master
from enrichment.services import keys, standing, tokens
from enrichment.services.audit import audited
from enrichment.services.fleet import Fleet
from enrichment.services.tokens import Scope
from enrichment.settings import load
from simulator.catalogue import small_requests
from tests.conftest import Empty
from tests.service.conftest import serving
from tests.support import Worker, eventually, worker
from tests.workers.conftest import Rows
from workers.foreign import QUEUE

MASTER = new_master()
WRONG = "wrong/planted-lastfm-1111"
IN_DATABASE = {
    "LASTFM_API_KEY": "planted/lastfm-2222",
    "SPOTIFY_CLIENT_ID": "planted-spotify-id-3333",
    "SPOTIFY_CLIENT_SECRET": "planted+spotify-secret-4444",
}
IN_ENVIRONMENT = {"DISCOGS_TOKEN": "planted-discogs-5555", "THEAUDIODB_API_KEY": "planted-audiodb-6666"}
PLANTED = (MASTER, WRONG, *IN_DATABASE.values(), *IN_ENVIRONMENT.values())
BASIC = f"{IN_DATABASE['SPOTIFY_CLIENT_ID']}:{IN_DATABASE['SPOTIFY_CLIENT_SECRET']}"
ACCESS_TOKEN = re.compile(rb"BQ[0-9a-f]{100,}")
"""Spotify's, good for an hour."""
PAGES = (
    *("/metrics", "/stats", "/health", "/sources", "/audit", "/dead-letters", "/schedules", "/changes"),
    *("/console/", "/console/sources/lastfm", "/console/charts", "/console/letters", "/console/letters/1"),
    *("/console/workers", "/console/keys", "/console/tokens", "/console/audit"),
)
_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{16,}={0,2}")


def found_in(place: str, content: bytes) -> list[str]:
    """Which secrets are there, in whatever form."""
    opened = b"\n".join(_decoded(run) for run in _BASE64.findall(content))
    forms = {secret: _forms(secret) for secret in (*PLANTED, BASIC)}
    found = [f"{secret} in {place}" for secret, own in forms.items() if any(f in content + opened for f in own)]
    return found + [f"an access token in {place}" for _ in ACCESS_TOKEN.findall(content + opened)]


def _forms(secret: str) -> set[bytes]:
    plain = secret.encode()
    encoded = {base64.b64encode(plain), base64.urlsafe_b64encode(plain), plain.hex().encode()}
    return {plain, quote(secret, safe="").encode(), *(form.rstrip(b"=") for form in encoded)}


def _decoded(run: bytes) -> bytes:
    with suppress(ValueError):
        return base64.b64decode(run.rstrip(b"=") + b"=" * (-len(run.rstrip(b"=")) % 4), b"+/")
    return b""


def _tables(engine: Engine) -> Iterator[tuple[str, bytes]]:
    """Every row as text; what is binary, also as it is."""
    with engine.connect() as connection:
        names = connection.execute(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")).scalars().all()
        for name in names:
            rows = connection.execute(text(f"SELECT t::text, t.* FROM {name} t")).all()  # noqa: S608 - our own tables
            yield f"table {name}", b"\n".join(_shown(value) for row in rows for value in row)


def _shown(value: Any) -> bytes:
    return bytes(value) if isinstance(value, bytes | memoryview) else str(value).encode("utf-8", "replace")


def _keys(client: redis.Redis) -> Iterator[tuple[str, bytes]]:
    read = {
        b"string": client.get,
        b"hash": client.hgetall,
        b"list": lambda key: client.lrange(key, 0, -1),
        b"set": client.smembers,
        b"zset": lambda key: client.zrange(key, 0, -1),
    }
    for key in client.scan_iter():
        value = read[cast("bytes", client.type(key))](key)
        if key.startswith(b"enrichment:"):
            value = zlib.decompress(cast("bytes", value))
        content = _shown(value)
        yield f"key {key!r}", key + b"\n" + content


class Heard:
    """Everything that a Redis server is told."""

    def __init__(self, url: str) -> None:
        self.said: list[bytes] = []
        self._client = redis.Redis.from_url(url)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._begun = threading.Event()

    def _listen(self) -> None:
        with self._client.monitor() as monitor:
            self._begun.set()
            while not self._ended.is_set():
                self.said.append(str(monitor.next_command()["command"]).encode("utf-8", "replace"))

    @contextmanager
    def listening(self) -> Iterator[Heard]:
        """Until the end of the block."""
        self._thread.start()
        self._begun.wait(10)
        yield self
        self._ended.set()
        self._client.ping()  # a last command to hear
        self._thread.join(10)
        self._client.close()


@pytest.fixture
def environ(empty: Empty, upstreams: str) -> dict[str, str]:
    """A fleet's environment, with some of the keys."""
    more = {"LINERNOTES_UPSTREAM_URL": upstreams, "LINERNOTES_SPEED": "20", "LINERNOTES_SECRET_KEYS": MASTER}
    return empty.environ(**more, **IN_ENVIRONMENT)


@pytest.fixture
def operator(environ: dict[str, str]) -> Iterator[Fleet]:
    """The fleet as an operator's process sees it."""
    with httpx.Client(trust_env=False) as http:
        fleet = build(load(environ), Parts(connections=4, http=http))
        yield fleet
    fleet.close()


def _ended(rows: Rows, count: int) -> bool:
    return rows("SELECT count(finished_at) FROM enrichment_status WHERE kind = 'track'")[0][0] >= count


def _lastfm_is_stopped(fleet: Fleet) -> bool:
    fleet.forget()
    return fleet.standings()["lastfm"].stopped


def _opens(fleet: Fleet) -> bool:
    """A call of the worker that has left with the wrong key may yet be refused, and stop the source again."""
    standing.resume(fleet, "lastfm")
    (tried,) = keys.test(fleet, "LASTFM_API_KEY")
    return bool(tried.opens)


def _run(running: Worker, fleet: Fleet, producer: Celery, broker: redis.Redis, rows: Rows) -> None:
    """Keys come and go while a worker runs; a source refuses one; somebody publishes nonsense."""
    songs = [{"artist": song["artist"], "title": song["title"]} for song in list(small_requests())[:30]]
    keys.put(fleet, "LASTFM_API_KEY", WRONG)
    eventually(lambda: b"keys have changed" in running.log.read_bytes(), 30, "the worker knows the wrong key")
    producer.send_task("enrich_tracks", args=[songs[:10]])
    producer.send_task("enrich_track", kwargs={"artist_name": "", "track_title": "nothing", "priority": 10})
    broker.lpush(QUEUE, b"nonsense", *(b'{"artist_name": "Air", "track_title": "%d"}' % n for n in range(3)))
    producer.send_task("enrich_track", kwargs={"artist_name": "Air", "track_title": "Run", "priority": 10})
    eventually(lambda: _lastfm_is_stopped(fleet), what="the wrong key is refused")
    (tried,) = keys.test(fleet, "LASTFM_API_KEY")
    assert not tried.opens
    assert found_in("what a test says", repr(tried).encode()) == []

    for name, value in IN_DATABASE.items():
        with audited(fleet, "the test", "set key", name):
            keys.put(fleet, name, value)
    eventually(lambda: _opens(fleet), what="the right key opens lastfm")
    assert keys.test(fleet, "SPOTIFY_CLIENT_SECRET")[0].opens
    producer.send_task("enrich_tracks", args=[songs[10:]])
    for item in songs[20:23]:
        names = {"artist_name": item["artist"], "track_title": item["title"]}
        producer.send_task("enrich_track", kwargs={**names, "priority": 10})
    told = "SELECT FROM settles s JOIN lookups l ON l.id = s.lookup_id WHERE l.source = :source AND s.outcome = 'found'"
    for source in ("lastfm", "spotify"):
        eventually(lambda source=source: rows(told, source=source), 120, f"{source} answers the new key")  # type: ignore[misc]  # of a loop
    eventually(lambda: _ended(rows, 30), 120, "the tracks end")
    assert running.is_alive


def _pages(fleet: Fleet, environ: dict[str, str]) -> Iterator[tuple[str, bytes]]:
    """Of the service and of its console, to somebody who may see all of them."""
    secret = tokens.make(fleet, "test", [Scope.ADMIN]).secret
    headers = {"Authorization": f"Bearer {secret}"}
    with (
        serving(fleet, load(environ)) as url,
        httpx.Client(base_url=url, headers=headers, timeout=30, trust_env=False, follow_redirects=True) as http,
    ):
        csrf, *_ = re.findall(r'name="csrf" value="(\w+)"', http.get("/console/sign-in").text)
        http.post("/console/sign-in", data={"csrf": csrf, "token": secret})
        for path in PAGES:
            page = http.get(path)
            assert page.status_code == 200, path
            yield f"page {path}", page.content


def test_nothing_is_found(
    *,
    environ: dict[str, str],
    empty: Empty,
    operator: Fleet,
    engine: Engine,
    producer: Celery,
    rows: Rows,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    clients = [redis.Redis.from_url(url) for url in (empty.broker_url, empty.redis_url)]
    heard = [Heard(url) for url in (empty.broker_url, empty.redis_url)]
    with heard[0].listening(), heard[1].listening(), worker(environ, tmp_path / "worker.log") as running:
        _run(running, operator, producer, clients[0], rows)
        command_line = " ".join(psutil.Process(running.process.pid).cmdline()).encode()
    said = capfd.readouterr()

    places = [
        *_tables(engine),
        *(found for client in clients for found in _keys(client)),
        *((f"commands of Redis {number}", b"\n".join(each.said)) for number, each in enumerate(heard)),
        ("the worker's log", running.log.read_bytes()),
        ("our own output", (said.out + said.err).encode()),
        ("the command line", command_line),
        *_pages(operator, environ),
        ("how a fleet is shown", repr((operator, load(environ), operator.wire.place("lastfm"))).encode()),
        ("what is listed", repr(keys.listed(operator)).encode()),
    ]
    for client in clients:
        client.close()

    assert [leak for place, content in places for leak in found_in(place, content)] == []
    assert {"table dead_letters", "table audit", "table source_keys", "table findings"} <= {name for name, _ in places}
    letters = dict(places)["table dead_letters"]
    assert b"nonsense" in letters
    assert b"Invalid API key" in letters
    assert b"enrich_tracks" in dict(places)["commands of Redis 0"]
    assert IN_DATABASE["LASTFM_API_KEY"][-4:].encode() in dict(places)["page /console/keys"]
    assert any(name.startswith("key b'enrichment:lastfm") for name, _ in places), "there are cached replies"


def test_the_search_would_find_them() -> None:
    for form in (BASIC, f"x{PLANTED[1]}y", quote(WRONG, safe=""), WRONG.encode().hex()):
        assert found_in("here", form.encode())
    assert found_in("here", base64.b64encode(f"ab{BASIC}".encode()))
    assert found_in("here", b'{"body": "' + base64.b64encode(f'[{{"key": "{WRONG}"}}]'.encode()) + b'"}')
    assert found_in("here", b"BQ" + b"0a" * 60)
    assert found_in("here", b"no secret") == []
