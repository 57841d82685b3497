"""Performers as Resident Advisor imports need them, and pictures: each function under its own name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel

from enrichment.domain.subjects import Kind
from enrichment.services import artwork, performers
from enrichment.services.performers import BACKFILL, SCHEDULED, URGENT
from service.access import Reader, Submitter
from service.context import in_thread, of
from service.errors import CONFLICT, NOT_FOUND
from service.routes.requests import request_id
from service.shapes import IdempotencyKey, Priority, SubjectId

router = APIRouter(tags=["performers"])
HowMany = Annotated[int, Query(ge=1, le=1_000_000)]
Most = Annotated[int, Query(ge=1, le=10_000)]
Apart = Annotated[float, Query(ge=0, le=86_400, allow_inf_nan=False, description="Seconds from one to the next.")]


class Accepted(BaseModel):
    """How many performers are wanted from now on."""

    count: int


class Said(BaseModel):
    """What came of it, in words."""

    said: str


async def _accepted(
    request: Request, caller: Submitter, key: str | None, work: Callable[..., int], *arguments: Any
) -> Accepted:
    service = of(request)
    id_ = await request_id(service, caller, key, [work.__name__, *arguments])
    return Accepted(count=await in_thread(lambda: work(service.fleet, *arguments, request_id=id_)))


@router.post("/performers/enrich_batch", status_code=202, responses=CONFLICT)
async def enrich_batch(
    request: Request,
    caller: Submitter,
    *,
    batch_size: HowMany = 50,
    delay_seconds: Apart = 60,
    priority: Priority = SCHEDULED,
    idempotency_key: IdempotencyKey = None,
) -> Accepted:
    """Ask for performers that need it most, spread over time: each starts so many seconds after the one before."""
    given = (batch_size, delay_seconds, priority)
    return await _accepted(request, caller, idempotency_key, performers.enrich_batch, *given)


@router.post("/performers/enrich_high_priority", status_code=202, responses=CONFLICT)
async def enrich_high_priority(
    request: Request,
    caller: Submitter,
    *,
    limit: HowMany = 50,
    priority: Priority = URGENT,
    idempotency_key: IdempotencyKey = None,
) -> Accepted:
    """Ask for performers without a picture."""
    return await _accepted(request, caller, idempotency_key, performers.enrich_high_priority, limit, priority)


@router.post("/performers/enrich_all_pending", status_code=202)
def enrich_all_pending(request: Request, _: Submitter, priority: Priority = BACKFILL) -> Accepted:
    """Ask for every performer that needs it. What is asked for already stays so."""
    return Accepted(count=performers.enrich_all_pending(of(request).fleet, priority))


@router.post("/performers/{id:path}/reset_enrichment", responses=NOT_FOUND)
def reset_enrichment(id: SubjectId, request: Request, _: Submitter) -> Said:  # noqa: A002 - the name in the path
    """Forget that a performer was enriched, and what has failed. What was found stays."""
    performers.reset_enrichment(of(request).fleet, id)
    return Said(said=f"performer {id} counts as never enriched")


def _fetch_artwork_of(kind: Kind) -> Any:
    async def fetch_artwork(
        id: SubjectId,  # noqa: A002 - the name in the path
        request: Request,
        caller: Submitter,
        *,
        priority: Priority = artwork.DEFAULT_PRIORITY,
        idempotency_key: IdempotencyKey = None,
    ) -> Said:
        service = of(request)
        wanted: dict[str, Any] = {f"{kind}_id": id, "priority": priority}
        id_ = await request_id(service, caller, idempotency_key, ["fetch_artwork", wanted])
        return Said(said=await in_thread(lambda: artwork.request_artwork(service.fleet, **wanted, request_id=id_)))

    return fetch_artwork


for _kind in (Kind.ALBUM, Kind.PERFORMER):
    router.add_api_route(
        f"/{_kind}s/{{id:path}}/fetch_artwork",
        _fetch_artwork_of(_kind),
        methods=["POST"],
        status_code=202,
        responses={**NOT_FOUND, **CONFLICT},
        name=f"fetch_artwork_of_{_kind}",
        summary=f"Download and check the chosen picture of a known {_kind}",
    )


@router.get("/performers/find_performers_needing_enrichment")
def find_performers_needing_enrichment(request: Request, _: Reader, limit: Most = 100) -> list[dict[str, Any]]:
    """Performers with an RA id that need enrichment, those that need it most first."""
    return [performers.shown(each) for each in performers.find_performers_needing_enrichment(of(request).fleet, limit)]


@router.get("/performers/get_enrichment_queue")
def get_enrichment_queue(
    request: Request, _: Reader, limit: Most = performers.MOST_IN_QUEUE
) -> dict[str, list[dict[str, Any]]]:
    """The same by need: `high_priority` (no picture), `medium_priority` (no address), `low_priority` (the rest)."""
    found = performers.get_enrichment_queue(of(request).fleet, limit)
    return {need: [performers.shown(each) for each in queue] for need, queue in found.items()}


@router.get("/performers/enrichment_stats")
def enrichment_stats(request: Request, _: Reader) -> dict[str, int | float]:
    """How many performers have an RA id, how many of them are enriched, have pictures, and are pending."""
    return performers.enrichment_stats(of(request).fleet)


@router.get("/performers/{id:path}/enrichment_report", responses=NOT_FOUND)
def enrichment_report(id: SubjectId, request: Request, _: Reader) -> dict[str, Any]:  # noqa: A002 - the name in the path
    """What a performer has and lacks, and by field who said so."""
    return performers.enrichment_report(of(request).fleet, id)
