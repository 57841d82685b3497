"""The console's pages over a large database: `linernotes bench pages [--subjects N] [--letters N]`.

A real service on an embedded PostgreSQL; every page is asked for many times, a search or a subject another one each
time. Times are milliseconds until the whole page is there.
"""

from __future__ import annotations

import argparse
import random
import re
import statistics
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from sqlalchemy import Connection, Engine, create_engine, text

from bench.report import Grid, Report, at_most, note, start
from enrichment.bootstrap import Parts, build, migrate, register_sources
from enrichment.embedded import temporary_servers
from enrichment.embedded.server import free_port, poll
from enrichment.services import tokens
from enrichment.services.fleet import Fleet
from enrichment.services.tokens import Scope
from enrichment.settings import Settings, load
from service.__main__ import Server
from service.app import CONNECTIONS, create

P95_MS = 300.0
ROUNDS = 40

# A tenth are performers, a tenth albums. One in twenty has failed, one in three still waits at some source.
FILL = (
    """
INSERT INTO performers (name, name_key) SELECT 'Artist ' || n, 'artist ' || n FROM generate_series(1, :subjects / 10) n
""",
    """
INSERT INTO albums (title, artist, title_key, artist_key)
SELECT 'Album ' || n, 'Artist ' || n, 'album ' || n, 'artist ' || n FROM generate_series(1, :subjects / 10) n
""",
    """
INSERT INTO tracks (title, artist, title_key, artist_key, isrc, bpm, external_id, updated_at)
SELECT 'Song ' || n, 'Artist ' || n / 8, 'song ' || n, 'artist ' || n / 8, 'GBAAA' || lpad(n::text, 7, '0'),
    60 + n % 120, n::text, clock_timestamp() - make_interval(secs => n)
FROM generate_series(1, :subjects - 2 * (:subjects / 10)) n
""",
    """
INSERT INTO enrichment_status (kind, subject_id, status, requested_at, completeness_score)
SELECT kind, id, CASE WHEN random() < 0.05 THEN 'failed' ELSE 'completed' END,
    clock_timestamp() - make_interval(secs => random() * 1e6), random()
FROM (SELECT 'track' AS kind, id FROM tracks UNION ALL SELECT 'album', id FROM albums
      UNION ALL SELECT 'performer', id FROM performers) s
""",
    """
INSERT INTO lookups (source, question, kind, subject_id, priority)
SELECT (CAST(:sources AS text[]))[1 + (random() * (cardinality(CAST(:sources AS text[])) - 1))::int], 'artist_search',
    'track', id, 1 + (random() * 9)::int FROM tracks WHERE random() < 0.33
""",
    """
INSERT INTO findings (kind, subject_id, field, source, value, confidence, reason, stated_at)
SELECT 'track', t.id, f.field, s.source, '"GBAAA0000001"', 0.9, 'its names are the same', clock_timestamp()
FROM (SELECT id FROM tracks ORDER BY updated_at DESC LIMIT 2000) t, unnest(CAST(:sources AS text[])) AS s(source),
    (VALUES ('isrc'), ('key'), ('release_date')) AS f(field)
""",
    """
INSERT INTO dead_letters (what, source, question, kind, subject_id, outcome, error, request)
SELECT 'lookup', (CAST(:sources AS text[]))[1 + n % cardinality(CAST(:sources AS text[]))], 'artist_search', 'track',
    gen_random_uuid(), CASE WHEN n % 3 = 0 THEN 'unreadable' ELSE 'try_later' END,
    'HTTP ' || 500 + n % 4 || ' of the upstream', jsonb_build_object('keys', jsonb_build_object('title', 'Song ' || n))
FROM generate_series(1, :letters) n
""",
    """
INSERT INTO minutes (at, calls, outcomes, coverage)
SELECT date_trunc('minute', clock_timestamp()) - make_interval(mins => n),
    (SELECT jsonb_object_agg(source, n % 60) FROM unnest(CAST(:sources AS text[])) AS s(source)),
    jsonb_build_object('found', n % 500, 'nothing_found', n % 90),
    '{"track": {"isrc": 0.8, "bpm": 0.5, "artwork_url": 0.4}, "album": {"cover_art_url": 0.7}}'
FROM generate_series(1, 1440) n
""",
)


def fill(engine: Engine, subjects: int, letters: int, sources: list[str]) -> None:
    """So many subjects and dead letters, and what goes with them."""
    values = {"subjects": subjects, "letters": letters, "sources": sources}
    for statement in FILL:
        with engine.begin() as connection:
            connection.execute(text(statement), values)
        note(f"{' '.join(statement.split()[:3])}: done")
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))


