"""Batches: handed in, followed, cancelled."""

from __future__ import annotations

import uuid
from typing import Annotated, Any

import anyio
from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import JSONResponse

from enrichment.reservoir.batches import Head
from enrichment.services import batches, report
from enrichment.services.audit import audited
from enrichment.services.batches import LARGEST, Taken
from service.access import Operator, Reader, Submitter
from service.context import Service, of
from service.errors import CONFLICT, NOT_FOUND, Responses
from service.routes.requests import request_id
from service.shapes import BatchProgress, BatchTaken, IdempotencyKey, Items

LARGEST_BODY = 16 * 1024 * 1024

router = APIRouter(tags=["batches"])
Wait = Annotated[float, Query(ge=0, le=300, allow_inf_nan=False, description="Seconds to wait for the results.")]
TAKEN: Responses = {
    200: {"model": BatchTaken, "description": "All have ended; `results` has what has come of them"},
    202: {"model": BatchTaken, "description": "Accepted, item by item"},
    **CONFLICT,
}


@router.post("/enrich/batch", responses=TAKEN, max_body_size=LARGEST_BODY)
async def enrich_batch(
    body: Items, request: Request, caller: Submitter, wait: Wait = 0, idempotency_key: IdempotencyKey = None
) -> JSONResponse:
    """Hand in up to 10,000 tracks."""
    if len(body) > LARGEST:
        raise HTTPException(413, f"a batch holds at most {LARGEST:,} items, not {len(body):,}")
    service = of(request)
    known_as = await request_id(service, caller, idempotency_key, ["batch", body])
    number = uuid.UUID(known_as) if known_as else None
    taken = await anyio.to_thread.run_sync(
        batches.take, service.fleet, caller.who, body, number, limiter=service.batches
    )
    shown = _shown(taken)
    if not wait:
        return JSONResponse(shown, 202, {"Location": shown["status_url"]})
    results, all_ended = await _results(service, taken, wait)
    return JSONResponse({**shown, "results": results}, 200 if all_ended else 202)


def _shown(taken: Taken) -> dict[str, Any]:
    return {
        "batch_id": str(taken.id),
        "total": len(taken.items),
        "accepted": taken.accepted,
        "rejected": len(taken.items) - taken.accepted,
        "items": [
            {"index": item.position, "accepted": True, "id": str(item.ref.id)}
            if item.ref is not None
            else {"index": item.position, "accepted": False, "errors": [item.error]}
            for item in taken.items
        ],
        "status_url": f"/batches/{taken.id}",
    }


async def _results(service: Service, taken: Taken, wait: float) -> tuple[list[dict[str, Any]], bool]:
    """In the order of the items: what has come of each, or why it was not accepted."""
    refs = {item.ref for item in taken.items if item.ref is not None}
    come = await service.watch.answers(refs, wait)
    all_ended = come.keys() >= refs
    if not all_ended:
        come = await anyio.to_thread.run_sync(report.answers, service.fleet, refs)
    results = [
        {"index": item.position, **come[item.ref]}
        if item.ref is not None
        else {"index": item.position, "status": "rejected", "errors": [item.error]}
        for item in taken.items
    ]
    return results, all_ended


@router.get("/batches/{id}", response_model=BatchProgress, response_model_exclude_unset=True, responses=NOT_FOUND)
def batch(
    id: uuid.UUID,  # noqa: A002 - the name in the path
    request: Request,
    _: Reader,
    results: Annotated[bool, Query(description="With what has come of its items.")] = False,
    first: Annotated[int, Query(ge=0, le=LARGEST, description="The first item of `results`.")] = 0,
    limit: Annotated[int, Query(ge=1, le=LARGEST)] = 1000,
) -> dict[str, Any]:
    """How far a batch has come."""
    service = of(request)
    head = _head(service, id)
    found = batches.progress(service.fleet, head)
    if results:
        found["results"] = batches.results(service.fleet, id, first, limit)
    return found


@router.post(
    "/batches/{id}/cancel", response_model=BatchProgress, response_model_exclude_unset=True, responses=NOT_FOUND
)
def cancel(
    id: uuid.UUID,  # noqa: A002 - the name in the path
    request: Request,
    caller: Operator,
) -> dict[str, Any]:
    """End what is still open of a batch, as far as nobody else has asked for it."""
    service = of(request)
    _head(service, id)
    with audited(service.fleet, caller.who, "cancel batch", str(id)):
        batches.cancel(service.fleet, id)
    return batches.progress(service.fleet, _head(service, id))


def _head(service: Service, number: uuid.UUID) -> Head:
    head = batches.head(service.fleet, number)
    if head is None:
        raise HTTPException(404, f"there is no batch {number}")
    return head
