"""Tasks about many performers or listens at once: what each takes, and what it does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from enrichment.services import listens, performers
from enrichment.services.events import PRIORITY, Imported, enrich_event_performers, import_events
from enrichment.services.fleet import Fleet
from enrichment.services.requests import Id
from enrichment.services.sync import sync_lastfm


class Call(BaseModel):
    """A task's arguments, in their order, by the keywords of the function."""

    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)

    def take(self, fleet: Fleet, request_id: str | None) -> str:
        """Does it; twice with one request_id is once. Returns what came of it, in words. Raises BadRequest."""
        raise NotImplementedError


class ImportEvents(Call):
    """`import_events.delay([{…}, …])`."""

    events: list[Any]
    priority: int = Field(default=PRIORITY, ge=1, le=10)
    correlation_id: Id | None = None

    def take(self, fleet: Fleet, request_id: str | None) -> str:
        """The events are in the database, and their performers wanted."""
        return str(self.imported(fleet, request_id).shown())

    def imported(self, fleet: Fleet, request_id: str | None) -> Imported:
        """With what could not be read."""
        return import_events(fleet, self.events, self.priority, self.correlation_id or request_id)


class EnrichEventPerformers(Call):
    """`enrich_event_performers.delay(event_id)`."""

    event_id: Id
    priority: int = Field(default=PRIORITY, ge=1, le=10)
    force_refresh: bool = False
    correlation_id: Id | None = None

    def take(self, fleet: Fleet, request_id: str | None) -> str:
        """The whole bill is wanted."""
        count = enrich_event_performers(
            fleet, self.event_id, self.priority, force_refresh=self.force_refresh, request_id=request_id
        )
        return f"{count} performers accepted"


class EnrichBatch(Call):
    """`enrich_batch.delay(batch_size=50, delay_seconds=60)`."""

    batch_size: int = Field(default=50, ge=0, le=1_000_000)
    delay_seconds: float = Field(default=60, ge=0, le=86_400)
    priority: int = Field(default=performers.SCHEDULED, ge=1, le=10)

    def take(self, fleet: Fleet, request_id: str | None) -> str:
        """So many are wanted, one after the other."""
        count = performers.enrich_batch(
            fleet, self.batch_size, self.delay_seconds, self.priority, request_id=request_id
        )
        return f"{count} performers accepted"


class EnrichHighPriority(Call):
    """`enrich_high_priority.delay(limit=50)`."""

    limit: int = Field(default=50, ge=0, le=1_000_000)
    priority: int = Field(default=performers.URGENT, ge=1, le=10)

    def take(self, fleet: Fleet, request_id: str | None) -> str:
        """So many without picture are wanted."""
        count = performers.enrich_high_priority(fleet, self.limit, self.priority, request_id=request_id)
        return f"{count} performers accepted"


class EnrichAllPending(Call):
    """`enrich_all_pending.delay()`."""

    priority: int = Field(default=performers.BACKFILL, ge=1, le=10)

    def take(self, fleet: Fleet, request_id: str | None) -> str:
        """All are wanted; what is wanted already stays so, so that twice does no harm."""
        del request_id
        return f"{performers.enrich_all_pending(fleet, self.priority)} performers accepted"


class ResetEnrichment(Call):
    """`reset_enrichment.delay(performer_id)`."""

    performer_id: Id

    def take(self, fleet: Fleet, request_id: str | None) -> str:
        """As if it had never been looked for."""
        del request_id
        performers.reset_enrichment(fleet, self.performer_id)
        return f"performer {self.performer_id} reset"


class EnrichListens(Call):
    """`enrich_listens.delay([id, …])`."""

    ids: list[UUID]
    priority: int = Field(default=listens.IMPORTED, ge=1, le=10)

    def take(self, fleet: Fleet, request_id: str | None) -> str:
        """Their tracks are wanted, artist by artist."""
        return f"{listens.enrich_listens(fleet, self.ids, self.priority, request_id=request_id)} listens accepted"


class SyncLastFM(Call):
    """`sync_lastfm.delay(account, user)`. user: whose listens they are here, where it is another name."""

    account: Id
    user: Id | None = None

    def take(self, fleet: Fleet, request_id: str | None) -> str:
        """New listens are in the database; what is there stays as it is, so that twice does no harm."""
        del request_id
        return str(sync_lastfm(fleet, self.account, self.user or self.account).shown())


CALLS: Mapping[str, type[Call]] = {
    "enrich_listens": EnrichListens,
    "sync_lastfm": SyncLastFM,
    "import_events": ImportEvents,
    "enrich_event_performers": EnrichEventPerformers,
    "enrich_batch": EnrichBatch,
    "enrich_high_priority": EnrichHighPriority,
    "enrich_all_pending": EnrichAllPending,
    "reset_enrichment": ResetEnrichment,
}
