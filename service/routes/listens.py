"""Listens: handed in, looked at, how far each has come, and the covers that people choose."""

from __future__ import annotations

import uuid
from datetime import datetime
from functools import partial
from typing import Annotated, Any, Literal

import anyio
from fastapi import APIRouter, Body, HTTPException, Path, Query, Request, Response
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from enrichment.services import artwork, changes, listens
from enrichment.services.listen_shapes import inside
from enrichment.services.listens import Choice, Whose
from enrichment.services.requests import Name
from enrichment.services.tokens import Caller
from service.access import Reader, Submitter
from service.context import in_thread, of
from service.errors import NOT_FOUND
from service.shapes import MOMENT, SOMETHING, Status, Text

LARGEST, LARGEST_BODY = 10_000, 16 * 1024 * 1024
FEW = 50
"""So many listens are taken at once; more wait until the ones before are in the database."""
ORIGIN = "api"

router = APIRouter(tags=["listens"])
UserId = Annotated[Text | None, Query(description="Whose listens; not needed where the token belongs to a user.")]


Before = Annotated[
    datetime | None,
    Query(description="Listens before this moment, in ISO 8601."),
    BeforeValidator(changes.moment),  # a number would be taken for seconds since 1970
    WithJsonSchema({"type": "string", "pattern": f"^{MOMENT}$"}),
]
Digest = Annotated[str, Path(pattern="^[0-9a-f]{64}$", description="SHA-256 of what was downloaded.")]
Size = Literal["small", "medium", "large"]
ListenId = Annotated[uuid.UUID, "as POST /listens answered it"]


class Rejected(BaseModel):
    """A listen that cannot be read, by its position from 1, and why."""

    line: int
    error: str


class Taken(BaseModel):
    """ids: of the listens, in their order; the rest counts them."""

    ids: list[str]
    listens: int
    known: int
    now_playing: int
    rejected: list[Rejected]


class Listen(BaseModel):
    """One play. artwork_url: the user's own choice, else the cover, else what came with it."""

    model_config = ConfigDict(extra="allow")

    id: str
    user_id: str
    listened_at: str
    artist_name: str
    track_name: str
    metadata_status: Status
    artwork_url: str | None = None


class ListenStanding(BaseModel):
    """How far a listen has come. estimated_completion: None where it has ended, or nobody can tell."""

    id: str
    status: Status
    has_artwork: bool
    artwork_url: str | None
    estimated_completion: str | None


Something = Annotated[Name, Field(json_schema_extra={"pattern": SOMETHING})]


class Cover(Choice):
    """The cover that a user wants to see for an album; names are compared without case."""

    artist_name: Something
    album_name: Something


class Shown(BaseModel):
    """listens: how many there are of the album."""

    listens: int


def user_of(caller: Caller, given: str | None) -> str:
    """Whose listens are meant. Raises HTTPException 403 where nobody is named, 404 for another's."""
    if given is None and caller.user is None:
        raise HTTPException(403, "the token belongs to no user; name one with user_id")
    if caller.user is not None and given not in (None, caller.user):
        raise HTTPException(404, "there is no such user")
    return given or caller.user or ""


@router.post("/listens", status_code=202, responses=NOT_FOUND, max_body_size=LARGEST_BODY)
async def take(
    body: Annotated[Any, Body(description="One listen or many: our own keys, or ListenBrainz' or Last.fm's JSON.")],
    request: Request,
    caller: Submitter,
    user_id: UserId = None,
    live: Annotated[bool | None, Query(description="Are they being heard now? Else their moments tell.")] = None,
) -> Taken:
    """Hand in listens. Each is linked to track, performer and album at once; what is there already changes nothing.

    One listen alone is live if nothing else is said, and ListenBrainz' `listen_type` says it.
    """
    kind = body.get("listen_type") if isinstance(body, dict) else None
    given = [] if kind == "playing_now" else list(enumerate(inside(body), start=1))
    if len(given) > LARGEST:
        raise HTTPException(413, f"at most {LARGEST:,} listens at once, not {len(given):,}")
    if live is None and kind != "import" and len(given) == 1:
        live = True
    service = of(request)
    whose = Whose(user_of(caller, user_id), ORIGIN, live)
    work = partial(listens.take_listens, service.fleet, whose, given)
    taken = await anyio.to_thread.run_sync(work, limiter=service.batches if len(given) > FEW else None)
    return Taken(ids=[str(id_) for id_ in taken.ids], **taken.shown())


@router.get("/users/{user_id}/listens", responses=NOT_FOUND, response_model_exclude_unset=True)
def listens_of(
    user_id: Text,
    request: Request,
    caller: Reader,
    before: Before = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> list[Listen]:
    """A user's listens, the newest first."""
    found = listens.listens_of(of(request).fleet, user_of(caller, user_id), before, limit)
    return [Listen(**each) for each in found]


@router.get(
    "/artwork/{sha256}/{size}",
    response_class=Response,
    responses={200: {"content": {"image/jpeg": {}}, "description": "A picture never changes"}, **NOT_FOUND},
)
def picture(sha256: Digest, size: Size, request: Request, _: Reader) -> Response:
    """A cover or portrait as `artwork.sizes` of its album or performer names it."""
    found = artwork.picture(of(request).fleet, sha256, size)
    if found is None:
        raise HTTPException(404, "there is no such picture")
    return Response(found, media_type="image/jpeg", headers={"Cache-Control": "private, max-age=31536000, immutable"})


@router.put("/listens/artwork", responses=NOT_FOUND)
def choose(body: Cover, request: Request, caller: Submitter, user_id: UserId = None) -> Shown:
    """Choose the cover that a user sees for an album, now and for later listens; nothing found replaces it."""
    return Shown(listens=listens.prefer_artwork(of(request).fleet, user_of(caller, user_id), body))


@router.get("/api/v1/scrobbles/{listen_id}/enrichment_status", responses=NOT_FOUND)
async def standing(listen_id: ListenId, request: Request, caller: Reader) -> ListenStanding:
    """How far the enrichment of a listen has come; another user's is not known."""
    service = of(request)
    found = await in_thread(listens.enrichment_status, service.fleet, service.outlook, listen_id, caller.user)
    return ListenStanding(**found)
