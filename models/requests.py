"""Requests that have been taken in, so that each is taken in once however often its message is seen."""

from __future__ import annotations

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Now


class RequestRow(Base):
    """id: of the producer's message, with `/position` for one of a list. Written by the transaction that submits it."""

    __tablename__ = "requests"

    id: Mapped[str] = mapped_column(primary_key=True)
    accepted_at: Mapped[Now]

    __table_args__ = (Index("ix_requests_accepted_at", "accepted_at", postgresql_using="brin"),)
