"""The service as callers meet it: a real uvicorn on a free port, over a fleet with two fake sources driven by hand."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine

from enrichment.bootstrap import Parts, build
from enrichment.embedded import Servers
from enrichment.embedded.server import free_port
from enrichment.services import tokens
from enrichment.services.fleet import Fleet
from enrichment.services.tokens import Scope
from enrichment.settings import Settings
from service.__main__ import Server
from service.app import CONNECTIONS, create
from tests.conftest import Empty, emptied
from tests.services.conftest import ALBUM, BY_ISRC, PERFORMER, TRACK
from tests.services.fakes import Bench, Upstream, a_bench
from tests.support import eventually

HOST = "127.0.0.1"


@dataclass
class Api:
    """A caller with a token that opens everything. fleet: the service's. bench: a worker's, driven by hand."""

    url: str
    http: httpx.Client
    fleet: Fleet
    bench: Bench
    threads: ThreadPoolExecutor

    def token(self, *scopes: Scope, name: str = "test") -> dict[str, str]:
        """The header of a new token."""
        return {"Authorization": f"Bearer {tokens.make(self.fleet, name, scopes).secret}"}

    def later(self, method: str, path: str, **more: Any) -> Future[httpx.Response]:
        """A request that is under way meanwhile."""
        return self.threads.submit(lambda: self.http.request(method, path, **more))

    def submitted(self, **more: Any) -> dict[str, Any]:
        """A track handed in without waiting."""
        given = {"track_id": "4711", "artist_name": "Massive Attack", "track_title": "Teardrop", **more}
        found = self.http.post("/enrich", params={"wait": 0}, json=given)
        assert found.status_code == 202, found.text
        answer: dict[str, Any] = found.json()
        return answer

    def waiters(self) -> None:
        """Until somebody waits for a result."""
        eventually(lambda: self.bench.tickets, 10, "the request is submitted")


def a_fleet(bench: Bench, settings: Settings | None = None) -> Fleet:
    """The service's own, with the sources of the bench."""
    sources = dict(bench.fleet.sources)
    parts = Parts(send_fetch=lambda *ticket: bench.tickets.append(ticket), sources=sources, connections=CONNECTIONS)
    return build(settings or bench.settings, parts)


@contextmanager
def serving(fleet: Fleet, settings: Settings, port: int = 0) -> Iterator[str]:
    """The service's address while it runs. port: 0 for any that is free."""
    port = port or free_port()
    server = Server(create(settings, fleet), HOST, port)
    thread = threading.Thread(target=server.run, name="service", daemon=True)
    thread.start()
    eventually(lambda: server.started, 10, "the service is up")
    try:
        yield f"http://{HOST}:{port}"
    finally:
        server.handle_exit(15, None)
        thread.join(timeout=20)
        assert not thread.is_alive()


@pytest.fixture
def upstream() -> Upstream:
    """One that knows everything."""
    return Upstream({"track": TRACK, "by_isrc": BY_ISRC, "performer": PERFORMER, "album": ALBUM})


@pytest.fixture
def bench(lent: Empty, lent_engine: Engine, servers: Servers, upstream: Upstream) -> Iterator[Bench]:
    """A worker's fleet on the module's servers, emptied."""
    emptied(lent_engine, servers)
    made = a_bench(lent, upstream)
    yield made
    made.close()


@pytest.fixture
def api(bench: Bench) -> Iterator[Api]:
    """The service, called by somebody who may do everything."""
    fleet = a_fleet(bench)
    secret = tokens.make(fleet, "tests", [Scope.ADMIN]).secret
    headers = {"Authorization": f"Bearer {secret}"}
    with (
        serving(fleet, bench.settings) as url,
        ThreadPoolExecutor(64) as threads,
        httpx.Client(base_url=url, headers=headers, timeout=60, limits=httpx.Limits(max_connections=100)) as http,
    ):
        yield Api(url, http, fleet, bench, threads)
