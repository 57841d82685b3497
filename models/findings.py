"""Everything a source said: the newest statement of each source about each field."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Index, Uuid, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, RowId


class FindingRow(Base):
    __tablename__ = "findings"

    id: Mapped[RowId]
    kind: Mapped[str]
    subject_id: Mapped[uuid.UUID] = mapped_column(Uuid)
    field: Mapped[str]
    source: Mapped[str]
    value: Mapped[Any] = mapped_column(JSONB, nullable=False)
    confidence: Mapped[float]
    reason: Mapped[str] = mapped_column(server_default="")
    locked: Mapped[bool] = mapped_column(server_default=text("false"))
    stated_at: Mapped[datetime]
    lookup_id: Mapped[int | None] = mapped_column(BigInteger)

    __table_args__ = (Index("uq_findings_subject_field_source", "subject_id", "field", "source", unique=True),)
