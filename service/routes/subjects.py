"""Subjects: what is known, how far they have come, what has changed."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse

from enrichment.domain.subjects import Kind
from enrichment.reservoir.subjects import Ref
from enrichment.services import changes, outlook, report
from service.access import Reader
from service.context import Service, in_thread, of
from service.errors import NOT_FOUND
from service.shapes import Changes, Report, Since, Standing, SubjectId

EVENT_STREAM = "text/event-stream"
TOLD_EVERY = 5.0
"""Seconds after which a stream tells anew although nothing has changed but the place in line."""
LONGEST_STREAM = 600.0
"""Seconds; a client that still wants to know connects again, as EventSource does by itself."""

router = APIRouter(tags=["subjects"])
standings = APIRouter(tags=["subjects"])
"""Asked far more often than all else."""


@router.get("/changes", response_model=Changes)
def changed(
    request: Request,
    _: Reader,
    since: Since = "1970-01-01T00:00:00Z",
    limit: Annotated[int, Query(ge=1, le=1000)] = 500,
) -> dict[str, Any]:
    """Subjects whose record has changed, the oldest change first; each stands there once, as it is now."""
    return changes.changes(of(request).fleet, since, limit)


def _standing_of(kind: Kind) -> Any:
    async def standing(id: SubjectId, request: Request, _: Reader) -> Response:  # noqa: A002 - the name in the path
        service = of(request)
        found = await service.standings.ask((kind, id))
        if found is None:
            raise HTTPException(404, f"{kind}_id: {id!r} is not known")
        if EVENT_STREAM in request.headers.get("accept", ""):
            return StreamingResponse(
                _events(service, kind, found), media_type=EVENT_STREAM, headers={"Cache-Control": "no-store"}
            )
        return JSONResponse(found)

    return standing


async def _events(service: Service, kind: Kind, standing: dict[str, Any]) -> AsyncIterator[str]:
    """The standing whenever it changes, until it has ended."""
    ref = await service.find(kind, standing["id"])
    seen: outlook.Seen | None = (await in_thread(outlook.look, service.fleet, [ref])).get(ref)
    told = 0.0
    while True:
        yield f"event: status\ndata: {json.dumps(standing)}\n\n"
        if seen is None or standing["status"] in report.ENDED or told >= LONGEST_STREAM:
            return
        seen = await service.watch.changed(ref, seen, TOLD_EVERY) or seen
        told += TOLD_EVERY
        standing = await service.standings.ask((kind, str(ref.id))) or standing


def _report_of(kind: Kind) -> Any:
    def known(id: SubjectId, request: Request, _: Reader) -> dict[str, Any]:  # noqa: A002 - the name in the path
        fleet = of(request).fleet
        ref: Ref | None = outlook.find(fleet, kind, id)
        found = report.subject_report(fleet, kind, str(ref.id)) if ref is not None else None
        if found is None:
            raise HTTPException(404, f"{kind}_id: {id!r} is not known")
        return found

    return known


for _kind in Kind:
    standings.add_api_route(
        f"/{_kind}s/{{id:path}}/enrichment_status",
        _standing_of(_kind),
        responses={
            200: {"model": Standing, "content": {EVENT_STREAM: {"schema": {"type": "string"}}}},
            **NOT_FOUND,
        },
        name=f"{_kind}_standing",
        summary=f"How far a {_kind} has come; as server-sent events where `Accept` asks for {EVENT_STREAM}",
    )
for _kind in Kind:
    router.add_api_route(
        f"/{_kind}s/{{id:path}}",
        _report_of(_kind),
        response_model=Report,
        responses=NOT_FOUND,
        name=f"{_kind}_report",
        summary=f"What is known of a {_kind}, who said so, and who was asked",
    )
