"""The reservoir: every question to be asked of a source about a subject, and the audit of what was settled."""

from __future__ import annotations

import uuid
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Computed, Index, SmallInteger, Uuid, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.base import EMPTY_OBJECT, Base, Now, RowId


class LookupState(StrEnum):
    GATHERING = "gathering"
    """low_priority, waiting for its batch to fill."""
    WAITING = "waiting"
    """May be claimed now."""
    CLAIMED = "claimed"
    NOT_DUE = "not_due"
    """Will be tried again at due_at."""
    DEFERRED = "deferred"
    """Its source is stopped or paused for long; its subject does not wait for it."""
    ENDED = "ended"


OPEN_STATES = (LookupState.GATHERING, LookupState.WAITING, LookupState.CLAIMED, LookupState.NOT_DUE)

_LANE = "CASE WHEN priority = 10 THEN 'critical' WHEN priority >= 4 THEN 'default' ELSE 'low_priority' END"


class LookupRow(Base):
    """One question about one subject, answered by one call.

    The order of a source's line is (priority descending, id): the id is its age, and stays when it is given back.
    keys: what the question needs, as known when it was planned. batch_key: only lookups with the same one share a call.
    batch_limit: the most that may share its call, where a batch was refused or its worker died; else 0.
    claim_size: how many shared its present call. fresh_after: a cached reply older than this does not do.
    misses: how many times in a row the source knew nothing; the wait until it is asked again grows with it.
    """

    __tablename__ = "lookups"

    id: Mapped[RowId]
    source: Mapped[str]
    question: Mapped[str]
    kind: Mapped[str]
    subject_id: Mapped[uuid.UUID] = mapped_column(Uuid)
    state: Mapped[str] = mapped_column(server_default="waiting")
    priority: Mapped[int] = mapped_column(SmallInteger)
    lane: Mapped[str] = mapped_column(Computed(_LANE, persisted=True))
    keys: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=EMPTY_OBJECT)
    batch_key: Mapped[str] = mapped_column(server_default="")
    batch_limit: Mapped[int] = mapped_column(server_default=text("0"))
    blocking: Mapped[bool] = mapped_column(server_default=text("true"))
    attempts: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"))
    sheds: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"))
    deaths: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"))
    misses: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"))
    created_at: Mapped[Now]
    due_at: Mapped[datetime | None]
    fresh_after: Mapped[datetime | None]
    claimed_at: Mapped[datetime | None]
    claimed_by: Mapped[uuid.UUID | None] = mapped_column(Uuid)
    claim_token: Mapped[uuid.UUID | None] = mapped_column(Uuid)
    claim_size: Mapped[int | None]
    lease_until: Mapped[datetime | None]
    outcome: Mapped[str | None]
    error: Mapped[str | None]
    settled_at: Mapped[datetime | None]
    correlation_id: Mapped[str | None]

    __table_args__ = (
        CheckConstraint(
            "state IN ('gathering', 'waiting', 'claimed', 'not_due', 'deferred', 'ended')",
            name="state",
        ),
        Index("ix_lookups_line", "source", text("priority DESC"), "id", postgresql_where=text("state = 'waiting'")),
        Index(
            "ix_lookups_batch",
            "source",
            "question",
            "batch_key",
            "batch_limit",
            text("priority DESC"),
            "id",
            postgresql_where=text("state = 'waiting'"),
        ),
        Index(
            "ix_lookups_gathering",
            "source",
            "question",
            "batch_key",
            "id",
            postgresql_where=text("state = 'gathering'"),
        ),
        Index("ix_lookups_due", "due_at", postgresql_where=text("state IN ('not_due', 'gathering')")),
        Index("ix_lookups_claimed", "claimed_by", "lease_until", postgresql_where=text("state = 'claimed'")),
        Index("ix_lookups_deferred", "source", postgresql_where=text("state = 'deferred'")),
        Index(
            "uq_lookups_open",
            "subject_id",
            "source",
            "question",
            unique=True,
            postgresql_where=text("state <> 'ended'"),
        ),
        Index("ix_lookups_subject", "subject_id"),
        Index("ix_lookups_answered", "outcome", "settled_at", postgresql_where=text("state = 'ended'")),
        # Rows change state a few times and are then history: the free space keeps updates on their page, and the line's
        # indexes must be swept soon, or claims walk over dead entries.
        {
            "postgresql_with": {
                "fillfactor": "80",
                "autovacuum_vacuum_scale_factor": "0.02",
                "autovacuum_vacuum_threshold": "1000",
                "autovacuum_vacuum_cost_delay": "0",
            }
        },
    )


class SettleRow(Base):
    """Append-only: one row for each lookup each time its outcome was applied."""

    __tablename__ = "settles"

    id: Mapped[RowId]
    lookup_id: Mapped[int] = mapped_column(BigInteger)
    claim_token: Mapped[uuid.UUID] = mapped_column(Uuid)
    outcome: Mapped[str]
    findings: Mapped[int]
    worker: Mapped[uuid.UUID | None] = mapped_column(Uuid)
    settled_at: Mapped[Now]

    __table_args__ = (
        Index("ix_settles_lookup_id", "lookup_id"),
        # Rows stand in the order of their time: a few bytes for each 128 pages find a minute's.
        Index("ix_settles_settled_at", "settled_at", postgresql_using="brin"),
    )
