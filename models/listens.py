"""What people have listened to, and the covers they have chosen."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, Uuid, func, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Now, RowId


class Listen(Base):
    """One play by one user, with the names as its player told them.

    origin: who told of it: "api", "lastfm", "listenbrainz", "csv". live: told while it was heard, not imported later.
    metadata_status: how the enrichment of its track stands. temporary_artwork_url: the picture that came with it.
    preferred_artwork_url: the cover that the user has chosen for this album.
    """

    __tablename__ = "listens"

    id: Mapped[uuid.UUID] = mapped_column(Uuid, primary_key=True, server_default=text("gen_random_uuid()"))
    user_id: Mapped[str]
    listened_at: Mapped[datetime]
    artist_name: Mapped[str]
    track_name: Mapped[str]
    album_name: Mapped[str | None]
    performer_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("performers.id"), index=True)
    album_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("albums.id"), index=True)
    track_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("tracks.id"), index=True)
    temporary_artwork_url: Mapped[str | None]
    preferred_artwork_url: Mapped[str | None]
    metadata_status: Mapped[str] = mapped_column(server_default="pending")
    origin: Mapped[str] = mapped_column(server_default="api")
    live: Mapped[bool] = mapped_column(server_default=text("false"))
    created_at: Mapped[Now]

    __table_args__ = (
        CheckConstraint(
            "metadata_status IN ('pending', 'in_progress', 'completed', 'partial', 'failed')", name="metadata_status"
        ),
        # Also a user's listens in the order of time.
        Index("uq_listens_play", "user_id", "listened_at", "artist_name", "track_name", unique=True),
        Index(
            "ix_listens_album",
            "user_id",
            func.lower(text("artist_name")),
            func.lower(text("album_name")),
            postgresql_where=text("album_name IS NOT NULL"),
        ),
        Index(
            "ix_listens_open_track",
            "track_id",
            postgresql_where=text("metadata_status IN ('pending', 'in_progress')"),
        ),
        Index("ix_listens_live", "created_at", postgresql_where=text("live")),
        Index("ix_listens_synced", "user_id", "origin", "listened_at"),
    )


class ArtworkPreference(Base):
    """The cover that a user wants to see for an album, whatever is found; names are compared without case."""

    __tablename__ = "user_artwork_preferences"

    id: Mapped[RowId]
    user_id: Mapped[str]
    artist_name: Mapped[str]
    album_name: Mapped[str]
    preferred_artwork_url: Mapped[str]
    chosen_at: Mapped[Now]

    __table_args__ = (
        Index(
            "uq_user_artwork_preferences_album",
            "user_id",
            func.lower(text("artist_name")),
            func.lower(text("album_name")),
            unique=True,
        ),
    )
