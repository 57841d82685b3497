"""What opens the upstreams, as an operator has stored it: encrypted, never in clear."""

from __future__ import annotations

from sqlalchemy import LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Now


class SourceKey(Base):
    """name: as the environment would call it, `LASTFM_API_KEY`. sealed: a Fernet token that holds name and value."""

    __tablename__ = "source_keys"

    name: Mapped[str] = mapped_column(primary_key=True)
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    changed_at: Mapped[Now]
