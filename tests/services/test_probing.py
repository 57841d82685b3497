"""Probing: what Spotify lets our app do is found out once, by a fetch of its own; the simulator stands for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from enrichment.services import standing
from enrichment.services.requests import TrackRequest, read
from enrichment.services.submit import submit_all
from enrichment.sources.spotify import Spotify
from simulator.server import running
from simulator.truth import World
from simulator.upstreams import Part, Shelf
from tests.conftest import Empty
from tests.services.fakes import Bench, a_bench

FAST = {"LINERNOTES_SPOTIFY_BUDGET": "1000/1, burst=100"}


@dataclass
class Simulated:
    """The simulator, with all that was asked of it."""

    base: str
    client: httpx.Client
    asked: list[str] = field(default_factory=list)
    refusing: httpx.Response | None = None

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(str(request.url).removeprefix(f"{self.base}/spotify"))
        if self.refusing is not None:
            return self.refusing
        body = request.read()
        reply = self.client.request(request.method, request.url, headers=request.headers, content=body)
        return httpx.Response(reply.status_code, headers={"content-type": "application/json"}, content=reply.content)


@pytest.fixture(scope="module")
def base() -> Iterator[str]:
    with running(unlimited=True, speed=500.0) as address:
        yield address


@pytest.fixture
def simulated(base: str) -> Iterator[Simulated]:
    with httpx.Client(timeout=30, trust_env=False) as client:
        yield Simulated(base, client)


MakeBench = Callable[..., Bench]


@pytest.fixture(name="spotify_bench")
def _spotify_bench(empty: Empty, simulated: Simulated) -> Iterator[MakeBench]:
    """spotify_bench(app, options): a fleet with this app's keys, Spotify alone, and what its operator has set."""
    made: list[Bench] = []

    def make(app: str, options: Mapping[str, str] | None = None) -> Bench:
        keys = {"SPOTIFY_CLIENT_ID": app, "SPOTIFY_CLIENT_SECRET": "secret"} if app else {}
        environ = {"LINERNOTES_SPOTIFY_URL": f"{simulated.base}/spotify", **keys, **FAST}
        made.append(a_bench(empty, simulated, [Spotify(options)], environ))  # type: ignore[arg-type]  # answers requests as Upstream does
        return made[-1]

    yield make
    for bench in made:
        bench.close()


def mode(bench: Bench) -> str | None:
    bench.fleet.forget()
    bench.fleet.standings()
    return bench.fleet.sources["spotify"].options.get("mode")


MODES = {
    "an-app": ("development", 1, 800),
    "extended-app": ("extended", 50, None),
    "grandfathered-app": ("grandfathered", 50, None),
}


@pytest.mark.parametrize("app", MODES)
def test_the_mode_is_found_out_before_there_is_work(spotify_bench: MakeBench, simulated: Simulated, app: str) -> None:
    found, batch, day = MODES[app]
    bench = spotify_bench(app)
    bench.steward.round()
    assert [str(done) for done in bench.drain()] == ["spotify: probed: answer"]
    assert mode(bench) == found
    assert bench.fleet.sizes("spotify")["artist"] == batch
    assert bench.fleet.limiter.budget("spotify").per_day == day
    asked = [urlsplit(asked).path for asked in simulated.asked]
    assert asked == ["/api/token", "/v1/artists/", "/v1/audio-features"][: 2 + (found != "development")]
    assert bench.fleet.limiter.now("spotify").calls == len(asked), "the token and what is probed, each with a turn"
    bench.fleet.forget()
    bench.steward.round()
    assert not bench.tickets, "once a day is enough"


def test_what_one_worker_has_found_all_know(spotify_bench: MakeBench, simulated: Simulated) -> None:
    bench, other = (spotify_bench("extended-app") for _ in range(2))
    assert mode(other) is None
    bench.steward.round()
    bench.drain()
    asked = len(simulated.asked)
    assert mode(other) == "extended"
    assert "popularity" in other.fleet.sources["spotify"].question("track").gives
    assert len(simulated.asked) == asked


@pytest.mark.parametrize(("app", "options"), [("extended-app", {"mode": "development"}), ("", {})])
def test_it_is_not_asked_where_the_operator_says_it_or_has_no_keys(
    spotify_bench: MakeBench, simulated: Simulated, app: str, options: Mapping[str, str]
) -> None:
    bench = spotify_bench(app, options)
    bench.run('UPDATE source_states SET found = \'{"mode": "extended"}\', probe_at = NULL')
    bench.steward.round()
    assert not bench.tickets
    assert mode(bench) == (options.get("mode") or "extended")
    assert simulated.asked == []


def test_a_used_up_quota_is_no_answer(spotify_bench: MakeBench, simulated: Simulated) -> None:
    bench = spotify_bench("extended-app")
    body = b'{"error":{"status":429,"message":"Too many requests","reason":"QUOTA_EXCEEDED"}}'
    simulated.refusing = httpx.Response(429, headers={"retry-after": "48925"}, content=body)
    bench.steward.round()
    assert [str(done) for done in bench.drain()] == ["spotify: probed: quota"]
    assert mode(bench) is None
    with bench.fleet.engine.connect() as connection:
        assert "spotify" in bench.fleet.away(connection)
    (row,) = bench.rows(
        "SELECT extract(epoch FROM paused_until - clock_timestamp())::int AS seconds, stopped FROM source_states"
    )
    assert 48_900 < row.seconds <= 48_925
    assert not row.stopped
    assert bench.letters() == []


def test_a_person_who_resumes_a_source_has_it_probed_anew(spotify_bench: MakeBench, simulated: Simulated) -> None:
    bench = spotify_bench("an-app")
    bench.steward.round()
    bench.drain()
    bench.run('UPDATE source_states SET found = \'{"mode": "extended"}\'')
    assert mode(bench) == "extended"
    standing.resume(bench.fleet, "spotify")
    bench.steward.round()
    bench.drain()
    assert mode(bench) == "development"


def test_what_nobody_knows_is_not_taken_over(spotify_bench: MakeBench, simulated: Simulated) -> None:
    bench = spotify_bench("an-app")
    bench.run('UPDATE source_states SET found = \'{"mode": "of tomorrow", "url": "http://elsewhere"}\'')
    assert mode(bench) is None


def test_with_extended_quota_many_ids_share_a_call(spotify_bench: MakeBench, simulated: Simulated) -> None:
    bench = spotify_bench("extended-app")
    bench.steward.round()
    bench.drain()
    mode(bench)
    known = Part("spotify", Shelf(World.build()))
    tracks = known.tracks(known.world.tracks)[:60]
    given = [
        {
            "artist_name": track.recording.artists[0].name,
            "track_title": track.title,
            "existing_spotify_id": track.spotify_id,
            "priority": 2,
        }
        for track in tracks
    ]
    accepted = submit_all(bench.fleet, [read(TrackRequest, each) for each in given])
    assert all(each.ref for each in accepted)
    bench.settle_down()
    batches = [
        len(parse_qs(urlsplit(asked).query)["ids"][0].split(","))
        for asked in simulated.asked
        if urlsplit(asked).path == "/v1/tracks/"
    ]
    assert len(batches) == 2
    assert batches[0] == 50
    assert bench.rows("SELECT count(*) FROM tracks WHERE popularity IS NOT NULL")[0][0] >= 55
