"""A real Chromium before a real service, over a fleet with fake upstreams that has something on every page."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from enrichment.bootstrap import Parts, build
from enrichment.domain.subjects import Kind
from enrichment.reservoir import reviews
from enrichment.reservoir.keys import new_master
from enrichment.reservoir.reviews import NewReview
from enrichment.reservoir.subjects import Ref
from enrichment.services import merging, sessions, tokens
from enrichment.services.fleet import Fleet
from enrichment.services.tokens import Scope
from service.app import CONNECTIONS
from tests.conftest import Empty
from tests.service.conftest import serving
from tests.services.conftest import ALBUM, BY_ISRC, PERFORMER, TRACK
from tests.services.fakes import Alpha, Bench, Beta, Upstream, a_bench
from tests.support import FakeTransport, eventually

AXE = Path(__file__).with_name("axe.min.js")
"""axe-core 4.14.1 of Deque Systems, as its npm package has it; Mozilla Public License 2.0."""
PASSWORD = "a password of some length"
PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c6360f8cf500f0003830180629df9e90000000049454e44ae426082"
)
expect.set_options(timeout=60_000)


class Keyed(Alpha):
    """With a key that nothing needs."""

    secrets: ClassVar[tuple[str, ...]] = ("ALPHA_KEY",)  # type: ignore[misc]  # declared per instance


@dataclass
class Console:
    """The service's address, its fleet, and a worker driven by hand. complaints: what browsers have complained of."""

    url: str
    fleet: Fleet
    bench: Bench
    browser: Browser
    upstream: Upstream
    token: str
    complaints: list[str] = field(default_factory=list)

    @contextmanager
    def context(self, width: int = 1440, scheme: str = "light") -> Iterator[BrowserContext]:
        """A browser of its own, in which pictures from elsewhere are there without being asked for."""
        made = self.browser.new_context(
            base_url=f"{self.url}/console/",
            viewport={"width": width, "height": 900},
            color_scheme=scheme,  # type: ignore[arg-type]  # light or dark
            reduced_motion="reduce",
        )
        made.route(lambda url: not url.startswith(self.url), self._elsewhere)
        made.on("console", lambda said: said.type == "error" and self.complaints.append(f"{said.text} {said.location}"))
        made.on("weberror", lambda error: self.complaints.append(str(error.error)))
        try:
            yield made
        finally:
            made.close()

    def _elsewhere(self, route: Any) -> None:
        if route.request.resource_type != "image":
            self.complaints.append(f"asks for {route.request.url}")
        route.fulfill(body=PIXEL, content_type="image/png")

    def sign_in(self, context: BrowserContext, token: str = "") -> Page:
        """A page of somebody who may do everything, or what this token may."""
        page = context.new_page()
        page.goto("sign-in")
        page.get_by_label("Access token").fill(token or self.token)
        page.get_by_role("button", name="Sign in", exact=True).click()
        expect(page.get_by_role("heading", name="Overview")).to_be_visible()
        return page

    def made(self, *scopes: Scope) -> str:
        """A new token."""
        return tokens.make(self.fleet, "made", scopes).secret


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The Chromium of this machine."""
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("there is no chromium on this machine; Debian's package has it")
    with sync_playwright() as playwright:
        # As root, in a container, its sandbox cannot be made.
        made = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield made
        made.close()


@pytest.fixture(scope="module")
def shared(lent: Empty, browser: Browser) -> Iterator[Console]:
    """One for the module, with something on every page."""
    upstream = Upstream({"track": TRACK, "by_isrc": BY_ISRC, "performer": PERFORMER, "album": ALBUM})
    with closing(a_bench(lent, upstream, (Keyed(), Beta()), {"LINERNOTES_SECRET_KEYS": new_master()})) as bench:
        yield from _console(bench, browser, upstream)


def _console(bench: Bench, browser: Browser, upstream: Upstream) -> Iterator[Console]:
    parts = Parts(
        send_fetch=lambda *ticket: bench.tickets.append(ticket),
        sources=dict(bench.fleet.sources),
        connections=CONNECTIONS,
        http=httpx.Client(transport=FakeTransport(upstream)),
    )
    fleet = build(bench.settings, parts)
    made = tokens.make(fleet, "anna", [Scope.ADMIN])
    sessions.set_password(fleet, made.number, PASSWORD)
    _fill(bench, upstream)
    with serving(fleet, bench.settings) as url:
        yield Console(url, fleet, bench, browser, upstream, made.secret)


def _fill(bench: Bench, upstream: Upstream) -> None:
    bench.track("Teardrop")
    bench.settle_down()
    upstream.answers["track"] = "odd"
    for title in ("Angel", "Risingson", "Dissolved Girl"):
        bench.track(title)
    bench.settle_down()
    upstream.answers["track"] = TRACK
    _doubts(bench)
    bench.run(
        "INSERT INTO performers (name, name_key, spotify_id, deezer_id)"
        " VALUES ('Prince', 'prince', 'same', '1'), ('The Artist', 'artist', 'same', '2'), ('Ye', 'ye', 'west', NULL),"
        " ('Kanye West', 'kanye west', 'west', NULL)"
    )
    eventually(lambda: merging.find_duplicates(bench.fleet).proposed, 10, "pairs are proposed")
    bench.run("""
INSERT INTO minutes (at, calls, outcomes, coverage)
SELECT date_trunc('minute', clock_timestamp()) - make_interval(mins => n), '{"alpha": 40, "beta": 12}',
    jsonb_build_object('found', 30 + n % 7, 'try_later', n % 3),
    jsonb_build_object('track', jsonb_build_object('isrc', 0.8, 'artwork_url', 0.4 + n / 200.0))
FROM generate_series(2, 50) AS n""")


def _doubts(bench: Bench) -> None:
    for name in ("Sasha", "Jeans"):
        candidates = [
            {
                "id": id_,
                "name": name,
                "score": score,
                "reasons": ["its name is the same"],
                "picture": f"http://pictures.test/{id_}.jpg",
                "links": {"deezer": f"http://listen.test/{id_}"},
                "country": "GB",
                "findings": [{"field": "musicbrainz_id", "value": f"{name}-{id_}", "confidence": 0.9}],
            }
            for id_, score in (("bristol", 0.8), ("boston", 0.7))
        ]
        bench.run("INSERT INTO performers (name, name_key) VALUES (:name, lower(:name))", name=name)
        (performer,) = bench.rows("SELECT id FROM performers WHERE name = :name", name=name)
        ref, fields = Ref(Kind.PERFORMER, performer.id), ["musicbrainz_id"]
        doubt = NewReview(ref, "namesakes", "alpha", "performer", fields, candidates, f"two are called {name}")
        with bench.fleet.engine.begin() as connection:
            reviews.put(connection, [doubt])


@pytest.fixture
def console(shared: Console) -> Iterator[Console]:
    """No browser may have had anything to complain of when the test is over."""
    shared.complaints.clear()
    yield shared
    assert shared.complaints == []


@pytest.fixture
def page(console: Console) -> Iterator[Page]:
    """Of somebody who may do everything."""
    with console.context() as context:
        made = console.sign_in(context)
        # Dialogues ask whether a person is sure.
        made.on("dialog", lambda dialog: dialog.accept())
        yield made


@pytest.fixture
def http(console: Console) -> Iterator[Callable[..., httpx.Client]]:
    """Makes clients without a browser."""
    made: list[httpx.Client] = []

    def client(**more: Any) -> httpx.Client:
        made.append(httpx.Client(base_url=f"{console.url}/console", trust_env=False, timeout=30, **more))
        return made[-1]

    yield client
    for each in made:
        each.close()
