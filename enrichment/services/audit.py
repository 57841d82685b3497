"""The audit: each operating action stands in it before it is done, with its doer, and afterwards with its outcome."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog

from enrichment.reservoir import access
from enrichment.reservoir.pool import at_once
from enrichment.reservoir.retrying import in_transaction
from enrichment.services.fleet import Fleet

log = structlog.get_logger()


@contextmanager
def audited(fleet: Fleet, who: str, action: str, target: str, **details: Any) -> Iterator[None]:
    """What happens within is this action. What cannot be audited is not done. details: None is left out."""
    details = {name: value for name, value in details.items() if value is not None}
    number = in_transaction(fleet.engine, lambda connection: access.begin(connection, who, action, target, details))
    outcome = "done"
    try:
        yield
    except BaseException as error:
        outcome = f"{type(error).__name__}: {error}"
        raise
    finally:
        in_transaction(fleet.engine, lambda connection: access.end(connection, number, outcome))
        log.info("operating action", who=who, action=action, target=target, outcome=outcome[:200], details=details)


def entries(
    fleet: Fleet, target: str | None = None, who: str | None = None, *, most: int = 100, below: int | None = None
) -> list[dict[str, Any]]:
    """The newest entries: `id`, `at`, `who`, `action`, `target`, `details`, `outcome`.

    who: part of its name, in any case. below: for the next page, the last one's id.
    """
    with at_once(fleet.engine) as connection:
        return access.entries(connection, target, who, most, below)
