"""Of the web console: who is signed in, by which password somebody may sign in, and what its charts show."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, LargeBinary
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.base import EMPTY_OBJECT, Base, Moment, Now


class ConsoleSession(Base):
    """digest: SHA-256 of the cookie, which is 256 random bits. It opens what its token opens, and ends with it."""

    __tablename__ = "console_sessions"

    digest: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    token_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("access_tokens.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[Now]
    expires_at: Mapped[Moment]


class ConsolePassword(Base):
    """By which, with the name of its access token, somebody may sign in. hashed: 16 bytes of salt, then scrypt."""

    __tablename__ = "console_passwords"

    token_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("access_tokens.id", ondelete="CASCADE"), primary_key=True
    )
    hashed: Mapped[bytes] = mapped_column(LargeBinary)
    changed_at: Mapped[Now]


class Minute(Base):
    """What one minute came to. calls: by source. outcomes: lookups settled, by outcome. coverage: by kind, the share of
    its subjects that have a field.
    """

    __tablename__ = "minutes"

    at: Mapped[datetime] = mapped_column(primary_key=True)
    calls: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=EMPTY_OBJECT)
    outcomes: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=EMPTY_OBJECT)
    coverage: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=EMPTY_OBJECT)
