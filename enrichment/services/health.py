"""Whether the fleet can do its work: the service's own view, and that of each source."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import redis
from kombu.exceptions import OperationalError as BrokerError
from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from enrichment.reservoir import fleet as fleet_rows
from enrichment.reservoir.pool import at_once
from enrichment.services.fleet import Fleet

SETTLES_LOOKED_AT = 20_000

# Only the newest rows are looked at, and later only those that are new since: a source that has long been silent keeps
# what was seen of it.
_SUCCESSES = text("""
SELECT l.source, max(s.settled_at) AS at FROM (
    SELECT lookup_id, settled_at FROM settles
    WHERE id > :since AND outcome IN ('found', 'nothing_found') ORDER BY id DESC LIMIT :most
) s JOIN lookups l ON l.id = s.lookup_id GROUP BY l.source
""")
_LAST = text("SELECT coalesce(max(id), 0) FROM settles")


class Health:
    """For one process, which remembers each source's last success."""

    def __init__(self, fleet: Fleet, broker: Callable[[], object] | None) -> None:
        """broker: raises where the broker does not answer; None where the fleet has none."""
        self._fleet = fleet
        self._broker = broker
        self._since = 0
        self._successes: dict[str, datetime] = {}

    def now(self) -> dict[str, Any]:
        """`status`: "unhealthy" where nothing can be accepted, "degraded" where something does not do its work, else
        "healthy". `database`, `broker`, `limiter` and `workers`, each with a `status`; `api_clients`: by source
        `status`, `breaker`, `paused_for` (seconds), `last_success`.

        Anybody may see it, so it says nothing of addresses, keys or what upstreams have said.
        """
        database, known, workers = self._database()
        limiter, clients = self._clients(known)
        broker = self._said(self._broker) if self._broker is not None else {"status": "healthy"}
        parts = {"database": database, "broker": broker, "limiter": limiter, "workers": workers}
        ill = [part for part in (broker, limiter, workers, *clients.values()) if part["status"] in _ILL]
        status = "unhealthy" if database["status"] in _ILL else "degraded" if ill else "healthy"
        return {"status": status, **parts, "api_clients": clients}

    def _said(self, check: Callable[[], object]) -> dict[str, Any]:
        try:
            check()
        except (BrokerError, redis.RedisError, OSError) as error:
            return {"status": "unhealthy", "error": type(error).__name__}
        return {"status": "healthy"}

    def _database(self) -> tuple[dict[str, Any], dict[str, fleet_rows.SourceStanding], dict[str, Any]]:
        try:
            with at_once(self._fleet.engine) as connection:
                known = fleet_rows.standings(connection)
                alive = fleet_rows.alive(connection)
                self._note_successes(connection)
        except SQLAlchemyError as error:
            return {"status": "unhealthy", "error": type(error).__name__}, {}, {"status": "unknown"}
        workers = {
            "status": "healthy" if alive else "unhealthy",
            "alive": len(alive),
            "threads": sum(card.threads for card in alive),
        }
        return {"status": "healthy"}, known, workers

    def _note_successes(self, connection: Connection) -> None:
        values = {"since": self._since, "most": SETTLES_LOOKED_AT}
        self._since = connection.execute(_LAST).scalar_one()
        self._successes |= {row.source: row.at for row in connection.execute(_SUCCESSES, values)}

    def _clients(self, known: dict[str, fleet_rows.SourceStanding]) -> tuple[dict[str, Any], dict[str, Any]]:
        try:
            return {"status": "healthy"}, {name: self._client(name, known.get(name)) for name in self._fleet.sources}
        except redis.RedisError as error:
            return {"status": "unhealthy", "error": type(error).__name__}, {}

    def _client(self, name: str, known: fleet_rows.SourceStanding | None) -> dict[str, Any]:
        now = self._fleet.limiter.now(name)
        stopped = known is not None and known.stopped
        paused_for = max(now.paused_for, known.paused_for if known else 0.0)
        success = self._successes.get(name)
        return {
            "status": "stopped"
            if stopped
            else "unhealthy"
            if now.breaker == "open"
            else "paused"
            if paused_for
            else "healthy",
            "breaker": now.breaker,
            "paused_for": None if stopped else round(paused_for, 1),
            "last_success": success.isoformat() if success else None,
        }


_ILL = frozenset({"unhealthy", "stopped"})
