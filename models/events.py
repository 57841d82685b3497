"""Events and their line-ups."""

from __future__ import annotations

import uuid
from datetime import date
from typing import Any

from sqlalchemy import Date, ForeignKey, Uuid, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.base import EMPTY_OBJECT, Base, Now


class Event(Base):
    __tablename__ = "events"

    id: Mapped[uuid.UUID] = mapped_column(Uuid, primary_key=True, server_default=text("gen_random_uuid()"))
    external_id: Mapped[str | None] = mapped_column(unique=True)
    title: Mapped[str]
    venue: Mapped[str | None]
    area: Mapped[str | None]
    event_date: Mapped[date | None] = mapped_column(Date)
    url: Mapped[str | None]
    metadata_: Mapped[dict[str, Any]] = mapped_column("metadata", JSONB, server_default=EMPTY_OBJECT)
    created_at: Mapped[Now]


class EventPerformer(Base):
    """One name of an event's line-up; position counts from 1 in the order of the bill."""

    __tablename__ = "event_performers"

    event_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("events.id", ondelete="CASCADE"), primary_key=True)
    performer_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("performers.id"), primary_key=True, index=True)
    position: Mapped[int]
    billed_as: Mapped[str | None]
