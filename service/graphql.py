"""GraphQL over the same services: the names are those of the REST contract in camelCase."""

from __future__ import annotations

import asyncio
import enum
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Any

import strawberry
from fastapi import HTTPException
from graphql import GraphQLError
from starlette.requests import HTTPConnection
from strawberry.extensions import MaskErrors, MaxAliasesLimiter, MaxTokensLimiter, QueryDepthLimiter
from strawberry.fastapi import BaseContext, GraphQLRouter
from strawberry.scalars import JSON

from enrichment.domain.subjects import Kind
from enrichment.reservoir.pool import at_once
from enrichment.reservoir.subjects import Ref
from enrichment.services import outlook, report
from enrichment.services.requests import BadRequest, TrackRequest, read
from enrichment.services.tokens import Caller, Scope
from service.access import allowed
from service.context import Service, in_thread, of

DEPTH, TOKENS, ALIASES = 6, 2000, 20
MOST_SUBJECTS = 1000
"""What one operation may cost: each subject that it reads or asks for counts one."""
WAITING, NOT_WAITING = 10, 5
LONGEST_PROGRESS = 600.0


class Context(BaseContext):
    """Of one operation, or of one WebSocket with all its operations."""

    def __init__(self, connection: HTTPConnection) -> None:
        super().__init__()
        self.service: Service = of(connection)
        self._authorization = connection.headers.get("authorization", "")
        self._spent = 0

    async def caller(self, scope: Scope) -> Caller:
        """Who calls, with this scope. Raises GraphQLError."""
        secret = self.secret()
        try:
            return allowed(await self.service.caller(secret), scope, anonymous=secret is None)
        except HTTPException as error:
            code = "UNAUTHENTICATED" if error.status_code == 401 else "FORBIDDEN"
            raise GraphQLError(str(error.detail), extensions={"code": code}) from error

    def secret(self) -> str | None:
        """Browsers cannot send headers with a WebSocket: there the token comes as the `authorization` of its first
        message.
        """
        given = self._authorization
        if not given and isinstance(self.connection_params, dict):
            given = str(self.connection_params.get("authorization", ""))
        kind, _, secret = given.partition(" ")
        return secret if kind.lower() == "bearer" and secret else None

    def spend(self, subjects: int) -> None:
        """Raises GraphQLError where an operation asks for too much."""
        self._spent += subjects
        if self._spent > MOST_SUBJECTS:
            raise GraphQLError(f"more than {MOST_SUBJECTS} subjects in one operation", extensions={"code": "TOO_LARGE"})


Info = strawberry.Info[Context, None]


@strawberry.enum(name="Kind")
class SubjectKind(enum.Enum):
    """Of a subject."""

    TRACK = "track"
    PERFORMER = "performer"
    ALBUM = "album"


@strawberry.enum
class Status(enum.Enum):
    """Of a request."""

    PENDING = "pending"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    PARTIAL = "partial"
    FAILED = "failed"


@strawberry.type
class EnrichmentResult:
    """What has come of a request."""

    track_id: strawberry.ID
    status: Status
    sources_used: list[str]
    metadata_acquired: JSON
    errors: list[str]
    duration_seconds: float | None
    cached: bool
    timestamp: str


@strawberry.type
class EnrichmentStatus:
    """How far a subject has come. position: 1 goes next, 0 is being asked now."""

    id: strawberry.ID
    status: Status | None
    has_artwork: bool
    is_retriable: bool | None
    error_message: str | None
    sources_used: list[str]
    completeness_score: float
    position: int | None
    estimated_completion: str | None


@strawberry.type
class Track:
    """A track; `fields` holds all that is known, by the names of the REST contract."""

    id: strawberry.ID
    track_id: strawberry.ID
    title: str | None
    artist_name: str | None
    album_title: str | None
    isrc: str | None
    spotify_id: str | None
    musicbrainz_id: str | None
    duration_ms: int | None
    bpm: float | None
    key: str | None
    genres: list[str]
    release_date: str | None
    label: str | None
    artwork_url: str | None
    fields: JSON


@strawberry.type
class Performer:
    """A performer; `fields` holds all that is known, by the names of the REST contract."""

    id: strawberry.ID
    performer_id: strawberry.ID
    name: str | None
    spotify_id: str | None
    musicbrainz_id: str | None
    image_url: str | None
    country: str | None
    country_code: str | None
    genres: list[str]
    popularity: int | None
    followers: int | None
    fields: JSON


