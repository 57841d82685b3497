"""The tasks, by the names producers know. A few lines each: the services do the work."""

from __future__ import annotations

from typing import Any

import redis
import structlog
from celery import Task, signals
from celery.exceptions import Reject
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from enrichment.reservoir.retrying import passes
from enrichment.services import fetch as fetching
from enrichment.services import intake
from enrichment.services.intake import Order
from workers import deliveries, process
from workers.app import app
from workers.overdue import leave_journal
from workers.unreadable import refuse

log = structlog.get_logger()


class Submission(Task):
    """A producer's task. Whatever goes wrong with it, what it asked for is kept."""

    typing = False

    def take(self, args: tuple[Any, ...], given: dict[str, Any]) -> str:
        """Submits it. What cannot be accepted now goes back to its queue: it is not lost, and it is not ours yet."""
        order = Order(self.name, args, given, intake.id_of(self.request.id))
        with structlog.contextvars.bound_contextvars(correlation_id=order.trace_id):
            return self._take(order)

    def _take(self, order: Order) -> str:
        try:
            taken = intake.take(process.fleet(), order)
        except SQLAlchemyError as error:
            if not passes(error):
                raise
            log.warning("the database is away", error=str(error)[:200])
            if self.request.delivery_info and self.request.delivery_info.get("redelivered"):
                deliveries.ended(self.request.id)
            raise Reject(reason="the database is away", requeue=True) from error
        for refusal in taken.refused:
            refuse(refusal.order, refusal.error)
        leave_journal(self.request.id)
        return taken.said

    def on_failure(self, exc: Exception, task_id: str, args: Any, kwargs: Any, einfo: Any) -> None:
        """An error of ours that nobody has foreseen."""
        del einfo
        refuse(Order(self.name, args, kwargs, intake.id_of(task_id)), f"{type(exc).__name__}: {exc}")
        leave_journal(task_id)


@app.task(name="enrich_track", base=Submission, bind=True)
def enrich_track(self: Submission, *args: Any, **given: Any) -> str:
    """`enrich_track.delay(track_id=…, artist_name=…, track_title=…, priority=5, …)`."""
    return self.take(args, given)


@app.task(name="enrich_performer", base=Submission, bind=True)
def enrich_performer(self: Submission, *args: Any, **given: Any) -> str:
    """`enrich_performer.delay(performer_id=… | name=…)`."""
    return self.take(args, given)


@app.task(name="enrich_album", base=Submission, bind=True)
def enrich_album(self: Submission, *args: Any, **given: Any) -> str:
    """`enrich_album.delay(album_id=… | artist_name=…, album_title=…)`."""
    return self.take(args, given)


@app.task(name="enrich_tracks", base=Submission, bind=True)
def enrich_tracks(self: Submission, *args: Any, **given: Any) -> str:
    """`enrich_tracks.delay([{…}, …])`: bad ones become dead letters each, the others go on."""
    return self.take(args, given)


@app.task(name="fetch_artwork", base=Submission, bind=True)
def fetch_artwork(self: Submission, *args: Any, **given: Any) -> str:
    """`fetch_artwork.delay(album_id=… | performer_id=…)`: downloads and checks the chosen picture."""
    return self.take(args, given)


@app.task(name="import_events", base=Submission, bind=True)
def import_events(self: Submission, *args: Any, **given: Any) -> str:
    """`import_events.delay([{…}, …])`: events with their line-ups, as scrapers hand them over."""
    return self.take(args, given)


@app.task(name="enrich_event_performers", base=Submission, bind=True)
def enrich_event_performers(self: Submission, *args: Any, **given: Any) -> str:
    """`enrich_event_performers.delay(event_id)`: everybody on the bill."""
    return self.take(args, given)


@app.task(name="enrich_batch", base=Submission, bind=True)
def enrich_batch(self: Submission, *args: Any, **given: Any) -> str:
    """`enrich_batch.delay(batch_size=50, delay_seconds=60)`: performers that need it, spread over time."""
    return self.take(args, given)


@app.task(name="enrich_high_priority", base=Submission, bind=True)
def enrich_high_priority(self: Submission, *args: Any, **given: Any) -> str:
    """`enrich_high_priority.delay(limit=50)`: performers without picture."""
    return self.take(args, given)


@app.task(name="enrich_all_pending", base=Submission, bind=True)
def enrich_all_pending(self: Submission, *args: Any, **given: Any) -> str:
    """`enrich_all_pending.delay()`: every performer that needs it."""
    return self.take(args, given)


@app.task(name="reset_enrichment", base=Submission, bind=True)
def reset_enrichment(self: Submission, *args: Any, **given: Any) -> str:
    """`reset_enrichment.delay(performer_id)`: as if it had never been looked for; findings stay."""
    return self.take(args, given)


@app.task(name="enrich_listens", base=Submission, bind=True)
def enrich_listens(self: Submission, *args: Any, **given: Any) -> str:
    """`enrich_listens.delay([id, …])`: the tracks of these listens, artist by artist."""
    return self.take(args, given)


@app.task(name="sync_lastfm", base=Submission, bind=True)
def sync_lastfm(self: Submission, *args: Any, **given: Any) -> str:
    """`sync_lastfm.delay(account, user)`: what a Last.fm user has played since the last time."""
    return self.take(args, given)


@signals.task_revoked.connect
def give_up(request: Any = None, **_: Any) -> None:
    """A person has taken it back."""
    leave_journal(getattr(request, "id", None))


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
