"""Performers, albums and tracks: the merged record, its scalar fields as plain columns, the rest in `metadata`.

Rows may come from other programs by plain INSERT: every column but the names has a default, and rows without an
`enrichment_status` are picked up by the backfill.
"""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import Computed, ForeignKey, Index, SmallInteger, Uuid, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from enrichment.domain.subjects import Kind
from models.base import EMPTY_OBJECT, Base, Now

_RA_NEED = """
CASE WHEN coalesce(ra_artist_id, metadata ->> 'ra_artist_id') IS NULL THEN NULL
     ELSE CASE WHEN image_url IS NULL THEN 1
               WHEN coalesce(ra_artist_url, metadata ->> 'ra_artist_url') IS NULL THEN 2
               ELSE 3 END
        + CASE WHEN enriched_at IS NULL AND NOT metadata ? 'enriched_at' THEN 0 ELSE 10 END END
"""

_UNENRICHED = text("enriched_at IS NULL")
_PICTURELESS = text("NOT metadata ? 'artwork'")
"""What backfills walk along."""


class Subject:
    """Columns of all three kinds. external_id: the producer's own id for it."""

    id: Mapped[uuid.UUID] = mapped_column(Uuid, primary_key=True, server_default=text("gen_random_uuid()"))
    external_id: Mapped[str | None] = mapped_column(unique=True)
    metadata_: Mapped[dict[str, Any]] = mapped_column("metadata", JSONB, server_default=EMPTY_OBJECT)
    created_at: Mapped[Now]
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
    enriched_at: Mapped[datetime | None]


class Performer(Subject, Base):
    """passed_on_at: when something that its tracks have from it changed last.
    ra_need: of those whose RA id is known: 1 without picture, 2 without RA's address, 3 with both; 10 more once they
    are enriched. Other programs may write RA's facts into `metadata` alone.
    """

    __tablename__ = "performers"

    name: Mapped[str]
    name_key: Mapped[str | None]
    spotify_id: Mapped[str | None] = mapped_column(index=True)
    musicbrainz_id: Mapped[str | None] = mapped_column(index=True)
    discogs_id: Mapped[str | None] = mapped_column(index=True)
    deezer_id: Mapped[str | None] = mapped_column(index=True)
    wikidata_id: Mapped[str | None] = mapped_column(index=True)
    ra_artist_id: Mapped[str | None] = mapped_column(index=True)
    ra_artist_url: Mapped[str | None]
    image_url: Mapped[str | None]
    country: Mapped[str | None]
    country_code: Mapped[str | None]
    biography: Mapped[str | None]
    popularity: Mapped[int | None]
    followers: Mapped[int | None]
    passed_on_at: Mapped[datetime | None]
    ra_need: Mapped[int | None] = mapped_column(SmallInteger, Computed(_RA_NEED, persisted=True))

    __table_args__ = (
        Index("ix_performers_name_key", "name_key"),
        Index("ix_performers_ra_artist_url", "ra_artist_url", postgresql_where=text("ra_artist_url IS NOT NULL")),
        Index("ix_performers_ra_need", "ra_need", "enriched_at", "id", postgresql_where=text("ra_need IS NOT NULL")),
        Index("ix_performers_created_at", "created_at"),
        Index("ix_performers_pictureless", "id", postgresql_where=_PICTURELESS),
        Index("ix_performers_unenriched", "id", postgresql_where=_UNENRICHED),
        Index("ix_performers_updated_at_id", "updated_at", "id"),
        Index(
            "ix_performers_aliases",
            text("(metadata -> 'aliases')"),
            postgresql_using="gin",
            postgresql_where=text("metadata ? 'aliases'"),
            postgresql_with={"fastupdate": "off"},  # each search would read the list of what is still to be sorted in
        ),
    )


class Album(Subject, Base):
    """passed_on_at: when something that its tracks have from it changed last."""

    __tablename__ = "albums"

    title: Mapped[str]
    artist: Mapped[str]
    title_key: Mapped[str | None]
    artist_key: Mapped[str | None]
    performer_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("performers.id"), index=True)
    musicbrainz_release_id: Mapped[str | None] = mapped_column(index=True)
    musicbrainz_release_group_id: Mapped[str | None]
    spotify_id: Mapped[str | None] = mapped_column(index=True)
    discogs_id: Mapped[str | None] = mapped_column(index=True)
    deezer_id: Mapped[str | None] = mapped_column(index=True)
    barcode: Mapped[str | None] = mapped_column(index=True)
    label: Mapped[str | None]
    release_date: Mapped[str | None]
    cover_art_url: Mapped[str | None]
    temporary_artwork_url: Mapped[str | None]
    popularity: Mapped[int | None]
    passed_on_at: Mapped[datetime | None]

    __table_args__ = (
        Index("ix_albums_artist_key_title_key", "artist_key", "title_key"),
        Index("ix_albums_title_key", "title_key"),
        Index("ix_albums_pictureless", "id", postgresql_where=_PICTURELESS),
        Index("ix_albums_unenriched", "id", postgresql_where=_UNENRICHED),
        Index("ix_albums_updated_at_id", "updated_at", "id"),
        Index("ix_albums_coverless", "id", postgresql_where=text("cover_art_url IS NULL")),
    )


class Track(Subject, Base):
    __tablename__ = "tracks"

    title: Mapped[str]
    artist: Mapped[str]
    title_key: Mapped[str | None]
    artist_key: Mapped[str | None]
    performer_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("performers.id"), index=True)
    album_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("albums.id"), index=True)
    album_title: Mapped[str | None]
    isrc: Mapped[str | None] = mapped_column(index=True)
    spotify_id: Mapped[str | None] = mapped_column(index=True)
    musicbrainz_id: Mapped[str | None] = mapped_column(index=True)
    deezer_id: Mapped[str | None] = mapped_column(index=True)
    lastfm_url: Mapped[str | None]
    duration_ms: Mapped[int | None]
    bpm: Mapped[float | None]
    key: Mapped[str | None]
    camelot: Mapped[str | None]
    release_date: Mapped[str | None]
    label: Mapped[str | None]
    artwork_url: Mapped[str | None]
    temporary_artwork_url: Mapped[str | None]
    popularity: Mapped[int | None]
    explicit: Mapped[bool | None]

    __table_args__ = (
        Index("ix_tracks_artist_key_title_key", "artist_key", "title_key"),
        Index("ix_tracks_title_key", "title_key"),
        Index("ix_tracks_unenriched", "id", postgresql_where=_UNENRICHED),
        Index("ix_tracks_updated_at_id", "updated_at", "id"),
    )


TABLES: dict[Kind, type[Performer | Album | Track]] = {
    Kind.PERFORMER: Performer,
    Kind.ALBUM: Album,
    Kind.TRACK: Track,
}
"""In the order in which rows are locked: parents before what refers to them."""


def column_of(field: str) -> str:
    """The column that holds a scalar field: its own name, but for `artist_name`."""
    return "artist" if field == "artist_name" else field
