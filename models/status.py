"""How far the enrichment of each subject has come."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, Index, SmallInteger, Uuid, text
from sqlalchemy.dialects.postgresql import ARRAY, TEXT
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Now

NO_TEXTS = text("'{}'::text[]")


class EnrichmentStatus(Base):
    """One row per subject that anybody asked for, or that one asked for needs.

    wanted: the fields asked for. forced_at: statements made before it do not satisfy the request (force_refresh).
    refreshing: a background refresh is under way, which leaves `status` alone.
    batch_id: the batch that alone asked for it; NULL where anybody else did too.
    due_at: a pending request is not begun before; NULL for at once, and once it has begun.
    holds_from, holds_until: in between to ask for the same again would ask nothing of anybody and change nothing, as
    long as neither the subject nor what it has from its parents changes; NULL where that is not known. steps: digest of
    what could be asked then.
    """

    __tablename__ = "enrichment_status"

    kind: Mapped[str] = mapped_column(primary_key=True)
    subject_id: Mapped[uuid.UUID] = mapped_column(Uuid, primary_key=True)
    status: Mapped[str] = mapped_column(server_default="pending")
    is_retriable: Mapped[bool] = mapped_column(server_default=text("true"))
    error_message: Mapped[str | None]
    sources_used: Mapped[list[str]] = mapped_column(ARRAY(TEXT), server_default=NO_TEXTS)
    wanted: Mapped[list[str]] = mapped_column(ARRAY(TEXT), server_default=NO_TEXTS)
    priority: Mapped[int] = mapped_column(SmallInteger, server_default=text("5"))
    completeness_score: Mapped[float] = mapped_column(server_default=text("0"))
    requested_at: Mapped[Now]
    finished_at: Mapped[datetime | None]
    forced_at: Mapped[datetime | None]
    refreshing: Mapped[bool] = mapped_column(server_default=text("false"))
    correlation_id: Mapped[str | None]
    batch_id: Mapped[uuid.UUID | None] = mapped_column(Uuid)
    due_at: Mapped[datetime | None]
    holds_from: Mapped[datetime | None]
    holds_until: Mapped[datetime | None]
    steps: Mapped[int | None] = mapped_column(BigInteger)

    __table_args__ = (
        CheckConstraint("status IN ('pending', 'in_progress', 'completed', 'partial', 'failed')", name="status"),
        CheckConstraint("priority BETWEEN 1 AND 10", name="priority"),
        Index("ix_enrichment_status_status", "status", "kind", "requested_at", "subject_id"),
        Index(
            "ix_enrichment_status_due",
            "due_at",
            postgresql_where=text("status = 'pending' AND due_at IS NOT NULL"),
        ),
    )


class Replan(Base):
    """A subject to be planned again because its performer or album has changed, or because a source has resumed."""

    __tablename__ = "replans"

    kind: Mapped[str] = mapped_column(primary_key=True)
    subject_id: Mapped[uuid.UUID] = mapped_column(Uuid, primary_key=True)
    priority: Mapped[int] = mapped_column(SmallInteger, server_default=text("5"))
    recorded_at: Mapped[Now]

    __table_args__ = (Index("ix_replans_priority", text("priority DESC"), "recorded_at"),)
