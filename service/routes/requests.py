"""Handing in: one track, one known subject, an event's line-up."""

from __future__ import annotations

import hashlib
import json
import uuid
from typing import Any

import structlog
from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import JSONResponse

from enrichment.domain.subjects import Kind
from enrichment.reservoir import idempotency
from enrichment.reservoir.retrying import in_transaction
from enrichment.reservoir.subjects import Ref
from enrichment.services import report
from enrichment.services.events import enrich_event_performers
from enrichment.services.requests import AlbumRequest, PerformerRequest, TrackRequest
from enrichment.services.requests import Request as Wanted
from enrichment.services.tokens import Caller
from service.access import Submitter
from service.context import Service, in_thread, of
from service.errors import CONFLICT, NOT_FOUND, Responses
from service.shapes import Enrichment, Force, IdempotencyKey, Priority, SubjectId, Track, Wait

WAITING, NOT_WAITING = 10, 5
"""Priorities of a request that says none."""
USUAL_WAIT = 55.0
KEYS = uuid.UUID("5c1f0f0e-9a51-4a0c-8b7e-0d6a1a1f8d2e")
"""The name space of ids that are made of idempotency keys."""

log = structlog.get_logger()
router = APIRouter(tags=["requests"])
ANSWERS: Responses = {
    200: {"model": Enrichment, "description": "It has ended"},
    202: {"model": Enrichment, "description": "Accepted; `status_url` tells how it goes on"},
    **NOT_FOUND,
    **CONFLICT,
}


@router.post("/enrich", responses=ANSWERS)
async def enrich(
    body: Track, request: Request, caller: Submitter, wait: Wait = USUAL_WAIT, idempotency_key: IdempotencyKey = None
) -> Response:
    """Enrich a track, and wait for the result."""
    service = of(request)
    given = body.request(WAITING if wait else NOT_WAITING)
    id_ = await request_id(service, caller, idempotency_key, ["track", given.model_dump()])
    return await _submit(service, given, wait, id_)


_BY_ID: dict[Kind, type[Wanted]] = {
    Kind.TRACK: TrackRequest,
    Kind.PERFORMER: PerformerRequest,
    Kind.ALBUM: AlbumRequest,
}


def _enrich_known(kind: Kind) -> Any:
    async def enrich_known(
        id: SubjectId,  # noqa: A002 - the name in the path
        request: Request,
        caller: Submitter,
        *,
        force_refresh: Force = False,
        priority: Priority | None = None,
        wait: Wait = USUAL_WAIT,
        idempotency_key: IdempotencyKey = None,
    ) -> Response:
        service = of(request)
        usual = WAITING if wait else NOT_WAITING
        wanted = {f"{kind}_id": id, "priority": priority or usual, "force_refresh": force_refresh}
        id_ = await request_id(service, caller, idempotency_key, [kind, wanted])
        return await _submit(service, _BY_ID[kind](**wanted), wait, id_)

    return enrich_known


for _kind in Kind:
    router.add_api_route(
        f"/{_kind}s/{{id:path}}/enrich",
        _enrich_known(_kind),
        methods=["POST"],
        responses=ANSWERS,
        name=f"enrich_{_kind}",
        summary=f"Enrich a known {_kind}",
    )


@router.post("/events/{id:path}/enrich", status_code=202, responses=NOT_FOUND)
def enrich_event(
    id: SubjectId,  # noqa: A002 - the name in the path
    request: Request,
    _: Submitter,
    force_refresh: Force = False,
    priority: Priority = NOT_WAITING,
) -> dict[str, str | int]:
    """Enrich every performer on the bill of an event."""
    count = enrich_event_performers(of(request).fleet, id, priority, force_refresh=force_refresh)
    return {"event_id": id, "count": count}


async def request_id(service: Service, caller: Caller, key: str | None, what: Any) -> str | None:
    """By which a request is known when it comes again; None where the caller gives no key.

    Raises HTTPException 409 where the key was used for something else.
    """
    if key is None:
        return None
    digest = hashlib.sha256(json.dumps(what, sort_keys=True).encode()).digest()

    def claim() -> bool:
        return in_transaction(service.fleet.engine, lambda c: idempotency.claim(c, caller.who, key, digest))

    if not await in_thread(claim):
        raise HTTPException(409, "Idempotency-Key: it was used for another request")
    return str(uuid.uuid5(KEYS, f"{caller.who}\n{key}\n{digest.hex()}"))


async def _submit(service: Service, given: Wanted, wait: float, id_: str | None) -> Response:
    if isinstance(given, TrackRequest):
        log.info("Track enrichment requested", track_id=given.track_id, correlation_id=given.correlation_id or id_)
    accepted = await service.submitting.ask((given, id_))
    if accepted.ref is None:
        raise HTTPException(404, accepted.error)
    come = await answer(service, accepted.ref, wait)
    if come["status"] != "pending":
        return JSONResponse(come)
    return JSONResponse(come, 202, {"Location": come["status_url"]})


async def answer(service: Service, ref: Ref, wait: float) -> dict[str, Any]:
    """What has come of a request within so many seconds; `pending`, with `status_url`, where it is still open."""
    come = await service.watch.answers([ref], wait) if wait else {}
    if not come:
        come = await in_thread(report.answers, service.fleet, [ref])
    found = come[ref]
    if found["status"] in report.ENDED:
        return found
    return {**found, "status": "pending", "status_url": f"/{ref.kind}s/{ref.id}/enrichment_status"}
