"""The commands of docs/backup.md, in their order: work is open in the dump, and a fleet on the restored one ends it."""

from __future__ import annotations

import shlex
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from string import Template

import redis
from typer.testing import CliRunner

from cli.main import app
from enrichment.embedded import Servers, drop_database, new_database
from enrichment.embedded.account import postgres_programs
from enrichment.reservoir import claims
from enrichment.reservoir import fleet as fleet_rows
from enrichment.services.fetch import fetch
from enrichment.services.steward import new_card
from models import Base
from tests.conftest import Empty, an_empty
from tests.docs.pages import blocks
from tests.services.conftest import ALBUM, BY_ISRC, PERFORMER, TRACK
from tests.services.fakes import Bench, Upstream, a_bench


@contextmanager
def a_fleet(empty: Empty, upstream: Upstream) -> Iterator[Bench]:
    made = a_bench(empty, upstream)
    try:
        yield made
    finally:
        made.close()


@contextmanager
def nothing(servers: Servers) -> Iterator[Empty]:
    """A database without tables, and Redis servers that have lost everything."""
    at = servers.addresses
    for url in (at.redis_url, at.broker_url):
        with redis.Redis.from_url(url) as client:
            client.flushall()
    yield Empty(new_database(at.database_url, "restored"), at.redis_url, at.broker_url)
    drop_database(at.database_url, "restored")


def half_done(bench: Bench) -> None:
    """Some lookups have ended, some wait, some were claimed by a worker that is dead; all of it a while ago."""
    for title in ("Teardrop", "Angel", "Risingson", "Inertia Creeps", "Exchange", "Mezzanine", "Dissolved Girl"):
        bench.track(title)
    for _ in range(2):
        fetch(bench.fleet, *bench.tickets.popleft())
    dead = replace(new_card("elsewhere", bench.fleet.worker.machine, 8, "0"), pid_started=0.0)
    with bench.fleet.engine.begin() as connection:
        fleet_rows.beat(connection, dead)
        assert claims.claim(connection, "alpha", bench.fleet.sizes("alpha"), dead.id)
    bench.run("UPDATE source_states SET last_claim_at = last_claim_at - interval '1 hour'")


def counted(bench: Bench) -> dict[str, int]:
    """Rows by table."""
    tables = (table.name for table in Base.metadata.sorted_tables)
    return {name: bench.rows(f"SELECT count(*) FROM {name}")[0][0] for name in tables}  # noqa: S608 - our own names


def commands() -> list[str]:
    return [line for block in blocks("sh") if block.page.name == "backup.md" for line in block.code.splitlines()]


def run(line: str, at: Empty, folder: Path) -> None:
    program, *words = shlex.split(
        Template(line).substitute(LINERNOTES_DATABASE_URL=at.database_url.replace("+psycopg", ""))
    )
    if program == "linernotes":
        done = CliRunner().invoke(app, words, env=at.environ(), catch_exceptions=False)
        assert done.exit_code == 0, done.output
    else:
        subprocess.run([postgres_programs(None) / program, *words], cwd=folder, check=True)  # noqa: S603 - our own page


def test_a_dump_is_all_that_a_fleet_needs(servers: Servers, tmp_path: Path) -> None:
    upstream = Upstream({"track": TRACK, "by_isrc": BY_ISRC, "performer": PERFORMER, "album": ALBUM})
    dump, restore, migrate, doctor, pause = commands()
    assert doctor == "linernotes doctor"  # tested elsewhere: it wants to reach the upstreams
    with an_empty(servers) as old, a_fleet(old, upstream) as bench:
        half_done(bench)
        before = counted(bench)
        run(dump, old, tmp_path)
    with nothing(servers) as new:
        run(restore, new, tmp_path)
        run(migrate, new, tmp_path)
        with a_fleet(new, upstream) as bench:
            assert counted(bench) == before
            assert {state for _, state, _ in bench.lookups()} >= {"ended", "waiting", "claimed"}
            bench.settle_down()
            assert bench.rows("SELECT DISTINCT status FROM enrichment_status WHERE kind = 'track'") == [("completed",)]
            assert {state for _, state, _ in bench.lookups()} == {"ended"}
            asked = Counter(f"{question} {sorted(keys.items())}" for question, asks in upstream.asked for keys in asks)
            assert {what: n for what, n in asked.items() if n > 1} == {}
            bench.track("Black Milk")
            assert counted(bench)["tracks"] == before["tracks"] + 1
        run(pause, new, tmp_path)
