"""Operating: sources, breakers, pauses, dead letters, the audit. Every action stands in the audit with its doer."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Path, Query, Request
from pydantic import BaseModel, Field

from enrichment.reservoir.dead_letters import Filter
from enrichment.services import audit, dead_letters, report, standing
from enrichment.services.audit import audited
from enrichment.services.fleet import Fleet
from service.access import Admin, Operator, Reader
from service.context import of
from service.errors import NOT_FOUND
from service.shapes import WHOLE, Text

LARGEST_ID = 2**53
"""Beyond it JSON of some languages is no longer exact."""

router = APIRouter(tags=["operating"], responses=NOT_FOUND)
Name = Annotated[str, Path(max_length=100, description="As GET /sources names it.")]
Limit = Annotated[int, Query(ge=1, le=1000)]
Number = Annotated[int, Field(ge=1, le=LARGEST_ID)]


class Pause(BaseModel):
    """seconds: above 86400 it is a stop, until somebody resumes the source."""

    seconds: Annotated[float, Field(gt=0, le=10 * 365 * 86_400, allow_inf_nan=False, strict=True)]
    reason: Text = "paused by hand"


class Letters(BaseModel):
    """Numbers of dead letters."""

    ids: Annotated[
        list[Annotated[int, Field(strict=True, ge=1, le=LARGEST_ID), WHOLE]], Field(min_length=1, max_length=1000)
    ]


class Dropped(Letters):
    """reason: kept with the letters."""

    reason: Text = "dropped by hand"


@router.get("/sources")
def sources(request: Request, _: Reader) -> list[dict[str, Any]]:
    """How each source stands: budget, breaker, pause and its reason, work in flight and waiting, terms."""
    return report.source_states(of(request).fleet)


@router.post("/enrich/reset-circuit-breaker/{source}")
def reset_breaker(source: Name, request: Request, caller: Operator) -> dict[str, Any]:
    """Close an open breaker: one call goes first. A pause that the upstream asked for is no breaker, and stays."""
    fleet = _with(request, source)
    before = fleet.limiter.now(source)
    with audited(fleet, caller.who, "reset breaker", source, breaker=before.breaker):
        # After any pause one call goes first, which the limiter calls half open too.
        if before.breaker in ("open", "half_open"):
            fleet.limiter.resume(source)
    now = fleet.limiter.now(source)
    return {"source": source, "before": before.breaker, "breaker": now.breaker, "paused_for": round(now.paused_for, 1)}


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


@router.get("/dead-letters")
def letters(
    request: Request,
    _: Reader,
    *,
    source: Annotated[Text | None, Query()] = None,
    error: Annotated[Text | None, Query(description="Part of the error's text.")] = None,
    state: Annotated[str, Query(pattern="^(open|replayed|dropped)$")] = "open",
    limit: Limit = 100,
    below: Annotated[
        int | None, Query(ge=1, le=LARGEST_ID, description="For the next page: the last one's id.")
    ] = None,
) -> list[dict[str, Any]]:
    """The newest dead letters."""
    which = Filter(source=source, error=error, state=state)
    return dead_letters.letters(of(request).fleet, which, most=limit, below=below)


@router.get("/dead-letters/{id:int}")
def letter(id: Annotated[Number, Path()], request: Request, _: Reader) -> dict[str, Any]:  # noqa: A002 - the name in the path
    """One dead letter, whole."""
    found = dead_letters.letter(of(request).fleet, id)
    if found is None:
        raise HTTPException(404, f"there is no dead letter {id}")
    return found


@router.post("/dead-letters/replay")
def replay(body: Letters, request: Request, caller: Operator) -> dict[str, Any]:
    """Ask the questions of open letters again; twice is once."""
    fleet = of(request).fleet
    with audited(fleet, caller.who, "replay", "dead letters", ids=body.ids):
        come = dead_letters.replay(fleet, Filter(ids=tuple(body.ids)))
    return {"replayed": come.done, "asked": len(body.ids), "refused": come.refused}


@router.post("/dead-letters/drop")
def drop(body: Dropped, request: Request, caller: Operator) -> dict[str, Any]:
    """Close open letters without asking again."""
    fleet = of(request).fleet
    with audited(fleet, caller.who, "drop", "dead letters", ids=body.ids, reason=body.reason):
        dropped = dead_letters.drop(fleet, Filter(ids=tuple(body.ids)), body.reason)
    return {"dropped": dropped, "asked": len(body.ids)}


@router.get("/audit")
def entries(
    request: Request, _: Admin, target: Annotated[Text | None, Query()] = None, limit: Limit = 100
) -> list[dict[str, Any]]:
    """What was done by hand, by whom and with what outcome, the newest first."""
    return audit.entries(of(request).fleet, target, limit)
