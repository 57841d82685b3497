"""The fleet itself: its workers, the standing of each source, the calls of day quotas."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import Uuid, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Now


class WorkerRow(Base):
    """A worker process and its heartbeat, on PostgreSQL's clock. machine: which kernel its pid belongs to."""

    __tablename__ = "workers"

    id: Mapped[uuid.UUID] = mapped_column(Uuid, primary_key=True)
    host: Mapped[str]
    machine: Mapped[str]
    pid: Mapped[int]
    pid_started: Mapped[float]
    threads: Mapped[int]
    version: Mapped[str]
    started_at: Mapped[Now]
    beat_at: Mapped[Now]


class SourceState(Base):
    """Pauses, stops and rate factors outlive Redis here; last_claim_at bounds the pause of a cold start.

    stopped: no until a person resumes it. rate_factor: the share of the budget that repeated refusals have left.
    found: options that a probe has found out. probe_at: when the next one may begin, NULL for now.
    """

    __tablename__ = "source_states"

    source: Mapped[str] = mapped_column(primary_key=True)
    paused_until: Mapped[datetime | None]
    stopped: Mapped[bool] = mapped_column(server_default=text("false"))
    reason: Mapped[str] = mapped_column(server_default="")
    rate_factor: Mapped[float] = mapped_column(server_default=text("1"))
    deferred: Mapped[bool] = mapped_column(server_default=text("false"))
    last_claim_at: Mapped[datetime | None]
    found: Mapped[Any] = mapped_column(JSONB, server_default=text("'{}'::jsonb"), nullable=False)
    probe_at: Mapped[datetime | None]
    changed_at: Mapped[Now]

    __table_args__ = ({"postgresql_with": {"fillfactor": "50"}},)


class QuotaHour(Base):
    """Calls that a source with a day quota has had in one hour."""

    __tablename__ = "quota_hours"

    source: Mapped[str] = mapped_column(primary_key=True)
    hour: Mapped[datetime] = mapped_column(primary_key=True)
    calls: Mapped[int]