@contextmanager
def console(fleet: Fleet, settings: Settings) -> Iterator[httpx.Client]:
    """Signed in, before a service in this process."""
    server = Server(create(settings, fleet), "127.0.0.1", port := free_port())
    thread = threading.Thread(target=server.run, name="service", daemon=True)
    thread.start()
    poll(lambda: server.started, 20)
    base = f"http://127.0.0.1:{port}/console"
    with httpx.Client(base_url=base, follow_redirects=True, timeout=60, trust_env=False) as client:
        found = re.search(r'name="csrf" value="(\w+)"', client.get("/sign-in").text)
        assert found is not None
        secret = tokens.make(fleet, "bench", [Scope.ADMIN]).secret
        client.post("/sign-in", data={"csrf": found[1], "token": secret})
        yield client
    server.handle_exit(15, None)
    thread.join(timeout=20)


def pages(connection: Connection, subjects: int, letters: int) -> dict[str, list[str]]:
    """By page, where to find it: another place each time."""
    dice = random.Random(20261121)
    newest = "SELECT id FROM tracks ORDER BY updated_at DESC LIMIT 1000"
    known = [str(each) for each in connection.execute(text(newest)).scalars()]
    some = [dice.randrange(1, subjects // 10) for _ in range(ROUNDS)]
    deep = dice.sample(range(1, letters), ROUNDS)
    once: dict[str, str] = {
        "overview": "/",
        "charts": "/charts?span=24h",
        "subjects": "/subjects",
        "failed subjects": "/subjects?status=failed",
        "a source": "/sources/deezer",
        "dead letters": "/letters",
        "dead letters by error": "/letters?error=HTTP+503&source=deezer",
        "reviews": "/reviews",
        "schedules": "/schedules",
        "workers": "/workers",
        "keys": "/keys",
        "tokens": "/tokens",
        "audit": "/audit",
    }
    return {name: [path] * ROUNDS for name, path in once.items()} | {
        "a subject": [f"/subjects/track/{dice.choice(known)}" for _ in range(ROUNDS)],
        "search by title": [f"/subjects?q=song+{n}" for n in some],
        "search by artist and title": [f"/subjects?q=artist+{n}+song" for n in some],
        "search by id": [f"/subjects?q=GBAAA{n:07}" for n in some],
        "search that finds many": ["/subjects?q=artist"] * ROUNDS,
        "dead letters, deep": [f"/letters?below={n}" for n in deep],
        "a dead letter": [f"/letters/{n}" for n in deep],
    }


def measured(client: httpx.Client, places: list[str]) -> list[float]:
    """Milliseconds of each."""
    found = []
    for place in places:
        answer = client.get(place)
        assert answer.status_code == 200, f"{place}: {answer.status_code}"
        found.append(answer.elapsed.total_seconds() * 1000)
    return found


def add_options(parser: argparse.ArgumentParser) -> None:
    """Of `linernotes bench pages`."""
    parser.add_argument("--subjects", type=int, default=1_000_000, help="performers, albums and tracks [%(default)s]")
    parser.add_argument("--letters", type=int, default=50_000, help="open dead letters [%(default)s]")


def run(options: argparse.Namespace) -> Report:
    """Measures on an embedded PostgreSQL."""
    with temporary_servers() as servers:
        settings = load(servers.addresses.environment())
        migrate(settings.database_url)
        fleet = build(settings, Parts(connections=CONNECTIONS))
        register_sources(fleet)
        engine = create_engine(settings.database_url)
        fill(engine, options.subjects, options.letters, sorted(fleet.sources))
        with engine.connect() as connection:
            places = pages(connection, options.subjects, options.letters)
        with console(fleet, settings) as client:
            times = {name: measured(client, each) for name, each in places.items()}
        engine.dispose()
        fleet.engine.dispose()
    rows = [(name, statistics.median(found), statistics.quantiles(found, n=20)[-1]) for name, found in times.items()]
    figures = {name: {"median_ms": round(median, 1), "p95_ms": round(p95, 1)} for name, median, p95 in rows}
    checks = [at_most(f"{name}_p95_ms", round(p95, 1), P95_MS) for name, _, p95 in rows]
    return Report("pages", figures, checks, [Grid("Pages", ("page", ">median ms", ">p95 ms"), rows)])


if __name__ == "__main__":
    sys.exit(start("pages", sys.argv[1:]))
