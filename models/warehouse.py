"""Artists as a warehouse holds them: every row that was landed, and the latest of each. `dim_artists` is a view."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Index, Uuid, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TEXT
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Now, RowId

NO_TEXTS = text("'{}'::text[]")
EMPTY_LIST = text("'[]'::jsonb")
EMPTY_OBJECT = text("'{}'::jsonb")


class LandedArtist:
    """A row of a landing file. images: [{url, width, height}], the widest first."""

    artist_id: Mapped[str]
    artist_name: Mapped[str]
    genres: Mapped[list[str]] = mapped_column(ARRAY(TEXT), server_default=NO_TEXTS)
    popularity: Mapped[int | None]
    follower_count: Mapped[int | None] = mapped_column(BigInteger)
    images: Mapped[Any] = mapped_column(JSONB, server_default=EMPTY_LIST, nullable=False)
    external_urls: Mapped[Any] = mapped_column(JSONB, server_default=EMPTY_OBJECT, nullable=False)
    enriched_at: Mapped[datetime]
    loaded_at: Mapped[Now]


class ArtistEnrichmentRaw(LandedArtist, Base):
    """Everything that was ingested. file, line: where it stood."""

    __tablename__ = "artist_enrichment_raw"

    id: Mapped[RowId]
    file: Mapped[str]
    line: Mapped[int]

    __table_args__ = (
        Index("uq_artist_enrichment_raw_line", "file", "line", unique=True),
        Index("ix_artist_enrichment_raw_loaded_at", "loaded_at", postgresql_using="brin"),
    )


class ArtistEnrichment(LandedArtist, Base):
    """The latest row of each artist. performer_id: ours of the same artist, where there is one."""

    __tablename__ = "artist_enrichment"

    artist_id: Mapped[str] = mapped_column(primary_key=True)
    performer_id: Mapped[uuid.UUID | None] = mapped_column(Uuid, index=True)

    __table_args__ = (
        Index("ix_artist_enrichment_enriched_at", "enriched_at"),
        Index("ix_artist_enrichment_genres", "genres", postgresql_using="gin"),
    )
