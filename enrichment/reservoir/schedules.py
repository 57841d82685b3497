"""Schedules in PostgreSQL, on its clock: when beat ticked, which runs there are, and who is at them."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from enrichment.reservoir.documents import document

_TICK = text("""
INSERT INTO schedules (name, ticked_at) SELECT name, clock_timestamp() FROM unnest(CAST(:names AS text[])) AS n(name)
ORDER BY name ON CONFLICT (name) DO UPDATE SET ticked_at = excluded.ticked_at
""")


def tick(connection: Connection, names: Collection[str]) -> None:
    """Beat lives. A schedule that is not known yet is from now on."""
    connection.execute(_TICK, {"names": sorted(names)})


_KNOW = text("INSERT INTO schedules (name) VALUES (:name) ON CONFLICT DO NOTHING")
_PAUSE = text("UPDATE schedules SET paused = true WHERE name = :name")
_RESUME = text("UPDATE schedules SET paused = false, since = clock_timestamp() WHERE name = :name AND paused")


def pause(connection: Connection, name: str) -> None:
    """No new runs by the clock."""
    connection.execute(_KNOW, {"name": name})
    connection.execute(_PAUSE, {"name": name})


def resume(connection: Connection, name: str) -> None:
    """Runs by the clock again; what was missed meanwhile is not made up."""
    connection.execute(_RESUME, {"name": name})


# A run takes up what the last one has handed on. Twice for one planned time, or beside an open run, is not at all.
_START = """
INSERT INTO schedule_runs (name, planned_at, cursor)
SELECT :name, {planned}, coalesce((
    SELECT jsonb_build_object('since', cursor -> 'since') FROM schedule_runs
    WHERE name = :name AND outcome = 'done' AND cursor ? 'since' ORDER BY planned_at DESC LIMIT 1
), '{{}}'::jsonb)
WHERE {condition}
ON CONFLICT DO NOTHING RETURNING id
"""
_DUE = """
NOT EXISTS (SELECT FROM schedules WHERE name = :name AND (paused OR since >= :planned))
AND NOT EXISTS (SELECT FROM schedule_runs WHERE name = :name AND planned_at >= :planned)
"""
_START_DUE = text(_START.format(planned="CAST(:planned AS timestamptz)", condition=_DUE))
_START_NOW = text(_START.format(planned="clock_timestamp()", condition="true"))


def start_due(connection: Connection, name: str, planned: datetime) -> int | None:
    """A run for this planned time, its id; None where there was one, one is open, or nobody wants it."""
    return connection.execute(_START_DUE, {"name": name, "planned": planned}).scalar_one_or_none()


def start_now(connection: Connection, name: str) -> int | None:
    """A run out of turn, its id; None where one is open."""
    return connection.execute(_START_NOW, {"name": name}).scalar_one_or_none()


@dataclass(frozen=True, slots=True)
class Held:
    """A run in the hands of this process. token: whoever has another one has taken it over."""

    id: int
    name: str
    cursor: dict[str, Any]
    token: uuid.UUID


_TAKE = text("""
UPDATE schedule_runs SET token = :token, lease_until = clock_timestamp() + make_interval(secs => :seconds)
WHERE id = :id AND ended_at IS NULL AND coalesce(lease_until < clock_timestamp(), true) RETURNING id, name, cursor
""")


def take(connection: Connection, run: int, seconds: float) -> Held | None:
    """The run, for so long; None where it has ended or another process is at it."""
    token = uuid.uuid4()
    row = connection.execute(_TAKE, {"id": run, "token": token, "seconds": seconds}).one_or_none()
    return Held(row.id, row.name, row.cursor, token) if row is not None else None


_KEEP = text("""
UPDATE schedule_runs SET cursor = CAST(:cursor AS jsonb),
    lease_until = clock_timestamp() + make_interval(secs => :seconds),
    ended_at = CASE WHEN CAST(:outcome AS text) IS NOT NULL THEN clock_timestamp() END, outcome = :outcome,
    error = :error
WHERE id = :id AND token = :token AND ended_at IS NULL
""")


def keep(connection: Connection, held: Held, seconds: float, *, outcome: str | None, error: str | None) -> bool:
    """How far the run has come, the lease for so long, and whether it has ended. False where another has taken it."""
    values = {"id": held.id, "token": held.token, "cursor": document(held.cursor), "seconds": seconds}
    return connection.execute(_KEEP, values | {"outcome": outcome, "error": error}).rowcount == 1


_OPEN = text("SELECT id FROM schedule_runs WHERE ended_at IS NULL ORDER BY id")


def open_runs(connection: Connection) -> list[int]:
    """Their ids."""
    return list(connection.execute(_OPEN).scalars())


_GIVE_UP = text("""
UPDATE schedule_runs SET ended_at = clock_timestamp(), outcome = 'failed', error = :error
WHERE ended_at IS NULL AND name = :name AND started_at < clock_timestamp() - make_interval(secs => :seconds)
    AND coalesce(lease_until < clock_timestamp(), true)
RETURNING id, cursor
""")


def give_up(connection: Connection, name: str, seconds: float, error: str) -> Any:
    """Ends a run that is open for longer and in nobody's hands: its `id` and `cursor`; None where there is none."""
    return connection.execute(_GIVE_UP, {"name": name, "seconds": seconds, "error": error}).one_or_none()


_STANDINGS = text("""
SELECT n.name, coalesce(s.paused, false) AS paused, s.ticked_at, clock_timestamp() AS now, r.id, r.planned_at,
    r.started_at, r.ended_at, r.outcome, r.error, r.cursor
FROM unnest(CAST(:names AS text[])) WITH ORDINALITY AS n(name, place)
LEFT JOIN schedules s USING (name)
LEFT JOIN LATERAL (
    SELECT * FROM schedule_runs r WHERE r.name = n.name ORDER BY planned_at DESC LIMIT 1
) r ON true ORDER BY n.place
""")


def standings(connection: Connection, names: Collection[str]) -> list[Any]:
    """Each schedule with its last run, in this order."""
    return list(connection.execute(_STANDINGS, {"names": list(names)}).all())


_RUN = text("SELECT * FROM schedule_runs WHERE id = :id")


def run(connection: Connection, id_: int) -> Any:
    """One run."""
    return connection.execute(_RUN, {"id": id_}).one()
