"""The fleet's tasks by name. What a keyword means is the fleet's to say: docs/producer.md of linernotes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from celery import Celery

app = Celery("linernotes-client", set_as_current=False)
app.config_from_object("linernotes_client.celeryconfig")


@dataclass(frozen=True)
class RemoteTask:
    """A task that the fleet runs. There is no result to wait for: what is found is in the fleet's database."""

    name: str

    def delay(self, *args: Any, **kwargs: Any) -> str:
        """Sends it on the lane of its `priority`. Returns the message's id.

        Raises kombu.exceptions.OperationalError where the broker is away.
        """
        return self.apply_async(args, kwargs)

    def apply_async(self, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None, **options: Any) -> str:
        """As `delay`, with Celery's options of sending."""
        return str(app.send_task(self.name, list(args), dict(kwargs or {}), **options).id)


enrich_track = RemoteTask("enrich_track")
enrich_tracks = RemoteTask("enrich_tracks")
enrich_performer = RemoteTask("enrich_performer")
enrich_album = RemoteTask("enrich_album")
fetch_artwork = RemoteTask("fetch_artwork")
import_events = RemoteTask("import_events")
enrich_event_performers = RemoteTask("enrich_event_performers")
enrich_batch = RemoteTask("enrich_batch")
enrich_high_priority = RemoteTask("enrich_high_priority")
enrich_all_pending = RemoteTask("enrich_all_pending")
reset_enrichment = RemoteTask("reset_enrichment")
enrich_listens = RemoteTask("enrich_listens")
sync_lastfm = RemoteTask("sync_lastfm")
