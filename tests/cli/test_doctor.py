"""`linernotes doctor` and `linernotes cache`, on servers of their own."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import redis
from sqlalchemy import Engine, text

from enrichment.embedded.server import free_port
from enrichment.sources.base import Reply
from enrichment.wire.cache import Cache
from simulator.server import running
from tests.cli.conftest import Linernotes
from tests.conftest import Empty


def examined(linernotes: Linernotes, code: int, **environ: str) -> dict[str, tuple[bool | None, str, str]]:
    done = linernotes("doctor", "--json", **environ)
    assert done.returncode == code, done.stderr + done.stdout
    return {each["what"]: (each["ok"], each["said"], each["do"]) for each in json.loads(done.stdout)}


def test_a_fleet_that_is_well(linernotes: Linernotes, empty: Empty) -> None:
    with running(speed=20) as upstreams:
        found = examined(linernotes, 0, **empty.environ(LINERNOTES_UPSTREAM_URL=upstreams))

    well = {"settings", "database", "tables", "limiter", "broker", "limiter and broker", "clock of PostgreSQL"}
    assert {what for what in well if found[what][0] is not True} == set()
    assert found["upstream musicbrainz"][0] is True
    assert found["workers"][0] is None, "none lives, which is no fault of a fleet that is being set up"
    assert found["beat"] == (None, "has never been seen", "celery -A workers beat")
    assert found["key LASTFM_API_KEY"][2] == "linernotes keys set LASTFM_API_KEY"


def test_what_is_wrong_is_told(linernotes: Linernotes, empty: Empty, engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0003'"))
    nobody = f"http://127.0.0.1:{free_port()}"
    environ = empty.environ(LINERNOTES_UPSTREAM_URL=nobody, LINERNOTES_BROKER_URL=empty.redis_url)
    found = examined(linernotes, 1, **environ)

    wrong = {what for what, (ok, *_) in found.items() if ok is False}
    assert {"tables", "broker: what it keeps", "limiter and broker", "upstream deezer"} <= wrong
    assert found["tables"][2].startswith("linernotes migrate")
    assert empty.redis_url.split("@")[0].rpartition(":")[2] not in json.dumps(found), "the password"


def test_servers_that_are_away(linernotes: Linernotes, empty: Empty) -> None:
    nowhere = f"redis://127.0.0.1:{free_port()}/0"
    found = examined(
        linernotes, 1, **empty.environ(LINERNOTES_REDIS_URL=nowhere, LINERNOTES_UPSTREAM_URL="http://127.0.0.1:9")
    )
    unset = examined(linernotes, 1, LINERNOTES_REDIS_URL=nowhere)
    odd = examined(linernotes, 1, **empty.environ(LINERNOTES_DEEZER_BUDGET="often"))

    assert found["limiter"][0] is False
    assert found["database"][0] is True
    assert unset["settings"][1] == "LINERNOTES_DATABASE_URL is not set"
    assert any("often" in said for _, said, _ in odd.values())


def test_kept_replies_are_counted_and_forgotten(linernotes: Linernotes, empty: Empty) -> None:
    with redis.Redis.from_url(empty.redis_url) as client:
        cache = Cache(client)
        for source, n in (("deezer", 0), ("deezer", 1), ("discogs", 0)):
            reply = Reply(200, {}, b"{}" * 100, f"http://{source}.test/{n}")
            cache.put(cache.key(source, "GET", reply.url, b""), reply, 60, datetime.now(UTC))
        client.set("limiter:{deezer}", "is none of them")

        def stats() -> dict[str, int]:
            done = linernotes("cache", "stats", "--json", **empty.environ())
            found = json.loads(done.stdout)
            assert found["server"]["keys"] > 0
            assert all(each["bytes"] > 50 for each in found["sources"].values())
            return {source: each["replies"] for source, each in found["sources"].items()}

        assert stats() == {"deezer": 2, "discogs": 1}
        assert linernotes("cache", "clear", "deezer", **empty.environ()).returncode == 0
        assert stats() == {"discogs": 1}
        assert linernotes("cache", "clear", "nobody", **empty.environ()).returncode == 2
        assert "1 kept replies" in linernotes("cache", "clear", **empty.environ()).stderr
        assert client.exists("limiter:{deezer}")
