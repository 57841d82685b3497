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
    """what: "lookup" for one that died, "message" for a producer's that cannot be taken (raw in `body`).

    request: what was asked, as far as it can be read: a lookup's `keys`, a message's `task`, `args` and `kwargs`.
    edited: what a person put in its place. request_id: of the message, which makes one letter however often it is seen.
    """

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
    edited: Mapped[dict[str, Any] | None]
    body: Mapped[bytes | None] = mapped_column(LargeBinary)
    correlation_id: Mapped[str | None]
    request_id: Mapped[str | None]
    created_at: Mapped[Now]
    acted_at: Mapped[datetime | None]
    note: Mapped[str | None]

    __table_args__ = (
        CheckConstraint("what IN ('lookup', 'message')", name="what"),
        CheckConstraint("state IN ('open', 'replayed', 'dropped')", name="state"),
        Index("ix_dead_letters_state_source", "state", "source", "id"),
        Index("ix_dead_letters_subject_id", "subject_id"),
        Index("uq_dead_letters_open_lookup", "lookup_id", unique=True, postgresql_where=text("state = 'open'")),
        Index("uq_dead_letters_request_id", "request_id", unique=True),
    )