def _own(subject: type[Any], record: report.Record, **ids: str) -> Any:
    """A subject's type, filled from its record."""
    named = {field.name for field in subject.__strawberry_definition__.fields} - {"fields", "genres", *ids}
    values = {name: record.values.get(name) for name in named}
    return subject(**ids, **values, genres=list(record.values.get("genres", ())), fields=record.values)


async def _records(info: Info, kind: Kind, ids: Sequence[str]) -> list[tuple[Ref, report.Record] | None]:
    context = info.context
    await context.caller(Scope.READ)
    context.spend(len(ids))
    service = context.service

    def look() -> list[tuple[Ref, report.Record] | None]:
        refs = [outlook.find(service.fleet, kind, _checked(given)) for given in ids]
        with at_once(service.fleet.engine) as connection:
            found = report.records(connection, {ref for ref in refs if ref is not None})
        return [(ref, found[ref]) if ref in found else None for ref in refs]

    return await in_thread(look)


def _checked(given: str) -> str:
    """An id as it may be one. Raises GraphQLError."""
    try:
        return read(TrackRequest, {"track_id": given}).track_id or ""
    except BadRequest as error:
        raise GraphQLError("an id is a text of 1 to 200 characters", extensions={"code": "BAD_USER_INPUT"}) from error


@strawberry.type
class Query:
    """What is known."""

    @strawberry.field
    async def tracks(self, info: Info, ids: list[strawberry.ID]) -> list[Track | None]:
        """Tracks by the producer's ids or ours, in this order; null for one that nobody knows."""
        found = await _records(info, Kind.TRACK, ids)
        return [each and _own(Track, each[1], id=str(each[0].id), track_id=each[1].id) for each in found]

    @strawberry.field
    async def track(self, info: Info, id: strawberry.ID) -> Track | None:  # noqa: A002 - the argument's name
        """One track."""
        (found,) = await _records(info, Kind.TRACK, [id])
        return found and _own(Track, found[1], id=str(found[0].id), track_id=found[1].id)

    @strawberry.field
    async def performers(self, info: Info, ids: list[strawberry.ID]) -> list[Performer | None]:
        """Performers by the producer's ids or ours, in this order; null for one that nobody knows."""
        found = await _records(info, Kind.PERFORMER, ids)
        return [each and _own(Performer, each[1], id=str(each[0].id), performer_id=each[1].id) for each in found]

    @strawberry.field
    async def performer(self, info: Info, id: strawberry.ID) -> Performer | None:  # noqa: A002 - the argument's name
        """One performer."""
        (found,) = await _records(info, Kind.PERFORMER, [id])
        return found and _own(Performer, found[1], id=str(found[0].id), performer_id=found[1].id)

    @strawberry.field
    async def enrichment_status(
        self,
        info: Info,
        id: strawberry.ID,  # noqa: A002 - the argument's name
        kind: SubjectKind = SubjectKind.TRACK,
    ) -> EnrichmentStatus | None:
        """How far a subject has come; null for one that nobody knows."""
        context = info.context
        await context.caller(Scope.READ)
        context.spend(1)
        found = await context.service.standings.ask((Kind(kind.value), _checked(id)))
        return _status(found) if found else None


def _status(found: dict[str, Any]) -> EnrichmentStatus:
    named = {field.name for field in EnrichmentStatus.__strawberry_definition__.fields} - {"status"}  # type: ignore[attr-defined]  # added by the decorator
    values = {name: found[name] for name in named}
    return EnrichmentStatus(**values, status=Status(found["status"]) if found["status"] else None)


@strawberry.type
class Mutation:
    """What is asked for."""

    @strawberry.mutation
    async def enrich_track(
        self,
        info: Info,
        track_id: strawberry.ID,
        force_refresh: bool = False,
        wait: float = 10.0,
    ) -> EnrichmentResult:
        """Enrich a known track, and wait so many seconds for the result (at most 120). One nobody knows is FAILED."""
        (result,) = await _enrich(info, [track_id], force_refresh=force_refresh, wait=wait, priority=WAITING)
        return result

    @strawberry.mutation
    async def enrich_tracks(
        self,
        info: Info,
        track_ids: list[strawberry.ID],
        force_refresh: bool = False,
        wait: float = 0.0,
    ) -> list[EnrichmentResult]:
        """Enrich known tracks. One that nobody knows is FAILED, and says so; the others go on."""
        return await _enrich(info, track_ids, force_refresh=force_refresh, wait=wait, priority=NOT_WAITING)


