"""The fleet itself: health, statistics, metrics."""

from __future__ import annotations

from typing import Any, Literal

import anyio
from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel, ConfigDict

from enrichment.bootstrap import VERSION
from enrichment.services import report
from service.access import Reader, metrics_allowed
from service.context import Service, in_thread, of

HEALTH_SECONDS, HEALTH_KEPT = 8.0, 2.0
"""How long the checks may take, and how old their result may be: anybody may ask."""
STATISTICS_KEPT = 10.0

router = APIRouter(tags=["fleet"])


class Health(BaseModel):
    """Of the service, what it needs, and by source under `api_clients`."""

    model_config = ConfigDict(extra="allow")

    status: Literal["healthy", "degraded", "unhealthy"]
    version: str
    database: dict[str, Any]
    broker: dict[str, Any]
    limiter: dict[str, Any]
    workers: dict[str, Any]
    api_clients: dict[str, dict[str, Any]]


@router.get("/health", responses={200: {"model": Health}, 503: {"model": Health, "description": "Unhealthy"}})
async def health(request: Request) -> Response:
    """Open to all, and there whatever else is not."""
    service = of(request)
    found: dict[str, Any] | None = None
    with anyio.move_on_after(HEALTH_SECONDS):
        found = await anyio.to_thread.run_sync(
            lambda: service.fleet.remembered("health", service.health.now, HEALTH_KEPT),
            limiter=service.checks,
            abandon_on_cancel=True,
        )
    if found is None:
        unknown = {"status": "unknown"}
        found = {"status": "unhealthy", "database": unknown, "broker": unknown, "limiter": unknown, "workers": unknown}
        found["api_clients"] = {}
    return JSONResponse({"version": VERSION, **found}, 503 if found["status"] == "unhealthy" else 200)


@router.get("/openapi.json", include_in_schema=False)
def openapi(request: Request, _: Reader) -> dict[str, Any]:
    """What this service can do, for programs."""
    app: FastAPI = request.app
    return app.openapi()


@router.get("/stats")
async def stats(request: Request, _: Reader) -> dict[str, Any]:
    """Subjects by status, coverage in percent, findings by source, dead letters by source and error."""
    return await in_thread(_statistics, of(request))


def _statistics(service: Service) -> dict[str, Any]:
    found: dict[str, Any] = service.fleet.remembered(
        "statistics", lambda: report.statistics(service.fleet), STATISTICS_KEPT
    )
    return found


@router.get("/metrics", dependencies=[Depends(metrics_allowed)], response_class=Response)
async def metrics(request: Request) -> Response:
    """For Prometheus."""
    exposed = await in_thread(of(request).metrics.exposed)
    return Response(exposed, media_type=CONTENT_TYPE_LATEST)
