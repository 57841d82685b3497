"""Batches handed in at once, and the keys by which a request that is sent again is known."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import ForeignKey, Index, LargeBinary, Uuid
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Now


class Batch(Base):
    """who: the access token that handed it in."""

    __tablename__ = "batches"

    id: Mapped[uuid.UUID] = mapped_column(Uuid, primary_key=True)
    who: Mapped[str]
    created_at: Mapped[Now]
    cancelled_at: Mapped[datetime | None]


class BatchItem(Base):
    """One item, in the order of the batch: a subject, or why it was not accepted."""

    __tablename__ = "batch_items"

    batch_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("batches.id", ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str | None]
    subject_id: Mapped[uuid.UUID | None] = mapped_column(Uuid, index=True)
    error: Mapped[str | None]


class IdempotencyKey(Base):
    """digest: SHA-256 of what was asked with the key."""

    __tablename__ = "idempotency_keys"

    who: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    digest: Mapped[bytes] = mapped_column(LargeBinary)
    begun_at: Mapped[Now]

    __table_args__ = (Index("ix_idempotency_keys_begun_at", "begun_at"),)
