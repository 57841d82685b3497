"""Doubts that a person has to decide, and what was rejected for good."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Index, Uuid
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Now, RowId


class Review(Base):
    """A question about a subject that only a person can answer; asking again joins the one that is there.

    doubt: "namesakes" where a source knows several who may be the subject, "shared_id" where one identifier stands on
    several subjects. question: the source's, or the identifier's field. fields: what the decision settles.
    candidates: `id`, `name`, `score`, `reasons`, `picture`, `links`, `country` and `findings` of each. seen: ids of all
    candidates that were ever shown. decision, chosen, decided_by, decided_at: the last decision.
    """

    __tablename__ = "reviews"

    id: Mapped[RowId]
    kind: Mapped[str]
    subject_id: Mapped[uuid.UUID] = mapped_column(Uuid)
    doubt: Mapped[str]
    source: Mapped[str]
    question: Mapped[str]
    fields: Mapped[list[str]]
    candidates: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    seen: Mapped[list[str]]
    reason: Mapped[str]
    state: Mapped[str] = mapped_column(server_default="open")
    created_at: Mapped[Now]
    asked_at: Mapped[Now]
    decision: Mapped[str | None]
    chosen: Mapped[str | None]
    decided_by: Mapped[str | None]
    decided_at: Mapped[datetime | None]

    __table_args__ = (
        CheckConstraint("doubt IN ('namesakes', 'shared_id')", name="doubt"),
        CheckConstraint("state IN ('open', 'decided')", name="state"),
        CheckConstraint("decision IN ('chosen', 'none', 'locked')", name="decision"),
        Index("uq_reviews_subject_id_source_question", "subject_id", "source", "question", unique=True),
        Index("ix_reviews_state_id", "state", "id"),
        Index("ix_reviews_state_source_id", "state", "source", "id"),
        Index("ix_reviews_state_doubt_id", "state", "doubt", "id"),
    )


class Rejection(Base):
    """A person's word that an identifier, or the address of a page, is not this subject's."""

    __tablename__ = "rejections"

    kind: Mapped[str]
    subject_id: Mapped[uuid.UUID] = mapped_column(Uuid, primary_key=True)
    field: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str] = mapped_column(primary_key=True)
    rejected_by: Mapped[str]
    rejected_at: Mapped[Now]
