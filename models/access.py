"""Who may use the service, and what was done to the fleet by hand."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Index, LargeBinary
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.base import EMPTY_OBJECT, Base, Now, RowId


class AccessToken(Base):
    """digest: SHA-256 of the token, which is 256 random bits and therefore needs no salt. ending: its last four
    characters, all that is ever shown of it. user_id: whose listens it opens; NULL where it stands for no person.
    """

    __tablename__ = "access_tokens"

    id: Mapped[RowId]
    name: Mapped[str]
    user_id: Mapped[str | None]
    digest: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    ending: Mapped[str]
    scopes: Mapped[list[str]]
    created_at: Mapped[Now]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class AuditEntry(Base):
    """An operating action: written before it is done. outcome: NULL where its doer did not live to tell."""

    __tablename__ = "audit"

    id: Mapped[RowId]
    at: Mapped[Now]
    who: Mapped[str]
    action: Mapped[str]
    target: Mapped[str]
    details: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=EMPTY_OBJECT)
    outcome: Mapped[str | None]

    __table_args__ = (Index("ix_audit_target", "target", "id"),)
