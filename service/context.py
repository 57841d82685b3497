"""What the routes share: the fleet's services, and what this process has one of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

import anyio
from fastapi import HTTPException
from starlette.requests import HTTPConnection

from enrichment.domain.subjects import Kind
from enrichment.reservoir.subjects import Ref
from enrichment.services import outlook, tokens
from enrichment.services.fleet import Fleet
from enrichment.services.health import Health
from enrichment.services.outlook import Outlook
from enrichment.services.requests import Request
from enrichment.services.schedules import Schedules
from enrichment.services.submit import Accepted
from enrichment.services.tokens import Caller, Scope
from service.metrics import Metrics
from service.together import Together
from service.watch import Watch

T = TypeVar("T")

METRICS = "metrics"
"""In LINERNOTES_OPEN_TO_ALL: `/metrics`, and nothing else that needs `read`."""


@dataclass(slots=True)
class Service:
    """Of one application. open_to_all: what may be done without a token. batches, checks: how many may be under way."""

    fleet: Fleet
    outlook: Outlook
    health: Health
    submitting: Together[tuple[Request, str | None], Accepted]
    standings: Together[tuple[Kind, str], dict[str, Any] | None]
    watch: Watch
    metrics: Metrics
    schedules: Schedules
    open_to_all: frozenset[str]
    batches: anyio.CapacityLimiter
    checks: anyio.CapacityLimiter

    async def caller(self, secret: str | None) -> Caller | None:
        """Who calls, None where a token is needed and there is none that opens anything."""
        if secret is not None:
            await self._know_tokens()
            return tokens.caller_of(self.fleet, secret, datetime.now(UTC))
        return Caller("anybody", self.open_to_all) if self.open_to_all else None

    async def _know_tokens(self) -> None:
        """Usually they are known, and no thread is needed."""
        if not tokens.are_known(self.fleet):
            await in_thread(tokens.know, self.fleet)

    async def find(self, kind: Kind, given: str) -> Ref:
        """The subject of this id. Raises HTTPException 404."""
        ref = await in_thread(outlook.find, self.fleet, kind, given)
        if ref is None:
            raise HTTPException(404, f"{kind}_id: {given!r} is not known")
        return ref


def of(connection: HTTPConnection) -> Service:
    """The service that a request came to."""
    service: Service = connection.app.state.service
    return service


async def in_thread(work: Callable[..., T], *arguments: Any) -> T:
    """The services are synchronous."""
    return await anyio.to_thread.run_sync(work, *arguments)


def read_open_to_all(text: str) -> frozenset[str]:
    """LINERNOTES_OPEN_TO_ALL: `submit`, `read`, `operate`, `admin` or `metrics`, with commas. Raises ValueError."""
    named = frozenset(filter(None, (each.strip() for each in text.split(","))))
    if unknown := named - {*Scope, METRICS}:
        raise ValueError(
            f"LINERNOTES_OPEN_TO_ALL: {', '.join(sorted(unknown))} is none of {', '.join(Scope)}, {METRICS}"
        )
    return named
