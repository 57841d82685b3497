"""Duplicates: pairs that may be one, merged or rejected by a person."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request

from enrichment.services import merging
from enrichment.services.audit import audited
from service.access import Operator, Reader
from service.context import of
from service.errors import CONFLICT, NOT_FOUND
from service.shapes import LARGEST_ID

router = APIRouter(tags=["duplicates"], responses=NOT_FOUND)
Pair = Annotated[int, Path(ge=1, le=LARGEST_ID, description="The number of the pair.")]


@router.get("/duplicates")
def pairs(
    request: Request,
    _: Reader,
    *,
    state: Annotated[str, Query(pattern="^(proposed|merged|rejected)$")] = "proposed",
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    below: Annotated[
        int | None, Query(ge=1, le=LARGEST_ID, description="For the next page: the last one's id.")
    ] = None,
) -> list[dict[str, Any]]:
    """The newest pairs of subjects that may be one, with what speaks for it and against it."""
    return merging.listed(of(request).fleet, state, limit, below)


@router.get("/duplicates/{id:int}")
def pair(id: Pair, request: Request, _: Reader) -> dict[str, Any]:  # noqa: A002 - the name in the path
    """One pair."""
    return merging.shown(of(request).fleet, id)


@router.post("/duplicates/{id:int}/merge", responses=CONFLICT)
def merge(id: Pair, request: Request, caller: Operator) -> dict[str, Any]:  # noqa: A002 - the name in the path
    """Make one of a pair; twice is once. All ids and names of the other lead to `kept`."""
    fleet = of(request).fleet
    with audited(fleet, caller.who, "merge duplicates", str(id)):
        return merging.merge(fleet, id, caller.who)


@router.post("/duplicates/{id:int}/reject", responses=CONFLICT)
def reject(id: Pair, request: Request, caller: Operator) -> dict[str, Any]:  # noqa: A002 - the name in the path
    """These are two; the pair is never proposed again."""
    fleet = of(request).fleet
    with audited(fleet, caller.who, "reject duplicates", str(id)):
        return merging.reject(fleet, id, caller.who)