async def _enrich(
    info: Info, ids: Sequence[str], *, force_refresh: bool, wait: float, priority: int
) -> list[EnrichmentResult]:
    context = info.context
    await context.caller(Scope.SUBMIT)
    context.spend(len(ids))
    if not 0 <= wait <= 120:
        raise GraphQLError("wait: 0 to 120 seconds", extensions={"code": "BAD_USER_INPUT"})
    service = context.service
    requests = [TrackRequest(track_id=_checked(each), priority=priority, force_refresh=force_refresh) for each in ids]
    accepted = await asyncio.gather(*(service.submitting.ask((request, None)) for request in requests))
    refs = {each.ref for each in accepted if each.ref is not None}
    come = await service.watch.answers(refs, wait) if wait else {}
    if refs - come.keys():
        come = await in_thread(report.answers, service.fleet, refs)
    return [
        _result(come[each.ref]) if each.ref is not None else _refused(given, each.error or "unknown")
        for given, each in zip(ids, accepted, strict=True)
    ]


def _refused(given: str, error: str) -> EnrichmentResult:
    now = datetime.now(UTC).isoformat()
    return EnrichmentResult(
        track_id=strawberry.ID(given),
        status=Status.FAILED,
        sources_used=[],
        metadata_acquired=JSON({}),
        errors=[error],
        duration_seconds=None,
        cached=False,
        timestamp=now,
    )


def _result(answer: dict[str, Any]) -> EnrichmentResult:
    return EnrichmentResult(
        track_id=strawberry.ID(answer["track_id"]),
        status=Status(answer["status"]),
        sources_used=answer["sources_used"],
        metadata_acquired=answer["metadata_acquired"],
        errors=answer["errors"],
        duration_seconds=answer.get("duration_seconds"),
        cached=answer["cached"],
        timestamp=answer["timestamp"],
    )


@strawberry.type
class Subscription:
    """What is going on."""

    @strawberry.subscription
    async def enrichment_progress(self, info: Info, track_id: strawberry.ID) -> AsyncIterator[EnrichmentResult]:
        """A known track now, and whenever something has changed, until it has ended."""
        context = info.context
        await context.caller(Scope.READ)
        service = context.service
        ref = await in_thread(outlook.find, service.fleet, Kind.TRACK, _checked(track_id))
        if ref is None:
            raise GraphQLError(f"track_id: {track_id!r} is not known", extensions={"code": "NOT_FOUND"})
        seen = (await in_thread(outlook.look, service.fleet, [ref])).get(ref)
        while seen is not None:
            answers = await in_thread(report.answers, service.fleet, [ref])
            yield _result(answers[ref])
            if seen.has_ended:
                return
            seen = await service.watch.changed(ref, seen, LONGEST_PROGRESS)


def _expected(error: GraphQLError) -> bool:
    return error.original_error is None or isinstance(error.original_error, GraphQLError)


schema = strawberry.Schema(
    Query,
    Mutation,
    Subscription,
    extensions=[
        lambda: QueryDepthLimiter(max_depth=DEPTH),
        lambda: MaxTokensLimiter(max_token_count=TOKENS),
        lambda: MaxAliasesLimiter(max_alias_count=ALIASES),
        lambda: MaskErrors(should_mask_error=lambda error: not _expected(error)),
    ],
)


async def _context(connection: HTTPConnection) -> Context:
    context = Context(connection)
    if connection.scope["type"] == "http" and await context.service.caller(context.secret()) is None:
        raise HTTPException(401, "an access token is needed", {"WWW-Authenticate": "Bearer"})
    return context


def router() -> Any:
    """POST /graphql, and subscriptions over WebSocket (graphql-transport-ws) or as a multipart answer.

    Nothing by GET: what a link or an image can call needs no consent.
    """
    return GraphQLRouter(
        schema, path="/graphql", context_getter=_context, graphql_ide=None, allow_queries_via_get=False
    )
