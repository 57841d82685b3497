"""The faults, by name. Doses grow with the seconds of load; bounds of recovery are those of the matrix, in seconds."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from email.utils import formatdate
from functools import partial

import psycopg
import redis
from kombu.exceptions import OperationalError

from bench.chaos import upstreams
from bench.chaos.broken import POISON
from bench.chaos.load import CRITICAL, LOW, Load
from bench.chaos.rig import PATIENCE, Rig, Worker, start
from bench.chaos.verdict import Row
from bench.report import at_least, at_most
from enrichment.domain.subjects import Kind
from enrichment.embedded.postgres import IMMEDIATE
from enrichment.embedded.server import Server
from enrichment.services import standing

Strike = Callable[[Rig, Load, Row], None]


@dataclass(frozen=True, slots=True)
class Fault:
    """strike: lets it happen for as long as load lasts, and leaves everything healed. bound: seconds of recovery.

    app: the workers' Celery application, where it is not the fleet's. proxied: PostgreSQL is reached through a proxy.
    """

    name: str
    what: str
    bound: float
    strike: Strike
    app: str = "workers"
    proxied: bool = False


FAULTS: dict[str, Fault] = {}


def _fault(
    name: str, what: str, bound: float, *, app: str = "workers", proxied: bool = False
) -> Callable[[Strike], Strike]:
    def keep(strike: Strike) -> Strike:
        FAULTS[name] = Fault(name, what, bound, strike, app, proxied)
        return strike

    return keep


# --- workers --------------------------------------------------------------------------------------------------------


@_fault("none", "nothing happens", 0)
def nothing(rig: Rig, _load: Load, _row: Row) -> None:
    """The baseline: no call is made twice."""
    rig.sleep(rig.left)


KILLS = 120
"""In a long run: workers that are always being born do nothing else."""


@_fault("kill", "a worker that holds claims, kill -9", 35)
def kill(rig: Rig, _load: Load, _row: Row) -> None:
    for _ in rig.every(max(5.0, rig.plan.seconds / KILLS)):
        _kill(rig)


def _kill(rig: Rig) -> None:
    victim, name = rig.busy_worker()
    with rig.blow() as blow:
        victim.strike()
        blow.dead = (name,)


@_fault("freeze-kill", "a worker that holds claims, frozen for 3 s, then kill -9", 35)
def freeze_kill(rig: Rig, _load: Load, _row: Row) -> None:
    for _ in rig.every(6):
        victim, name = rig.busy_worker()
        with rig.blow() as blow:
            victim.freeze()
            rig.sleep(3)
            victim.strike()
            blow.dead = (name,)


@_fault("thaw", "a worker that holds claims, frozen until they have been given to others, then thawed", 35)
def thaw(rig: Rig, _load: Load, row: Row) -> None:
    """The 120 s of a lease are not waited for: it is made to run out."""
    zombies = 0
    for _ in rig.every(4):
        held = _freeze_with_claims(rig)
        if held is None:
            continue
        worker, ids = held
        with rig.blow() as blow:
            _run_out(rig, ids)
            zombies += _wait(rig, lambda ids=ids: _taken_over(rig, ids), 25)  # type: ignore[misc]  # bound at once
            worker.thaw()
            blow.thawed = time.time()
        rig.sleep(1)
    row.more["zombies"] = zombies


def _run_out(rig: Rig, ids: list[int]) -> None:
    """The leases of all that a frozen worker holds run out now: claims, slots, tickets, the steward's lock."""
    ((name,),) = rig.rows("SELECT DISTINCT claimed_by FROM lookups WHERE id = ANY(:ids)", ids=ids)
    with redis.Redis.from_url(rig.shop.servers.redis.url) as client:
        for key in (*client.scan_iter("limiter:*:slots"), *client.scan_iter("limiter:*:tickets")):
            for held in client.zrange(key, 0, -1):
                if held.startswith(f"{name}:".encode()):
                    client.zrem(key, held)
        if client.get("steward") == str(name).encode():
            client.delete("steward")
    rig.change("UPDATE lookups SET lease_until = now() WHERE id = ANY(:ids) AND state = 'claimed'", ids=ids)


