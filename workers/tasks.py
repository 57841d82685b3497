"""The tasks, by the names producers know. A few lines each: the services do the work."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeVar

import redis
import structlog
from celery import Task
from celery.exceptions import Reject
from sqlalchemy.exc import DBAPIError

from enrichment.services import fetch as fetching
from enrichment.services.artwork import request_artwork
from enrichment.services.requests import AlbumRequest, BadRequest, PerformerRequest, Request, TrackRequest, read
from enrichment.services.submit import submit, submit_all
from workers import process
from workers.app import app
from workers.unreadable import keep

T = TypeVar("T")

log = structlog.get_logger()


class Submission(Task):
    """A producer's task. Whatever goes wrong with it, what it asked for is kept."""

    typing = False

    def on_failure(self, exc: Exception, task_id: str, args: Any, kwargs: Any, einfo: Any) -> None:
        """An error of ours that nobody has foreseen."""
        del task_id, einfo
        _refuse(self.name, f"{type(exc).__name__}: {exc}", {"args": args, **kwargs} if args else kwargs)


@app.task(name="enrich_track", base=Submission)
def enrich_track(*args: Any, **given: Any) -> str:
    """`enrich_track.delay(track_id=…, artist_name=…, track_title=…, priority=5, …)`."""
    return _submit("enrich_track", TrackRequest, args, given)


@app.task(name="enrich_performer", base=Submission)
def enrich_performer(*args: Any, **given: Any) -> str:
    """`enrich_performer.delay(performer_id=… | name=…)`."""
    return _submit("enrich_performer", PerformerRequest, *_by_id("performer_id", args, given))


@app.task(name="enrich_album", base=Submission)
def enrich_album(*args: Any, **given: Any) -> str:
    """`enrich_album.delay(album_id=… | artist_name=…, album_title=…)`."""
    return _submit("enrich_album", AlbumRequest, *_by_id("album_id", args, given))


@app.task(name="enrich_tracks", base=Submission)
def enrich_tracks(tracks: Any = None, *args: Any, **given: Any) -> str:
    """`enrich_tracks.delay([{…}, …])`: bad ones become dead letters each, the others go on."""
    if not isinstance(tracks, list) or args or given:
        return _refuse("enrich_tracks", "takes one list of tracks", {"tracks": tracks, "args": args, **given})
    good: list[Request] = []
    for track in tracks:
        try:
            good.append(read(TrackRequest, track if isinstance(track, dict) else {"track": track}))
        except BadRequest as error:
            _refuse("enrich_tracks", str(error), track)
    accepted = _with_database(lambda: submit_all(process.fleet(), good))
    for request, outcome in zip(good, accepted, strict=True):
        if outcome.error:
            _refuse("enrich_tracks", outcome.error, request.model_dump(exclude_none=True))
    return f"{sum(1 for each in accepted if each.ref)} of {len(tracks)} tracks accepted"


@app.task(name="fetch_artwork", base=Submission)
def fetch_artwork(*args: Any, **given: Any) -> str:
    """`fetch_artwork.delay(album_id=… | performer_id=…)`: downloads and checks the chosen picture."""
    try:
        return _with_database(lambda: request_artwork(process.fleet(), *args, **given))
    except (BadRequest, TypeError) as error:
        return _refuse("fetch_artwork", str(error), {"args": args, **given})


def _by_id(name: str, args: tuple[Any, ...], given: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """A single positional argument is the subject's id."""
    return ((), {name: args[0], **given}) if len(args) == 1 and name not in given else (args, given)


def _submit(task: str, model: type[Request], args: tuple[Any, ...], given: dict[str, Any]) -> str:
    if args:
        return _refuse(task, "takes keywords only", {"args": args, **given})
    try:
        request = read(model, given)
        ref = _with_database(lambda: submit(process.fleet(), request))
    except BadRequest as error:
        return _refuse(task, str(error), given)
    return f"{ref.kind} {ref.id} accepted"


def _with_database(work: Callable[[], T]) -> T:
    """A message that cannot be accepted now goes back to its queue: it is not lost, and it is not ours yet."""
    try:
        return work()
    except DBAPIError as error:
        log.warning("the database is away", error=str(error.orig)[:200])
        raise Reject(reason="the database is away", requeue=True) from error


def _refuse(task: str, error: str, given: Any) -> str:
    """Bad input is kept where it can be seen; it harms nobody else."""
    raw = json.dumps(given, default=repr).encode("utf-8", "replace")
    correlation = given.get("correlation_id") if isinstance(given, dict) else None
    keep(f"{task}: {error}", raw, json.dumps({"task": task}), correlation if isinstance(correlation, str) else None)
    return f"refused: {error}"


def _fetch(source: str, ticket: str) -> str:
    try:
        return str(fetching.fetch(process.fleet(), source, ticket))
    except (redis.RedisError, DBAPIError) as error:
        # What this fetch held comes back through the steward; there is nothing to retry here.
        log.warning("fetch was cut short", source=source, error=f"{type(error).__name__}: {error}"[:200])
        return f"{source}: cut short by {type(error).__name__}"


def register_fetch(source: str) -> None:
    """A task of its own name per source, so that people see in Flower who is asked."""

    @app.task(name=f"fetch.{source}", typing=False)
    def fetch(ticket: str = "") -> str:
        return _fetch(source, ticket)


def register_fetches() -> None:
    """One for each source there is."""
    for source in process.fleet().sources:
        register_fetch(source)
