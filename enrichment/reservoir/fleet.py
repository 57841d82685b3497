"""The fleet in PostgreSQL: heartbeats, the standing of sources, day quotas."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, text

from enrichment.reservoir.documents import document

STOPPED_SECONDS = 10 * 365 * 86400.0
"""What a stop is to the limiter: a pause nobody lives to see the end of."""

DAY_SECONDS = 86400.0

_BEAT = text("""
INSERT INTO workers (id, host, machine, pid, pid_started, threads, version)
VALUES (:id, :host, :machine, :pid, :pid_started, :threads, :version)
ON CONFLICT (id) DO UPDATE SET beat_at = clock_timestamp()
""")


@dataclass(frozen=True, slots=True)
class WorkerCard:
    """A worker process as others see it. machine and pid_started tell its pid from a later one of the same number."""

    id: uuid.UUID
    host: str
    machine: str
    pid: int
    pid_started: float
    threads: int
    version: str


def beat(connection: Connection, card: WorkerCard) -> None:
    """The worker lives."""
    connection.execute(
        _BEAT,
        {
            "id": card.id,
            "host": card.host,
            "machine": card.machine,
            "pid": card.pid,
            "pid_started": card.pid_started,
            "threads": card.threads,
            "version": card.version,
        },
    )


_WORKERS = text("""
SELECT id, host, machine, pid, pid_started, threads, version,
    extract(epoch FROM clock_timestamp() - beat_at)::float AS silent FROM workers ORDER BY started_at
""")


def workers(connection: Connection) -> list[tuple[WorkerCard, float]]:
    """Every worker known, with the seconds since its last heartbeat."""
    return [(WorkerCard(*row[:7]), row.silent) for row in connection.execute(_WORKERS)]


SILENT_SECONDS = 15.0
"""A worker that has been silent for longer counts no more."""


def alive(connection: Connection) -> list[WorkerCard]:
    """The workers that live."""
    return [card for card, silent in workers(connection) if silent < SILENT_SECONDS]


_BEAT_SILENT = text("SELECT extract(epoch FROM clock_timestamp() - max(ticked_at))::float FROM schedules")


def beat_silent(connection: Connection) -> float | None:
    """Seconds since beat was last seen; None where it never was."""
    silent: float | None = connection.execute(_BEAT_SILENT).scalar_one()
    return silent


_FORGET = text("DELETE FROM workers WHERE id = ANY(:ids)")


def forget(connection: Connection, ids: Iterable[uuid.UUID]) -> None:
    """These workers are gone; what they held must have been given back."""
    connection.execute(_FORGET, {"ids": list(ids)})


_ADD_SOURCES = text("""
INSERT INTO source_states (source) SELECT unnest(CAST(:sources AS text[])) ON CONFLICT DO NOTHING
""")


def add_sources(connection: Connection, sources: Collection[str]) -> None:
    """A row for each source, so that claims can note their moment."""
    connection.execute(_ADD_SOURCES, {"sources": sorted(sources)})


@dataclass(frozen=True, slots=True)
class SourceStanding:
    """A source as PostgreSQL remembers it; seconds. deferred: its lookups have been put aside.

    found: options that a probe has found out. probe_due: may the next one begin?
    """

    source: str
    paused_for: float
    stopped: bool
    reason: str
    factor: float
    deferred: bool
    last_claim_ago: float | None
    found: Mapping[str, str]
    probe_due: bool


_STANDINGS = text("""
SELECT source, greatest(0, coalesce(extract(epoch FROM paused_until - clock_timestamp())::float, 0)) AS paused_for,
    stopped, reason, rate_factor, deferred,
    extract(epoch FROM clock_timestamp() - last_claim_at)::float AS last_claim_ago,
    found, coalesce(probe_at <= clock_timestamp(), true) AS probe_due
FROM source_states
""")


def standings(connection: Connection) -> dict[str, SourceStanding]:
    """Every source's."""
    return {row.source: SourceStanding(*row) for row in connection.execute(_STANDINGS)}


# Most pauses are shorter than the steward's round: only the later end counts, and a stop stays one.
_PAUSED = text("""
UPDATE source_states SET paused_until = greatest(paused_until, clock_timestamp() + make_interval(secs => :seconds)),
    stopped = stopped OR :stopped, reason = :reason,
    rate_factor = coalesce(CAST(:factor AS float8), rate_factor), changed_at = clock_timestamp()
WHERE source = :source
""")