def _freeze_with_claims(rig: Rig) -> tuple[Worker, list[int]] | None:
    """A worker frozen with claims in its hands, and these; None where it always let go of them too soon.

    One that is just settling keeps rows locked: that is another fault, and nobody could take these over.
    """
    held = "SELECT id FROM lookups WHERE claimed_by = :name FOR UPDATE SKIP LOCKED"
    for _ in range(20):
        victim, name = rig.busy_worker()
        victim.freeze()
        ids = [row.id for row in rig.rows(held, name=name)]
        if ids:
            return victim, ids
        victim.thaw()
        rig.sleep(0.05)
    return None


def _taken_over(rig: Rig, ids: list[int]) -> bool:
    ((count,),) = rig.rows("SELECT count(*) FROM lookups WHERE id = ANY(:ids) AND state = 'ended'", ids=ids) or ((0,),)
    return bool(count)


def _wait(rig: Rig, done: Callable[[], bool], seconds: float) -> bool:
    until = time.monotonic() + seconds
    while not done():
        if time.monotonic() > until:
            return False
        rig.sleep(0.05)
    return True


@_fault("warm-stop", "SIGTERM to each worker in turn", 35)
def warm_stop(rig: Rig, _load: Load, row: Row) -> None:
    unclean = 0
    for number in rig.every(5):
        worker = rig.workers[number % len(rig.workers)]
        with rig.blow():
            worker.ours = True
            worker.stop(signal.SIGTERM)
            unclean += worker.exit_code != 0
            worker.ours = False
            worker.spawn()
    burned = rig.rows("SELECT coalesce(sum(attempts + deaths), 0) AS n FROM lookups")
    row.further += [
        at_most("warm-stop: attempts and deaths counted", float(burned[0].n), 0),
        at_most("warm-stop: exit codes other than 0", unclean, 0),
    ]


POISONED = 2


@_fault("poison", "lookups that end the worker's process", 35, app="bench.chaos.broken.poison")
def poison(rig: Rig, load: Load, row: Row) -> None:
    """Each ends as a dead letter after three deaths."""
    for worker in rig.workers:
        worker.mortal = True
    for number in range(POISONED):
        load.submit(
            {
                "track_id": f"t-{POISON}-{number}",
                "artist_name": f"Nobody {number}",
                "track_title": POISON,
                "priority": CRITICAL,
            }
        )
    rig.sleep(rig.left)
    query = "SELECT count(*) AS n FROM dead_letters WHERE outcome = 'worker_died'"
    _wait(rig, lambda: bool(rig.rows(query) and rig.rows(query)[0].n >= POISONED), 90)
    row.further.append(at_least("poison: letters after three deaths", rig.rows(query)[0].n, POISONED))


@_fault("service", "the HTTP service, kill -9", 15)
def service(rig: Rig, _load: Load, _row: Row) -> None:
    for _ in rig.every(5):
        with rig.blow():
            _kill_service(rig)


def _kill_service(rig: Rig) -> None:
    rig.service.strike()
    _wait(rig, rig.serves, PATIENCE)


@_fault("two-beats", "another beat beside the one there is", 10)
def two_beats(rig: Rig, _load: Load, row: Row) -> None:
    """Each planned minute has one run, whoever ticks."""
    with rig.blow():
        rig.another_beat()
        rig.sleep(max(rig.left, 90.0))  # a minute, and a tick, which comes every 20 s
    _runs_of_every_minute(rig, row)


def _runs_of_every_minute(rig: Rig, row: Row) -> None:
    (runs,) = rig.rows(RUNS)
    row.more["runs"] = runs.n
    row.further += [
        at_least(f"{row.fault}: runs of a schedule of every minute", runs.n, 1),
        at_most(f"{row.fault}: runs beyond one for each minute", runs.n - runs.minutes, 0),
        at_most(f"{row.fault}: runs that have failed", runs.failed, 0),
    ]


RUNS = """
SELECT count(*) AS n, count(*) FILTER (WHERE outcome = 'failed') AS failed,
    coalesce(extract(epoch FROM max(planned_at) - min(planned_at)) / 60 + 1, 0)::int AS minutes
FROM schedule_runs WHERE name = 'recheck'
"""


