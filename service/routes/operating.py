"""Operating: sources, breakers, pauses, the audit. Every action stands in the audit with its doer."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Path, Query, Request
from pydantic import BaseModel, Field

from enrichment.services import audit, report, standing
from enrichment.services.audit import audited
from enrichment.services.fleet import Fleet
from service.access import Admin, Operator, Reader
from service.context import of
from service.errors import NOT_FOUND
from service.shapes import LARGEST_ID, Text

router = APIRouter(tags=["operating"], responses=NOT_FOUND)
Name = Annotated[str, Path(max_length=100, description="As GET /sources names it.")]


class Pause(BaseModel):
    """seconds: above 86400 it is a stop, until somebody resumes the source."""

    seconds: Annotated[float, Field(gt=0, le=10 * 365 * 86_400, allow_inf_nan=False, strict=True)]
    reason: Text = "paused by hand"


@router.get("/sources")
def sources(request: Request, _: Reader) -> list[dict[str, Any]]:
    """How each source stands: budget, breaker, pause and its reason, work in flight and waiting, terms."""
    return report.source_states(of(request).fleet)


@router.post("/enrich/reset-circuit-breaker/{source}")
def reset_breaker(source: Name, request: Request, caller: Operator) -> dict[str, Any]:
    """Close an open breaker: one call goes first. A pause that the upstream asked for is no breaker, and stays."""
    fleet = _with(request, source)
    with audited(fleet, caller.who, "reset breaker", source):
        before, now = standing.reset_breaker(fleet, source)
    return {"source": source, "before": before, "breaker": now, "paused_for": _state(fleet, source)["paused_for"]}


@router.post("/sources/{source}/pause")
def pause(source: Name, body: Pause, request: Request, caller: Operator) -> dict[str, Any]:
    """No calls to a source for so many seconds, by the whole fleet. A pause is never shortened by another."""
    fleet = _with(request, source)
    with audited(fleet, caller.who, "pause", source, seconds=body.seconds, reason=body.reason):
        standing.pause(fleet, source, body.seconds, body.reason, ours=False)
    return _state(fleet, source)


@router.post("/sources/{source}/resume")
def resume(source: Name, request: Request, caller: Operator) -> dict[str, Any]:
    """End a source's pause or stop. What was put aside is taken up again."""
    fleet = _with(request, source)
    with audited(fleet, caller.who, "resume", source):
        standing.resume(fleet, source)
    return _state(fleet, source)


def _with(request: Request, source: str) -> Fleet:
    fleet = of(request).fleet
    if source not in fleet.sources:
        raise HTTPException(404, f"there is no source {source!r}")
    return fleet


def _state(fleet: Fleet, source: str) -> dict[str, Any]:
    return next(state for state in report.source_states(fleet) if state["source"] == source)


@router.get("/audit")
def entries(
    request: Request,
    _: Admin,
    *,
    target: Annotated[Text | None, Query(description="A source, a key, a token, a batch.")] = None,
    who: Annotated[Text | None, Query(description="Part of its doer's name.")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    below: Annotated[
        int | None, Query(ge=1, le=LARGEST_ID, description="For the next page: the last one's id.")
    ] = None,
) -> list[dict[str, Any]]:
    """What was done by hand, by whom and with what outcome, the newest first."""
    return audit.entries(of(request).fleet, target, who, most=limit, below=below)
