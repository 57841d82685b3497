"""The fence: a lookup's outcome is applied by whoever holds its claim, once; and what is left of those that died."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, text

from enrichment.domain.outcomes import Outcome
from enrichment.reservoir.claims import Claim
from enrichment.reservoir.documents import document


class Move(StrEnum):
    """What becomes of a claimed lookup."""

    END = "ended"
    WAIT = "waiting"
    LATER = "not_due"
    DEFER = "deferred"


@dataclass(frozen=True, slots=True)
class Settlement:
    """A claim's outcome and its lookup's next move.

    delay: seconds until it is due, for LATER. attempt, shed: counted against the lookup. split: most that may share its
    next call. died: it becomes a dead letter. misses: nothing found so many times in a row.
    """

    claim: Claim
    outcome: Outcome
    move: Move
    note: str = ""
    findings: int = 0
    delay: float = 0.0
    attempt: bool = False
    shed: bool = False
    split: int | None = None
    died: bool = False
    misses: int = 0
    excerpt: str = ""


_FENCE = text("""
WITH given AS (
    SELECT * FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(id bigint, token uuid, state text, outcome text,
        note text, delay float8, attempt int, shed int, split int, misses int, findings int)
), applied AS (
    UPDATE lookups l SET state = g.state, outcome = g.outcome, error = nullif(g.note, ''),
        attempts = l.attempts + g.attempt, sheds = l.sheds + g.shed, misses = g.misses,
        batch_limit = coalesce(g.split, l.batch_limit),
        due_at = CASE WHEN g.state = 'not_due' THEN clock_timestamp() + make_interval(secs => g.delay) END,
        settled_at = CASE WHEN g.state IN ('ended', 'deferred') THEN clock_timestamp() END,
        claim_token = NULL, lease_until = NULL, claimed_by = NULL
    FROM given g WHERE l.id = g.id AND l.claim_token = g.token AND l.state = 'claimed'
    RETURNING l.id, g.token, g.outcome, g.findings
), audited AS (
    INSERT INTO settles (lookup_id, claim_token, outcome, findings, worker)
    SELECT id, token, outcome, findings, :worker FROM applied
)
SELECT id FROM applied
""")


def apply(connection: Connection, settlements: Sequence[Settlement], worker: uuid.UUID) -> set[int]:
    """Moves the lookups whose claim we still hold, and writes the audit.

    Returns their ids: only they may write findings.
    """
    if not settlements:
        return set()
    ordered = sorted(settlements, key=lambda settlement: settlement.claim.id)
    rows = connection.execute(_FENCE, {"rows": document([_row(each) for each in ordered]), "worker": worker})
    return set(rows.scalars())


def _row(settlement: Settlement) -> dict[str, Any]:
    return {
        "id": settlement.claim.id,
        "token": str(settlement.claim.token),
        "state": settlement.move,
        "outcome": settlement.outcome,
        "note": settlement.note[:500].replace("\x00", ""),
        "delay": settlement.delay,
        "attempt": int(settlement.attempt),
        "shed": int(settlement.shed),
        "split": settlement.split,
        "misses": settlement.misses,
        "findings": settlement.findings,
    }


_LETTER = text("""
INSERT INTO dead_letters (what, source, question, kind, subject_id, lookup_id, outcome, error, attempts, request, reply,
                          correlation_id)
SELECT 'lookup', l.source, l.question, l.kind, l.subject_id, l.id, :outcome, :error, l.attempts,
    jsonb_build_object('keys', l.keys, 'priority', l.priority, 'created_at', l.created_at, 'deaths', l.deaths),
    nullif(:reply, ''), l.correlation_id
FROM lookups l WHERE l.id = :id
ON CONFLICT DO NOTHING
""")

_DEAD = text(
    "UPDATE lookups SET state = 'ended', outcome = :outcome, error = :error, settled_at = clock_timestamp() "
    "WHERE id = :id AND state = 'waiting' RETURNING kind, subject_id, priority"
)


def write_dead_letters(connection: Connection, settlements: Sequence[Settlement], applied: Collection[int]) -> None:
    """One for each lookup that died."""
    for each in settlements:
        if each.died and each.claim.id in applied:
            _dead_letter(connection, each.claim.id, each.outcome, each.note or each.outcome, each.excerpt)


def _dead_letter(connection: Connection, lookup_id: int, outcome: str, error: str, reply: str) -> None:
    connection.execute(_LETTER, {"id": lookup_id, "outcome": outcome, "error": error, "reply": reply})


def end_killer(connection: Connection, lookup_id: int, deaths: int) -> tuple[str, uuid.UUID, int] | None:
    """A lookup under which workers died alone, too often, becomes a dead letter.

    Returns its kind, subject and priority; None where somebody has it again.
    """
    error = f"{deaths} workers died under it"
    row = connection.execute(_DEAD, {"id": lookup_id, "outcome": Outcome.TRY_LATER, "error": error}).one_or_none()
    if row is None:
        return None
    _dead_letter(connection, lookup_id, "worker_died", error, "")
    return row.kind, row.subject_id, row.priority