@_fault("dead-beat", "beat, kill -9, away for half a minute", 35)
def dead_beat(rig: Rig, _load: Load, row: Row) -> None:
    """Nothing but the clock's work waits for it, and that is made up once."""
    (beat,) = rig.beats
    for _ in rig.every(60):
        with rig.blow() as blow:
            beat.away = True
            beat.strike()
            rig.sleep(30)
            beat.away = False
        again = _wait(rig, partial(_ticked_since, rig, blow.ended), 35)
        row.further.append(at_least("dead-beat: ticks again within 35 s", again, 1))
    _wait(rig, lambda: bool(rig.rows(RUNS)[0].n), 65)
    _runs_of_every_minute(rig, row)


def _ticked_since(rig: Rig, since: float) -> bool:
    return bool(rig.rows("SELECT FROM schedules WHERE ticked_at > to_timestamp(:since)", since=since))


# --- Redis ----------------------------------------------------------------------------------------------------------


def _down(rig: Rig, server: Server, seconds: float, end: Callable[[], None]) -> None:
    end()
    rig.sleep(seconds)
    start(server)


@_fault("redis-stop", "limiter and broker in turn: stopped for 3 s", 40)
def redis_stop(rig: Rig, _load: Load, _row: Row) -> None:
    """The limiter's keeps nothing, so a stop is as good as a kill: a cold start waits for the longest call."""
    for number in rig.every(8):
        server = rig.redises[number % len(rig.redises)]
        with rig.blow():
            with _messages_taken(rig):
                server.stop()
            rig.sleep(3)
            start(server)


@contextmanager
def _messages_taken(rig: Rig) -> Iterator[None]:
    """Some fetches have taken their messages and cannot end in here: they want lookups, and the table is locked."""
    with redis.Redis.from_url(rig.shop.servers.broker.url) as client, rig.engine.connect() as connection:
        until = time.monotonic() + 60
        while True:  # a slow machine may have none under way yet
            with connection.begin():
                connection.exec_driver_sql("LOCK TABLE lookups IN ACCESS EXCLUSIVE MODE")
                taken = rig.plan.broker or _wait(rig, lambda: bool(client.hlen("unacked")), 1)
                if taken or time.monotonic() > until:
                    yield
                    return
            rig.sleep(2)


@_fault("redis-kill", "limiter and broker in turn: kill -9, 1 s down", 40)
def redis_kill(rig: Rig, _load: Load, _row: Row) -> None:
    for number in rig.every(8, least=2):
        server = rig.redises[number % len(rig.redises)]
        with rig.blow():
            _down(rig, server, 1, server.kill)


@_fault("flushall", "FLUSHALL of limiter and broker", 60)
def flushall(rig: Rig, _load: Load, _row: Row) -> None:
    for _ in rig.every(10):
        with rig.blow():
            for server in rig.redises:
                with redis.Redis.from_url(server.url) as client:
                    client.flushall()


@_fault("redis-full", "limiter and broker: out of memory for 5 s, then too few replicas for 5 s", 15)
def redis_full(rig: Rig, _load: Load, _row: Row) -> None:
    settings = {"maxmemory": ("1", "512mb"), "min-replicas-to-write": ("1", "0")}
    for number in rig.every(12, least=2):
        name, (bad, good) = list(settings.items())[number % 2]
        with rig.blow():
            _configure(rig, name, bad)
            rig.sleep(5)
            _configure(rig, name, good)


def _configure(rig: Rig, name: str, value: str) -> None:
    for server in rig.redises:
        with redis.Redis.from_url(server.url) as client:
            client.config_set(name, value)


@_fault("redis-frozen", "limiter and broker in turn: SIGSTOP for 8 s", 51)
def redis_frozen(rig: Rig, load: Load, row: Row) -> None:
    for number in rig.every(14, least=2):
        server = rig.redises[number % len(rig.redises)]
        pid = server.pid
        assert pid is not None
        with rig.blow():
            os.kill(pid, signal.SIGSTOP)
            rig.sleep(8)
            os.kill(pid, signal.SIGCONT)
    row.more["slowest_submit"] = round(load.ledger.slowest, 2)


# --- PostgreSQL -----------------------------------------------------------------------------------------------------


@_fault("postgres-stop", "immediate stop, 2 s down", 10)
def postgres_stop(rig: Rig, _load: Load, _row: Row) -> None:
    for _ in rig.every(8):
        _postgres_down(rig)


