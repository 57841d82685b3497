"""What the fleet has counted, and how much it is to say."""

from __future__ import annotations

from sqlalchemy import Float
from sqlalchemy.dialects.postgresql import ARRAY, TEXT
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base


class CountRow(Base):
    """One number that only grows, of all processes together: a counter, or one bucket of a histogram.

    labels: the values of its labels, in their order; of a bucket its upper bound comes last.
    """

    __tablename__ = "counts"

    name: Mapped[str] = mapped_column(primary_key=True)
    labels: Mapped[list[str]] = mapped_column(ARRAY(TEXT), primary_key=True)
    value: Mapped[float] = mapped_column(Float(53))

    # A few hundred rows, each written every second: free space keeps the updates on their page.
    __table_args__ = ({"postgresql_with": {"fillfactor": "30"}},)


class LogLevel(Base):
    """The level that an operator has set for a logger; "" is our own code as a whole."""

    __tablename__ = "log_levels"

    logger: Mapped[str] = mapped_column(primary_key=True)
    level: Mapped[str]
