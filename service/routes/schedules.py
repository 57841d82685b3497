"""Schedules: what is done by the clock, when it was done last, and runs out of turn."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request

from enrichment.services.audit import audited
from service.access import Operator, Reader
from service.context import of
from service.errors import CONFLICT, NOT_FOUND

router = APIRouter(tags=["schedules"], responses=NOT_FOUND)
Name = Annotated[str, Path(max_length=100, description="As GET /schedules names it.")]


@router.get("/schedules")
def schedules(request: Request, _: Reader) -> list[dict[str, Any]]:
    """Every schedule with its last and next run, and when beat last ticked."""
    return of(request).schedules.all()


@router.post("/schedules/{name}/run", status_code=202, responses=CONFLICT)
def run(name: Name, request: Request, caller: Operator) -> dict[str, Any]:
    """Make a run out of turn. It begins with beat's next tick."""
    service = of(request)
    with audited(service.fleet, caller.who, "run", name):
        return service.schedules.run(service.schedules.start(name))


@router.post("/schedules/{name}/pause")
def pause(name: Name, request: Request, caller: Operator) -> dict[str, Any]:
    """No runs by the clock until somebody resumes it. A run that is open goes on."""
    service = of(request)
    with audited(service.fleet, caller.who, "pause", name):
        return service.schedules.pause(name)


@router.post("/schedules/{name}/resume")
def resume(name: Name, request: Request, caller: Operator) -> dict[str, Any]:
    """Runs by the clock again. What was missed is not made up."""
    service = of(request)
    with audited(service.fleet, caller.who, "resume", name):
        return service.schedules.resume(name)