def _postgres_down(rig: Rig) -> None:
    server = rig.shop.servers.postgres
    with rig.blow():
        _down(rig, server, 2, lambda: server.stop(IMMEDIATE))


@_fault("postgres-at-once", "immediate stop the moment that a caller is told that its request is accepted", 10)
def postgres_at_once(rig: Rig, load: Load, _row: Row) -> None:
    server = rig.shop.servers.postgres
    for number in rig.every(5, least=10):
        wish = load.next_request(CRITICAL)
        (load.post if number % 2 and "track_id" in wish else load.submit)(wish | {"priority": CRITICAL})
        with rig.blow():
            server.stop(IMMEDIATE)
            start(server)


@_fault("commit-cut", "the answer to 5 % of COMMITs is lost", 10, proxied=True)
def commit_cut(rig: Rig, _load: Load, row: Row) -> None:
    assert rig.proxy is not None
    with rig.blow():
        rig.proxy.cut = 0.05
        rig.sleep(rig.left)
        rig.proxy.cut = 0.0
    row.more["cuts"] = rig.proxy.cuts
    row.further.append(at_least("commit-cut: answers lost", rig.proxy.cuts, 1))


@_fault(
    "postgres-silent", "the network holds up all that goes to PostgreSQL and comes from it, for 5 s", 60, proxied=True
)
def postgres_silent(rig: Rig, _load: Load, _row: Row) -> None:
    assert rig.proxy is not None
    for _ in rig.every(15):
        with rig.blow():
            rig.proxy.silent = True
            rig.sleep(5)
            rig.proxy.silent = False


@_fault("lock", "the table of lookups locked for 4 s, a line before the tightest source", 20)
def lock(rig: Rig, load: Load, _row: Row) -> None:
    _line_up(rig, load, LINE)
    for _ in rig.every(7):
        _wait_for_calls(rig)
        with rig.blow(), rig.engine.begin() as connection:
            connection.exec_driver_sql("LOCK TABLE lookups IN ACCESS EXCLUSIVE MODE")
            rig.sleep(4)
    _send_home(rig)


TIGHTEST = "musicbrainz"


def _wait_for_calls(rig: Rig) -> None:
    """Until the tightest source is asked as fast as it allows."""
    began = time.time()
    _wait(rig, lambda: sum(x["source"] == TIGHTEST and x["t"] > began for x in rig.witnessed()) > 3, 10)


LINE = 200
BACKLOG = """
INSERT INTO lookups (source, question, kind, subject_id, priority, keys, state)
SELECT 'musicbrainz', :question, 'track', gen_random_uuid(), 1,
    jsonb_build_object('artist_name', 'Nobody ' || n, 'title', 'Nothing ' || n), 'waiting'
FROM generate_series(1, :rows) n
"""


def _line_up(rig: Rig, load: Load, rows: int) -> None:
    """Lookups that nobody waits for, before the source with the tightest limit."""
    names = {"artist_name", "title"}
    asked = load.fleet.questions[TIGHTEST]
    question = next(each.name for each in asked if each.kind is Kind.TRACK and names.issuperset(each.needs))
    rig.change(BACKLOG, rows=rows, question=question)


def _send_home(rig: Rig) -> None:
    rig.change("UPDATE lookups SET state = 'ended', outcome = 'nothing_found' WHERE priority = 1 AND state = 'waiting'")


@_fault("connections", "no connection of PostgreSQL is free for 5 s, and the fleet's have been ended", 20)
def connections(rig: Rig, _load: Load, _row: Row) -> None:
    url = rig.shop.servers.addresses.database_url.replace("postgresql+psycopg://", "postgresql://")
    for _ in rig.every(12):
        taken: list[psycopg.Connection] = []
        with rig.blow():
            _take_all(url, taken)
            rig.change("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'linernotes'")
            _take_all(url, taken)
            rig.sleep(5)
            for each in taken:
                each.close()


def _take_all(url: str, taken: list[psycopg.Connection]) -> None:
    with suppress(psycopg.OperationalError):
        while True:
            taken.append(psycopg.connect(url, connect_timeout=2))


