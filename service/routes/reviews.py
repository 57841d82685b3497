"""Reviews and locks: what a person decides, for good."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Path, Query, Request
from pydantic import BaseModel, ConfigDict, JsonValue

from enrichment.domain.subjects import Kind
from enrichment.services import reviews
from enrichment.services.reviews import Decision
from service.access import Operator, Reader
from service.context import of
from service.errors import CONFLICT, NOT_FOUND
from service.shapes import LARGEST_ID, SubjectId, Text

router = APIRouter(tags=["reviews"], responses=NOT_FOUND)
Number = Annotated[int, Path(ge=1, le=LARGEST_ID, description="The number of the review.")]


class Word(BaseModel):
    """candidate: the id of the chosen one. value: what to lock instead of the present value."""

    model_config = ConfigDict(extra="forbid")

    decision: Decision
    candidate: Text | None = None
    value: JsonValue = None


class Lock(BaseModel):
    """value: what the field is from now on; its present value where there is none."""

    model_config = ConfigDict(extra="forbid")

    value: JsonValue = None


@router.get("/reviews")
def listed(
    request: Request,
    _: Reader,
    *,
    state: Annotated[str, Query(pattern="^(open|decided)$")] = "open",
    doubt: Annotated[str | None, Query(pattern="^(namesakes|shared_id)$")] = None,
    source: Annotated[Text | None, Query()] = None,
    subject: Annotated[Text | None, Query(description="The producer's own id, or ours.")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    below: Annotated[
        int | None, Query(ge=1, le=LARGEST_ID, description="For the next page: the last one's id.")
    ] = None,
) -> list[dict[str, Any]]:
    """The newest reviews, with the number of their candidates."""
    fleet = of(request).fleet
    return reviews.listed(fleet, state=state, doubt=doubt, source=source, subject=subject, most=limit, below=below)


@router.get("/reviews/{id:int}")
def shown(id: Number, request: Request, _: Reader) -> dict[str, Any]:  # noqa: A002 - the name in the path
    """One review with its candidates, and what speaks for and against each."""
    return reviews.shown(of(request).fleet, id)


@router.post("/reviews/{id:int}/decision", responses=CONFLICT)
def decide(id: Number, body: Word, request: Request, caller: Operator) -> dict[str, Any]:  # noqa: A002 - the name in the path
    """Choose a candidate, or none of them, or lock the field; for good. The same decision twice is one."""
    return reviews.decide(
        of(request).fleet, id, body.decision, who=caller.who, candidate=body.candidate, value=body.value
    )


def _lock_of(kind: Kind) -> Any:
    def lock(
        id: SubjectId,  # noqa: A002 - the name in the path
        field: str,
        request: Request,
        caller: Operator,
        body: Lock | None = None,
    ) -> dict[str, Any]:
        value = body.value if body is not None else None
        return reviews.lock(of(request).fleet, kind, id, field, who=caller.who, value=value)

    return lock


def _unlock_of(kind: Kind) -> Any:
    def unlock(id: SubjectId, field: str, request: Request, caller: Operator) -> None:  # noqa: A002 - the name in the path
        if not reviews.unlock(of(request).fleet, kind, id, field, who=caller.who):
            raise HTTPException(404, "the field is not locked")

    return unlock


def _other() -> None:
    """Neither of the two routes of this path knows of the other's method."""
    raise HTTPException(405, headers={"Allow": "DELETE, PUT"})


for _kind in Kind:
    _path = f"/{_kind}s/{{id:path}}/locks/{{field}}"
    _lock, _unlock = _lock_of(_kind), _unlock_of(_kind)
    for _work in (_lock, _unlock):
        _work.__annotations__["field"] = Annotated[str, Path(json_schema_extra={"enum": list(reviews.lockable(_kind))})]
    router.add_api_route(
        _path,
        _lock,
        methods=["PUT"],
        responses=CONFLICT,
        name=f"lock_{_kind}",
        summary=f"Lock a field of a {_kind}: it has this value for good, whatever sources say",
    )
    router.add_api_route(
        _path,
        _unlock,
        methods=["DELETE"],
        status_code=204,
        name=f"unlock_{_kind}",
        summary=f"End the lock of a {_kind}'s field",
    )
    router.add_api_route(
        _path, _other, methods=["OPTIONS", "PATCH", "POST", "TRACE"], include_in_schema=False, name=f"no_lock_{_kind}"
    )
