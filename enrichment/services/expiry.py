"""Expiry: findings that their source's terms let us keep no longer are dropped, a slice of them in each round.

Until then nothing uses them: merging and planning leave out what has expired. Where a field may be kept for a day or
more its subject is refreshed in the background; what has to be dropped sooner comes back when somebody asks for it.
"""

from __future__ import annotations

from itertools import product
from math import isfinite

from sqlalchemy import Connection

from enrichment.domain.subjects import FIELDS
from enrichment.reservoir import findings
from enrichment.reservoir import subjects as rows
from enrichment.reservoir.findings import Rule
from enrichment.reservoir.retrying import in_transaction
from enrichment.reservoir.subjects import Ref
from enrichment.services.fleet import Fleet

LOOK = 2000
"""Findings that are looked at in one go."""
CHUNK = 200
"""Findings that are dropped in one go."""
RENEW_FROM = 24 * 3600.0
RENEW_PRIORITY = 1

_NAMES = sorted({name for fields in FIELDS.values() for name in fields})


def rules(fleet: Fleet) -> list[Rule]:
    """What the terms of all sources say: how long each field may be kept, and which may not be used here at all."""
    found = []
    for source, name in product(fleet.sources, _NAMES):
        seconds = fleet.usable(source, name)
        if isfinite(seconds):
            found.append(Rule(source, name, seconds, seconds >= RENEW_FROM))
    return found


def drop_expired(fleet: Fleet, after: int = 0, look: int = LOOK) -> int:
    """Drops what must go among the next `look` findings behind this id. Returns where to go on; 0 is the beginning."""
    by_terms = rules(fleet)
    if not by_terms:
        return 0

    def work(connection: Connection) -> int:
        ended, last = findings.ended(connection, by_terms, after, look, CHUNK)
        refs = {Ref(each.kind, each.subject_id) for each in ended}
        if refs:
            rows.lock(connection, refs)
            findings.drop(connection, ended)
            rows.renew(connection, {each.subject_id for each in ended if each.renew}, RENEW_PRIORITY)
            rows.record_families(connection, refs)
        return last or 0

    return in_transaction(fleet.engine, work)
