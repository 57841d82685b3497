"""Jobs: work that is too much for one go, done in steps, each with a cursor that says how far it has come."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from enum import Enum
from typing import Any

from enrichment.services.fleet import Fleet

Cursor = dict[str, Any]
"""JSON. What it holds under "since" is handed on to the next run."""


class Step(Enum):
    """What a step has come to."""

    MORE = "more"
    WAITS = "waits"
    """Nothing can be done for now."""
    DONE = "done"


BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
"""Before anything was asked."""

Job = Callable[[Fleet, Cursor], Step]
"""One step, a second or so long; it writes into the cursor how far it has come. Twice the same is harmless."""


def count(cursor: Cursor, name: str, more: int) -> None:
    """So many more under "counts"."""
    counts: dict[str, int] = cursor.setdefault("counts", {})
    counts[name] = counts.get(name, 0) + more
