"""What is done by the clock: the schedules, and every run of them."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Index, Uuid, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.base import EMPTY_OBJECT, Base, Now, RowId


class ScheduleRow(Base):
    """A schedule. since: planned times before it are not made up. ticked_at: when beat was last seen."""

    __tablename__ = "schedules"

    name: Mapped[str] = mapped_column(primary_key=True)
    paused: Mapped[bool] = mapped_column(server_default=text("false"))
    since: Mapped[Now]
    ticked_at: Mapped[datetime | None]


class ScheduleRun(Base):
    """A run of a schedule for one planned time. cursor: how far it has come, and what it has counted.

    token, lease_until: of the process that is at it. outcome: NULL while it is open.
    """

    __tablename__ = "schedule_runs"

    id: Mapped[RowId]
    name: Mapped[str]
    planned_at: Mapped[datetime]
    started_at: Mapped[Now]
    ended_at: Mapped[datetime | None]
    outcome: Mapped[str | None]
    error: Mapped[str | None]
    cursor: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=EMPTY_OBJECT)
    token: Mapped[uuid.UUID | None] = mapped_column(Uuid)
    lease_until: Mapped[datetime | None]

    __table_args__ = (
        CheckConstraint("outcome IN ('done', 'failed')", name="outcome"),
        Index("uq_schedule_runs_planned", "name", "planned_at", unique=True),
        Index("uq_schedule_runs_open", "name", unique=True, postgresql_where=text("ended_at IS NULL")),
    )