# --- upstreams ------------------------------------------------------------------------------------------------------


def _upstream(name: str, what: str, rules: list[dict[str, object]], bound: float = 60) -> None:
    @_fault(name, what, bound)
    def strike(rig: Rig, _load: Load, row: Row) -> None:
        with rig.blow():
            rig.scenario(rules)
            rig.sleep(rig.left)
            rig.scenario([])
        row.more["faulty"] = sum(1 for line in rig.witnessed() if line["verdict"] == "fault")
        longest = rig.rows(upstreams.LONGEST)
        row.further.append(
            at_most(f"{name}: longest claim, seconds", longest[0].seconds if longest else None, upstreams.LONGEST_CLAIM)
        )


for _name, (_what, _rules) in upstreams.SCENARIOS.items():
    _upstream(_name, _what, _rules)


@_fault("retry-after", "429 with Retry-After of 3 s, a date, none, 0, -1, nonsense, 999999", 60)
def retry_after(rig: Rig, load: Load, row: Row) -> None:
    """A wait of more than a day is a stop: a person has to resume the source."""
    waits: list[tuple[Callable[[], str | None], float]] = [
        (lambda: "3", 3.0),
        (
            lambda: formatdate(time.time() + 4, usegmt=True),
            2.5,
        ),  # a date is whole seconds, and some pass before it is read
        (lambda: None, 1.0),
        (lambda: "0", 1.0),
        (lambda: "-1", 1.0),
        (lambda: "soon", 1.0),
        (lambda: "999999", 3.0),
    ]
    for number in rig.every(4, least=len(waits)):
        source = upstreams.BUSY[number % len(upstreams.BUSY)]
        value, seconds = waits[number % len(waits)]
        with rig.blow():
            hit = _refused_once(rig, source, value())
        if hit is not None:
            rig.pauses.append((source, hit, hit + seconds))
    rig.sleep(3)
    stopped = [each.source for each in rig.rows("SELECT source FROM source_states WHERE stopped")]
    row.more["refusals"] = len(rig.pauses)
    row.further.append(at_least("retry-after: sources stopped by a wait of 11 days", len(stopped), 1))
    for source in stopped:
        standing.resume(load.fleet, source)


@_fault("pause", "the tightest source, with a line before it, says 429 and Retry-After: 3", 10)
def pause(rig: Rig, load: Load, row: Row) -> None:
    """Turns that are held already, for moments in the pause, may not be used."""
    _line_up(rig, load, LINE)
    for _ in rig.every(8):
        _wait_for_calls(rig)
        hit = _refused_once(rig, TIGHTEST, "3")
        if hit is not None:
            with rig.blow() as blow:
                rig.pauses.append((TIGHTEST, hit, hit + 3))
                rig.sleep(3)
            blow.began = hit
    _send_home(rig)
    row.further.append(at_least("pause: refusals", len(rig.pauses), 1))


def _refused_once(rig: Rig, source: str, value: str | None) -> float | None:
    """When the source has refused a call so; None where it was not called in time."""
    headers = {"Retry-After": value} if value is not None else {}
    before = time.time()
    rig.scenario([{"fault": "status", "source": source, "status": 429, "headers": headers}])
    hits: list[float] = []

    def hit() -> bool:
        hits[:] = [x["t"] for x in rig.witnessed() if x["t"] >= before and x["source"] == source and x["status"] == 429]
        return bool(hits)

    _wait(rig, hit, 8)
    rig.scenario([])
    return hits[0] if hits else None


# --- queues and clocks ----------------------------------------------------------------------------------------------

STRANGERS = 20


@_fault("messages", "garbage, unknown tasks and replayed fetches on the queues", 10)
def messages(rig: Rig, load: Load, row: Row) -> None:
    before = rig.rows("SELECT count(*) AS n FROM dead_letters WHERE what = 'message'")[0].n
    sent = 0
    for number in range(STRANGERS):
        with rig.blow():
            load.send("no_such_task", {"number": number}, "default")
            load.send("enrich_track", {"colour": number}, "default")
            sent += 2
            if not rig.plan.broker:
                with redis.Redis.from_url(rig.shop.servers.broker.url) as client:
                    client.lpush("default", b"\xff{nonsense", json.dumps([number]))
                    sent += 2
            for _ in range(5):
                load.send("fetch.deezer", {"ticket": "of-yesterday"}, "fetch")
        rig.sleep(min(1.0, rig.plan.seconds / STRANGERS))
    rig.sleep(rig.left)
    query = "SELECT count(*) AS n FROM dead_letters WHERE what = 'message'"
    _wait(rig, lambda: bool(rig.rows(query)[0].n - before >= sent), 20)
    row.further.append(at_least("messages: kept as dead letters", rig.rows(query)[0].n - before, sent))


