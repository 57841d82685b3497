"""Subjects that may be one, those that were merged, and how far the search for them has come."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Index, Uuid, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Now, RowId


class Duplicate(Base):
    """Two subjects of one kind that may be the same; each pair stands here once, whatever was decided.

    first, second: their ids, the lower one first. score: 0 to 1, of names, versions and durations. certain: could it be
    merged without a person? kept: the one that stayed, of those merged.
    """

    __tablename__ = "duplicates"

    id: Mapped[RowId]
    kind: Mapped[str]
    first: Mapped[uuid.UUID] = mapped_column(Uuid)
    second: Mapped[uuid.UUID] = mapped_column(Uuid)
    state: Mapped[str] = mapped_column(server_default="proposed")
    score: Mapped[float]
    certain: Mapped[bool] = mapped_column(server_default=text("false"))
    evidence: Mapped[dict[str, Any]] = mapped_column(JSONB)
    proposed_at: Mapped[Now]
    decided_at: Mapped[datetime | None]
    decided_by: Mapped[str | None]
    kept: Mapped[uuid.UUID | None] = mapped_column(Uuid)

    __table_args__ = (
        CheckConstraint("state IN ('proposed', 'merged', 'rejected')", name="state"),
        CheckConstraint("first < second", name="order"),
        Index("uq_duplicates_pair", "first", "second", unique=True),
        Index("ix_duplicates_second", "second"),
        Index("ix_duplicates_state", "state", "id"),
        Index("ix_duplicates_certain", "id", postgresql_where=text("certain AND state = 'proposed'")),
    )


class Redirect(Base):
    """A subject that is another one now: its ids and names lead there.

    subject_id: the one it is now, however often that was merged since. artist_key, title_key: its names as a request
    gives them; a performer's own name is in artist_key. undo: `row` and `before`, both subjects as they were; `moved`,
    by column what was theirs; `removed`, by table the rows that gave way to the other subject's.
    """

    __tablename__ = "redirects"

    kind: Mapped[str] = mapped_column(primary_key=True)
    old_id: Mapped[uuid.UUID] = mapped_column(Uuid, primary_key=True)
    external_id: Mapped[str | None]
    artist_key: Mapped[str | None]
    title_key: Mapped[str]
    subject_id: Mapped[uuid.UUID] = mapped_column(Uuid)
    merged_at: Mapped[Now]
    undo: Mapped[dict[str, Any]] = mapped_column(JSONB)

    __table_args__ = (
        Index("ix_redirects_old_id", "old_id"),
        Index("ix_redirects_external_id", "external_id", "kind", postgresql_where=text("external_id IS NOT NULL")),
        Index("ix_redirects_names", "artist_key", "title_key", "kind"),
        Index("ix_redirects_subject_id", "subject_id"),
        Index("ix_redirects_merged_at_old_id", "merged_at", "old_id"),
    )


class ReadMark(Base):
    """How far a reader has followed the changes: up to this subject of this moment."""

    __tablename__ = "read_marks"

    reader: Mapped[str] = mapped_column(primary_key=True)
    moment: Mapped[datetime] = mapped_column(server_default=text("'epoch'"))
    after: Mapped[uuid.UUID] = mapped_column(Uuid, server_default=text("'00000000-0000-0000-0000-000000000000'"))
