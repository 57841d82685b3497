"""`linernotes cancel`: a batch that nobody wants any more."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

from cli.failure import Failure
from cli.fleet import opened
from cli.operator import who
from cli.show import note, print_json
from enrichment.services import batches
from enrichment.services.audit import audited


def cancel(data: Path | None, batch: UUID, *, json: bool) -> None:
    """Ends what is open of it. Raises Failure for an unknown one."""
    with opened(data, with_tables=True) as fleet:
        head = batches.head(fleet.fleet, batch)
        if head is None:
            raise Failure(f"there is no batch {batch}")
        with audited(fleet.fleet, who(), "cancel batch", str(batch)):
            ended = batches.cancel(fleet.fleet, batch)
        found = batches.progress(fleet.fleet, batches.head(fleet.fleet, batch) or head)
    if json:
        print_json(found)
        return
    still = found["pending"] + found["in_progress"]
    note(
        f"{ended} of {found['total']} items ended" + (f"; {still} go on, as others asked for them too" if still else "")
    )