@_fault("silent-producer", "producers that die between their commit and their message", 35)
def silent_producer(rig: Rig, load: Load, _row: Row) -> None:
    for number in rig.every(1.5):
        with rig.blow():
            wish = load.next_request(CRITICAL)
            load.submit(wish | {"priority": (CRITICAL, LOW)[number % 2]}, silent=True)


CLOCK = """
local by = tonumber(ARGV[1])
for _, key in ipairs(redis.call('KEYS', 'limiter:*')) do
  if redis.call('TYPE', key).ok == 'hash' then
    for _, name in ipairs(redis.call('HKEYS', key)) do
      if name == 'last' or name == 'pause' or string.match(name, '^tat%d') or string.match(name, '^pace%d') then
        redis.call('HSET', key, name, string.format('%.3f', redis.call('HGET', key, name) + by))
      end
    end
  else
    for _, name in ipairs(redis.call('ZRANGE', key, 0, -1)) do redis.call('ZINCRBY', key, by, name) end
  end
end
"""


@_fault("clock", "Redis' clock jumps: all that the limiter remembers is an hour ahead, then an hour behind", 10)
def clock(rig: Rig, _load: Load, _row: Row) -> None:
    """A clock cannot be set without special rights; what was written by it can be moved, which looks the same."""
    for number in rig.every(6, least=2):
        with rig.blow() as blow, redis.Redis.from_url(rig.shop.servers.redis.url) as client:
            client.eval(CLOCK, 0, str((1, -1)[number % 2] * 3_600_000))
        blow.forgets = number % 2 == 1


INVERTED = 1500
WAITED = """
SELECT coalesce(percentile_cont(0.95) WITHIN GROUP (ORDER BY waited), 0)::float AS p95, count(*) AS n FROM (
    SELECT DISTINCT ON (subject_id, source) extract(epoch FROM until - at) AS waited FROM (
        SELECT subject_id, source, priority, after, at, n, lead(at) OVER (PARTITION BY lookup_id ORDER BY n) AS until
        FROM chaos.moves
    ) moves WHERE priority = 10 AND after = 'waiting' AND until IS NOT NULL ORDER BY subject_id, source, n
) first
"""


@_fault("inversion", "a long low_priority backlog, then critical requests one by one", 0)
def inversion(rig: Rig, load: Load, row: Row) -> None:
    """A critical lookup waits for two calls of its source at most, and for what of its own kind is before it."""
    _line_up(rig, load, INVERTED)
    for _ in rig.every(2):
        load.submit(load.next_request(CRITICAL) | {"priority": CRITICAL})
    found = rig.rows(WAITED)[0]
    row.more |= {"critical": found.n, "critical_p95": round(found.p95, 2)}
    row.further.append(at_most("inversion: critical lookups wait, p95 seconds", found.p95, 2.0))
    _send_home(rig)


# --- all at once ----------------------------------------------------------------------------------------------------


@_fault(
    "everything",
    "kills of workers and service, both Redis and PostgreSQL down, 5xx and 429, in any order and beside each other",
    60,
)
def everything(rig: Rig, _load: Load, _row: Row) -> None:
    with suppress(OperationalError):
        rig.scenario(upstreams.EVERYTHING)
        for _ in rig.every(5):
            rig.random.choice((_kill, _kill, _postgres_down, _a_redis_down, _service_down))(rig)
        rig.scenario([])


def _service_down(rig: Rig) -> None:
    with rig.blow():
        _kill_service(rig)


def _a_redis_down(rig: Rig) -> None:
    server = rig.random.choice(rig.redises)
    with rig.blow():
        _down(rig, server, rig.random.uniform(0.5, 3), rig.random.choice((server.stop, server.kill)))
