"""Pictures in the sizes in which pages show them."""

from __future__ import annotations

from sqlalchemy import LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Now


class Picture(Base):
    """sha256: of the picture as it was downloaded, so that one cover under two addresses is kept once. size: "small",
    "medium" or "large". jpeg: the picture at that size.
    """

    __tablename__ = "pictures"

    sha256: Mapped[str] = mapped_column(primary_key=True)
    size: Mapped[str] = mapped_column(primary_key=True)
    jpeg: Mapped[bytes] = mapped_column(LargeBinary)
    made_at: Mapped[Now]
