"""What was learnt of who knows whom."""

from __future__ import annotations

from typing import Any

from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Now


class SourceModel(Base):
    """The logistic model of a question, where it pays. weights: by feature, in log-odds."""

    __tablename__ = "source_models"

    source: Mapped[str] = mapped_column(primary_key=True)
    question: Mapped[str] = mapped_column(primary_key=True)
    intercept: Mapped[float]
    weights: Mapped[dict[str, Any]] = mapped_column(JSONB)
    trained_at: Mapped[Now]
