"""Orders: what a producer's task asks for, as it was written, before anybody has read it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

TASKS = frozenset(
    {
        "enrich_album",
        "enrich_all_pending",
        "enrich_batch",
        "enrich_event_performers",
        "enrich_high_priority",
        "enrich_listens",
        "enrich_performer",
        "enrich_track",
        "enrich_tracks",
        "fetch_artwork",
        "import_events",
        "reset_enrichment",
        "sync_lastfm",
    }
)
"""Tasks that hand work in."""

LONGEST_ID = 200


@dataclass(frozen=True, slots=True)
class Order:
    """A task as its producer wrote it. id: of its message; what has the same one is taken in once."""

    task: str
    args: Sequence[Any] = ()
    kwargs: Mapping[str, Any] | None = None
    id: str | None = None

    @property
    def given(self) -> dict[str, Any]:
        """Its keywords."""
        return dict(self.kwargs or {})

    @property
    def trace_id(self) -> str | None:
        """What the producer follows it by, else its own id."""
        return id_of(self.given.get("correlation_id")) or self.id

    def on(self, priority: int | None) -> Order:
        """The same at another priority, where one is given."""
        return self if priority is None else replace(self, kwargs={**self.given, "priority": priority})

    def shown(self) -> dict[str, Any]:
        """As a dead letter keeps it, and as `order_of` reads it."""
        return {"task": self.task, "args": list(self.args), "kwargs": self.given}


def id_of(given: Any) -> str | None:
    """A message's id as the database can hold it: anything long or odd by its digest."""
    if given is None or given == "":
        return None
    said = str(given)
    if len(said) <= LONGEST_ID and said.isprintable():
        return said
    return hashlib.blake2b(said.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