def paused(
    connection: Connection, source: str, seconds: float, reason: str, factor: float | None, *, stopped: bool
) -> None:
    """Remembers a pause or a stop beyond the life of Redis. factor: None leaves it as it is."""
    values = {"source": source, "seconds": min(seconds, STOPPED_SECONDS), "reason": reason[:500], "factor": factor}
    connection.execute(_PAUSED, values | {"stopped": stopped})


_RESUMED = text("""
UPDATE source_states SET paused_until = NULL, stopped = false, reason = '', probe_at = NULL,
    changed_at = clock_timestamp()
WHERE source = :source
""")


def resumed(connection: Connection, source: str) -> None:
    """A person has ended the pause or the stop, and may have changed what the source lets us do: it is probed anew."""
    connection.execute(_RESUMED, {"source": source})


_MARK = text("UPDATE source_states SET deferred = :deferred WHERE source = :source")


def mark_deferred(connection: Connection, source: str, *, deferred: bool) -> None:
    """Whether the source's lookups have been put aside."""
    connection.execute(_MARK, {"source": source, "deferred": deferred})


_FACTOR = text("UPDATE source_states SET rate_factor = :factor WHERE source = :source")


def remember_factor(connection: Connection, source: str, factor: float) -> None:
    """The share of its budget that refusals have left a source."""
    connection.execute(_FACTOR, {"source": source, "factor": factor})


_BEGIN_PROBE = text("""
UPDATE source_states SET probe_at = clock_timestamp() + make_interval(secs => :seconds)
WHERE source = :source AND coalesce(probe_at <= clock_timestamp(), true) RETURNING source
""")


def begin_probe(connection: Connection, source: str, seconds: float) -> bool:
    """May the caller probe this source? Nobody else may for so long."""
    return connection.execute(_BEGIN_PROBE, {"source": source, "seconds": seconds}).first() is not None


_PROBE_AGAIN = text("UPDATE source_states SET probe_at = NULL WHERE source = ANY(:sources)")


def probe_again(connection: Connection, sources: Collection[str]) -> None:
    """What they let us do may have changed."""
    connection.execute(_PROBE_AGAIN, {"sources": list(sources)})


_PROBED = text("""
UPDATE source_states SET found = CAST(:found AS jsonb), probe_at = clock_timestamp() + make_interval(secs => :seconds)
WHERE source = :source
""")


def probed(connection: Connection, source: str, found: Mapping[str, str], seconds: float) -> None:
    """What a probe has found out, for the whole fleet; it is looked up again after so long."""
    connection.execute(_PROBED, {"source": source, "found": document(dict(found)), "seconds": seconds})


# The row of the present hour is locked first, so that two workers cannot both take the last call of the day.
_OPEN_HOUR = text("""
INSERT INTO quota_hours (source, hour, calls) VALUES (:source, date_trunc('hour', clock_timestamp()), 0)
ON CONFLICT (source, hour) DO UPDATE SET calls = quota_hours.calls
""")

_SPENT = text("""
SELECT coalesce(sum(calls), 0)::int AS calls,
    extract(epoch FROM min(hour) FILTER (WHERE calls > 0) + interval '25 hours' - clock_timestamp())::float AS next
FROM quota_hours WHERE source = :source AND hour > clock_timestamp() - interval '25 hours'
""")

_SPEND = text("""
UPDATE quota_hours SET calls = calls + 1 WHERE source = :source AND hour = date_trunc('hour', clock_timestamp())
""")


def spend_day(connection: Connection, source: str, per_day: int) -> float | None:
    """Takes one call of the day quota. None: taken. Else seconds until the oldest hour leaves the day.

    An hour's calls may be from its end, so that takes up to 25 hours; a wait of more than a day would be a stop.
    """
    connection.execute(_OPEN_HOUR, {"source": source})
    spent = connection.execute(_SPENT, {"source": source}).one()
    if spent.calls >= per_day:
        return min(DAY_SECONDS, max(60.0, float(spent.next or 3600.0)))
    connection.execute(_SPEND, {"source": source})
    return None
