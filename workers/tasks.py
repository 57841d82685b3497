"""The tasks, by the names producers know. What a worker does with them stands in `workers.work`.

It is imported at work: whoever imports this module to call `.delay()` does without the fleet, in time and in memory.
"""

from __future__ import annotations

from typing import Any

from celery import Task

from enrichment.domain.orders import Order, id_of
from workers.app import app


class Submission(Task):
    """A producer's task. Whatever goes wrong with it, what it asked for is kept."""

    typing = False

    def take(self, args: tuple[Any, ...], given: dict[str, Any]) -> str:
        """Submits it. What cannot be accepted now goes back to its queue: it is not lost, and it is not ours yet."""
        from workers import work  # noqa: PLC0415 - see above

        return work.submit(Order(self.name, args, given, id_of(self.request.id)), self.request)

    def on_failure(self, exc: Exception, task_id: str, args: Any, kwargs: Any, einfo: Any) -> None:
        """An error of ours that nobody has foreseen."""
        from workers import work  # noqa: PLC0415 - see above

        del einfo
        work.give_up(Order(self.name, args, kwargs, id_of(task_id)), exc, task_id)


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


def register_fetch(source: str) -> None:
    """A task of its own name per source, so that people see in Flower who is asked."""

    @app.task(name=f"fetch.{source}", typing=False)
    def fetch(ticket: str = "") -> str:
        from workers import work  # noqa: PLC0415 - see above

        return work.fetch(source, ticket)
