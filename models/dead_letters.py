"""Work that ended without success, kept whole, to be seen, edited, replayed or dropped."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Index, LargeBinary, Uuid, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.base import EMPTY_OBJECT, Base, Now, RowId


class DeadLetter(Base):
    """what: "lookup" for one that died (its row is in `request`), "message" for one nobody can read (raw in `body`)."""

    __tablename__ = "dead_letters"

    id: Mapped[RowId]
    what: Mapped[str]
    state: Mapped[str] = mapped_column(server_default="open")
    source: Mapped[str | None]
    question: Mapped[str | None]
    kind: Mapped[str | None]
    subject_id: Mapped[uuid.UUID | None] = mapped_column(Uuid)
    lookup_id: Mapped[int | None] = mapped_column(BigInteger)
    outcome: Mapped[str]
    error: Mapped[str]
    attempts: Mapped[int] = mapped_column(server_default=text("0"))
    request: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=EMPTY_OBJECT)
    reply: Mapped[str | None]
    body: Mapped[bytes | None] = mapped_column(LargeBinary)
    correlation_id: Mapped[str | None]
    created_at: Mapped[Now]
    acted_at: Mapped[datetime | None]
    note: Mapped[str | None]

    __table_args__ = (
        CheckConstraint("what IN ('lookup', 'message')", name="what"),
        CheckConstraint("state IN ('open', 'replayed', 'dropped')", name="state"),
        Index("ix_dead_letters_state_source", "state", "source", "id"),
        Index("ix_dead_letters_subject_id", "subject_id"),
        Index("uq_dead_letters_open_lookup", "lookup_id", unique=True, postgresql_where=text("state = 'open'")),
    )
